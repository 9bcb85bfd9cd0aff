"""The device that a training runs on: given by a scheduler, or a GPU that no other job on this machine holds.

What only counts imports no torch: Snakemake asks at every start.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ablation.support.locks import CannotLockError, hold, tell

# Memory of this machine comes first: it can always be locked, all users see it, and no job has one of its own, as it may
# have a TMPDIR.
LOCK_FOLDERS = (Path("/dev/shm"), Path(tempfile.gettempdir()))
PATIENCE = 30.0  # seconds for nvidia-smi, which hangs where a driver does


def count_gpus(environment: Mapping[str, str] = os.environ) -> int:
    """Count the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, or all that nvidia-smi lists."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len(visible_devices(visible))
    if not shutil.which("nvidia-smi"):
        return 0
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=PATIENCE).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        tell(f"nvidia-smi -L says nothing ({error}): this machine counts as one without GPUs")
        return 0
    return len(re.findall(r"^GPU \d+:", listed, re.MULTILINE))


def visible_devices(text: str) -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES lists, as CUDA reads it: up to the first entry that is no device."""
    devices: list[str] = []
    for entry in text.split(","):
        if not re.fullmatch(r"\d+|(GPU|MIG)-.+", entry.strip()):
            break
        devices.append(entry.strip())
    return devices


def given_by_scheduler(environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether Slurm gave this job one GPU for itself; a job with several may hold many trainings, which share them."""
    visible = environment.get("CUDA_VISIBLE_DEVICES", "")
    return "SLURM_JOB_ID" in environment and len(visible_devices(visible)) == 1


@contextmanager
def pick_device(gpus: bool | int) -> Iterator:
    """Hold a device while the block runs.

    Parameters
    ----------
    gpus : bool or int
        0: the CPU. Else a GPU: the one that a scheduler gave, or the first that no other job on this machine holds.

    Yields
    ------
    torch.device
    """
    import torch

    if not gpus:
        yield torch.device("cpu")
        return
    if not torch.cuda.is_available():
        sys.exit(no_gpu())
    if given_by_scheduler():
        yield torch.device("cuda", 0)
        return
    uuids = [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]
    with hold_device(uuids) as index:
        yield torch.device("cuda", index)


def no_gpu(environment: Mapping[str, str] = os.environ) -> str:
    """Say why there is no GPU for a job that was given one."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    seen = "is not set" if visible is None else f"is {visible!r}"
    where = f"Slurm job {environment['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in environment else "this machine"
    return (
        f"the job was given a GPU (resource gpu), but torch finds none on {os.uname().nodename}, {where}: "
        f"CUDA_VISIBLE_DEVICES {seen}, nvidia-smi lists {count_gpus({})}; "
        "to train on the CPU, set the resource to 0: --set-resources train_shard:gpu=0"
    )


@contextmanager
def hold_device(uuids: Sequence[str], folders: Sequence[Path] = LOCK_FOLDERS) -> Iterator[int]:
    """Hold the first device that no other job of any user on this machine holds, and yield its position.

    Without locks a single device is used as it is; of several there is no telling which one is free, and the job ends.
    """
    with ExitStack() as held:
        errors = []
        for folder in folders:
            locks = [folder / f"ablation-gpu-{uuid}.lock" for uuid in uuids]
            try:
                index = held.enter_context(hold(*locks, what="a GPU of this machine"))
                break
            except CannotLockError as error:
                errors.append(str(error))
        else:
            if len(uuids) > 1:
                sys.exit(
                    f"{'; '.join(errors)}: there is no telling which of the {len(uuids)} GPUs are free. Set TMPDIR to a "
                    "folder on a local disk, or CUDA_VISIBLE_DEVICES to one GPU"
                )
            tell(f"{'; '.join(errors)}: the GPU is used without a lock, and other jobs may use it, too")
            index = 0
        yield index
