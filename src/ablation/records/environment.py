"""What a run was trained on: recorded beside its result, never part of its key."""

import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def git_revision() -> str | None:
    """Return the revision of the source, marked ``+`` if it was changed since; None outside a repository."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", ".")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


# Entries of an environment by which the bits of a run may differ, with what several of them are called.
KIND = {
    "device": "devices",
    "processor": "processors",
    "instructions": "instruction sets",
    "threads": "thread counts",
    "torch": "versions of torch",
    "cuda": "versions of CUDA and cuDNN",
}
# Of the processor, what libraries choose their code by beyond the set that torch names.
EXTENSIONS = ("avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "sve", "bf16", "i8mm")


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Say in which entries of `KIND` two environments differ; one that an older record does not state is none."""
    stated = [name for name in KIND if name in one and name in other]
    return [f"{name} {one[name]} and {other[name]}" for name in stated if one[name] != other[name]]


def instructions(capability: str) -> str:
    """Return the instruction set that torch found, with the extensions that other libraries look for."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        words = next(line for line in lines if line.startswith(("flags", "Features"))).split()
    except (OSError, StopIteration):
        words = []
    return " ".join([capability, *(word for word in EXTENSIONS if word in words)])


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def describe(device: Any) -> dict[str, Any]:
    """Describe software and hardware.

    Parameters
    ----------
    device : torch.device
        Where the run is trained.

    Returns
    -------
    dict
        Plain data.
    """
    import numpy
    import torch

    cuda = device.type == "cuda"
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "instructions": instructions(torch.backends.cpu.get_cpu_capability()),
        "device": torch.cuda.get_device_name(device) if cuda else device.type,
        "cuda": f"{torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}" if cuda else None,
        "threads": torch.get_num_threads(),
        "host": platform.node(),
        "git": git_revision(),
    }
