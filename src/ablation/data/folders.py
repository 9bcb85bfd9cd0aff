"""What lies in a folder of images, without reading one. Imports no numpy."""

import os
from collections.abc import Iterator
from pathlib import Path

from ablation.support.digests import digest

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")

Identity = tuple[int, int]  # of a folder: its device and number


def identify(path: os.DirEntry | Path) -> Identity:
    """Tell a folder from others, whatever it is called and linked from."""
    state = path.stat()
    return state.st_dev, state.st_ino


def walk(folder: Path, seen: set[Identity] | None = None) -> Iterator[os.DirEntry]:
    """Yield the image files below a folder, by path; hidden ones and those of another suffix are ignored.

    Links are followed. No folder is walked twice, or links could lead round forever: one that was is yielded itself, and
    so is a link that leads nowhere, for both are mistakes of whoever made the folder.

    Parameters
    ----------
    folder : Path
    seen : set of Identity, optional
        The folders that were walked before; those walked now join them.

    Raises
    ------
    OSError
        If a folder cannot be listed.
    """
    seen = set() if seen is None else seen
    seen.add(identify(folder))
    levels = [_list(folder)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
        elif leads_nowhere(entry):
            yield entry
        elif not entry.is_dir():
            if entry.name.lower().endswith(SUFFIXES):
                yield entry
        elif identify(entry) in seen:
            yield entry
        else:
            seen.add(identify(entry))
            levels.append(_list(entry))


def _list(folder: Path | os.DirEntry) -> Iterator[os.DirEntry]:
    """List what lies in a folder by name, without hidden entries."""
    with os.scandir(folder) as entries:
        return iter(sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name))


def leads_nowhere(entry: os.DirEntry) -> bool:
    """Say whether an entry is a link to what is not there, or round in a circle."""
    return entry.is_symlink() and not os.path.exists(entry.path)


def subfolders(folder: Path) -> list[str]:
    """List the folders in a folder by name, without hidden ones."""
    return [entry.name for entry in _list(folder) if not leads_nowhere(entry) and entry.is_dir()]


def readable(name: str | Path) -> str:
    """Write a name on one line, whatever it consists of: a line break or a byte that is no UTF-8 is escaped."""
    name = str(name)
    return name if name.isprintable() else ascii(name)


def fingerprint(folder: Path) -> str:
    """Digest the names, sizes and times of change of the images below a folder, without reading them."""
    try:
        if not folder.is_dir():
            return "missing"
        return digest([[readable(os.path.relpath(entry.path, folder)), *_state(entry)] for entry in walk(folder)])
    except OSError as error:  # `read_folder` says what is wrong
        return f"unreadable: {error.strerror}"


def _state(entry: os.DirEntry) -> tuple[int, ...]:
    try:
        state = entry.stat()
    except OSError:  # a link to nowhere: `read_folder` names it
        return ()
    return state.st_size, state.st_mtime_ns
