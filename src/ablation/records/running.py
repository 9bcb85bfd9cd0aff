"""The place of a run in training: its curves as they grow, and the state to go on from.

A state says of which run it is and has the digest of its content, for what is read from it becomes a result: one that was
damaged on the disk, or copied from another run, would train to an end that nobody can explain.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ablation.support.files import write_whole

CURVES, STATE = "curves.jsonl", "state.pt"
FORM = b"ablation-state-1"  # the first word of a state; the run's key and the digest of what follows stand beside it
DIGITS = 32  # of a digest


class DamagedStateError(Exception):
    """A state that cannot be gone on from; the message says what was found and what was expected."""


@dataclass(frozen=True)
class Running:
    """The place of a run in training, held by one process at a time.

    Attributes
    ----------
    folder : Path
        Its name is the key of the run.
    """

    folder: Path

    @property
    def state(self) -> Path:
        """Where the state to go on from lies; it may not exist."""
        return self.folder / STATE

    def write_curves(self, rows: list[Mapping[str, Any]]) -> None:
        """Write the curves so far, for the watch and the mirror to read."""
        with self._write(CURVES) as file:
            file.writelines(json.dumps(row).encode() + b"\n" for row in rows)

    def write_state(self, save: Callable[[BinaryIO], None]) -> None:
        """Save the state to go on from; `save` writes it to a file, from its first byte to its last."""
        with self._write(STATE) as file:
            file.write(self._head("0" * DIGITS))
            digesting = _Digesting(file)
            save(digesting)
            file.seek(0)
            file.write(self._head(digesting.digest()))

    def read_state(self) -> BinaryIO | None:
        """Return what `write_state` saved; None if nothing was.

        Raises
        ------
        DamagedStateError
            If it is damaged, or the state of another run or version.
        """
        try:
            content = self.state.read_bytes()
        except FileNotFoundError:
            return None
        head, _, body = content.partition(b"\n")
        form, key, digest = [*head.split(b" ")[:3], b"", b"", b""][:3]
        if form != FORM:
            raise DamagedStateError(f"found {form[:20]!r}, expected {FORM!r}: of another version, or damaged")
        if key != self.folder.name.encode():
            raise DamagedStateError(f"found the state of the run {key.decode(errors='replace')}, expected its own")
        if digest.decode(errors="replace") != _digest(body):
            raise DamagedStateError("its content is not what was written")
        return io.BytesIO(body)

    def clear_what_was_cut_off(self) -> None:
        """Delete what killed processes were writing here; the caller holds the lock, so nobody is writing now."""
        for path in self.folder.glob(".*"):
            path.unlink(missing_ok=True)

    def _head(self, digest: str) -> bytes:
        return b" ".join((FORM, self.folder.name.encode(), digest.encode())) + b"\n"

    def _write(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        # Where nothing can be locked, another process may have ended the same run and cleared the place.
        self.folder.mkdir(exist_ok=True)
        return write_whole(self.folder / name)


class _Digesting:
    """A file to be written from beginning to end, of whose content a digest is made on the way."""

    def __init__(self, file: BinaryIO):
        self.file, self.hashed = file, hashlib.blake2b(digest_size=DIGITS // 2)

    def write(self, content: bytes) -> int:
        self.hashed.update(content)
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()

    def digest(self) -> str:
        return self.hashed.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=DIGITS // 2).hexdigest()
