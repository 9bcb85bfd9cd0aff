import math
from dataclasses import replace
from fractions import Fraction
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from specs import SMALL, SUBJECTS, make_spec

from ablation.catalogue.architectures import CATALOGUE
from ablation.catalogue.factors import Level
from ablation.jobs.checks import check_resume
from ablation.support.references import resolve
from ablation.training import evaluation
from ablation.training.evaluation import Part, evaluate
from ablation.training.objective import objective
from ablation.training.optimisation import constant, learning_rate, sgd, step
from ablation.training.precision import tensor_cores
from ablation.training.run import Run, be_deterministic, train
from ablation.training.steps import split_order


def weights(result):
    return torch.cat([value.flatten().double() for value in result.weights.values()])


def plain(curves):
    return [{key: value for key, value in row.items() if key not in ("seconds", "time")} for row in curves]


DEMANDING = {"augmentation": "crop1+flip+cutout2", "momentum": 0.9, "schedule": "cosine", "epochs": 3}


# The tests have 200 training images: four steps an epoch.
RESUMED = {
    "sgd, dropout and batch norm": make_spec("vgg", recipe=DEMANDING, width=4, hidden=16, norm="batch", dropout=0.5),
    "adam": make_spec("lenet", recipe={**DEMANDING, "optimizer": "adam", "lr": 0.003}, activation="relu"),
    "auxiliary classifiers": make_spec(
        "inception_v3", recipe=DEMANDING, **{**SMALL["inception_v3"], "auxiliary": True}
    ),
    "bf16": make_spec("lenet", recipe={**DEMANDING, "precision": "bf16"}, activation="relu"),
    "diagnostics": make_spec("lenet", recipe=DEMANDING, activation="tanh", norm="batch", diagnostics=(0, 1, 3)),
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_that_is_left_anywhere_continues_bit_for_bit(name, parts, tmp_path):
    spec, states = RESUMED[name], []

    def save(run):
        torch.save(run.state(), tmp_path / f"{len(states)}.pt")
        states.append((len(run.curves), run.taken))

    whole = train(spec, parts, 10, on_step=save)
    # After each of four steps, after the evaluation's one batch, after the epoch; then while all other parts are evaluated.
    epochs = [[*((epoch, step) for step in (1, 2, 3, 4, 4)), (epoch + 1, 0)] for epoch in range(3)]
    assert states == [*chain.from_iterable(epochs), (3, 0), (3, 0)]
    for position in range(0, len(states), 3):
        torch.rand(7)  # what happens elsewhere in the process must not matter
        resumed = train(spec, parts, 10, torch.load(tmp_path / f"{position}.pt", weights_only=True))
        assert torch.equal(weights(resumed), weights(whole)), states[position]
        assert plain(resumed.curves) == plain(whole.curves)
        assert resumed.diagnostics == whole.diagnostics
        assert all(np.array_equal(resumed.predictions[name], whole.predictions[name]) for name in whole.predictions)
        assert {**resumed.metrics, "train_seconds": 0} == {**whole.metrics, "train_seconds": 0}


def test_a_seed_gives_the_same_run_after_another_one(parts):
    spec = make_spec(activation="relu", recipe={"augmentation": "crop1"})
    alone = train(spec, parts, 10)
    train({**spec, "seed": 5}, parts, 10)
    again = train(spec, parts, 10)
    assert torch.equal(weights(alone), weights(again))
    assert not torch.equal(weights(alone), weights(train({**spec, "seed": 1}, parts, 10)))


def test_training_learns_and_states_its_metrics(parts):
    spec = make_spec(activation="relu", pooling="max", initialisation="kaiming", recipe={"epochs": 12, "momentum": 0.9})
    result = train(spec, parts, 10)
    assert result.status == "completed"
    assert result.metrics["train_accuracy"] > 0.8
    assert "test_accuracy" not in result.metrics, "it follows from the predictions"
    assert (result.predictions["rank"] == 0).mean() > 0.3
    assert [row["epoch"] for row in result.curves] == list(range(1, 13))


def test_divergence_is_a_result(parts):
    spec = make_spec(activation="none", recipe={"lr": 1e4, "epochs": 5})
    result = train(spec, parts, 10)
    assert result.status == "diverged"
    assert result.metrics["train_accuracy"] is None
    assert set(result.predictions["predicted"]) == set(result.predictions["rank"]) == {10}, "no image counts as right"
    assert np.isnan(result.predictions["label_log_probability"]).all()
    assert result.curves[-1]["train_loss"] is None
    assert len(result.curves) < 5


def test_a_run_at_chance_is_stuck_and_keeps_its_value(parts):
    result = train(make_spec(activation="sigmoid", recipe={"lr": 1e-6}), parts, 10)
    assert result.status == "stuck"
    assert 0 <= (result.predictions["rank"] == 0).mean() < 0.25


HOPELESS = {"lr": 1e-6, "epochs": 5, "stop_stuck_after": 2}


def test_a_run_that_stays_at_chance_is_stopped_where_the_recipe_says_so(parts):
    spec = make_spec(activation="sigmoid", recipe=HOPELESS)
    result = train(spec, parts, 10)
    assert (result.status, result.stopped_at, len(result.curves)) == ("stuck", 2, 2)
    assert result.metrics["train_accuracy"] is not None
    whole = train(make_spec(activation="sigmoid", recipe={**HOPELESS, "stop_stuck_after": 0}), parts, 10)
    assert (whole.status, whole.stopped_at, len(whole.curves)) == ("stuck", None, 5)
    assert plain(whole.curves)[:2] == plain(result.curves), "until then nothing is changed by it"
    sound = {"epochs": 6, "momentum": 0.9, "stop_stuck_after": 3}
    learning = train(make_spec(activation="relu", pooling="max", initialisation="kaiming", recipe=sound), parts, 10)
    assert (learning.status, learning.stopped_at) == ("completed", None)


def test_epochs_at_chance_count_in_a_row():
    run = Run.__new__(Run)
    run.chance, run.recipe = 0.2, {"stop_stuck_after": 2}
    for accuracies, hopeless in (([0.1], False), ([0.1, 0.3, 0.2], False), ([0.3, 0.2, 0.1], True), ([], False)):
        run.curves = [{"train_accuracy": accuracy} for accuracy in accuracies]
        assert run.hopeless == hopeless


def test_divergence_says_when_the_run_was_stopped(parts):
    result = train(make_spec(activation="none", recipe={"lr": 1e4, "epochs": 5}), parts, 10)
    assert result.stopped_at == len(result.curves) < 5


@pytest.mark.parametrize("name", ["lenet", "resnet_cifar", "inception_v3"])
def test_bfloat16_learns_and_is_another_arithmetic(name, parts):
    recipe = {"epochs": 3, "lr": 0.02, "momentum": 0.9}
    levels = {**SMALL[name], **({"auxiliary": True} if name == "inception_v3" else {})}
    specs = {p: make_spec(name, recipe={**recipe, "precision": p}, **levels) for p in ("float32", "tf32", "bf16")}
    found = {precision: train(spec, parts, 10) for precision, spec in specs.items()}
    assert torch.equal(weights(found["float32"]), weights(found["tf32"])), "on a CPU"
    assert not torch.equal(weights(found["float32"]), weights(found["bf16"]))
    losses = {p: result.curves[0]["train_loss"] for p, result in found.items()}
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=0.05)
    assert all(value.dtype != torch.bfloat16 for value in found["bf16"].weights.values())
    assert found["bf16"].predictions["label_log_probability"].dtype == np.float32


