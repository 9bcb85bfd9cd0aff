"""Folders of images, one folder per class, read with Pillow."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ablation.catalogue.sources import DataError
from ablation.data.folders import SUFFIXES, subfolders, walk
from ablation.data.images import Images, in_threads

GREY = ("1", "L", "LA", "La")
LISTED = 20  # problems that a message lists one by one


def refuse(folder: Path, problems: Sequence[str]) -> None:
    """Raise one DataError that lists the first problems and counts the others; without a problem do nothing."""
    if problems:
        more = [f"… and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DataError("\n  ".join([f"{folder}: {count} with this folder of images:", *problems[:LISTED], *more]))


def list_images(folder: Path) -> tuple[tuple[str, ...], list[Path], list[int], int | None]:
    """List the images of a folder with their classes.

    Parameters
    ----------
    folder : Path
        ``<folder>/<class>/…`` or ``<folder>/{train,test}/<class>/…``.

    Returns
    -------
    classes : tuple of str
        By name.
    paths : list of Path
        By class and name, training images first.
    labels : list of int
    train : int or None
        How many of them are official training images; None without an official test set.

    Raises
    ------
    DataError
        Naming every class that is empty and every image that lies in no class.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of images (working directory: {Path.cwd()})")
    names = subfolders(folder)
    official = {"train", "test"} <= set(names)
    if official and len(names) > 2:
        extra = ", ".join(name for name in names if name not in ("train", "test"))
        raise DataError(
            f"{folder}: found {extra} beside train and test, expected these two only, or one folder per class"
        )
    parts = [folder / "train", folder / "test"] if official else [folder]
    classes = sorted({name for part in parts for name in subfolders(part)})
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise DataError(f"{folder}: found the classes: {found}, expected two or more folders, one per class")
    problems, paths, labels, counts = [], [], [], []
    for part in parts:
        before = len(paths)
        strays = [path for path in part.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES]
        problems += [f"{path.relative_to(folder)}: lies in no class" for path in sorted(strays) if path.name[0] != "."]
        for label, name in enumerate(classes):
            found = [Path(entry.path) for entry in walk(part / name)] if (part / name).is_dir() else []
            if not found:
                problems.append(f"{(part / name).relative_to(folder)}: a class without images")
            paths += found
            labels += [label] * len(found)
        counts.append(len(paths) - before)
    refuse(folder, problems)
    return tuple(classes), paths, labels, counts[0] if official else None


class Head(NamedTuple):
    """What the head of an image file says."""

    mode: str
    size: tuple[int, int]  # width and height in pixels


def read_head(path: Path) -> Head | str:
    """Read the head of an image file, or say what is wrong with it."""
    from PIL import Image

    try:
        if path.stat().st_size == 0:
            return "an empty file"
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                return f"found pixels of mode {image.mode}, expected 8 bits per channel"
            return Head(image.mode, image.size)
    except Exception as error:  # Pillow's decoders raise many kinds for a damaged file
        return _unreadable(error)


def _unreadable(error: Exception) -> str:
    """Say why Pillow could not read an image."""
    from PIL import UnidentifiedImageError

    unknown = isinstance(error, UnidentifiedImageError)
    reason = "of no known format" if unknown else str(error) or type(error).__name__
    return f"no image that can be read ({reason})"


def _commonest_side(heads: Iterable[Head]) -> int | None:
    """Return the side of the commonest square size; None if no image is square."""
    squares = Counter(head.size[0] for head in heads if head.size[0] == head.size[1])
    return squares.most_common(1)[0][0] if squares else None


def _find_other_sizes(heads: Mapping[int, Head], side: int | None) -> dict[int, str]:
    """Say of each image, by position, that is no square of that side what is wrong with it."""
    expected = f"{side}x{side} as most squares here" if side else "a square"
    return {
        position: f"found {head.size[0]}x{head.size[1]} pixels, expected {expected}; set data.side to resize all"
        for position, head in heads.items()
        if head.size != (side, side)
    }


def _decode(paths: Sequence[Path], positions: Sequence[int], mode: str, images: np.ndarray) -> dict[int, str]:
    """Decode the images at some positions, and say of each, by position, that cannot be read what is wrong with it.

    Parameters
    ----------
    paths : sequence of Path
    positions : sequence of int
    mode : str
        Pillow's: ``L`` for one channel, ``RGB`` for three.
    images : numpy.ndarray
        uint8 (n, channels, side, side), written in place: a second copy may not fit into memory.
    """
    from PIL import Image

    size = images.shape[2:]

    def decode(position: int) -> str | None:
        try:
            with Image.open(paths[position]) as image:
                pixels = image.convert(mode)
        except Exception as error:
            return _unreadable(error)
        if pixels.size != size:
            pixels = pixels.resize(size, Image.Resampling.BILINEAR)
        images[position] = np.asarray(pixels).reshape(*size, len(mode)).transpose(2, 0, 1)
        return None

    problems = zip(positions, in_threads(decode, positions), strict=True)
    return {position: problem for position, problem in problems if problem}


def read_folder(folder: Path, side: int | None = None) -> Images:
    """Read a folder of images.

    Parameters
    ----------
    folder : Path
        ``<folder>/<class>/…``, of which a test set has yet to be drawn, or ``<folder>/{train,test}/<class>/…``, of which
        ``test`` is the official test set. A class may have folders within. Files without the suffix of an image and
        hidden ones are ignored.
    side : int, optional
        Resize every image to a square of that many pixels (bilinear with antialiasing; others than squares are
        stretched). Without it, all images have to be squares of one size.

    Returns
    -------
    Images
        With one channel if every image is grey, else with three. Classes are in the order of their names.

    Raises
    ------
    DataError
        Naming every file that is empty, damaged or of another size, every class that is empty, and every image that
        lies in no class.
    """
    import PIL

    classes, paths, labels, train = list_images(folder)
    found = dict(enumerate(in_threads(read_head, paths)))
    problems = {position: head for position, head in found.items() if isinstance(head, str)}
    heads = {position: head for position, head in found.items() if position not in problems}
    square = side or _commonest_side(heads.values())
    if side is None:
        problems |= _find_other_sizes(heads, square)
    mode = "L" if all(head.mode in GREY for head in heads.values()) else "RGB"
    # Where no image has the right size, none will be kept, but each is still decoded to find what is damaged.
    images = np.empty((len(paths), len(mode), square or 1, square or 1), np.uint8)
    problems |= _decode(paths, list(heads), mode, images)
    files = tuple(path.relative_to(folder).as_posix() for path in paths)
    refuse(folder, [f"{files[position]}: {problems[position]}" for position in sorted(problems)])
    return Images(
        images,
        np.array(labels, np.int64),
        None if train is None else np.arange(train, len(paths)),
        classes,
        f"images in {folder}, read by Pillow {PIL.__version__}",
        files,
    )
