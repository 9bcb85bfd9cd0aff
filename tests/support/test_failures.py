"""Whose fault an error is, and what is kept of it."""

import errno
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ablation.support.failures import describe, in_one_line, is_of_the_machine, remedy
from ablation.support.references import OwnCodeError, own_code, resolve


def raised(function):
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def out_of_disk():
    raise OSError(errno.ENOSPC, "No space left on device", "cache.npy")


def wrapped():
    with own_code("own.py:build", "build cannot build a network"):
        np.zeros(10**15)


def covered():
    try:
        np.zeros(10**15)
    except MemoryError:
        raise ValueError("found a picture that is too large")  # noqa: B904 (as people write it)


def broken_norm():
    torch.nn.BatchNorm2d(3)(torch.zeros(1, 3, 1, 1))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        raised(lambda: np.zeros(10**15)),
        raised(lambda: torch.zeros(10**14)),
        raised(wrapped),
        raised(out_of_disk),
        *[OSError(getattr(errno, name), name) for name in ("EIO", "EDQUOT", "EROFS", "ENOMEM", "ESTALE", "EMFILE")],
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        torch.distributed.DistBackendError("NCCL error in: unhandled system error"),
        RuntimeError("CUDA error: uncorrectable ECC error encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        RuntimeError("Found no NVIDIA driver on your system."),
        RuntimeError("can't start new thread"),
        RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("DataLoader worker (pid 17) is killed by signal: Killed."),
        RuntimeError("No CUDA GPUs are available"),
        TimeoutError("timed out"),
        raised(covered),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:50],
)
def test_a_broken_machine_is_known_by_its_error(error):
    assert is_of_the_machine(error)


@pytest.mark.parametrize(
    "error",
    [
        raised(broken_norm),
        raised(lambda: torch.zeros(2, 3) @ torch.zeros(2, 3)),
        raised(lambda: Path("/no/such/file").read_bytes()),
        RuntimeError("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"),
        ValueError("a study about CUDA error rates"),
        raised(lambda: resolve("torch.nn:NoSuchLayer")),
        RecursionError("maximum recursion depth exceeded"),
        OSError("without a number"),
        ZeroDivisionError(),
        AssertionError("Torch not compiled with CUDA enabled"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:50],
)
def test_everything_else_is_the_runs_own(error):
    assert not is_of_the_machine(error)


OWN = """
import torch

def noise(images, amount, generator):
    return torch.nn.BatchNorm2d(3).train()(images)

class Silent(Exception):
    def __str__(self):
        raise TypeError
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path / "own.py"


def test_what_is_kept_names_the_line_of_the_authors_file_and_leaves_torch_out(own):
    found = describe(raised(lambda: resolve(f"{own}:noise")(torch.zeros(1, 3, 1, 1), 0, None)), 12.5)
    assert found["type"] == "ValueError"
    assert found["where"] == f"{own}, line 5"
    assert found["time"] == 12.5
    assert "return torch.nn.BatchNorm2d(3).train()(images)" in found["traceback"]
    assert "_call_impl" not in found["traceback"]
    assert found["traceback"].endswith("got input size torch.Size([1, 3, 1, 1])\n")
    assert in_one_line(found) == f"ValueError: {found['message']} ({own}, line 5)"
    assert json.loads(json.dumps(found)) == found


def test_a_sentence_about_the_authors_code_is_kept_as_it_is(own):
    with pytest.raises(OwnCodeError) as caught:
        resolve(f"{own}:missing")
    assert (
        in_one_line(describe(caught.value, 0.0))
        == f"{own}: found nothing named 'missing', expected it at the top level"
    )


@pytest.mark.parametrize("text", ["a\x1b[31m\x00b", "lone \ud800", "two\nlines", "x" * 10**6])
def test_any_message_can_be_kept_and_shown(text):
    found = describe(ValueError(text), 0.0)
    line = in_one_line(found)
    assert len(found["message"]) + len(found["traceback"]) < 50_000
    assert all(character.isprintable() for character in line)
    assert line.encode()
    assert found["traceback"].encode()


def test_an_error_that_cannot_say_what_it_is_is_kept_too(own):
    found = describe(resolve(f"{own}:Silent")(), 0.0)
    assert found["type"] == "Silent"
    assert in_one_line(found) == "Silent"


def test_endless_recursion_is_folded():
    def deep():
        deep()

    limit = sys.getrecursionlimit()
    found = describe(raised(deep), 0.0)
    assert found["type"] == "RecursionError"
    assert found["traceback"].count("deep()") < limit / 10


def torch_without_disk():
    raise RuntimeError("[enforce fail at inline_container.cc] . PytorchStreamWriter failed: No space left on device")


def around():
    try:
        out_of_disk()
    except OSError as error:
        raise ValueError("what the run has reached cannot be written") from error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (raised(out_of_disk), "The disk is full"),
        (raised(around), "The disk is full"),
        (raised(torch_without_disk), "The disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk is full, or your share of it"),
        (OSError(errno.EROFS, "Read-only file system"), "can be read and not written"),
        (MemoryError(), "The memory of this machine is used up. Let fewer jobs run at once"),
        (raised(lambda: torch.zeros(10**14)), "The memory of this machine"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"), "The memory of the GPU is used up"),
        (
            RuntimeError("CUDA error: out of memory"),
            "The memory of the GPU is used up. Nothing is made smaller by itself",
        ),
        (raised(broken_norm), ""),
        (OSError(errno.ENOENT, "No such file or directory"), ""),
        (ValueError("the disk: no space left on device"), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_to_do_is_said_of_what_people_meet(error, said):
    advice = remedy(error)
    assert advice.startswith(said) if said.startswith("The") else said in advice
    assert bool(advice) == bool(said)
    assert not advice or advice.endswith("start again to go on.")