def test_products_are_rounded_in_steps_alone():
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    be_deterministic()
    for precision, rounded in (("tf32", True), ("float32", False), ("bf16", False)):
        with tensor_cores(precision):
            assert [place.allow_tf32 for place in places] == [rounded] * 2
        assert [place.allow_tf32 for place in places] == [False] * 2


def test_a_last_batch_of_one_image_does_not_break_batch_norm(parts):
    spec = make_spec("lenet", norm="batch", activation="relu", recipe={"batch_size": 199, "epochs": 15})
    assert train(spec, parts, 10).status == "completed"


@given(st.integers(1, 200), st.integers(1, 250))
def test_no_image_of_an_epoch_is_lost_and_none_stands_alone(count, size):
    order = torch.randperm(count)
    batches = split_order(order, size)
    assert torch.equal(torch.cat(batches), order)
    assert all(len(batch) == size for batch in batches[:-1])
    assert len(batches[-1]) <= size + 1
    if size > 1 and count > 1:
        assert len(batches[-1]) > 1


class Recorder(torch.nn.Module):
    """Notes how many images of which first pixel each training step sees."""

    def __init__(self):
        super().__init__()
        self.head, self.steps = torch.nn.Linear(1, 10), []

    def forward(self, images):
        if self.training:
            self.steps.append(images[:, 0, 0, 0].tolist())
        return self.head(images[:, 0, 0, :1])


