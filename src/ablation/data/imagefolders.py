"""Folders of images, one folder per class, read with Pillow."""

import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ablation.catalogue.sources import LEAST_SIDE, DataError
from ablation.data.folders import SUFFIXES, Identity, identify, leads_nowhere, readable, subfolders, walk
from ablation.data.images import Images, in_threads
from ablation.data.room import expect_memory

GREY = ("1", "L", "LA", "La")
PART_NAMES = {"train", "training", "test", "testing", "val", "valid", "validation"}
LISTED = 20  # problems that a message lists one by one


def refuse(folder: Path, problems: Sequence[str]) -> None:
    """Raise one DataError that lists the first problems and counts the others; without a problem do nothing."""
    if problems:
        more = [f"… and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DataError(
            "\n  ".join([f"{readable(folder)}: {count} with this folder of images:", *problems[:LISTED], *more])
        )


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
        Naming every class that is empty, every image that lies in no class, and every link that leads nowhere or to
        what is read already.
    OSError
        If a folder cannot be listed.
    """
    if not folder.is_dir():
        raise DataError(f"{readable(folder)}: no such folder of images (working directory: {Path.cwd()})")
    names = subfolders(folder)
    official = {"train", "test"} <= set(names)
    extra = ", ".join(readable(name) for name in names if name not in ("train", "test"))
    if official and extra:
        raise DataError(
            f"{readable(folder)}: found {extra} beside train and test, expected these two only, or one folder per class"
        )
    if names and set(names) <= PART_NAMES and not official:
        raise DataError(
            f"{readable(folder)}: found {', '.join(names)}, expected train and test (validation images are drawn from those "
            "for training), or one folder per class"
        )
    parts = [folder / "train", folder / "test"] if official else [folder]
    classes = sorted({name for part in parts for name in subfolders(part)})
    if len(classes) < 2:
        found = ", ".join(map(readable, classes)) or "none"
        raise DataError(f"{readable(folder)}: found the classes: {found}, expected two or more folders, one per class")
    problems, paths, labels, counts = [], [], [], []
    seen = {identify(folder)}  # a link back to the folder itself is a circle, too
    for part in parts:
        if part != folder and identify(part) in seen:
            raise DataError(f"{readable(part)}: a link to the other part, expected images of its own")
        found, more = _sort_by_class(folder, part, seen)
        problems += more
        for label, name in enumerate(classes):
            if not found.get(name):
                problems.append(f"{readable((part / name).relative_to(folder))}: a class without images")
            paths += found.get(name, [])
            labels += [label] * len(found.get(name, []))
        counts.append(sum(map(len, found.values())))
    refuse(folder, problems)
    return tuple(classes), paths, labels, counts[0] if official else None


def _sort_by_class(folder: Path, part: Path, seen: set[Identity]) -> tuple[dict[str, list[Path]], list[str]]:
    """Sort the images of a folder, or of its part for training or the test, by their class; and say what else lies there."""
    found, problems = {}, []
    for entry in walk(part, seen):
        place, name = Path(entry.path).relative_to(part), readable(Path(entry.path).relative_to(folder))
        if leads_nowhere(entry) and not entry.name.lower().endswith(SUFFIXES):  # it might have been a class
            problems.append(f"{name}: a link that leads nowhere or in a circle")
        elif not leads_nowhere(entry) and entry.is_dir():
            problems.append(f"{name}: a link to a folder of these images that is read already")
        elif len(place.parts) == 1:
            problems.append(f"{name}: lies in no class")
        elif not _is_utf8(str(place)):
            problems.append(f"{name}: a name that is not UTF-8, expected one that is")
        else:
            found.setdefault(place.parts[0], []).append(Path(entry.path))
    return found, problems


def _is_utf8(name: str) -> bool:
    """Say whether a name can be written down: Python stands for bytes that are no text by halves of characters."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class Head(NamedTuple):
    """What the head of an image file says."""

    mode: str
    size: tuple[int, int]  # width and height in pixels


def read_head(path: Path) -> Head | str:
    """Read the head of an image file, or say what is wrong with it."""
    from PIL import Image

    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for
            return "no regular file"
        if state.st_size == 0:
            return "an empty file"
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                return f"found pixels of mode {image.mode}, expected 8 bits per channel"
            if min(image.size) < LEAST_SIDE:
                return f"found {image.size[0]}x{image.size[1]} pixels, expected {LEAST_SIDE} or more a side"
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
        Naming every file that is empty, damaged or of another size, every class that is empty, every image that lies in
        no class, and every link that leads nowhere or round; or if the images cannot fit into memory.
    """
    import PIL

    try:
        classes, paths, labels, train = list_images(folder)
    except OSError as error:
        place = readable(error.filename or folder)
        raise DataError(f"{place}: cannot be listed as a folder of images ({error.strerror})") from None
    found = dict(enumerate(in_threads(read_head, paths)))
    problems = {position: head for position, head in found.items() if isinstance(head, str)}
    heads = {position: head for position, head in found.items() if position not in problems}
    square = side or _commonest_side(heads.values())
    if side is None:
        problems |= _find_other_sizes(heads, square)
    mode = "L" if all(head.mode in GREY for head in heads.values()) else "RGB"
    # Where no image has the right size, none will be kept, but each is still decoded to find what is damaged.
    shape = (len(paths), len(mode), square or 1, square or 1)
    expect_memory(readable(folder), shape)
    images = np.empty(shape, np.uint8)
    problems |= _decode(paths, list(heads), mode, images)
    files = tuple(path.relative_to(folder).as_posix() for path in paths)
    refuse(folder, [f"{readable(files[position])}: {problems[position]}" for position in sorted(problems)])
    return Images(
        images,
        np.array(labels, np.int64),
        None if train is None else np.arange(train, len(paths)),
        classes,
        f"images in {readable(folder)}, read by Pillow {PIL.__version__}",
        files,
    )
