"""Errors that end a training: whether the machine is broken or the run fails by itself, and what is kept of the latter.

What counts for the machine says nothing about the run and is tried again; all else would happen again. Imports no torch,
whose errors are known by their names.
"""

import errno
import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from ablation.support.references import OwnCodeError, own_place

# Errors of a disk, a file server or the system's limits; a file that is missing or forbidden is none of them.
NUMBERS = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EIO", "EROFS", "ENOMEM", "ESTALE", "EMFILE", "ENFILE", "EAGAIN", "ENODEV", "ENXIO"),
        *("ENOLCK", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "EREMOTEIO"),
    )
    if hasattr(errno, name)
)
# Of torch, below RuntimeError: what a device, its driver or a connection between devices reports.
KINDS = frozenset({"OutOfMemoryError", "AcceleratorError", "DistError"})
# What a RuntimeError of torch or Python says of the machine; messages about tensors name devices, too ("cuda:0").
MESSAGES = re.compile(
    r"can't allocate memory|cannot allocate memory|not enough memory|out of memory|bad_alloc|unable to mmap"
    r"|(CUDA|HIP|cuDNN|MIOpen|NCCL|CUDA driver|MPS backend) error"
    r"|(CUDNN|CUBLAS|CUSOLVER|CUSPARSE|CUFFT|NVRTC)_STATUS(?!_NOT_SUPPORTED)|no CUDA GPUs are available"
    # How a GPU without memory shows itself to cuDNN, and a host without memory to the processes that load images.
    r"|unable to find a valid cuDNN|unable to find an engine|DataLoader worker .* killed"
    r"|No working C\+\+ compiler|working triton installation"  # which a recipe with `engine: compiled` needs
    r"|NVIDIA driver|no kernel image is available|no space left on device|can't start new thread",
    re.IGNORECASE,
)
KEPT = "Finished runs and saved states are kept: start again to go on."
# What to do about the errors of a machine that people meet, by what happened.
GPU_MEMORY = re.compile(r"(CUDA|HIP|MPS|XPU).*out of memory", re.IGNORECASE)
HOST_MEMORY = re.compile(r"(can't|cannot) allocate memory|not enough memory|bad_alloc|unable to mmap", re.IGNORECASE)
FULL = re.compile(r"no space left on device", re.IGNORECASE)
REMEDIES = {
    "full": "The disk is full, or your share of it. Free some of it (ablation prune lists what no study wants), or name a "
    "folder on another one: --config results=FOLDER.",
    "read-only": "The disk can be read and not written. Mount it for writing, or name a folder on another one: --config "
    "results=FOLDER.",
    "GPU memory": "The memory of the GPU is used up. Nothing is made smaller by itself, for another batch size is another "
    "study. End what else uses the GPU, take one with more memory, train on the processor (--set-resources "
    "train_shard:gpu=0), or state a smaller batch_size in the study.",
    "memory": "The memory of this machine is used up. Let fewer jobs run at once (--cores, or on a cluster --set-resources "
    "train_shard:mem_mb=…), or end what else uses it.",
}
NOISE = ("ablation/jobs/training.py", "torch/nn/modules/module.py", "torch/utils/_contextlib.py", "/contextlib.py")
MESSAGE, TRACEBACK, LINE = 4_000, 20_000, 400  # characters that are kept


def is_of_the_machine(error: BaseException) -> bool:
    """Say whether an error, or what it was raised from, is one of memory, disk, driver or device."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, MemoryError | TimeoutError | ConnectionError):
        return True
    if isinstance(error, RuntimeError) and kinds & KINDS:
        return True
    if isinstance(error, OSError) and error.errno in NUMBERS:
        return True
    if isinstance(error, RuntimeError) and MESSAGES.search(_message(error)):
        return True
    earlier = _earlier(error)
    return earlier is not None and is_of_the_machine(earlier)


def remedy(error: BaseException) -> str:
    """Say what to do about an error of the machine, or what it was raised from; empty where nothing is known."""
    kinds, text = {kind.__name__ for kind in type(error).__mro__}, _message(error)
    number = error.errno if isinstance(error, OSError) else None
    of_torch = isinstance(error, RuntimeError)
    applies = {
        "full": number in (errno.ENOSPC, errno.EDQUOT) or (of_torch and FULL.search(text)),
        "read-only": number == errno.EROFS,
        "GPU memory": of_torch and ("OutOfMemoryError" in kinds or GPU_MEMORY.search(text)),
        "memory": isinstance(error, MemoryError) or number == errno.ENOMEM or (of_torch and HOST_MEMORY.search(text)),
    }
    if found := next((name for name, applied in applies.items() if applied), None):
        return f"{REMEDIES[found]} {KEPT}"
    earlier = _earlier(error)
    return remedy(earlier) if earlier else ""


def describe(error: BaseException, time: float) -> dict[str, Any]:
    """Return what a record keeps of an error that is the run's own, in plain data.

    Parameters
    ----------
    error : BaseException
    time : float
        When it was raised, in seconds since 1970.

    Returns
    -------
    dict
        ``type``, ``message``, ``where`` (file and line of the author's part that it went through last; empty if it went
        through none), ``traceback`` (without the calls within torch that lead from module to module) and ``time``.
    """
    return {
        "type": type(error).__name__,
        "message": _shown(_message(error))[:MESSAGE],
        "where": own_place(error),
        "traceback": _shown("".join(_lines(error)))[-TRACEBACK:],
        "time": time,
    }


def in_one_line(error: Mapping[str, Any]) -> str:
    """Write what `describe` returned in a line: the type, the message, and the author's file and line."""
    message = " ".join(error["message"].split())
    message = message if len(message) <= LINE else f"{message[:LINE]} …"
    if error["type"] == OwnCodeError.__name__:  # a sentence already, with its file and line
        return message
    text = f"{error['type']}: {message}" if message else error["type"]
    return f"{text} ({error['where']})" if error["where"] else text


def _earlier(error: BaseException) -> BaseException | None:
    """Return what an error was raised from."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an author's own may fail even at that
        return ""


def _lines(error: BaseException) -> Iterator[str]:
    """Format an error and those that it was raised from."""
    whole = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = whole
    while part:
        kept = [frame for frame in part.stack if not frame.filename.endswith(NOISE)]
        part.stack = traceback.StackSummary.from_list(kept)
        part = part.__cause__ or part.__context__
    return whole.format()


def _shown(text: str) -> str:
    """Keep what can be shown on a page and on a terminal: no control characters, no halves of characters."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
