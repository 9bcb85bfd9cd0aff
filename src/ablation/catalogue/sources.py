"""The data sets that a study may name, and what is known of each before anything is read. Imports no numpy."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ablation.catalogue.strict import STRICT
from ablation.support.wording import UserError

LEAST_SIDE = 8  # pixels of the smallest images that networks are for


class DataError(UserError):
    """Data that cannot be used; the message names the data set, what was found and what was expected."""


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes
    ----------
    reader : str
        ``module:function`` of what reads it: from the part ``data`` of a run's spec and a folder for downloads to
        `ablation.data.images.Images`.
    shape : tuple of int or None
        (channels, height, width); None where only the images know.
    classes : int or None
        How many; None where only the images know.
    """

    __pydantic_config__ = STRICT

    reader: str
    shape: tuple[int, int, int] | None = None
    classes: int | None = None

    def text(self) -> str:
        """Write it as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Source":
        """Read what `text` wrote."""
        stated = json.loads(text)
        return cls(stated["reader"], tuple(stated["shape"]) if stated["shape"] else None, stated["classes"])


SOURCES: dict[str, Source] = {
    "digits": Source("ablation.data.datasets:read_digits", (1, 8, 8), 10),
    "mnist": Source("ablation.data.downloads:read_mnist", (1, 28, 28), 10),
    "fashion_mnist": Source("ablation.data.downloads:read_mnist", (1, 28, 28), 10),
    "cifar10": Source("ablation.data.downloads:read_cifar", (3, 32, 32), 10),
    "cifar100": Source("ablation.data.downloads:read_cifar", (3, 32, 32), 100),
    "folder": Source("ablation.data.datasets:read_own", None, None),
}


def input_shape(data: Mapping[str, Any], source: Source | None = None) -> tuple[int, int, int] | None:
    """Say what shape (channels, height, width) a network will be given, without reading an image.

    Parameters
    ----------
    data : mapping
        The part ``data`` of a run's spec.
    source : Source, optional
        Where it comes from; without it, what our catalogue says.

    Returns
    -------
    tuple of int or None
        None for a folder of images: only they know.
    """
    shape, side = (source or SOURCES[data["name"]]).shape, data["side"]
    return (shape[0], side, side) if shape and side else shape
