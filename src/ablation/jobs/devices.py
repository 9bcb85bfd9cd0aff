"""The device that a training runs on: given by a scheduler, or a GPU that no other job on this machine holds; its threads.

What only counts imports no torch: Snakemake asks at every start.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ablation.support.locks import CannotLockError, hold, tell

# Memory of this machine comes first: it can always be locked, all users see it, and no job has one of its own, as it may
# have a TMPDIR.
LOCK_FOLDERS = (Path("/dev/shm"), Path(tempfile.gettempdir()))
PATIENCE = 30.0  # seconds for nvidia-smi, which hangs where a driver does
# Variables by which libraries choose threads, instructions or algorithms, and with them the bits of what they compute.
SETTINGS = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "ATEN_"),
    *("CUDNN_", "NVIDIA_TF32_", "TORCH_ALLOW_TF32_", "TORCH_CUDNN_"),
)
# Of these, what moves or joins threads without changing what each of them computes.
HARMLESS = (
    *("OMP_PROC_BIND", "OMP_PLACES", "OMP_WAIT_POLICY", "OMP_STACKSIZE", "GOMP_CPU_AFFINITY", "GOMP_SPINCOUNT"),
    *("KMP_AFFINITY", "KMP_BLOCKTIME", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"),
    "MKL_THREADING_LAYER",
)


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


def forget_settings(environment: MutableMapping[str, str] = os.environ) -> None:
    """Drop the variables of `SETTINGS` from the environment, by which its surroundings would change the bits of a record.

    Call it before torch is imported, for libraries read their variables when they are loaded. Those that state more than a
    number of threads are named on the terminal.
    """
    dropped = sorted(name for name in environment if name.startswith(SETTINGS) and name not in HARMLESS)
    for name in dropped:
        del environment[name]
    if named := [name for name in dropped if not name.endswith("_NUM_THREADS")]:
        tell(f"{', '.join(named)}: not heeded, for the bits of a record must not depend on the environment of its job")


def use_threads(threads: int, environment: MutableMapping[str, str] = os.environ) -> None:
    """Let torch, which is imported here, compute with a number of processor threads, whatever the environment says."""
    forget_settings(environment)
    import torch

    torch.set_num_threads(threads)


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
