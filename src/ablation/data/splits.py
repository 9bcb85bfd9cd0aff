"""Training, validation and test images: drawn class by class, and listed for people."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ablation.catalogue.sources import DataError
from ablation.data.checks import called
from ablation.data.folders import readable
from ablation.data.images import Images
from ablation.support.randomness import stream_seed

PARTS = ("train", "validation", "test")
LISTED = 20  # classes that a message names
EXAMPLES = 5  # identical images that a manifest names


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

    The test images come first, then the validation images from the others. Where the study uses a part of these
    (``fraction`` or ``per_class``), both are thinned: a smaller part lies within a larger one, and no image is a validation
    image in one and a training image in another.

    Parameters
    ----------
    source : Images
    data : mapping
        The part ``data`` of a run's spec.

    Returns
    -------
    dict of str to numpy.ndarray
        Sorted positions of ``train``, ``validation`` and ``test``, which do not overlap. Of the n images of a class in
        use, ``validation`` * n are for validation (rounded, and at least one) and all others for training.

    Raises
    ------
    DataError
        If a class has too few images.
    """
    everything, name = np.arange(len(source.labels)), called(data)
    rng = np.random.default_rng(stream_seed(data["split_seed"], "test"))
    test = take_by_class(source.labels, data["test"], rng) if source.test is None else np.sort(source.test)
    rest = np.setdiff1d(everything, test)
    if data["per_class"] is not None:
        _expect_of_each_class(source, rest, data["per_class"], f"data.per_class of {name}")

    def count_validation(members: int) -> int:
        return max(1, round(data["validation"] * members)) if data["validation"] else 0

    rng = np.random.default_rng(stream_seed(data["split_seed"], "validation"))
    train, validation = [rest[:0]], [rest[:0]]
    for label in np.unique(source.labels[rest]):
        # The first of a class are the validation images of all of it, in the order in which smaller parts have them;
        # the training images follow, likewise. Both counts grow with the part, so that nothing is ever used otherwise.
        members = rng.permutation(rest[source.labels[rest] == label])
        used = data["per_class"] or max(1, round(data["fraction"] * len(members)))
        held, begin = count_validation(used), count_validation(len(members))
        validation.append(members[:held])
        train.append(members[begin : begin + used - held])
    parts = {"train": train, "validation": validation}
    found = {part: np.sort(np.concatenate(positions)) for part, positions in parts.items()}
    taken = f"{name}, after the test and validation images are taken out, one of each class at least"
    _expect_of_each_class(source, found["train"], 1, taken)
    return {**found, "test": test}


def _expect_of_each_class(source: Images, positions: np.ndarray, least: int, what: str) -> None:
    """Raise a DataError that names the classes with fewer images than `least` at some positions."""
    counts = np.bincount(source.labels[positions], minlength=len(source.classes))
    few = [f"{readable(name)} ({count})" for name, count in zip(source.classes, counts, strict=True) if count < least]
    if few:
        more = [f"… and {len(few) - LISTED} more"] if len(few) > LISTED else []
        raise DataError(
            f"{what}: expected {least} or more training images of each class, found fewer of "
            f"{', '.join([*few[:LISTED], *more])}"
        )


def find_twins(identity: np.ndarray, parts: Mapping[str, np.ndarray]) -> dict[str, dict[int, tuple[str, int]]]:
    """Find the images that stand on both sides of a split.

    Parameters
    ----------
    identity : numpy.ndarray
        int64 (n,), equal for equal images.
    parts : mapping of str to numpy.ndarray
        Positions, as `split` returns them.

    Returns
    -------
    dict of str to dict of int to (str, int)
        For each part: by position of an image that an earlier part of `PARTS` has, too, that part and the position there.
    """
    known: dict[int, tuple[str, int]] = {}
    twins = {}
    for part in PARTS:
        places = [(int(position), int(identity[position])) for position in parts[part]]
        twins[part] = {position: known[same] for position, same in places if same in known}
        for position, same in places:
            known.setdefault(same, (part, position))
    return twins


def count_twins(source: Images, parts: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Count the images that stand on both sides of a split, with examples: an entry for each two parts that share some."""
    found = []
    for part, twins in find_twins(source.identity, parts).items():
        for within in PARTS:
            pairs = [(position, twin) for position, (place, twin) in twins.items() if place == within]
            if pairs:
                examples = [[source.name(position), source.name(twin)] for position, twin in pairs[:EXAMPLES]]
                found.append({"part": part, "within": within, "images": len(pairs), "examples": examples})
    return found


def split_table(arrays: Mapping[str, np.ndarray], classes: Sequence[str], source: Images | None = None) -> str:
    """Write a split as CSV for people.

    Parameters
    ----------
    arrays : mapping
        As `ablation.data.datasets.prepare` returns them.
    classes : sequence of str
        The name of each label.
    source : Images, optional
        Where they come from: knows the file of each image, where they have files, and which images are identical.

    Returns
    -------
    str
        One row per image in use, by position: position in the source, file, class, part, and the position of an identical
        image in another part: of a validation image in training, of a test image in training or validation.
    """
    files = source.files if source else None
    positions = {part: arrays[f"{part}_positions"] for part in PARTS}
    twins = find_twins(source.identity, positions) if source else {part: {} for part in PARTS}
    rows = []
    for part in PARTS:
        for position, label in zip(map(int, positions[part]), arrays[f"{part}_labels"], strict=True):
            _, twin = twins[part].get(position, ("", ""))
            rows.append((position, files[position] if files else "", classes[label], part, twin))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("position", "file", "class", "part", "identical_to"))
    writer.writerows(sorted(rows))
    return text.getvalue()