@pytest.mark.parametrize(("size", "steps"), [(1, 7), (2, 3), (3, 2), (4, 2), (6, 1), (7, 1), (100, 1)])
def test_every_image_is_seen_once_in_an_epoch_and_the_schedule_fits_its_steps(size, steps):
    images = torch.arange(7.0)[:, None, None, None].expand(7, 1, 8, 8)
    part = Part(images, torch.arange(7))
    run = Run(make_spec(recipe={"batch_size": size, "schedule": "linear", "epochs": 2}), {"train": part}, 10)
    run.parts = {"train": part, "validation": Part(images[:0], part.labels[:0])}
    run.network = Recorder()
    rows = [run.epoch() for _ in range(2)]
    for begin in (0, steps):
        seen = run.network.steps[begin : begin + steps]
        assert sorted(chain.from_iterable(seen)) == list(range(7))
    assert len(run.network.steps) == 2 * steps
    assert rows[-1]["lr"] == pytest.approx(run.recipe["lr"] / (2 * steps)), "the last step of all"


@pytest.mark.parametrize(
    ("name", "levels", "recipe"),
    [
        ("lenet", {}, {}),
        ("lenet", {}, {"label_smoothing": 0.2}),
        ("inception_v3", {"auxiliary": True}, {}),
        ("inception_v3", {"auxiliary": True}, {"label_smoothing": 0.2}),
    ],
)
def test_the_training_loss_of_a_curve_means_what_the_final_metric_means(name, levels, recipe, parts):
    """With one step and no learning, both are of the same network: nothing is smoothed, nothing auxiliary is added."""
    small = {"train": Part(parts["train"].images[:20], parts["train"].labels[:20])}
    small |= {part: Part(parts[part].images[:5], parts[part].labels[:5]) for part in ("validation", "test")}
    spec = make_spec(
        name,
        recipe={"epochs": 1, "batch_size": 20, "lr": 1e-30, **recipe},
        **{**SMALL[name], **levels, "norm": "none"} | ({"dropout": 0.0} if name != "lenet" else {}),
    )
    run = Run(spec, small, 10)
    row = run.epoch()
    assert row["train_loss"] == pytest.approx(run.result().metrics["train_loss"], rel=1e-4)
    outputs = run.network.train()(small["train"].images)
    assert row["objective"] == pytest.approx(objective(outputs, small["train"].labels, spec["recipe"]).item(), rel=1e-4)
    assert (row["objective"] == row["train_loss"]) == (not levels and not recipe)


def test_divergence_goes_by_what_is_minimised():
    rows = {"train_loss": 1.0, "objective": float("nan"), "validation_loss": 1.0}
    run = Run.__new__(Run)
    run.curves = [rows]
    assert run.diverged
    run.curves = [{**rows, "objective": 1.0}]
    assert not run.diverged


@pytest.mark.parametrize(("share", "exact"), [(1 / 3, (1, 3)), (0.1 * 3, (3, 10)), (0.7, (7, 10)), (2 / 3, (2, 3))])
@pytest.mark.parametrize("steps", [1, 3, 7, 11, 391])
@pytest.mark.parametrize("epochs", [1, 3, 10, 30, 90])
def test_the_rate_falls_at_the_first_step_that_a_milestone_lies_before(share, exact, steps, epochs):
    recipe = make_spec(recipe={"schedule": "step", "milestones": [share], "epochs": epochs, "lr": 1.0})["recipe"]
    due = math.ceil(Fraction(*exact) * epochs * steps)
    for position in range(max(0, due - 2), min(epochs * steps, due + 2)):
        rate = learning_rate(recipe, step, position, steps)
        assert rate == pytest.approx(0.1 if position >= due else 1.0)


@given(st.integers(1, 10**6), st.data())
def test_a_milestone_on_a_step_falls_on_it(total, data):
    due = data.draw(st.integers(1, max(1, total - 1)))
    recipe = {"milestones": [due / total], "gamma": 0.1, "epochs": 1, "warmup_epochs": 0.0, "lr": 1.0}
    assert learning_rate(recipe, step, due - 1, total) == 1.0
    assert learning_rate(recipe, step, due, total) == 0.1


