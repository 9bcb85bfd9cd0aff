"""Files that are whole or absent, also on file systems that several machines share."""

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)  # of folders, on some network file systems


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
    return f".{name}.{socket.gethostname()}-{os.getpid()}"


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
