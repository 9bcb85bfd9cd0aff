"""Whether images fit into this machine, asked before they are made."""

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from math import prod
from pathlib import Path

from ablation.catalogue.sources import DataError

MEMORY = Path("/proc/meminfo")
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def free_memory() -> int:
    """Return the bytes that a process can still have: what is free, swap included, within the limit of a container."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError):
        found = dict(re.findall(r"^(\w+): +(\d+) kB$", MEMORY.read_text(), re.MULTILINE))
        if "MemAvailable" in found:
            pages = 1024 * (int(found["MemAvailable"]) + int(found.get("SwapFree", 0)))
    limits = []
    for path in LIMITS:
        with suppress(OSError, ValueError):  # absent, or "max"
            limits.append(int(path.read_text()))
    return min([pages, *limits])


def in_bytes(count: int) -> str:
    """Write a number of bytes for people: 1.5 GB."""
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}" if value < 1000 else f"{value:.0f} {units[0]}"


def expect_memory(name: str, shape: Sequence[int]) -> None:
    """Refuse to make images of a shape (n, channels, height, width), one byte each, that do not fit into memory.

    Raises
    ------
    DataError
        With the bytes that they take and those that are free.
    """
    needed, free = prod(shape), free_memory()
    if needed > free:
        count, *one = shape
        raise DataError(
            f"{name}: {count} images of {'x'.join(map(str, one))} take {in_bytes(needed)} of memory, and {in_bytes(free)} "
            "are free; state a smaller data.side"
        )


def expect_disk(folder: Path, needed: int) -> None:
    """Refuse to write more bytes into a folder than its disk has free.

    Raises
    ------
    DataError
        With the bytes that are needed and those that are free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder}: the prepared data take {in_bytes(needed)}, and {in_bytes(free)} are free on its disk; make room, or "
            "state a smaller data.side, data.fraction or data.per_class"
        )
