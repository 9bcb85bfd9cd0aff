"""The key of a run: a digest of all that determines its result, and of nothing else.

What counts: the spec of the run with the definitions that its choices name and reach, the definitions that every training
reaches, the prepared data, and the key of the run that it starts from. What does not: names of architectures and levels,
modules and paths, comments, docstrings, and whatever of the package the training does not reach. So adding a level, an
architecture or a metric, or moving code, leaves every record valid.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ablation.support.definitions import Sources
from ablation.support.digests import digest

# What every run goes through; what it chooses joins by its spec.
TRAINING = (
    "ablation.training.run:train",
    "ablation.training.run:be_deterministic",
    "ablation.training.evaluation:put_on_device",
)
# What resolves references counts by name alone: what it resolves is in the key itself.
RESOLVING = ("ablation.support.references",)
# Entries of the recipe that name code, which counts in their place.
NAMING = ("optimizer", "schedule", "augmentation")


@cache
def sources() -> Sources:
    """Return the definitions of the package, read once in a process."""
    return Sources(by_name=RESOLVING)


def run_key(spec: Mapping[str, Any], data_digest: str, known: Sources | None = None) -> str:
    """Return the key of a run.

    Parameters
    ----------
    spec : mapping
        As `ablation.study.plan.Plan.spec` states it.
    data_digest : str
        Of the prepared data.
    known : Sources, optional
        The definitions; without it, those of this package.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    known = known or sources()
    start = run_key(spec["warm_start"], data_digest, known) if spec["warm_start"] else None
    return digest(
        {
            "spec": keyed_spec(spec, lambda reference: known.digest([reference])),
            "training": known.digest(TRAINING),
            "data": data_digest,
            "warm_start": start,
        }
    )


def keyed_spec(spec: Mapping[str, Any], define: Callable[[str], str]) -> dict[str, Any]:
    """Return the part of a spec that determines a result, with the digest of its definition in each reference's place.

    Parameters
    ----------
    spec : mapping
    define : callable
        Maps a reference to the digest of what it names and reaches.
    """
    recipe = {entry: value for entry, value in spec["recipe"].items() if entry not in NAMING}
    code, diagnostics = spec["code"], spec["diagnostics"]
    return {
        "architecture": keyed_architecture(spec["architecture"], define),
        "recipe": recipe,
        "optimizer": define(code["optimizer"]),
        "schedule": define(code["schedule"]),
        "augmentation": [[define(reference), amount] for reference, amount in code["augmentation"]],
        "diagnostics": diagnostics and keyed_diagnostics(diagnostics, define),
        "seed": spec["seed"],
    }


def keyed_architecture(architecture: Mapping[str, Any], define: Callable[[str], str]) -> dict[str, Any]:
    """Return the part of an architecture's spec that determines its network, likewise."""
    layers = {factor: keyed_level(level, define) for factor, level in architecture["layers"].items()}
    return {"builder": define(architecture["builder"]), "layers": layers, "arguments": architecture["arguments"]}


def keyed_level(level: Mapping[str, Any], define: Callable[[str], str]) -> dict[str, Any]:
    """Return what determines the layers of a level, likewise."""
    return {"make": define(level["make"]), "arguments": level["arguments"], "shifts": level["shifts"]}


def keyed_diagnostics(diagnostics: Mapping[str, Any], define: Callable[[str], str]) -> dict[str, Any]:
    """Return what determines the diagnoses of a run, likewise."""
    bounds = diagnostics["saturation"]
    return {
        "make": define(diagnostics["make"]),
        "epochs": diagnostics["epochs"],
        "saturation": bounds and {**bounds, "layer": keyed_level(bounds["layer"], define)},
    }


def references(spec: Mapping[str, Any]) -> list[str]:
    """List the code that a run goes through: that of every training, and that which its spec names."""
    found = [*TRAINING]
    keyed_spec(spec, lambda reference: found.append(reference) or reference)
    return found
