"""Subjects of the checks: architectures in a form small enough for seconds, and the levels to try on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.entry import Architecture
from ablation.study.specs import architecture_spec
from ablation.support.references import resolve

SIDE = 16  # pixels: at 8, some networks end in maps of one pixel, on which different heads are the same
# Levels under which a factor counts that another one makes ineffective.
REVEALING = {
    "norm_placement": {"norm": "batch"},
    "bias": {"norm": "batch", "norm_placement": "before"},
    "dropped": {"dropout": 0.5},
    "dense_layer": {"head": "dense"},
    "hidden": {"head": "dense"},
}


@dataclass(frozen=True)
class Subject:
    """An architecture to check, in a small form, with the exceptions that its source makes from the rules.

    Attributes
    ----------
    name : str
    entry : Architecture
        Of the catalogue.
    small : mapping
        Levels that make its networks small enough for seconds on one core; the others are the reference levels.
    others : mapping
        Another value of an argument to try. Choices, truth values and numbers are found without; a free text needs one.
    given : mapping of str to mapping
        By factor, levels of other factors that must hold beside it for its levels to make sense.
    untrained : mapping
        By (factor, level), parts of the names of those parameters that this level keeps from learning on purpose.
    catalogue : Catalogue
        Whose levels it can have.
    """

    name: str
    entry: Architecture
    small: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    untrained: Mapping[tuple[str, Any], tuple[str, ...]] = field(default_factory=dict)
    catalogue: Catalogue = OURS

    @property
    def side(self) -> int:
        """Side in pixels of the images that it is checked on."""
        return max(SIDE, self.entry.smallest_side)

    def levels(self, **changed: Any) -> dict[str, Any]:
        """Return the levels of the small form, with some changed."""
        return {**self.entry.references, **self.small, **changed}

    def levels_beside(self, factor: str) -> dict[str, Any]:
        """Return levels under which a factor counts: those of the small form, and what it needs."""
        levels = self.levels(**self.given.get(factor, {}))
        if factor in self.entry.ineffective(levels):
            levels |= {other: level for other, level in REVEALING.get(factor, {}).items() if other in levels}
        return levels

    def spec(self, levels: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part ``architecture`` of a run's spec."""
        catalogue = replace(self.catalogue, architectures={self.name: self.entry})
        return architecture_spec(catalogue, self.name, levels)

    def levels_of(self, factor: str) -> list[str]:
        """List the levels that it can have of a layer factor."""
        return [name for name in self.catalogue.factors[factor].levels if f"{factor}.{name}" not in self.entry.excluded]

    def builder(self) -> Any:
        """Import what builds it."""
        return resolve(self.entry.builder)


def other_values(subject: Subject, argument: str) -> tuple[Any, ...]:
    """List values of an argument to try beside that of the small form; empty for a free text that nobody gave one for."""
    levels = subject.levels_beside(argument)
    value = levels[argument]
    if isinstance(value, bool):
        return (not value,)
    choices = subject.entry.arguments[argument].choices
    if choices:
        return tuple(choice for choice in choices if choice != value)
    if argument in subject.others:
        return (subject.others[argument],)
    if isinstance(value, str):
        return ()
    tries = range(value + 1, value + 13) if isinstance(value, int) else (value / 2 or 0.5,)
    return tuple(n for n in tries if subject.entry.refuse({**levels, argument: n}) is None)[:1]


def level_cases(subject: Subject) -> list[tuple[str, Any]]:
    """List (factor, level) to check: every other level of every layer factor, and other values of every argument.

    What needs a larger input than the checks give, or differs from another level at larger inputs only, is left out.
    """
    entry, cases = subject.entry, []
    for factor in entry.references:
        levels = subject.levels_beside(factor)
        tried = subject.levels_of(factor) if factor in entry.layers else other_values(subject, factor)
        for level in tried:
            changed = {**levels, factor: level}
            hidden = entry.ineffective(changed, subject.side).keys() - entry.ineffective(changed).keys()
            too_small = changed.get("stem") == "published" and entry.stem_side > subject.side
            if level != levels[factor] and factor not in hidden and not too_small:
                cases.append((factor, level))
    return cases


def promised_inputs(entry: Architecture) -> list[tuple[tuple[int, int, int], int]]:
    """List inputs that an architecture has to take, each with a number of classes: the smallest, and those of data sets."""
    smallest = entry.smallest_side
    inputs = [((1, smallest, smallest), 2), ((3, smallest, smallest), 10), ((1, 28, 28), 10), ((3, 32, 32), 100)]
    return [(shape, classes) for shape, classes in inputs if shape[1] >= smallest]
