"""What a start looks at before it makes anything: whose results these are, what was lost of them, what killed ones left."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ablation.jobs.pruning import Wanted, free, leftovers
from ablation.records.store import Store
from ablation.support.digests import file_digest
from ablation.support.files import is_left_aside, left_aside, write_whole
from ablation.support.locks import Holder, noted_holder
from ablation.support.wording import UserError

ORIGIN, LOCK = "start/origin.json", "start/lock"
DEPTH = 5  # folders above a job's result, among which that of its study is


class OriginError(UserError):
    """The results are those of another study file of the same name; the message names both and the ways out."""


class MisplacedError(UserError):
    """A folder has the name of a file that the study makes, or the other way round."""


def start_of(result: Path) -> Holder | None:
    """Return the start of the workflow that works on the study of a job's result, or did last and was killed.

    A job whose start was killed lives on; once this is another start than the one that began it, its result may be that of
    an older study, and the new start makes its own.
    """
    locks = (folder / LOCK for folder in list(result.absolute().parents)[:DEPTH])
    return next(filter(None, map(noted_holder, locks)), None)


def note_origin(study: Path, folder: Path) -> None:
    """Note in a study's folder of results from which file they come.

    Parameters
    ----------
    study : Path
        The study file.
    folder : Path
        Its results; made if need be.
    """
    target = folder / ORIGIN
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {"study": str(study.absolute()), "results": str(folder.absolute())}
    with write_whole(target) as file:
        file.write(json.dumps(content, indent=1).encode())


def check_origin(study: Path, folder: Path) -> None:
    """Refuse results that come from another file, if that one is still there and says something else.

    A checkout that was moved or copied with its results is no other study: these are then not where they were noted.

    Raises
    ------
    OriginError
    """
    try:
        noted = json.loads((folder / ORIGIN).read_bytes())
        other, results = Path(noted["study"]), Path(noted["results"])
        same = os.path.samefile(other, study) or file_digest(other) == file_digest(study)
        moved = not os.path.samefile(results, folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # nothing was noted, or what was noted is there no more
    if not same and not moved:
        raise OriginError(
            f"{folder} has the results of another study of the same name: found {other}, expected {study.absolute()}. "
            "Rename one of the two files, or give this one a folder of its own: --config results=FOLDER"
        )


def clear_leftovers(store: Store, folder: Path) -> None:
    """Delete what killed processes left on their way in the store and in a study's results, whose lock the caller holds.

    In the store the lock of each run says that nobody works on it. Interrupted trainings and damaged records stay.
    """
    for item in leftovers(store, Wanted(), keep_running=True):
        on_its_way = item.path.parent == store.root
        if item.key and (not on_its_way or is_left_aside(item.path.name)):
            free(store, item)
    for path in left_aside(folder):
        with suppress(OSError):
            path.unlink()


def lost_of(path: Path, find: Callable[[Mapping[str, Any]], Iterable[str]]) -> list[str]:
    """Name what is lost of all that a file of JSON speaks of.

    Parameters
    ----------
    path : Path
        Where it is missing or cannot be read, nothing is lost: that its seal tells.
    find : callable
        Given the content, names what is lost.
    """
    try:
        return list(find(json.loads(path.read_bytes())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def is_other(path: Path, text: str) -> bool:
    """Say whether a file is there and holds another text than it is to have."""
    try:
        return path.read_bytes() != text.encode()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def refuse_misplaced(paths: Iterable[Path]) -> None:
    """Refuse folders in the place of files that the study makes, and files in the place of their folders.

    Raises
    ------
    MisplacedError
        What lies there is not ours to delete.
    """
    for path in paths:
        if path.is_dir():
            raise MisplacedError(f"{path}: found a folder, expected the file that the study makes; move it away")
        for folder in path.parents:
            if folder.is_dir():
                break
            if folder.exists() or folder.is_symlink():
                raise MisplacedError(f"{folder}: found a file, expected a folder of the study; move it away")


def listed(sentences: Sequence[str], most: int = 20) -> str:
    """Join sentences to lines, and count those beyond the first `most`."""
    more = [f"… and {len(sentences) - most} more"] if len(sentences) > most else []
    return "\n".join([*sentences[:most], *more])