@pytest.mark.parametrize(("warmup", "steps", "ends"), [(0.7, 10, 7), (0.1 * 3, 10, 3), (1.1, 10, 11), (0.5, 5, 3)])
def test_the_warm_up_ends_on_its_step(warmup, steps, ends):
    recipe = {"warmup_epochs": warmup, "epochs": 3, "lr": 1.0, "gamma": 0.1}
    rates = [learning_rate(recipe, lambda *_: 5.0, position, steps) for position in range(3 * steps)]
    assert [rate == 5.0 for rate in rates] == [position >= ends for position in range(3 * steps)]


def reference_rates(recipe, steps):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = sgd([parameter], recipe)
    total = recipe["epochs"] * steps
    scheduler = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0),
        "step": lambda: torch.optim.lr_scheduler.MultiStepLR(
            optimizer, [math.ceil(m * total) for m in recipe["milestones"]], recipe["gamma"]
        ),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total),
        "linear": lambda: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total),
    }[recipe["schedule"]]()
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "linear"])
def test_schedules_are_those_of_torch(schedule):
    spec = make_spec(recipe={"schedule": schedule, "epochs": 6})
    recipe, fall = spec["recipe"], resolve(spec["code"]["schedule"])
    rates = [learning_rate(recipe, fall, step, 7) for step in range(42)]
    assert rates == pytest.approx(reference_rates(recipe, 7), abs=1e-9)


def test_warmup_rises_to_the_rate_and_never_starts_at_zero():
    recipe = make_spec(recipe={"warmup_epochs": 2, "epochs": 6})["recipe"]
    rates = [learning_rate(recipe, constant, step, 5) for step in range(12)]
    assert rates[0] > 0
    assert rates[:11] == sorted(rates[:11])
    assert rates[10] == rates[11] == recipe["lr"]


def without_validation(parts):
    """The same parts without validation images."""
    nothing = parts["validation"]
    return {**parts, "validation": type(nothing)(nothing.images[:0], nothing.labels[:0])}


def test_without_validation_images_a_run_has_no_value_of_them(parts):
    spec = make_spec("lenet", activation="relu")
    result = train(spec, without_validation(parts), 10)
    assert result.status != "diverged"
    for row in (result.metrics, *result.curves):
        assert row["validation_loss"] is None
        assert row["validation_accuracy"] is None
        assert row["train_loss"] is not None
    assert torch.equal(weights(result), weights(train(spec, parts, 10))), "validation changes nothing of the training"


def test_divergence_is_seen_without_validation_images(parts):
    result = train(make_spec(activation="none", recipe={"lr": 1e4, "epochs": 5}), without_validation(parts), 10)
    assert result.status == "diverged"
    assert set(result.metrics.values()) == {None}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_architecture_trains_and_resumes(name):
    subject = SUBJECTS[name]
    levels = {"auxiliary": True} if "auxiliary" in subject.levels() else {}
    assert check_resume(replace(subject, small={**subject.small, **levels})) == []


def test_large_images_are_evaluated_in_small_batches(monkeypatch):
    monkeypatch.setitem(evaluation.EVALUATION_PIXELS, "cpu", evaluation.EVALUATION_PIXELS["cuda"])
    sizes = []

    class Counter(torch.nn.Module):
        def forward(self, images):
            sizes.append(len(images))
            return torch.zeros(len(images), 2)

    for side, largest in ((8, 1024), (1024, 4)):
        images = torch.zeros(1, 1, 1, 1).expand(1030 if side == 8 else 9, 1, side, side)
        _, correct = evaluate(Counter(), Part(images, torch.zeros(len(images), dtype=torch.long)))
        assert correct.all()
        assert max(sizes) == largest
        assert sum(sizes) == len(images)
        sizes.clear()


@pytest.mark.parametrize("residual", ["projection", "projection_always"])
def test_narrow_projections_train(residual, parts):
    """Torch 2.14 corrupts memory in the backward pass of a strided 1x1 convolution of four to six channels."""
    spec = make_spec("resnet_cifar", depth=8, width=4, residual=residual, recipe={"epochs": 4, "batch_size": 128})
    assert train(spec, parts, 10).status != "diverged"


def test_layers_that_draw_by_themselves_follow_the_seed(parts):
    spec = make_spec(recipe={"epochs": 1})
    spec["architecture"]["layers"]["activation"] = {"level": "rrelu", **Level("torch.nn:RReLU", "").spec()}
    torch.manual_seed(1)
    first = train(spec, parts, 10)
    torch.manual_seed(2)
    assert train(spec, parts, 10).metrics["train_loss"] == first.metrics["train_loss"]
