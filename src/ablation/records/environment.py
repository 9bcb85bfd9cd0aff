"""What a run was trained on: recorded beside its result, never part of its key."""

import platform
import subprocess
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

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "host": platform.node(),
        "git": git_revision(),
    }
