"""Checks of an entry of the catalogue: that its builder takes what it states, and every input that it promises."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch

from ablation.jobs import subjects
from ablation.jobs.behaviour import (
    CLASSES,
    Broken,
    answer,
    at,
    construct,
    doing,
    in_words,
)
from ablation.jobs.sentences import check, listed
from ablation.jobs.subjects import Subject
from ablation.networks.kit import Layers
from ablation.networks.layertable import shape_text
from ablation.study.schema import Recipe
from ablation.support.wording import nearest

Inputs = Iterable[tuple[tuple[int, int, int], int]]


@check
def check_entry(subject: Subject) -> Iterator[str]:
    """Check that the entry of the catalogue says what the builder takes and agrees with itself."""
    entry, known, sound = subject.entry, subject.catalogue.factors, True
    for factor, level in entry.layers.items():
        sound = sound and factor in known and level in subject.levels_of(factor)
        if factor not in known:
            yield f"found the layer factor {factor!r}, expected one of {', '.join(known)}{nearest(factor, known)}"
        elif level not in subject.levels_of(factor):
            allowed = subject.levels_of(factor)
            yield f"{factor}: found the reference level {level!r}, expected one of {', '.join(allowed)}"
    if "initialisation" not in entry.layers:
        sound = False
        yield "found no layer factor initialisation, expected it: every network has to be initialised"
    for argument in entry.arguments:
        allowed, value = entry.arguments[argument].choices, entry.references[argument]
        if allowed and value not in allowed:
            yield f"{argument}: found the reference value {value!r}, expected one of {', '.join(map(str, allowed))}"
        if argument in known or argument in Recipe.model_fields:
            yield f"found an argument {argument!r}, expected a name that is no layer factor and no entry of the recipe"
    unknown = [name for name in (*subject.small, *subject.others) if name not in entry.references]
    if unknown:
        yield f"found {listed(unknown, 'factor')} in the small form, expected factors of the architecture"
    for form, levels in (("reference", entry.references), ("small", subject.levels())):
        with doing(f"refusing the {form} form"):
            reason = not unknown and entry.refuse(levels)
        if reason:
            yield f"found a {form} form that is refused, expected one that can be built: {reason}"
    with doing(f"importing the builder {entry.builder!r}"):
        builder = subject.builder()
    if sound and not reason and not unknown:
        yield from arguments_taken(subject, builder)
    for argument in entry.arguments:
        if not subjects.other_values(subject, argument):
            yield f"{argument}: found no other value to check it with, expected one among `others`"


def arguments_taken(subject: Subject, builder: Callable) -> Iterator[str]:
    """Say which arguments of the entry a builder does not ask for, and whether it takes others."""
    spec = subject.spec(subject.levels())
    layers, stated = Layers.choose(spec["layers"]), spec["arguments"]

    def takes(arguments: Mapping[str, Any]) -> bool:
        try:
            with torch.device("meta"):
                builder((1, subject.side, subject.side), CLASSES, layers, **arguments)
        except TypeError:
            return False
        except Exception:
            return True  # what else goes wrong in building, other checks say
        return True

    if takes({**stated, "no_such_argument": 1}):
        yield "found a builder that takes any argument, expected that it refuses what the entry does not state"
    for name in stated:
        if takes({argument: value for argument, value in stated.items() if argument != name}):
            yield f"{name}: found a builder that can do without it, expected a keyword argument without default"
    if not takes(stated):
        names = ", ".join(stated) or "none"
        yield f"found a builder that does not take the arguments of its entry: {names}"


@check
def check_inputs(subject: Subject, inputs: Inputs | None = None) -> Iterator[str]:
    """Check that logits come out of every promised input in both modes.

    Parameters
    ----------
    subject : Subject
    inputs : iterable of (shape, classes), optional
        Without it, those of `ablation.jobs.subjects.promised_inputs` in the small form, and the published one in the
        reference form, which passes on the meta device.
    """
    promised = subjects.promised_inputs(subject.entry)
    cases = [("cpu", subject.levels(), *case) for case in (promised if inputs is None else inputs)]
    if inputs is None:
        cases.append(("meta", subject.entry.references, subject.entry.published, 1000))
    for device, levels, shape, classes in cases:
        try:
            with at(f"input {shape_text(shape)} with {classes} classes"), torch.device(device), torch.no_grad():
                network = construct(subject.spec(levels), shape, classes)
                for training in (True,) if device == "meta" else (False, True):  # training has all the outputs
                    answer(network, torch.zeros(2, *shape), training, classes)
        except Broken as broken:
            yield in_words(broken, subject)


@check
def check_scales(subject: Subject) -> Iterator[str]:
    """Check that a network grows with the arguments that are said to scale it: controls of equal size rely on it."""
    shape = (1, subject.side, subject.side)
    for name, argument in subject.entry.arguments.items():
        if not argument.scales:
            continue
        if type(argument.reference) is not int or argument.choices:
            yield f"{name}: found an argument that scales, expected a whole number without choices"
            continue
        levels, sizes = subject.levels_beside(name), []
        for value in (levels[name], 2 * levels[name]):
            with at(f"{name}.{value}"), torch.device("meta"):
                network = construct(subject.spec({**levels, name: value}), shape)
            sizes.append(sum(parameter.numel() for parameter in network.parameters()))
        if sizes[1] <= sizes[0]:
            found = f"{sizes[0]} parameters, and {sizes[1]} at twice the {name}"
            yield f"{name}: found {found}, expected more: it is said to scale the network"
