"""Sizes of a network: parameters and multiply-adds, counted without computing anything."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ablation.networks import build


def count_multiply_adds(network: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """Count the multiply-adds of convolutions and dense layers for one image, without bias additions.

    Parameters
    ----------
    network : torch.nn.Module
        On any device; the meta device computes nothing.
    input_shape : tuple of int
        Channels, height and width in pixels.

    Returns
    -------
    int
    """
    total = 0

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal total
        # Each output value is a dot product with one filter, or with one row of the matrix.
        total += output.numel() * layer.weight[0].numel()

    hooks = [
        layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    with torch.no_grad():
        network(torch.empty(1, *input_shape, device=device))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return total


def measure(architecture: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int) -> dict[str, int]:
    """Return the ``parameters`` and ``multiply_adds`` (one image, forward) of the network of a spec."""
    with torch.device("meta"):
        network = build(architecture, input_shape, classes)
        return {
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "multiply_adds": count_multiply_adds(network, input_shape),
        }
