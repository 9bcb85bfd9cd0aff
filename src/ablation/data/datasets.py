"""Data sets: read once, split, and written as arrays with a digest."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ablation.catalogue.sources import SOURCES, DataError, Source
from ablation.data.checks import called, check_images, check_shades, check_test
from ablation.data.imagefolders import read_folder
from ablation.data.images import Images, resize
from ablation.data.manifests import FORMAT, MANIFEST, discard, read_manifest, unusable, write_manifest
from ablation.data.room import expect_disk, expect_memory
from ablation.data.splits import PARTS, count_twins, split, split_table
from ablation.support.digests import digest
from ablation.support.files import write_whole
from ablation.support.references import own_code, resolve

DOWNLOADS = Path("results/downloads")


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
    check_images(images, called(data))
    found = (images.images.shape[1:], len(images.classes))
    expected = (source.shape or found[0], source.classes or found[1])
    if found != expected:
        raise DataError(
            f"{data['name']}: found images of shape {found[0]} in {found[1]} classes, "
            f"expected {expected[0]} in {expected[1]} ({images.source})"
        )
    return images


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
        [0, 1]), the images that stand on both sides of the split, and the digest of it all.

    Raises
    ------
    DataError
        If a class has too few images, if all test images are for training, too, if a channel cannot be standardised,
        or if the images do not fit into memory.
    """
    arrays, parts, name = {}, split(source, data), called(data)
    check_test(source, parts["test"], np.setdiff1d(np.arange(len(source.labels)), parts["test"]), name)
    if data["side"]:
        count = sum(map(len, parts.values()))
        expect_memory(name, (count, source.images.shape[1], data["side"], data["side"]))
    for part, positions in parts.items():
        images = source.images[positions]
        arrays[f"{part}_images"] = resize(images, data["side"]) if data["side"] else images
        arrays[f"{part}_labels"] = source.labels[positions]
        arrays[f"{part}_positions"] = positions.astype(np.int64)
    mean, std = channel_statistics(arrays["train_images"])
    if data["standardised"]:
        check_shades(mean, std, len(arrays["train_labels"]), name)
    manifest = {
        "data": dict(data),
        "source": source.source,
        "shape": list(arrays["train_images"].shape[1:]),
        "classes": list(source.classes),
        "counts": {part: len(arrays[f"{part}_labels"]) for part in PARTS},
        "mean": mean.tolist(),
        "std": std.tolist(),
        "identical": count_twins(source, parts),
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
    stated = {
        key: value for key, value in manifest.items() if key not in ("digest", "source", "made_with", "identical")
    }
    stated["data"] = {key: value for key, value in manifest["data"].items() if key != "folder"}
    return digest({"format": FORMAT, "manifest": stated, "arrays": content})


def _array_digest(array: np.ndarray) -> str:
    content = np.ascontiguousarray(array)
    hashed = hashlib.blake2b(f"{content.dtype.str}{content.shape}".encode(), digest_size=16)
    hashed.update(content.reshape(-1).view(np.uint8))  # in place: images may be gigabytes
    return hashed.hexdigest()


def write(
    folder: Path, arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any], source: Images | None = None
) -> None:
    """Write the arrays, the split for people and, last, the manifest: a folder with a manifest is whole.

    Parameters
    ----------
    folder : Path
        Made if need be. Its older manifest goes first, so that nobody takes old data and new ones for one.
    arrays, manifest
        As `prepare` returns them.
    source : Images, optional
        What was arranged: the table of the split names its files.

    Raises
    ------
    DataError
        If they cannot be written, or do not fit onto the disk; nothing is left behind.
    """
    files = {f"{name}.npy": array for name, array in arrays.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        expect_disk(folder, sum(array.nbytes for array in files.values()))
        with write_whole(folder / "split.csv") as file:
            file.write(split_table(arrays, manifest["classes"], source).encode())
        for name, array in files.items():
            with write_whole(folder / name) as file:
                np.save(file, array)
        write_manifest(folder, manifest, ["split.csv", *files])
    except BaseException as error:
        for name in ("split.csv", *files):
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise DataError(f"{folder}: the prepared data cannot be written ({error.strerror})") from None
        raise


def read(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write` wrote; the images are mapped, not loaded.

    Raises
    ------
    DataError
        If the folder is incomplete, damaged or of another version; the next start then prepares it anew. Damage that
        nothing but the content shows takes the manifest away, so that the start sees it.
    """
    manifest = read_manifest(folder)
    arrays = whole_arrays(folder, manifest)
    if arrays is None:
        discard(folder, manifest["digest"])
        raise unusable(folder, "the arrays are not what was written")
    return arrays, manifest


def whole_arrays(folder: Path, manifest: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
    """Map the arrays of prepared data; None if they are not those of their manifest."""
    forms = {"images": (np.uint8, 4), "labels": (np.int64, 1), "positions": (np.int64, 1)}
    expected = {f"{part}_{what}": form for part in PARTS for what, form in forms.items()}
    try:
        arrays = {name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="r") for name in expected}
        # The form first: a million million elements of no bytes each fit into any file, and are never read to their end.
        whole = expected == {name: (array.dtype, array.ndim) for name, array in arrays.items()}
        whole = whole and data_digest(arrays, manifest) == manifest["digest"]
    except Exception:  # numpy raises many kinds for a damaged file
        return None
    return arrays if whole else None
