"""Devices, on machines that have none: what a scheduler gives, what nvidia-smi lists, what locks say."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest
import torch

from ablation.jobs import devices
from ablation.jobs.devices import count_gpus, given_by_scheduler, hold_device, no_gpu, use_threads

UUIDS = ["0-0", "1-1"]
LISTED = """\
GPU 0: NVIDIA H200 (UUID: GPU-2fd0ab3c-0000-0000-0000-000000000000)
  MIG 1g.18gb     Device  0: (UUID: MIG-3c1f0a52-0000-0000-0000-000000000000)
GPU 1: NVIDIA H200 (UUID: GPU-77ab1d90-0000-0000-0000-000000000000)
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Put a program of that name on the PATH."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(script):
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (f'test "$1" = -L && cat <<END\n{LISTED}END', 2),
        ("echo No devices found.", 0),
        ("echo NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.; exit 9", 0),
    ],
    ids=["two", "none", "broken driver"],
)
def test_the_gpus_of_a_machine_are_counted(nvidia_smi, script, expected):
    nvidia_smi(script)
    assert count_gpus() == expected


def test_a_machine_without_nvidia_smi_has_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert count_gpus({}) == 0


def test_a_driver_that_hangs_is_no_gpu_and_said(nvidia_smi, monkeypatch, capsys):
    monkeypatch.setattr(devices, "PATIENCE", 0.2)
    nvidia_smi("exec sleep 60")
    assert count_gpus() == 0
    assert "nvidia-smi -L says nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", 0),
        ("-1", 0),
        ("NoDevFiles", 0),
        ("0", 1),
        ("2, 3", 2),
        ("0,-1,1", 1),
        ("GPU-2fd0ab3c", 1),
        ("MIG-3c1f0a52,MIG-3c1f0a53", 2),
    ],
)
def test_visible_devices_count_before_those_of_the_machine(nvidia_smi, visible, expected):
    nvidia_smi(f"cat <<END\n{LISTED}END")
    assert count_gpus({"CUDA_VISIBLE_DEVICES": visible}) == expected


def test_a_job_with_one_gpu_takes_it_and_one_with_several_shares_them():
    assert given_by_scheduler({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "1"})
    assert not given_by_scheduler({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1"})
    assert not given_by_scheduler({"SLURM_JOB_ID": "7"})
    assert not given_by_scheduler({"CUDA_VISIBLE_DEVICES": "1"})


def test_two_jobs_hold_two_devices(tmp_path):
    with hold_device(UUIDS, [tmp_path]) as first, hold_device(UUIDS, [tmp_path]) as second:
        assert (first, second) == (0, 1)


def test_a_third_job_waits_and_says_for_what(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("ablation.support.locks.FIRST", 0.1)
    script = (
        "import sys, time; from pathlib import Path; from ablation.jobs.devices import hold_device\n"
        f"with hold_device({UUIDS}, [Path({str(tmp_path)!r})]): print('held', flush=True); time.sleep(1)"
    )
    with hold_device(UUIDS, [tmp_path]):
        other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert other.stdout.readline() == b"held\n"
        with hold_device(UUIDS, [tmp_path]) as third:
            assert third == 1
        assert other.wait() == 0
    assert f"waiting for a GPU of this machine, held by process {os.getpid()} of" in capfd.readouterr().err


@pytest.fixture
def without_locks(monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_single_gpu_is_used_without_a_lock_where_there_are_none(tmp_path, without_locks, capsys):
    with hold_device(UUIDS[:1], [tmp_path]) as index:
        assert index == 0
    assert "cannot be locked (No locks available): the GPU is used without a lock" in capsys.readouterr().err


def test_of_several_gpus_none_is_guessed(tmp_path, without_locks):
    with pytest.raises(SystemExit, match="no telling which of the 2 GPUs are free"), hold_device(UUIDS, [tmp_path]):
        pass


def test_a_folder_that_cannot_be_locked_gives_way_to_the_next(tmp_path):
    (tmp_path / "file").touch()
    with hold_device(UUIDS, [tmp_path / "file", tmp_path]) as index:
        assert index == 0
        assert (tmp_path / "ablation-gpu-0-0.lock").is_file()


def test_a_job_that_finds_no_gpu_says_what_it_saw():
    text = no_gpu({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "1"})
    assert "Slurm job 7: CUDA_VISIBLE_DEVICES is '1'" in text
    assert "train_shard:gpu=0" in text


def test_variables_that_change_bits_are_dropped_and_named_and_others_stay(capfd):
    before = torch.get_num_threads()
    kept = {"OMP_PROC_BIND": "true", "MKL_THREADING_LAYER": "GNU", "PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0"}
    environment = {**kept, "OMP_NUM_THREADS": "4", "MKL_CBWR": "AVX2", "NVIDIA_TF32_OVERRIDE": "1"}
    use_threads(before, environment)
    assert environment == kept
    assert torch.get_num_threads() == before
    assert capfd.readouterr().err.startswith("MKL_CBWR, NVIDIA_TF32_OVERRIDE: not heeded")
    use_threads(before, environment)
    assert capfd.readouterr().err == ""
