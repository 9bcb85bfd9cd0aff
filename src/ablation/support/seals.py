"""Seals: small files that say what other files were when they were written, so that damage shows at the next start.

A seal is written with the outputs of a job, and is one of them. Asked of every file at every start, the question whether
something is damaged has to be cheap: the digest of a file is computed again only if its time is another one than when it
was sealed. Nothing here changes what it looks at.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablation.support.digests import digest, file_digest
from ablation.support.files import write_whole


def write_seal(seal: Path, files: Sequence[Path]) -> None:
    """Write the size, time and digest of files, which may all be moved together with their seal.

    Parameters
    ----------
    seal : Path
        The file to write; its folder exists.
    files : sequence of Path
        Files that are complete.
    """
    content = {os.path.relpath(path, seal.parent): _state(path) for path in files if path.is_file()}
    with write_whole(seal) as file:
        file.write(json.dumps({"files": content, "seal": digest(content)}, indent=1).encode())


def _state(path: Path) -> dict[str, Any]:
    stat = path.stat()
    return {"size": stat.st_size, "time": stat.st_mtime_ns, "digest": file_digest(path)}


def damaged_files(seal: Path, thorough: bool = False) -> list[Path]:
    """List the files of a seal that are missing or not what was sealed, and change nothing.

    Parameters
    ----------
    seal : Path
        If there is none, nothing is known, and nothing listed.
    thorough : bool
        Whether every digest is computed again: of a disk that loses bits, files keep their times.

    Returns
    -------
    list of Path
        The seal itself if it cannot be read or was changed.
    """
    if not seal.exists():
        return []
    try:
        content = json.loads(seal.read_bytes())
        files = content["files"]
        if content["seal"] != digest(files):
            return [seal]
        paths = {Path(os.path.normpath(seal.parent / name)): state for name, state in files.items()}
        return [path for path, state in paths.items() if not _is_whole(path, state, thorough)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [seal]


def _is_whole(path: Path, state: dict[str, Any], thorough: bool) -> bool:
    try:
        stat = path.stat()
        if stat.st_size != state["size"] or not path.is_file():
            return False
        return (stat.st_mtime_ns == state["time"] and not thorough) or file_digest(path) == state["digest"]
    except OSError:
        return False
