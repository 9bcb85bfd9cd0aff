"""Sizes of a network: parameters and multiply-adds, counted without computing anything."""

import json
from collections.abc import Mapping
from typing import Any

import torch

from ablation.catalogue.entry import NetworkError
from ablation.networks.build import build
from ablation.networks.layertable import LayerRow, totals
from ablation.networks.tracing import layer_table
from ablation.support.failures import describe, in_one_line, is_of_the_machine


def inspect(architecture: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int) -> list[LayerRow]:
    """Return the layer table of the network of a spec."""
    with torch.device("meta"):
        network = build(architecture, input_shape, classes)
    return layer_table(network, input_shape)


def inspect_or_say(
    architecture: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int
) -> tuple[list[LayerRow], str]:
    """Return the layer table of the network of a spec, or none and why: it cannot be built, or takes no such images.

    Its runs fail, and say so in their turn; those of other networks need not wait for it. What would say nothing is
    refused (NetworkError), before anything is trained.
    """
    try:
        return inspect(architecture, input_shape, classes), ""
    except Exception as error:
        return [], say(error)


def structure_key(architecture: Mapping[str, Any]) -> str:
    """Return what two specs of equal layers share: all but the initialisation, which is applied to a network that stands."""
    layers = {factor: level for factor, level in architecture["layers"].items() if factor != "initialisation"}
    return json.dumps({**architecture, "layers": layers}, sort_keys=True)


def inspect_all(
    architectures: Mapping[str, Mapping[str, Any]], input_shape: tuple[int, int, int], classes: int
) -> dict[str, tuple[list[LayerRow], str]]:
    """Return by name what `inspect_or_say` does of each spec.

    Most variants of a large study train the same network in another way: each structure is traced once, and specs that
    share one share the object that is its table.
    """
    known: dict[str, tuple[list[LayerRow], str]] = {}
    found = {}
    for name, architecture in architectures.items():
        key = structure_key(architecture)
        if key not in known:
            known[key] = inspect_or_say(architecture, input_shape, classes)
        found[name] = known[key]
    return found


def say(error: Exception) -> str:
    """Say in a line why a network cannot be built; an error that is not the network's own is raised again."""
    if isinstance(error, NetworkError) or is_of_the_machine(error):
        raise error
    return in_one_line(describe(error, 0.0))


def shares_kernels(
    architectures: tuple[Mapping[str, Any], Mapping[str, Any]], input_shape: tuple[int, int, int], classes: int
) -> bool:
    """Say whether the networks of two specs have a weight of the same name and shape, beside biases and norms."""
    with torch.device("meta"):
        states = [build(architecture, input_shape, classes).state_dict() for architecture in architectures]
    kernels = [{(name, value.shape) for name, value in state.items() if value.dim() > 1} for state in states]
    return bool(kernels[0] & kernels[1])


def measure(architecture: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int) -> dict[str, int]:
    """Return the ``parameters`` and ``multiply_adds`` (one image, forward) of the network of a spec."""
    return totals(inspect(architecture, input_shape, classes))
