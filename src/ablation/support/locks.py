"""Locks on files that the kernel holds for a process: they go with it, however it ends.

A lock file says who holds it. Where nothing can be locked (a file system without locks, a folder that cannot be written),
that is an error of its own and never a wait; the caller decides whether to go on without. Two things no process can
see: a file system that grants a lock to each machine separately, and a machine that died with a lock which the file server
has not given up yet. What must not happen twice therefore needs more than a lock.
"""

import errno
import fcntl
import getpass
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

FIRST, AGAIN = 10.0, 60.0  # seconds of waiting until it is said, and from then on between two lines
LONGEST_PAUSE = 1.0  # seconds between two tries


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: process, machine, user, and since when by that machine's clock."""

    pid: int
    host: str
    user: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host} since {self.since}"


class LockHeldError(Exception):
    """Another process holds the lock; `holder` says which one, where it is known."""

    def __init__(self, what: str, holder: Holder | None):
        super().__init__(f"{what} is held by {holder or 'another process'}")
        self.holder = holder


class CannotLockError(Exception):
    """The lock can be neither had nor waited for; the message says which file and why."""

    def __init__(self, path: Path, error: OSError):
        super().__init__(f"{path} cannot be locked ({error.strerror or error})")
        self.path = path


def tell(text: str) -> None:
    """Say something on the terminal and in the log at once."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def hold(*paths: Path, what: str, wait: bool = True, say: Callable[[str], None] = tell) -> Iterator[int]:
    """Hold the first of several locks that nobody else holds.

    Parameters
    ----------
    *paths : Path
        Lock files, made where they are missing. They stay when the lock goes: all who want it must meet in one file.
    what : str
        What the lock stands for, as a subject of sentences: "the study digits".
    wait : bool
        Wait until one is free; else raise at once.
    say : callable
        Told now and then what a wait is for.

    Yields
    ------
    int
        The position of the lock among `paths`.

    Raises
    ------
    LockHeldError
        If others hold them all and `wait` is false.
    CannotLockError
        If one of them cannot be locked at all, held or not.
    """
    with ExitStack() as files:
        descriptors = [_open(path, files) for path in paths]
        begin, pause, said = time.monotonic(), 0.05, 0
        while (position := _take_first(paths, descriptors)) is None:
            holder = _read_holder(descriptors[0])
            if not wait:
                raise LockHeldError(what, holder)
            waited = time.monotonic() - begin
            if waited >= FIRST + said * AGAIN:
                say(f"waiting for {what}, held by {holder or 'another process'} ({waited:.0f} s so far)")
                said += 1
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        _write_holder(descriptors[position], _this_process())
        try:
            yield position
        finally:
            _write_holder(descriptors[position], None)
            # Said, not left to closing: a forked child may hold the file too.
            fcntl.flock(descriptors[position], fcntl.LOCK_UN)


def is_held(path: Path, unknown: bool = False) -> bool:
    """Say whether somebody holds a lock, without taking it or changing its file; `unknown`, where nobody can tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError:
        return unknown
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return unknown
    finally:
        os.close(descriptor)
    return False


def noted_holder(path: Path) -> Holder | None:
    """Return who is noted in a lock file, even if that process was killed since; None if nobody is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _read_holder(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, files: ExitStack) -> int:
    """Open a lock file, for writing if possible: network file systems grant a lock to writers only.

    Several users may share one. A link is not followed: in a folder that everybody can write it could lead anywhere.
    """
    shared = os.O_CLOEXEC | os.O_NOFOLLOW
    # A sticky folder may refuse O_CREAT on somebody else's file, and a file of another user or its disk may be read-only.
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDWR, os.O_RDONLY):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, flags | shared, 0o666)
            break
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise CannotLockError(path, error) from None
            refused = error
    else:
        raise CannotLockError(path, refused)
    files.callback(os.close, descriptor)
    with suppress(OSError):
        os.fchmod(descriptor, 0o666)  # the next process may be another user's, whatever this one's umask
    return descriptor


def _take_first(paths: Sequence[Path], descriptors: Sequence[int]) -> int | None:
    """Lock the first file that is free and return its position, or None if others hold all."""
    for position, descriptor in enumerate(descriptors):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError as error:
            raise CannotLockError(paths[position], error) from None
        return position
    return None


def _this_process() -> Holder:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may know its user by number alone
        user = str(os.getuid())
    return Holder(os.getpid(), socket.gethostname(), user, datetime.now().astimezone().isoformat(" ", "seconds"))


def _write_holder(descriptor: int, holder: Holder | None) -> None:
    """Note the holder in the file, or nobody; what cannot be noted is not worth failing for."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        if holder:
            os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
            os.fsync(descriptor)  # another machine is to read it, too


def _read_holder(descriptor: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (OSError, ValueError, TypeError):
        return None
