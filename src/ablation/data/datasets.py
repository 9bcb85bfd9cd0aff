"""Data sets: read once, split, and written as arrays with a digest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ablation.catalogue.sources import SOURCES, DataError, Source
from ablation.data.imagefolders import read_folder
from ablation.data.images import Images, resize
from ablation.data.splits import PARTS, split, split_table
from ablation.support.digests import digest
from ablation.support.files import write_whole
from ablation.support.references import own_code, resolve

DOWNLOADS = Path("results/downloads")
SCHEMA = 2  # of the arrays' file; raise it when what is written means something else


def read_digits(_: Mapping[str, Any], __: Path) -> Images:
    """Read scikit-learn's digits: 1,797 handwritten digits of 8x8 pixels, 17 shades (Alpaydin and Kaynak 1998)."""
    import sklearn
    from sklearn.datasets import load_digits

    digits = load_digits()
    shades = np.round(digits.images * (255 / 16)).astype(np.uint8)
    names = tuple(str(name) for name in digits.target_names)
    return Images(shades[:, None], digits.target.astype(np.int64), None, names, f"scikit-learn {sklearn.__version__}")


def read_own(data: Mapping[str, Any], _: Path) -> Images:
    """Read a folder of images that the study names."""
    return read_folder(Path(data["folder"]), data["side"])


def load(data: Mapping[str, Any], source: Source | None = None, downloads: Path = DOWNLOADS) -> Images:
    """Read a data set and check that it is what its name promises.

    Parameters
    ----------
    data : mapping
        The part ``data`` of a run's spec.
    source : Source, optional
        Where it comes from; without it, what our catalogue says.
    downloads : Path
        Where raw files are kept that had to be fetched.

    Raises
    ------
    DataError
        If it cannot be read, or has other images or classes than it should.
    """
    source = source or SOURCES[data["name"]]
    with own_code(source.reader, f"the data set {data['name']} cannot be read"):
        images = resolve(source.reader)(data, downloads)
    check_images(images, data["name"])
    found = (images.images.shape[1:], len(images.classes))
    expected = (source.shape or found[0], source.classes or found[1])
    if found != expected:
        raise DataError(
            f"{data['name']}: found images of shape {found[0]} in {found[1]} classes, "
            f"expected {expected[0]} in {expected[1]} ({images.source})"
        )
    if images.labels.min() < 0 or images.labels.max() >= found[1]:
        raise DataError(f"{data['name']}: found labels beyond the {found[1]} classes ({images.source})")
    return images


def check_images(images: Any, name: str) -> None:
    """Refuse what a reader returned if it is no set of labelled images, as `Images` describes them.

    Raises
    ------
    DataError
        With what was found and what was expected.
    """
    if not isinstance(images, Images):
        raise DataError(f"{name}: found {type(images).__name__}, expected ablation.data.images.Images")
    pixels, labels, test = images.images, images.labels, images.test
    problems = []
    if pixels.dtype != np.uint8 or pixels.ndim != 4:
        problems.append(f"images {pixels.dtype} {pixels.shape}, expected uint8 (images, channels, height, width)")
    if labels.dtype != np.int64 or labels.shape != pixels.shape[:1]:
        problems.append(f"labels {labels.dtype} {labels.shape}, expected int64 ({len(pixels)},)")
    if test is not None and (
        not np.issubdtype(test.dtype, np.integer)
        or len(np.unique(test)) < len(test)
        or not ((test >= 0) & (test < len(pixels))).all()
    ):
        problems.append(f"test {test.dtype} {test.shape}, expected positions of images, each once")
    if problems:
        raise DataError(f"{name}: found {'; found '.join(problems)}")


def prepare(data: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read and split a data set: `arrange` what was `load`ed."""
    return arrange(load(data), data)


def arrange(source: Images, data: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Split images, resize them if the study wants it, and describe them.

    Parameters
    ----------
    source : Images
    data : mapping
        The part ``data`` of a run's spec.

    Returns
    -------
    arrays : dict of str to numpy.ndarray
        For each of ``train``, ``validation`` and ``test``: ``<part>_images`` uint8 (n, channels, height, width),
        ``<part>_labels`` int64 (n,), ``<part>_positions`` int64 (n,) in the source.
    manifest : dict
        Source, shape, classes, counts, the mean and standard deviation of each channel of the training images (in
        [0, 1]) and the digest of it all.

    Raises
    ------
    DataError
        If a class has too few images.
    """
    arrays = {}
    for part, positions in split(source, data).items():
        images = source.images[positions]
        arrays[f"{part}_images"] = resize(images, data["side"]) if data["side"] else images
        arrays[f"{part}_labels"] = source.labels[positions]
        arrays[f"{part}_positions"] = positions.astype(np.int64)
    mean, std = channel_statistics(arrays["train_images"])
    manifest = {
        "data": dict(data),
        "source": source.source,
        "shape": list(arrays["train_images"].shape[1:]),
        "classes": list(source.classes),
        "counts": {part: len(arrays[f"{part}_labels"]) for part in PARTS},
        "mean": mean.tolist(),
        "std": std.tolist(),
    }
    return arrays, {**manifest, "digest": data_digest(arrays, manifest)}


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel, in [0, 1].

    Computed from the counts of the 256 shades: exact, and without a copy in floating point, which for 60,000 images of
    224x224 pixels would take 24 GB.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (n, channels, height, width).

    Returns
    -------
    mean, std : numpy.ndarray
        float64 (channels,).
    """
    counts = np.zeros((images.shape[1], 256))
    for start in range(0, len(images), 256):
        for channel, shades in enumerate(counts):
            shades += np.bincount(images[start : start + 256, channel].ravel(), minlength=256)
    shares, levels = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
    mean = shares @ levels
    return mean, np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(1))


def data_digest(arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> str:
    """Digest prepared data: every array, and the manifest without its digest.

    The source does not count: the same images are the same data, wherever they were read from.
    """
    content = {name: _array_digest(array) for name, array in sorted(arrays.items())}
    stated = {key: value for key, value in manifest.items() if key not in ("digest", "source", "made_with")}
    stated["data"] = {key: value for key, value in manifest["data"].items() if key != "folder"}
    return digest({"schema": SCHEMA, "manifest": stated, "arrays": content})


def _array_digest(array: np.ndarray) -> str:
    content = np.ascontiguousarray(array)
    hashed = hashlib.blake2b(f"{content.dtype.str}{content.shape}".encode(), digest_size=16)
    hashed.update(content.reshape(-1).view(np.uint8))  # in place: images may be gigabytes
    return hashed.hexdigest()


def write(
    folder: Path,
    arrays: Mapping[str, np.ndarray],
    manifest: Mapping[str, Any],
    files: Sequence[str] | None = None,
) -> None:
    """Write the arrays, the split for people and, last, the manifest: a folder with a manifest is whole.

    Parameters
    ----------
    folder : Path
        Made if need be.
    arrays, manifest
        As `prepare` returns them.
    files : sequence of str, optional
        The file of each image of the source, where images have files of their own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with write_whole(folder / "split.csv") as file:
        file.write(split_table(arrays, manifest["classes"], files).encode())
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
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        arrays = {
            f"{part}_{what}": np.load(folder / f"{part}_{what}.npy", mmap_mode="r")
            for part in PARTS
            for what in ("images", "labels", "positions")
        }
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder}: prepared data cannot be read ({error}); delete the folder to prepare it anew"
        ) from None
    if data_digest(arrays, manifest) != manifest.get("digest"):
        raise DataError(f"{folder}: prepared data are not what was written; delete the folder to prepare it anew")
    return arrays, manifest
