"""The store: all records, each under the key of its run, written whole or not at all, and never changed afterwards.

A record is a folder ``<root>/<first two digits of key>/<key>`` with `record.json` (format, spec, status, curves, metrics,
timings, environment and the digests of the other files), `predictions.safetensors`, `weights.safetensors` and, where the
study asked for it, `diagnostics.json` (by column). That of a run that failed by itself is `record.json` alone, with its
error. Under ``.running`` lie the runs in training: their curves as they grow, and the state to go on from; under
``.damaged`` what was set aside.

Whatever a record's format, `record.json` has its number as ``format`` (without it: 1, which has `correct.npy` in the place
of predictions) and the digest of the rest as ``seal``, by which a reader tells a newer format from damage.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ablation.records.running import CURVES, STATE, Running
from ablation.records.seen import SEEN, Glance, mark_of
from ablation.support.digests import digest, file_digest
from ablation.support.files import aside_name, aside_prefix, is_listed, sync_folder, write_whole
from ablation.support.locks import CannotLockError, hold, is_held, tell
from ablation.support.wording import UserError

ROOT = Path("results/store")
FORMAT = 2  # of what is written; raise it when a reader of today would misread it
RECORD, WEIGHTS, DIAGNOSTICS = "record.json", "weights.safetensors", "diagnostics.json"
PREDICTIONS, CORRECT = "predictions.safetensors", "correct.npy"  # the second in records of format 1
FAILED = "failed"  # status of a run that ended in an error of its own
COMPLETED, DIVERGED, STUCK = "completed", "diverged", "stuck"  # of the others
WRITING, PRUNED = "writing-", "pruned-"  # folders on their way in and out
# What reading a file raises that is no file of ours; a disk that fails or refuses is no damage of the record.
UNREADABLE = (
    *(FileNotFoundError, IsADirectoryError, NotADirectoryError),
    *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
)
# Seconds that a record of another machine may be listed late: so long NFS remembers by default that a name was missing.
LATE = 60.0


class DamagedRecordError(Exception):
    """A record that is not what was written; the message says which file of which record."""


class NewerRecordError(UserError):
    """A record of a format that a newer version of this program writes; the message says which and what to do."""


class NoWeightsError(UserError):
    """A record has no weights to go on with; the message says why and what to do."""


def sealed(content: Mapping[str, Any]) -> bytes:
    """Write `record.json`: its content, and the digest of it as ``seal``."""
    return json.dumps({**content, "seal": digest(content)}, indent=1).encode()


def without_weights(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of `record.json` of a record that has no weights any more, and says so."""
    files = {name: digits for name, digits in record["files"].items() if name != WEIGHTS}
    return {**record, "files": files, **({"freed": [WEIGHTS]} if WEIGHTS in record["files"] else {})}


