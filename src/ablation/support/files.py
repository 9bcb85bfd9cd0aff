"""Files that are whole or absent, also on file systems that several machines share."""

import errno
import json
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)  # of folders, on some network file systems


class TextError(Exception):
    """A file that is no text that people write; the message says what was found and what was expected."""


def read_text(path: Path, most: int) -> str:
    """Read a text file of someone's own; a byte-order mark is left out.

    Parameters
    ----------
    path : Path
    most : int
        Bytes that it may have.

    Raises
    ------
    TextError
        If it is not there, no regular file, too large, or not UTF-8. What would block or never end is not opened.
    """
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise TextError("found a folder, expected a file")
        if not stat.S_ISREG(kind):
            raise TextError("found a device or pipe, expected a file")
        with open(path, "rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise TextError(f"found a file of more than {most:,} bytes, expected {most:,} or fewer")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise TextError("found no such file") from None
    except OSError as error:
        raise TextError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TextError(
            f"cannot be read as UTF-8 text: found the byte 0x{content[error.start]:02X} in line {line}"
        ) from None
    except ValueError:  # a NUL, or what no name of a file can be
        raise TextError("found a name that no file can have") from None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def is_listed(path: Path, patience: float = 0.0) -> bool:
    """Say whether a path is there, although another machine may have made it a moment ago.

    A client of a network file system may remember for some time that a name was missing, up to a minute with the usual
    settings of NFS. Opening the folders above asks the server again.

    Parameters
    ----------
    path : Path
    patience : float
        Seconds to wait for a path that has to come.
    """
    end = time.monotonic() + patience
    while not path.exists():
        for folder in (path.parent.parent, path.parent):
            with suppress(OSError):
                os.listdir(folder)
        if path.exists():
            break
        if time.monotonic() >= end:
            return False
        time.sleep(min(1.0, patience))
    return True


def aside_name(name: str) -> str:
    """Return a name for what is being written that no other process uses, on this machine or another."""
    return f"{aside_prefix(name)}{socket.gethostname()}-{os.getpid()}"


def aside_prefix(name: str) -> str:
    """Return what all names begin with that `aside_name` gives to a file of this name."""
    return f".{name}."


def left_aside(folder: Path) -> Iterator[Path]:
    """Find what processes of this machine that have ended were writing in a folder and below.

    A process of another machine, or of another container, may still live: what it writes is none of these. To be used
    where a lock keeps others away, so that a number that is in use again is no more than a file that stays.
    """
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files) if is_left_aside(name))


def is_left_aside(name: str) -> bool:
    """Say whether a name is one that `aside_name` gave to a process of this machine that has ended."""
    found = re.fullmatch(rf"\..+\.{re.escape(socket.gethostname())}-(\d+)", name)
    return bool(found) and not _lives(int(found[1]))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name only when all of it is on the disk.

    Parameters
    ----------
    path : Path
        Its folder exists. An older file of that name stays until the new one takes its place.
    """
    aside = path.with_name(aside_name(path.name))
    try:
        with open(aside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Return the content of a file of JSON; None where there is none that can be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
