"""Full and read-only disks, used-up memory, a jumping clock: what is said, and that nothing finished is lost."""

import itertools
import os
import shutil
import subprocess
import time

import pytest
import torch
from test_shard_training import Shard

from ablation.support.failures import remedy


class Two(Shard):
    """A shard of two runs."""

    def first(self):
        """Train the first run alone, and return its key."""
        return self.train(self.spec(seed=0))[0]["key"]

    def both(self):
        """Train what is missing of both runs, and return their weights."""
        keys = [record["key"] for record in self.train(self.spec(seed=0), self.spec(seed=1))]
        return [(self.store.folder(key) / "weights.safetensors").read_bytes() for key in keys]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return Two(tmp_path_factory.mktemp("undisturbed")).both()


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, real as far as any program can see."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk, left):
    """Write a file that leaves so many bytes on a disk."""
    state = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(state.f_bavail * state.f_frsize - left))


@pytest.mark.parametrize("left", [0, 20_000, 60_000])
def test_a_full_disk_costs_no_finished_run_and_leaves_no_half_of_one(disk, undisturbed, left):
    two = Two(disk)
    finished = two.first()
    fill(disk, left)
    with pytest.raises(Exception, match="No space left") as raised:
        two.both()
    assert remedy(raised.value).startswith("The disk is full")
    assert two.store.verify(finished)
    assert not [path for path in two.store.root.rglob(".*") if path.name != ".running"]
    (disk / "filler").unlink()
    assert two.both() == undisturbed


def test_a_disk_that_cannot_be_written_costs_no_finished_run(disk, undisturbed):
    two = Two(disk)
    two.first()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(OSError, match="Read-only") as raised:
        two.both()
    assert remedy(raised.value).startswith("The disk can be read and not written")
    two.first()  # where nothing is missing, nothing is written
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert two.both() == undisturbed


def no_gpu_memory(*_):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def no_memory(*_):
    raise MemoryError


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (no_gpu_memory, "The memory of the GPU is used up. Nothing is made smaller"),
        (no_memory, "The memory of this machine"),
    ],
)
def test_memory_that_is_used_up_costs_no_finished_run_and_records_no_failure(
    tmp_path, undisturbed, monkeypatch, fault, said
):
    two = Two(tmp_path)
    two.first()
    monkeypatch.setattr(torch.Tensor, "backward", fault)
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        two.both()
    assert remedy(raised.value).startswith(said)
    assert len(list(two.store.root.glob("??/*"))) == 1
    monkeypatch.undo()
    assert two.both() == undisturbed


def test_a_jumping_clock_changes_nothing(tmp_path, undisturbed, monkeypatch):
    hours = itertools.cycle([0, 5, -3, 9, -400_000])
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + 3600 * next(hours))
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * time.time()))
    two = Two(tmp_path)
    assert two.both() == undisturbed
    for key in (path.name for path in two.store.root.glob("??/*")):
        os.utime(two.store.folder(key) / "record.json", (0, 0))  # sealed long before what it seals was written
        assert two.store.is_whole(key)
