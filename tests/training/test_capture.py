"""Captured steps, as far as a CPU can tell: there, what is recorded is called again."""

import weakref

import numpy as np
import pytest
import torch
from specs import SMALL, make_spec

from ablation.catalogue.architectures import CATALOGUE
from ablation.training import capture
from ablation.training.capture import Captured, reason_against, same_bits
from ablation.training.run import Run
from ablation.training.turns import Lane, finish

RECIPE = {"augmentation": "crop1+flip+cutout2+colour20", "momentum": 0.9, "schedule": "cosine", "epochs": 4}
# The tests have 200 training images: three steps of 64 an epoch, and one of 8.
SPECS = {
    "sgd, batch norm": make_spec("vgg", recipe=RECIPE, **{**SMALL["vgg"], "norm": "batch", "dropout": 0.0}),
    "sgd without momentum": make_spec("lenet", recipe={**RECIPE, "momentum": 0.0}, activation="relu"),
    "adam": make_spec(
        "lenet", recipe={**RECIPE, "optimizer": "adam", "lr": 0.003, "weight_decay": 1e-3}, activation="relu"
    ),
    "adamw": make_spec("lenet", recipe={**RECIPE, "optimizer": "adamw", "lr": 0.003}, activation="tanh"),
    "nesterov, smoothing": make_spec(
        "lenet", recipe={**RECIPE, "nesterov": True, "label_smoothing": 0.1, "weight_decay": 1e-3}, activation="relu"
    ),
    "auxiliary": make_spec(
        "inception_v3", recipe=RECIPE, **{**SMALL["inception_v3"], "auxiliary": True, "dropout": 0.0}
    ),
    "bf16": make_spec("lenet", recipe={**RECIPE, "precision": "bf16"}, activation="relu"),
    "diverging": make_spec("lenet", recipe={**RECIPE, "lr": 1e4}, activation="none"),
    "diagnostics": make_spec("lenet", recipe=RECIPE, activation="tanh", norm="batch", diagnostics=(0, 1, 3)),
}


class CountingLane(Lane):
    """Counts what is recorded, and what is replayed of it."""

    def __init__(self):
        self.recorded, self.replayed = 0, 0

    def record(self, function, draws):
        self.recorded += 1

        def replay():
            self.replayed += 1
            function()

        return replay


def captured(spec, lane, said=None):
    return lambda step: Captured(step, lane, (said if said is not None else []).append, reason_against(spec))


def bits(result):
    return [value.view(torch.int32 if value.element_size() == 4 else torch.int64) for value in result.weights.values()]


def assert_equal(one, other):
    assert all(torch.equal(*pair) for pair in zip(bits(one), bits(other), strict=True))
    untimed = [
        [{k: v for k, v in row.items() if k not in ("seconds", "time")} for row in r.curves] for r in (one, other)
    ]
    assert untimed[0] == untimed[1]
    assert one.diagnostics == other.diagnostics
    for name in one.predictions:
        np.testing.assert_array_equal(one.predictions[name], other.predictions[name])


@pytest.mark.parametrize("name", SPECS)
def test_a_captured_run_has_the_bits_of_a_plain_one(name, parts):
    spec, lane, said = SPECS[name], CountingLane(), []
    result = finish(Run(spec, parts, 10, stepper=captured(spec, lane, said)).to_the_end())
    assert_equal(result, finish(Run(spec, parts, 10).to_the_end()))
    assert said == []
    steps, small = 3 * len(result.curves), len(result.curves)
    warm = capture.WARM_UP
    assert lane.recorded == (steps > warm) + (small > warm), "a graph for each size of batch"
    assert lane.replayed == max(0, steps - warm) + max(0, small - warm)


def test_every_architecture_without_dropout_is_captured(parts):
    for name, levels in SMALL.items():
        given = {**levels, "dropout": 0.0} if "dropout" in CATALOGUE[name].arguments else levels
        spec, lane, said = make_spec(name, recipe={"epochs": 1}, **given), CountingLane(), []
        finish(Run(spec, parts, 10, stepper=captured(spec, lane, said)).train_epoch())
        assert (said, lane.recorded, lane.replayed) == ([], 1, 1), name


def test_a_captured_run_goes_on_from_any_step(parts):
    spec = SPECS["sgd, batch norm"]
    whole = finish(Run(spec, parts, 10).to_the_end())
    for left in (1, 4, 9, 14):
        run = Run(spec, parts, 10, stepper=captured(spec, CountingLane()))
        pieces = run.to_the_end()
        for _ in range(left):
            next(pieces)
        state = {**run.state(), "network": {k: v.clone() for k, v in run.network.state_dict().items()}}
        resumed = Run(spec, parts, 10, stepper=captured(spec, CountingLane()))
        resumed.resume(state)
        assert_equal(finish(resumed.to_the_end()), whole)


def test_a_network_that_draws_by_itself_is_trained_without_and_says_so(parts):
    spec, lane, said = make_spec("vgg", recipe=RECIPE, **SMALL["vgg"]), CountingLane(), []
    result = finish(Run(spec, parts, 10, stepper=captured(spec, lane, said)).to_the_end())
    assert_equal(result, finish(Run(spec, parts, 10).to_the_end()))
    assert lane.recorded == 0
    (line,) = said
    assert "draw random numbers" in line


class Breaking(CountingLane):
    """A device that cannot record, or replays something else."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def record(self, function, draws):
        if self.how == "refuse":
            function()  # whatever it has done until then
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        self.recorded += 1
        seed = draws.initial_seed()
        return lambda: (draws.manual_seed(seed + 1), function())


@pytest.mark.parametrize(
    ("how", "why"),
    [("refuse", "RuntimeError: operation not permitted"), ("frozen draws", "other bits")],
)
def test_what_cannot_be_captured_or_gives_other_bits_is_trained_without_and_says_so(how, why, parts):
    spec, said = SPECS["adam"], []
    result = finish(Run(spec, parts, 10, stepper=captured(spec, Breaking(how), said)).to_the_end())
    assert_equal(result, finish(Run(spec, parts, 10).to_the_end()))
    (line,) = said
    assert why in line
    assert "\n" not in line


class Forgetting(CountingLane):
    """Holds addresses, as a graph does, and keeps nothing alive."""

    def record(self, function, draws):
        step, places = weakref.WeakMethod(function.func), weakref.ref(function.args[0])
        self.recorded += 1
        return lambda: step()(places())


def test_what_a_graph_reads_is_kept(parts):
    spec, lane, said = SPECS["adam"], Forgetting(), []
    result = finish(Run(spec, parts, 10, stepper=captured(spec, lane, said)).to_the_end())
    assert_equal(result, finish(Run(spec, parts, 10).to_the_end()))
    assert (said, lane.recorded) == ([], 2)


def test_code_of_an_authors_own_is_not_captured(parts, tmp_path):
    own = tmp_path / "own.py"
    own.write_text("def same(images, amount, generator):\n    return images\n")
    spec, lane, said = make_spec(activation="relu"), CountingLane(), []
    spec["code"]["augmentation"] = [[f"{own}:same", 0]]
    finish(Run(spec, parts, 10, stepper=captured(spec, lane, said)).to_the_end())
    assert lane.recorded == 0
    assert f"{own}:same is code of the study's own" in said[0]
    assert reason_against(make_spec()) == ""


def test_bits_are_compared_not_numbers():
    nan, zero = torch.tensor([float("nan")]), torch.tensor([0.0])
    assert same_bits(nan, nan.clone())
    assert not same_bits(zero, -zero)
    assert same_bits(torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last), torch.ones(2, 3, 4, 4))
