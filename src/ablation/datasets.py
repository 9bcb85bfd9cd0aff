"""Data sets: read once, split, and written as arrays with a digest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = 1  # of the arrays' file; raise it when what is written means something else


class DataError(Exception):
    """Data that cannot be used; the message names the data set, what was found and what was expected."""


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes
    ----------
    images : numpy.ndarray
        uint8 (n, channels, height, width).
    labels : numpy.ndarray
        int64 (n,), from 0.
    test : numpy.ndarray or None
        Positions of the official test images; None where there is no official test set.
    classes : tuple of str
        A name a label.
    """

    images: np.ndarray
    labels: np.ndarray
    test: np.ndarray | None
    classes: tuple[str, ...]


def read_digits() -> Images:
    """Read scikit-learn's digits: 1,797 handwritten digits of 8x8 pixels, 17 shades (Alpaydin and Kaynak 1998)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    shades = np.round(digits.images * (255 / 16)).astype(np.uint8)
    return Images(
        shades[:, None], digits.target.astype(np.int64), None, tuple(str(name) for name in digits.target_names)
    )


SOURCES: dict[str, Callable[[], Images]] = {
    "digits": read_digits,
}


def take_by_class(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a share of each class.

    Parameters
    ----------
    labels : numpy.ndarray
        (n,).
    share : float
        Between 0 and 1.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        Sorted positions; each class gives its share, rounded, and at least one.
    """
    taken = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        taken.append(members[: max(1, round(share * len(members)))])
    return np.sort(np.concatenate(taken))


def split(source: Images, data: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Split into training, validation and test images, stratified by class.

    Parameters
    ----------
    source : Images
    data : mapping
        The part ``data`` of a run's spec.

    Returns
    -------
    dict of str to numpy.ndarray
        Sorted positions of ``train``, ``validation`` and ``test``, which do not overlap.
    """
    from ablation.randomness import stream_seed

    everything = np.arange(len(source.labels))
    test = source.test
    if test is None:
        test = take_by_class(
            source.labels, data["test"], np.random.default_rng(stream_seed(data["split_seed"], "test"))
        )
    rest = np.setdiff1d(everything, test)
    draw = np.random.default_rng(stream_seed(data["split_seed"], "validation"))
    validation = rest[take_by_class(source.labels[rest], data["validation"], draw)]
    return {"train": np.setdiff1d(rest, validation), "validation": validation, "test": np.sort(test)}


def prepare(data: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read and split a data set.

    Parameters
    ----------
    data : mapping
        The part ``data`` of a run's spec.

    Returns
    -------
    arrays : dict of str to numpy.ndarray
        For each of ``train``, ``validation`` and ``test``: ``<part>_images`` uint8 (n, channels, height, width),
        ``<part>_labels`` int64 (n,), ``<part>_positions`` int64 (n,) in the source.
    manifest : dict
        Shape, classes, counts, the mean and standard deviation of each channel of the training images (in [0, 1])
        and the digest of it all.
    """
    source = SOURCES[data["name"]]()
    arrays = {}
    for part, positions in split(source, data).items():
        arrays[f"{part}_images"] = source.images[positions]
        arrays[f"{part}_labels"] = source.labels[positions]
        arrays[f"{part}_positions"] = positions.astype(np.int64)
    pixels = arrays["train_images"].astype(np.float64) / 255
    manifest = {
        "data": dict(data),
        "shape": list(source.images.shape[1:]),
        "classes": list(source.classes),
        "counts": {part: len(arrays[f"{part}_labels"]) for part in ("train", "validation", "test")},
        "mean": pixels.mean(axis=(0, 2, 3)).tolist(),
        "std": pixels.std(axis=(0, 2, 3)).tolist(),
    }
    return arrays, {**manifest, "digest": data_digest(arrays, manifest)}


def data_digest(arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> str:
    """Digest prepared data: every array, and the manifest but for the digest that it states."""
    from ablation.digests import digest

    content = {name: _array_digest(array) for name, array in sorted(arrays.items())}
    stated = {key: value for key, value in manifest.items() if key != "digest"}
    return digest({"schema": SCHEMA, "manifest": stated, "arrays": content})


def _array_digest(array: np.ndarray) -> str:
    import hashlib

    content = np.ascontiguousarray(array)
    head = f"{content.dtype.str}{content.shape}".encode()
    return hashlib.blake2b(head + content.tobytes(), digest_size=16).hexdigest()


def write(folder: Path, arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> None:
    """Write the arrays and, last, the manifest: a folder with a manifest is whole."""
    import json

    from ablation.files import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        with write_whole(folder / f"{name}.npy") as file:
            np.save(file, array)
    with write_whole(folder / "manifest.json") as file:
        file.write(json.dumps(manifest, indent=1).encode())


def read(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write` wrote; the images are mapped, not loaded.

    Raises
    ------
    DataError
        If the folder is incomplete, or is not what was written.
    """
    import json

    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        arrays = {
            f"{part}_{what}": np.load(folder / f"{part}_{what}.npy", mmap_mode="r")
            for part in ("train", "validation", "test")
            for what in ("images", "labels", "positions")
        }
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder}: prepared data cannot be read ({error}); delete the folder to prepare it anew"
        ) from None
    if data_digest(arrays, manifest) != manifest.get("digest"):
        raise DataError(f"{folder}: prepared data are not what was written; delete the folder to prepare it anew")
    return arrays, manifest
