"""Folders of images, a folder a class, read with Pillow."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ablation.catalogue.sources import DataError
from ablation.data.folders import SUFFIXES, subfolders, walk
from ablation.data.images import Images, in_threads

GREY = ("1", "L", "LA", "La")
NAMED = 20  # problems that a message names one by one


def refuse(folder: Path, problems: Sequence[str]) -> None:
    """Raise one DataError that names all problems, the first of them one by one; none is none."""
    if problems:
        more = [f"… and {len(problems) - NAMED} more"] if len(problems) > NAMED else []
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DataError("\n  ".join([f"{folder}: {count} with this folder of images:", *problems[:NAMED], *more]))


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
            f"{folder}: found {extra} beside train and test, expected these two only, or one folder a class"
        )
    parts = [folder / "train", folder / "test"] if official else [folder]
    classes = sorted({name for part in parts for name in subfolders(part)})
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise DataError(f"{folder}: found the classes: {found}, expected two or more folders, one a class")
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


def look(path: Path) -> tuple[str, tuple[int, int]] | str:
    """Read the head of an image file: its mode and its size (width, height), or what is wrong with it."""
    from PIL import Image

    try:
        if path.stat().st_size == 0:
            return "an empty file"
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                return f"found pixels of mode {image.mode}, expected 8 bits a channel"
            return image.mode, image.size
    except Exception as error:  # Pillow's decoders raise many kinds for a damaged file
        return f"no image that can be read ({_reason(error)})"


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    return "of no known format" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__


def _choose_side(sizes: Sequence[tuple[int, int]]) -> int | None:
    """Return the side of the commonest square size; None if no image is square."""
    squares = Counter(width for width, height in sizes if width == height)
    return squares.most_common(1)[0][0] if squares else None


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
    from PIL import Image

    classes, paths, labels, train = list_images(folder)
    heads = in_threads(look, paths)
    problems = {place: head for place, head in enumerate(heads) if isinstance(head, str)}
    good = [place for place in range(len(paths)) if place not in problems]
    target = side or _choose_side([heads[place][1] for place in good])
    if side is None:
        expected = f"{target}x{target} as most squares here" if target else "a square"
        for place in good:
            width, height = heads[place][1]
            if width != target or height != target:
                problems[place] = f"found {width}x{height} pixels, expected {expected}; set data.side to resize all"
    mode = "L" if all(heads[place][0] in GREY for place in good) else "RGB"
    target = target or 1  # no image will be kept, but each is still looked into
    images = np.empty((len(paths), len(mode), target, target), np.uint8)

    def decode(place: int) -> str | None:
        try:
            with Image.open(paths[place]) as image:
                pixels = image.convert(mode)
        except Exception as error:
            return f"no image that can be read ({_reason(error)})"
        if place not in problems:
            pixels = (
                pixels if pixels.size == (target, target) else pixels.resize((target,) * 2, Image.Resampling.BILINEAR)
            )
            images[place] = np.asarray(pixels).reshape(target, target, len(mode)).transpose(2, 0, 1)
        return None

    problems |= {place: problem for place, problem in zip(good, in_threads(decode, good), strict=True) if problem}
    files = tuple(path.relative_to(folder).as_posix() for path in paths)
    refuse(folder, [f"{files[place]}: {problems[place]}" for place in sorted(problems)])
    return Images(
        images,
        np.array(labels, np.int64),
        None if train is None else np.arange(train, len(paths)),
        classes,
        f"images in {folder}, read by Pillow {PIL.__version__}",
        files,
    )
