"""Compiled networks; what is compiled once is remembered by torch in a folder of the machine's."""

import shutil

import pytest
import torch
from specs import make_spec

from ablation.records.keys import run_key
from ablation.support.failures import is_of_the_machine
from ablation.training.run import Run, train
from ablation.training.turns import finish

RECIPE = {"epochs": 2, "momentum": 0.9}
EAGER, COMPILED = (
    make_spec(activation="relu", recipe={**RECIPE, "engine": engine}) for engine in ("eager", "compiled")
)


def test_the_engine_is_part_of_the_key():
    assert make_spec()["recipe"]["engine"] == "eager"
    assert run_key(EAGER, "data") != run_key(COMPILED, "data")


@pytest.mark.skipif(not shutil.which("g++"), reason="compiling needs a C++ compiler")
def test_a_compiled_network_trains_to_the_same_bits_from_anywhere_and_nearly_to_those_of_an_eager_one(parts):
    whole = train(COMPILED, parts, 10)
    left = Run(COMPILED, parts, 10)
    pieces = left.train_epoch()
    for _ in range(3):  # of four steps: what is left begins with the smaller batch
        next(pieces)
    resumed = Run(COMPILED, parts, 10)
    resumed.resume(left.state())
    for result in (finish(resumed.to_the_end()), train(COMPILED, parts, 10)):
        assert all(torch.equal(whole.weights[name], value) for name, value in result.weights.items())
    eager = train(EAGER, parts, 10)
    for name, value in eager.weights.items():
        torch.testing.assert_close(whole.weights[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "message",
    [
        "InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx: (None, 'g++')",
        "Cannot find a working triton installation. Either the package is not installed or it is too old.",
    ],
)
def test_a_machine_that_cannot_compile_is_no_fault_of_the_run(message):
    assert is_of_the_machine(RuntimeError(message))
