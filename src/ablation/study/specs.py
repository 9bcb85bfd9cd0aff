"""The spec of a run: all that determines it, in plain data, with every choice resolved to the code that makes it.

Training a spec, or building its network, needs no catalogue: beside the names that a study uses stand references to the
code (``module:name``, see `ablation.support.references`). A run's key (`ablation.records.keys`) forgets the names and
counts the definitions that the references name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ablation.catalogue.catalogue import Catalogue
from ablation.catalogue.recipes import OPTIMIZERS, SCHEDULES, parse_augmentation

PROBE = "ablation.training.diagnostics:Probe"


def architecture_spec(catalogue: Catalogue, builder: str, levels: Mapping[str, Any]) -> dict[str, Any]:
    """State all that determines a network.

    Parameters
    ----------
    catalogue : Catalogue
    builder : str
        Name of the architecture in the catalogue.
    levels : mapping
        The level of every factor that it has; others are left out.

    Returns
    -------
    dict
        ``name``, ``builder``, ``layers`` (by factor: the level's name and what `ablation.catalogue.factors.Level.spec`
        states) and ``arguments``.
    """
    entry = catalogue.architectures[builder]
    layers = {}
    for factor in entry.layers:
        level = catalogue.factors[factor].levels[levels[factor]]
        layers[factor] = {"level": levels[factor], **level.spec()}
    arguments = {factor: levels[factor] for factor in entry.arguments}
    return {"name": builder, "builder": entry.builder, "layers": layers, "arguments": arguments}


def code_spec(catalogue: Catalogue, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """State which code the entries of a recipe name: ``optimizer``, ``schedule`` and the steps of ``augmentation``."""
    steps = parse_augmentation(recipe["augmentation"], catalogue.augmentations)
    return {
        "optimizer": OPTIMIZERS[recipe["optimizer"]].make,
        "schedule": SCHEDULES[recipe["schedule"]].make,
        "augmentation": [[catalogue.augmentations[name].make, amount] for name, amount in steps],
    }


def diagnostics_spec(catalogue: Catalogue, activation: str | None, epochs: Sequence[int]) -> dict[str, Any] | None:
    """State what is diagnosed, how and after which epochs; None if nothing is.

    `activation` is the level of that factor, None for an architecture without it.
    """
    if not epochs:
        return None
    level = catalogue.factors["activation"].levels[activation] if activation else None
    bounds = level.saturation_spec() if level else None
    saturation = {"layer": level.spec(), **bounds} if bounds else None
    return {"make": PROBE, "epochs": sorted(epochs), "saturation": saturation}
