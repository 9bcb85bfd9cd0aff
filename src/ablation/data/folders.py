"""What lies in a folder of images, without reading one. Imports no numpy."""

import os
from collections.abc import Iterator
from pathlib import Path

from ablation.support.digests import digest

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")


def walk(folder: Path) -> Iterator[os.DirEntry]:
    """Yield the image files below a folder, by path; hidden ones and those of another suffix are ignored."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from walk(Path(entry.path))
            elif entry.name.lower().endswith(SUFFIXES):
                yield entry


def subfolders(folder: Path) -> list[str]:
    """List the folders in a folder by name, without hidden ones."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def fingerprint(folder: Path) -> str:
    """Digest the names, sizes and times of change of the images below a folder, without reading them."""
    if not folder.is_dir():
        return "missing"
    return digest([[os.path.relpath(entry.path, folder), *_state(entry)] for entry in walk(folder)])


def _state(entry: os.DirEntry) -> tuple[int, ...]:
    try:
        state = entry.stat()
    except OSError:  # a link to nowhere: `read_folder` names it
        return ()
    return state.st_size, state.st_mtime_ns
