"""What an entry of the catalogue of architectures states, and what the families' entries share.

Standard library only: a study is validated before anything heavy is imported.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ablation.support.wording import UserError

Scalar = str | int | float | bool
Levels = Mapping[str, Any]
COUNT = r"0*[1-9][0-9]{0,5}"  # a number in a plan
MOST_STAGES, MOST_COUNT = 50, 1000  # of a plan
# By name of an argument, the largest number: far above what was ever published, and below what no machine holds.
MOST = {
    **dict.fromkeys(("width", "growth_rate", "channels", "first_reduction"), 4096),
    "hidden": 65_536,
    "depth": 10_000,
    "dilation": 256,
}
MOST_OTHER = 1_000_000
SMALL_SIDE = 80  # pixels: below, the stems made for 224 would leave nothing to see


class NetworkError(UserError, ValueError):
    """A network that cannot be built, or would say nothing: what was found and what was expected."""


@dataclass(frozen=True)
class Argument:
    """A scalar factor of an architecture: an argument of its builder.

    Attributes
    ----------
    reference : str, int, float or bool
        The reference value, whose type is binding.
    text : str
        What it is, for the page of factors.
    choices : tuple
        The allowed values, where only some are; empty if the type alone decides.
    scales : bool
        Whether the network grows with it from number to number, so that it can be scaled to an equal size (`match`).
    most : int or float, optional
        The largest number; without it, what `MOST` says of arguments of its name.
    """

    reference: Scalar
    text: str
    choices: tuple[Scalar, ...] = ()
    scales: bool = False
    most: float | None = None

    def largest(self, name: str) -> float:
        """Return the largest number that the argument of this name may be."""
        return MOST.get(name, MOST_OTHER) if self.most is None else self.most


@dataclass(frozen=True)
class Rule:
    """A rule that the levels of an architecture must keep.

    Attributes
    ----------
    text : str
        The rule in a sentence, for the page of factors.
    refuse : callable
        Takes the levels of all factors; returns why they break the rule, or None.
    """

    text: str
    refuse: Callable[[Levels], str | None]


@dataclass(frozen=True)
class Ineffective:
    """A factor that changes nothing at certain levels of others.

    Attributes
    ----------
    factor : str
        The factor that has no effect.
    when : mapping
        The levels at which it has none; all of them must hold.
    reason : str
        Why, to be read after "if".
    sides : tuple of float, optional
        The input sides in pixels, from the first to below the second, to which this is confined. An input of unknown
        side is none of them.
    """

    factor: str
    when: Mapping[str, Scalar]
    reason: str
    sides: tuple[float, float] | None = None

    def holds(self, levels: Levels, side: int | None) -> bool:
        """Say whether the factor is there and has no effect at these levels and this input side."""
        at_side = self.sides is None or (side is not None and self.sides[0] <= side < self.sides[1])
        return self.factor in levels and at_side and all(levels.get(f) == level for f, level in self.when.items())


# The factors without effect that many architectures have in common.
NO_PLACE = "there is nothing to place without both a norm and an activation"
NO_BIAS_AFTER = Ineffective(
    "bias", {"norm_placement": "after"}, "norm_placement is after, where a norm makes no bias redundant"
)
INEFFECTIVE = (
    Ineffective(
        "stem", {"stem": "small"}, f"it is small, as fit is for inputs below {SMALL_SIDE} pixels", (0, SMALL_SIDE)
    ),
    Ineffective(
        "stem",
        {"stem": "published"},
        f"it is published, as fit is for inputs of {SMALL_SIDE} pixels or more",
        (SMALL_SIDE, float("inf")),
    ),
    Ineffective("norm_placement", {"norm": "none"}, NO_PLACE),
    Ineffective("norm_placement", {"activation": "none"}, NO_PLACE),
    Ineffective("bias", {"norm": "none"}, "norm is none, and without a norm biases stay"),
    Ineffective("bias", {"norm": "lrn"}, "norm is lrn, which shifts nothing, and biases stay"),
    NO_BIAS_AFTER,
    Ineffective("dense_layer", {"head": "gap"}, "head is gap, which has no dense layers"),
    Ineffective("hidden", {"head": "gap"}, "head is gap, which has no hidden layers"),
    Ineffective("dropped", {"dropout": 0}, "dropout is 0"),
)


@dataclass(frozen=True)
class Architecture:
    """What a study may ask of an architecture.

    Attributes
    ----------
    builder : str
        ``module:function`` of ``build(input_shape, classes, layers, **arguments)``.
    text : str
        What it is, in one sentence, for the page of factors.
    layers : mapping
        The layer factors it has (fields of `ablation.networks.kit.Layers`), each with its reference level.
    arguments : mapping of str to Argument
        Its scalar factors.
    lacks : mapping
        The layer factors it cannot have, each with the reason.
    excluded : mapping
        Levels that it cannot have of factors that it has, ``factor.level``, each with the reason.
    rules : tuple of Rule
        What its levels must keep; a rule may rely on those before it.
    no_effect : tuple of Ineffective
        Its own factors without effect, beside the common ones.
    common : tuple of Ineffective
        Those that it shares with others.
    smallest_side : int
        The smallest input side in pixels that it can be built for.
    stem_side : int
        The smallest one that its published stem leaves something of.
    published : tuple of int
        Channels, height and width of the input that its source states.
    names_sources : bool
        Whether its layers name the sources of their input (an attribute ``sources``), as those of a DenseNet do.
    """

    builder: str
    text: str
    layers: Mapping[str, str]
    arguments: Mapping[str, Argument]
    lacks: Mapping[str, str] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    no_effect: tuple[Ineffective, ...] = ()
    common: tuple[Ineffective, ...] = INEFFECTIVE
    smallest_side: int = 8
    stem_side: int = 8
    published: tuple[int, int, int] = (3, 224, 224)
    names_sources: bool = False

    @property
    def references(self) -> dict[str, Scalar]:
        """The reference level of every factor: layer factors, then arguments."""
        return {**self.layers, **{name: argument.reference for name, argument in self.arguments.items()}}

    def refuse(self, levels: Levels) -> str | None:
        """Say why these levels, of all factors, make no sense together; None if they do."""
        return next((reason for rule in self.rules if (reason := rule.refuse(levels))), None)

    def ineffective(self, levels: Levels, side: int | None = None) -> dict[str, str]:
        """Name the factors that change nothing at these levels, each with the reason.

        Parameters
        ----------
        levels : mapping
            Of all factors.
        side : int, optional
            Of the input in pixels, where it is known.
        """
        return {row.factor: row.reason for row in (*self.common, *self.no_effect) if row.holds(levels, side)}


@dataclass(frozen=True)
class Family:
    """The architectures of one module.

    Attributes
    ----------
    text : str
        Title with the source, and deviations from it, in paragraphs, for the page of factors.
    architectures : mapping of str to Architecture
        By name.
    """

    text: str
    architectures: Mapping[str, Architecture]


def stem(published: str, small: str = "3x3 of stride 1") -> Argument:
    """Make the argument that chooses between a stem made for large images and a small one."""
    text = f"`published`: {published}; `small`: {small}; `fit`: by the input."
    return Argument("fit", text, ("fit", "published", "small"))


def parse_counts(text: str, expected: str, length: int | None = None) -> tuple[int, ...]:
    """Read whole numbers from 1, joined by hyphens, such as ``6-12-24-16``; `length` of them, where that is fixed.

    Raises
    ------
    ValueError
        With the message `expected`, if the text is written otherwise or a number is zero.
    """
    counts = text.split("-")
    if len(counts) != (length or len(counts)) or not all(re.fullmatch(COUNT, count) for count in counts):
        raise ValueError(expected)
    refuse_many(len(counts), max(map(int, counts)), expected)
    return tuple(map(int, counts))


def refuse_many(stages: int, largest: int, expected: str) -> None:
    """Raise the ValueError that a plan has more stages, or larger numbers, than any machine holds."""
    if stages > MOST_STAGES or largest > MOST_COUNT:
        raise ValueError(f"{expected}; at most {MOST_STAGES} numbers of at most {MOST_COUNT}")


def refuse_unreadable(argument: str, parse: Callable[[str], Any]) -> Callable[[Levels], str | None]:
    """Make the check of a `Rule` that an argument can be parsed; the parser's error is the reason."""

    def refuse(levels: Levels) -> str | None:
        try:
            parse(levels[argument])
        except ValueError as error:
            return str(error)
        return None

    return refuse