class Store:
    """All records under one folder.

    Parameters
    ----------
    root : Path
        Made when the first record comes.
    """

    def __init__(self, root: Path = ROOT):
        self.root = Path(root)

    def folder(self, key: str) -> Path:
        """Return the folder of a record, which may not exist."""
        return self.root / key[:2] / key

    def is_whole(self, key: str) -> bool:
        """Say whether a record is there and looks untouched, and change nothing; raises NewerRecordError.

        The digests are recomputed only if a file changed after the record was sealed: asked of every record at every
        start, the question has to be cheap. `read` recomputes them always.
        """
        return is_listed(self.folder(key)) and not self._damage(key)

    def has(self, key: str) -> bool:
        """Say whether a record is whole, and set a damaged one aside: the caller is about to write it anew."""
        if self.is_whole(key):
            return True
        if os.path.lexists(self.folder(key)) and (damage := self._damage(key)):
            self.set_aside(key, damage)
        return False

    def _damage(self, key: str) -> str:
        """Say what is wrong with a record that is there, as far as a glance shows; empty if nothing is."""
        folder = self.folder(key)
        try:
            (sealed, *_), _, files = self._glance(key)
            if any((folder / name).stat().st_mtime_ns > sealed for name in files):
                self.verify(key)
        except (DamagedRecordError, FileNotFoundError, NotADirectoryError) as error:
            return str(error)
        return ""

    def read(self, key: str, patience: float = 0.0) -> dict[str, Any]:
        """Return a record's `record.json` after checking every file of the record.

        Parameters
        ----------
        key : str
        patience : float
            Seconds to wait for a record that another machine has written: it may be listed here late.

        Raises
        ------
        KeyError
            If there is no such record.
        DamagedRecordError
            If it is not what was written.
        NewerRecordError
            If a newer version of this program wrote it.
        """
        if not is_listed(self.folder(key), patience):
            raise KeyError(key)
        return self.verify(key)

    def status(self, key: str) -> str:
        """Return the status of a record; empty if there is none that can be read."""
        try:
            return self._glance(key)[1]
        except (DamagedRecordError, FileNotFoundError, NotADirectoryError):
            return ""

    def _glance(self, key: str) -> Glance:
        """Return what `SEEN` has of a record, looked at anew if its file is another one; raises as `peek` does."""
        path = self.folder(key) / RECORD
        mark = mark_of(path)
        if path not in SEEN or SEEN[path][0] != mark:
            record = self.peek(key)
            SEEN[path] = (mark, record.get("status", ""), tuple(record["files"]))
        return SEEN[path]

    def has_failed(self, key: str) -> bool:
        """Say whether a record is that of a run that failed by itself; not if there is none that can be read."""
        return self.status(key) == FAILED

    def failure_time(self, key: str) -> float | None:
        """Return when a run failed, in seconds since 1970; None if there is no record that says so."""
        return self.peek(key)["error"]["time"] if self.has_failed(key) else None

    def verify(self, key: str) -> dict[str, Any]:
        """Recompute all digests of a record; raises DamagedRecordError."""
        record = self.peek(key)
        for name, expected in record["files"].items():
            path = self.folder(key) / name
            if not path.is_file() or file_digest(path) != expected:
                raise DamagedRecordError(f"record {key}: {name} is missing or damaged")
        return record

    def peek(self, key: str) -> dict[str, Any]:
        """Return `record.json` alone, whose seal is checked; raises DamagedRecordError and NewerRecordError."""
        path = self.folder(key) / RECORD
        try:
            record = json.loads(path.read_bytes())
            seal = record.pop("seal")
            whole = seal == digest(record) and record["key"] == key
        except UNREADABLE as error:
            raise DamagedRecordError(f"record {key}: {RECORD} cannot be read ({error})") from None
        if not whole:
            raise DamagedRecordError(f"record {key}: {RECORD} is not what was written")
        number = record.setdefault("format", 1)
        if type(number) is int and number > FORMAT:
            raise NewerRecordError(
                f"{path}: found format {number}, expected {FORMAT} or less: a newer version of this program wrote it. Use "
                "that version, or another folder of results; the record stays as it is"
            )
        files, freed = record.get("files"), record.get("freed", [])
        named = isinstance(files, dict) and all(Path(name).name == name and name != RECORD for name in files)
        if type(number) is not int or number < 1 or not named or not isinstance(freed, list):
            raise DamagedRecordError(f"record {key}: found no format or no list of files in {RECORD}")
        return record

    def write(self, key: str, record: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Add a record; one that is there already stays as it is.

        Parameters
        ----------
        key : str
        record : mapping
            Plain data for `record.json`.
        files : mapping of str to bytes
            The other files by name.
        """
        aside = self.root / aside_name(f"{WRITING}{key}")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            aside.mkdir(parents=True)
            self._write_aside(aside, key, record, files)
            self._put(aside, key)
        finally:  # on a full disk, what could not be finished gives its place back
            shutil.rmtree(aside, ignore_errors=True)

    def _write_aside(self, aside: Path, key: str, record: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            with write_whole(aside / name) as file:
                file.write(content)
        digests = {name: file_digest(aside / name) for name in files}
        content = {**record, "format": FORMAT, "key": key, "files": digests}
        # Last of all, so that any later change of another file shows in its time.
        self._seal(aside, content)

    def _put(self, aside: Path, key: str) -> None:
        target = self.folder(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(aside, target)
            sync_folder(target.parent)
        except OSError:
            if not target.is_dir():
                raise

    @staticmethod
    def _seal(folder: Path, content: Mapping[str, Any]) -> None:
        with write_whole(folder / RECORD) as file:
            file.write(sealed(content))

    def free_weights(self, key: str) -> None:
        """Delete the weights of a record for good; the rest stays whole, and says that they were freed."""
        record = self.peek(key)
        if WEIGHTS in record["files"]:
            self._seal(self.folder(key), without_weights(record))
        (self.folder(key) / WEIGHTS).unlink(missing_ok=True)

    def remove(self, key: str) -> None:
        """Delete a record: it is gone at once, whatever interrupts the rest."""
        aside = self.root / aside_name(f"{PRUNED}{key}")
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.folder(key), aside)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)

    def set_aside(self, key: str, why: str) -> Path:
        """Move a damaged record out of the way, keep it for inspection, and return where it lies."""
        target = self.root / ".damaged" / f"{key}-{time.time_ns()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.folder(key), target)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (target / "why.txt").write_text(why + "\n")
        return target

    @contextlib.contextmanager
    def lock(self, key: str, wait: bool = True) -> Iterator[Running]:
        """Hold the place of a run in training; another process that wants it waits, and then finds the record.

        Who holds a place already must not wait for another one, as its holder may wait for the first: without `wait`,
        LockHeldError is raised.

        What was left there is kept to go on from; once the record is written, the place is cleared. Where nothing can be
        locked, two processes may train the same run: each writes whole files, and the first record stays.
        """
        folder = self.root / ".running" / key
        # The lock file outlives the place, so that all who wait hold the same one.
        lock = hold(self.root / ".running" / "locks" / key, what=f"run {key}", wait=wait)
        with contextlib.ExitStack() as locked:
            try:
                locked.enter_context(lock)
            except CannotLockError as error:
                tell(f"{error}: the run goes on without; another job that wants it would train it a second time")
            else:
                self._clear_what_was_cut_off(key)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                yield Running(folder)
            finally:  # a warning may end the process right after the record was written
                if self.folder(key).is_dir():
                    shutil.rmtree(folder, ignore_errors=True)

    def _clear_what_was_cut_off(self, key: str) -> None:
        """Delete what killed processes were writing or deleting of a run; who holds its lock knows that they are gone."""
        Running(self.root / ".running" / key).clear_what_was_cut_off()
        for prefix in (WRITING, PRUNED):
            for folder in self.root.glob(f"{aside_prefix(prefix + key)}*"):
                shutil.rmtree(folder, ignore_errors=True)

    def running_curves(self, key: str) -> list[dict[str, Any]]:
        """Return the curves so far of a run in training; empty if it has not finished an epoch, or if they are damaged."""
        try:
            lines = (self.root / ".running" / key / CURVES).read_text().splitlines()
            return [json.loads(line) for line in lines]
        except (OSError, ValueError):
            return []

    def under_way(self, key: str) -> tuple[bool, bool]:
        """Say whether a process trains a run at this moment, and whether a state to go on from is there."""
        running = self.root / ".running"
        return is_held(running / "locks" / key), (running / key / STATE).is_file()
