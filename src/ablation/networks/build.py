"""Networks built from specs, which name all that is needed: no catalogue is read."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from ablation.catalogue.entry import NetworkError
from ablation.networks.kit import Layers
from ablation.support.references import is_own, own_code, resolve


def build(architecture: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build the network of a spec; its weights are whatever torch drew and wait for `ablation.networks.initialisation`.

    Parameters
    ----------
    architecture : mapping
        The part ``architecture`` of a run's spec: ``builder``, ``layers`` and ``arguments``.
    input_shape : tuple of int
        Channels, height and width in pixels.
    classes : int
        Number of outputs.

    Returns
    -------
    torch.nn.Module
        Maps (batch, channels, height, width) to logits (batch, classes).

    Raises
    ------
    OwnCodeError
        If a builder of the author's own fails, or returns something else.
    NetworkError
        If the network would say nothing.
    """
    reference = architecture["builder"]
    builder, layers = resolve(reference), Layers.choose(architecture["layers"])
    with own_code(reference, f"{reference.rpartition(':')[2]} cannot build a network"):
        try:
            network = builder(input_shape, classes, layers, **architecture["arguments"])
        except NetworkError as error:
            stated = ", ".join(f"{name} {value}" for name, value in architecture["arguments"].items())
            raise NetworkError(f"{architecture['name']} ({stated}): {error}") from None
        if is_own(reference):
            check_logits(network, input_shape, classes)
    return network


@torch.no_grad()
def answer_shape(network: nn.Module, input_shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the shape of a network's output for one image, by a pass of zeros on its own device."""
    device = next((parameter.device for parameter in network.parameters()), torch.get_default_device())
    return tuple(network(torch.zeros(2, *input_shape, device=device)).shape[1:])


def check_logits(network: Any, input_shape: tuple[int, int, int], classes: int) -> None:
    """Refuse what is no network, or gives something else than logits, by a pass of two images of zeros.

    Raises
    ------
    TypeError
        If it is no module.
    ValueError
        If its outputs have another shape.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"found an object of type {type(network).__name__}, expected a torch.nn.Module")
    # On a copy: a module may keep what it sees first.
    shape = answer_shape(deepcopy(network).eval(), input_shape)
    if shape != (classes,):
        raise ValueError(f"found outputs of shape {shape} for one image of {input_shape}, expected {classes} logits")
