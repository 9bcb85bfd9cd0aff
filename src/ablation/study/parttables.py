"""The tables that a file of parts of one's own may hold, and what their entries state."""

from dataclasses import dataclass, field
from typing import Any

from ablation.catalogue.entry import Scalar
from ablation.catalogue.factors import Level
from ablation.catalogue.metrics import Metric
from ablation.catalogue.recipes import Augmentation
from ablation.catalogue.sources import Source
from ablation.catalogue.strict import STRICT


@dataclass(frozen=True)
class OwnArgument:
    """An argument of an architecture, as a table states it."""

    __pydantic_config__ = STRICT

    reference: Scalar
    text: str
    choices: tuple[Scalar, ...] = ()
    scales: bool = False
    most: int | float | None = None


@dataclass(frozen=True)
class OwnArchitecture:
    """An architecture, as a table states it.

    `small` are levels that make it small enough to be checked in seconds, `others` other values of its texts to try.
    """

    __pydantic_config__ = STRICT

    builder: str
    text: str
    layers: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, OwnArgument] = field(default_factory=dict)
    lacks: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    smallest_side: int = 8
    published: tuple[int, int, int] = (3, 32, 32)
    names_sources: bool = False
    small: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """What a table of a file of parts may hold.

    Attributes
    ----------
    depth : int
        Keys before an entry: a level stands below its factor.
    kind : type
        What an entry is validated as.
    code : tuple of str
        The keys of an entry that name code.
    joins : str
        The attribute of a `Catalogue` that its entries join.
    name : str
        Pattern of an entry's name: what a study can write and a variant's id can hold.
    named : str
        The pattern in words.
    """

    depth: int
    kind: type
    code: tuple[str, ...]
    joins: str
    name: str = r"[A-Za-z][A-Za-z0-9_]*"
    named: str = "letters, digits and _, a letter first"


TABLES: dict[str, Table] = {
    "ARCHITECTURES": Table(1, OwnArchitecture, ("builder",), "architectures"),
    "LEVELS": Table(
        2, Level, ("make",), "factors", r"[A-Za-z][A-Za-z0-9_.]*", "letters, digits, _ and ., a letter first"
    ),
    "METRICS": Table(1, Metric, ("measure", "compute"), "metrics"),
    "DATA_SETS": Table(1, Source, ("reader",), "sources"),
    # What follows the letters is an amount.
    "AUGMENTATIONS": Table(1, Augmentation, ("make",), "augmentations", "[a-z][a-z_]*", "small letters and _ only"),
}