def refuse_dropout(levels: Levels) -> str | None:
    """Refuse to drop everything."""
    return "dropout must be below 1" if levels["dropout"] >= 1 else None


def refuse_compression(levels: Levels) -> str | None:
    """Refuse to keep nothing, or more than there is."""
    return None if 0 < levels["compression"] <= 1 else "compression must be above 0 and at most 1"


DROPOUT_SHARE = Rule("`dropout` is below 1.", refuse_dropout)
COMPRESSION_SHARE = Rule("`compression` is above 0 and at most 1.", refuse_compression)

# Why an architecture lacks a factor, said once.
NO_BLOCKS = "it has no blocks to add a shortcut around"
OWN_POOLS = "its poolings are branches of its blocks or belong to its stem, and the side falls by strides"
ONE_LAYER = "its head has no hidden dense layers"
CONCATENATES = "its blocks concatenate and add nothing"
WITHOUT_DROPPED = (
    "it chooses between the units and, by a mistake of the notes, the images that hidden dense layers drop"
)
CONVOLUTIONAL = {"residual": NO_BLOCKS, "placement": NO_BLOCKS}
CONCATENATING = {"residual": CONCATENATES, "placement": CONCATENATES}
FIXED_POOLS = {"pooling": OWN_POOLS, "overlap": OWN_POOLS}
NO_HIDDEN = {"dense_layer": ONE_LAYER, "dropped": WITHOUT_DROPPED}

# Reference levels of layer factors that several families have in common.
COMMON = {
    "activation": "relu",
    "norm": "none",
    "norm_placement": "before",
    "bias": "by_norm",
    "output": "logits",
    "initialisation": "default",
}
DENSE_HEAD = {**COMMON, "pooling": "max", "overlap": "separate", "head": "dense", "dense_layer": "trained"}
AVERAGING = {**COMMON, "pooling": "max", "overlap": "overlapping", "head": "gap"}
