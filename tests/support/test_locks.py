"""Locks: held, free, and what cannot be locked at all."""

import errno
import fcntl
import os
import re
import socket
import stat
import subprocess
import sys
import time

import pytest

from ablation.support import locks
from ablation.support.locks import CannotLockError, LockHeldError, hold

HOLD = """
import sys, time
from pathlib import Path
from ablation.support.locks import hold
with hold(Path(sys.argv[1]), what="it"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "locks/it"


@pytest.fixture
def other():
    """Start another process that holds a lock for some seconds."""
    started = []

    def start(path, seconds):
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_held_lock_says_who_holds_it_and_since_when(path, other):
    process = other(path, 60)
    with pytest.raises(LockHeldError) as raised, hold(path, what="the study digits", wait=False):
        pass
    pattern = rf"the study digits is held by process {process.pid} of \S+ on {re.escape(socket.gethostname())} since 20"
    assert re.match(pattern, str(raised.value))


def test_a_lock_goes_with_its_process_however_that_ends(path, other):
    process = other(path, 60)
    process.kill()
    process.wait()
    with hold(path, what="it", wait=False) as position:
        assert position == 0


def test_a_wait_ends_with_the_lock_and_is_said_now_and_then(path, other, monkeypatch):
    monkeypatch.setattr(locks, "FIRST", 0.2)
    monkeypatch.setattr(locks, "AGAIN", 0.3)
    process, said = other(path, 1.5), []
    with hold(path, what="the device", say=said.append):
        pass
    assert 2 <= len(said) <= 5
    assert all(f"waiting for the device, held by process {process.pid} of" in line for line in said)


def test_the_first_free_lock_of_several_is_held(tmp_path, other):
    paths = [tmp_path / str(n) for n in range(3)]
    other(paths[0], 60)
    with hold(*paths, what="a device") as first, hold(*paths, what="a device") as second:
        assert (first, second) == (1, 2)
        with pytest.raises(LockHeldError), hold(*paths, what="a device", wait=False):
            pass
    with hold(*paths, what="a device", wait=False) as position:
        assert position == 1


def test_a_child_that_lives_on_does_not_keep_the_lock(path):
    with hold(path, what="it"):
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
    try:
        with hold(path, what="it", wait=False) as position:
            assert position == 0
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO, errno.EBADF])
def test_what_cannot_be_locked_is_no_wait(path, monkeypatch, code):
    def refuse(descriptor, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    expected = re.escape(f"{path} cannot be locked ({os.strerror(code)})")
    with pytest.raises(CannotLockError, match=expected), hold(path, what="it"):
        pass


def test_a_folder_that_cannot_be_written_is_no_wait(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotLockError, match="cannot be locked"), hold(tmp_path / "file/lock", what="it"):
        pass


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_file_that_cannot_be_written_is_locked_all_the_same(path, monkeypatch, code):
    """As in a sticky folder, where a second user may open the file of the first for reading alone; or on such a disk."""
    path.parent.mkdir()
    path.touch()
    plain_open = os.open

    def read_only(path, flags, *mode):
        if flags & os.O_RDWR:
            raise OSError(code, os.strerror(code))
        return plain_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    with (
        hold(path, what="it"),
        pytest.raises(LockHeldError, match="by another process"),
        hold(path, what="it", wait=False),
    ):
        pass


def test_a_lock_is_for_all_users_and_follows_no_link(path, tmp_path):
    mask = os.umask(0o077)
    try:
        with hold(path, what="it"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
    finally:
        os.umask(mask)
    precious = tmp_path / "precious"
    precious.write_text("text")
    link = tmp_path / "link"
    link.symlink_to(precious)
    with pytest.raises(CannotLockError), hold(link, what="it"):
        pass
    assert precious.read_text() == "text"


def test_a_lock_that_is_free_names_nobody(path):
    with hold(path, what="it"):
        assert b"pid" in path.read_bytes()
    assert path.read_bytes() == b""
