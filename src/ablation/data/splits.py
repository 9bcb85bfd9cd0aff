"""Training, validation and test images: drawn class by class, and listed for people."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ablation.catalogue.sources import DataError
from ablation.data.images import Images
from ablation.support.randomness import stream_seed

PARTS = ("train", "validation", "test")


def take_by_class(labels: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Draw some images of each class.

    Parameters
    ----------
    labels : numpy.ndarray
        (n,).
    amount : float or int
        A share of each class (float, between 0 and 1; rounded, and at least one image), or a number of images (int).
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        Sorted positions. The same generator gives a larger amount the images of a smaller one, and more.
    """
    taken = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = amount if isinstance(amount, int) else max(1, round(amount * len(members)))
        taken.append(members[:count])
    return np.sort(np.concatenate(taken))


def split(source: Images, data: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Split into training, validation and test images, stratified by class.

    The test images come first, then the part of the others that the study uses, then the validation images from these.

    Parameters
    ----------
    source : Images
    data : mapping
        The part ``data`` of a run's spec.

    Returns
    -------
    dict of str to numpy.ndarray
        Sorted positions of ``train``, ``validation`` and ``test``, which do not overlap.

    Raises
    ------
    DataError
        If a class has too few images.
    """

    def draw(among: np.ndarray, amount: float, purpose: str) -> np.ndarray:
        rng = np.random.default_rng(stream_seed(data["split_seed"], purpose))
        return among[take_by_class(source.labels[among], amount, rng)]

    everything = np.arange(len(source.labels))
    test = draw(everything, data["test"], "test") if source.test is None else np.sort(source.test)
    rest = np.setdiff1d(everything, test)
    if data["per_class"] is not None:
        _expect_of_each_class(source, rest, data["per_class"], f"data.per_class of {data['name']}")
        rest = draw(rest, data["per_class"], "subset")
    elif data["fraction"] < 1:
        rest = draw(rest, data["fraction"], "subset")
    validation = draw(rest, data["validation"], "validation") if data["validation"] else rest[:0]
    train = np.setdiff1d(rest, validation)
    _expect_of_each_class(source, train, 1, f"{data['name']}, after the test and validation images are taken out")
    return {"train": train, "validation": validation, "test": test}


def _expect_of_each_class(source: Images, positions: np.ndarray, least: int, what: str) -> None:
    """Raise a DataError that names the classes with fewer images than `least` at some positions."""
    counts = np.bincount(source.labels[positions], minlength=len(source.classes))
    few = [f"{name} ({count})" for name, count in zip(source.classes, counts, strict=True) if count < least]
    if few:
        raise DataError(
            f"{what}: expected {least} or more training images of each class, found fewer of {', '.join(few)}"
        )


def split_table(arrays: Mapping[str, np.ndarray], classes: Sequence[str], files: Sequence[str] | None = None) -> str:
    """Write a split as CSV for people.

    Parameters
    ----------
    arrays : mapping
        As `ablation.data.datasets.prepare` returns them.
    classes : sequence of str
        The name of each label.
    files : sequence of str, optional
        The file at each position, where images have files of their own.

    Returns
    -------
    str
        One row per image in use, by position: position in the source, file, class and part.
    """
    rows = []
    for part in PARTS:
        for position, label in zip(arrays[f"{part}_positions"], arrays[f"{part}_labels"], strict=True):
            rows.append((int(position), files[position] if files else "", classes[label], part))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("position", "file", "class", "part"))
    writer.writerows(sorted(rows))
    return text.getvalue()
