"""What runs cost: measured, kept, taken from earlier runs, and told before a start."""

import json
import os

import pytest
from specs import SMALL, make_spec

from ablation.cli.entry import run as ablation
from ablation.data import datasets
from ablation.jobs import pricing
from ablation.jobs.prices import KEPT, MEASURED, RECORDED, SCALED, Cost, KeptCosts, known_prices, recorded_seconds
from ablation.jobs.pricing import measure_cost, measure_costs
from ablation.jobs.shards import planned_runs
from ablation.records.environment import processor
from ablation.records.store import RECORD, Store
from ablation.study.studyfile import read_study

MANIFEST = {
    "digest": "d" * 32,
    "counts": {"train": 1000, "validation": 100, "test": 100},
    "shape": [1, 8, 8],
    "classes": [*"abc"],
    "mean": [0.5],
    "std": [0.2],
    "data": {"standardised": True},
}
COST = Cost(train=1e-3, evaluate=1e-4, diagnosis=2.0, once=0.5, memory=100.0, disk=0.1)
STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 8, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {}}}
grid: [{factors: {activation: [tanh]}}]
seeds: 3
smallest_effect: 0.01
"""
TIMINGS = {"train_seconds": 8.0, "evaluate_seconds": 1.5, "diagnostics_seconds": 0.5, "images_per_second": 1000.0}


@pytest.fixture(name="plan")
def read_plan(tmp_path):
    (tmp_path / "small.yaml").write_text(STUDY)
    return read_study(tmp_path / "small.yaml")


@pytest.fixture
def kept(tmp_path):
    return KeptCosts(tmp_path, gpu=False, threads=1)


@pytest.mark.parametrize("name", SMALL)
def test_a_few_steps_of_each_architecture_are_timed(name):
    shape = (3, 32, 32) if "v3" not in name else (3, 75, 75)
    levels = SMALL[name]
    spec = make_spec(name, recipe={"batch_size": 16}, **levels)
    cost = measure_cost(spec, {**MANIFEST, "shape": shape, "mean": [0.5] * 3, "std": [0.2] * 3}, gpu=False)
    assert cost.how == MEASURED
    assert min(cost.train, cost.evaluate, cost.once, cost.memory, cost.disk) > 0
    assert cost.train > cost.evaluate, "it goes back, too"
    assert cost.diagnosis == 0


def test_diagnoses_have_their_price():
    assert measure_cost(make_spec(activation="relu", diagnostics=[0, 2]), MANIFEST, gpu=False).diagnosis > 0


def test_a_run_costs_its_epochs_its_evaluations_and_its_diagnoses():
    assert COST.seconds(10, MANIFEST["counts"], 3) == pytest.approx(0.5 + 10 * (1.0 + 0.01) + 3 * 2.0 + 0.11)


def test_what_was_measured_is_kept_for_the_same_work_on_the_same_machine(plan, kept, tmp_path):
    first = plan.spec("lenet", 0)
    key = kept.key(first, MANIFEST["shape"], 3)
    kept.add({key: COST})
    KeptCosts(tmp_path, gpu=False, threads=1).add({"other": COST})
    assert kept.read() == {key: COST, "other": COST}
    assert kept.key(plan.spec("lenet", 1), MANIFEST["shape"], 3) == key
    assert kept.key(plan.spec("lenet-activation.tanh", 0), MANIFEST["shape"], 3) != key
    assert KeptCosts(tmp_path, gpu=False, threads=2).key(first, MANIFEST["shape"], 3) != key
    (price,) = known_prices(plan, plan.variants, MANIFEST, tmp_path, kept).values()
    assert price.seconds == COST.seconds(8, MANIFEST["counts"], 0)
    assert (price.memory, price.how) == (pytest.approx(100 + 5 * 1200 * 64 / 1e6), MEASURED)
    assert known_prices(plan, plan.variants, None, tmp_path, kept) == {}


def test_a_control_has_a_price_once_its_size_is_known(kept, tmp_path):
    path = tmp_path / "matched.yaml"
    path.write_text(STUDY.replace("lenet: {baseline: {}}", "lenet: {builder: vgg, baseline: {width: 4, hidden: 16}}"))
    path.write_text(path.read_text().replace("{activation: [tanh]}", "{depth: [16]}, match: parameters"))
    plan = read_study(path)
    (control,) = plan.unsettled
    settled = plan.settled(dict.fromkeys(plan.questions, 5))
    assert settled.unsettled == []
    kept.add({kept.key(settled.spec(control, 0), MANIFEST["shape"], 3): COST})
    assert list(known_prices(settled, settled.variants, MANIFEST, tmp_path, kept)) == [control]
    assert known_prices(plan, plan.variants, MANIFEST, tmp_path, kept) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 3}', '{"a": {"train": 1}}'])
def test_kept_costs_that_cannot_be_read_are_none(kept, tmp_path, content):
    (tmp_path / KEPT).write_text(content)
    assert kept.read() == {}
    kept.add({"a": COST})
    assert kept.read() == {"a": COST}


def record(store, run, stopped_at=None, epochs=3, **changes):
    environment = {"device": "cpu", "processor": processor(), "threads": 1, **changes}
    spec = {**run.spec, "recipe": {**run.spec["recipe"], "epochs": epochs}}
    content = {"status": "completed", "spec": spec, "environment": environment, "timings": TIMINGS}
    store.write(run.key, {**content, "stopped_at": stopped_at}, {})


def test_an_earlier_run_on_such_a_machine_is_what_a_run_costs(plan, kept, tmp_path):
    store, shards = Store(tmp_path / "store"), tmp_path / "small/shards"
    runs = planned_runs(plan, MANIFEST["digest"])
    for run in (runs[0], runs[2]):
        record(store, run)
    (store.folder(runs[2].key) / RECORD).write_text("{")
    record(store, runs[3], threads=2)
    record(store, runs[4], stopped_at=1)
    record(store, runs[5], processor="another")
    for name, those in (("lenet/0", [runs[2], runs[0]]), ("lenet-activation.tanh/0", runs[3:])):
        (shards / name).parent.mkdir(parents=True)
        content = [{"variant": run.variant, "key": run.key} for run in those]
        (shards / f"{name}.json").write_text(json.dumps({"runs": content}))
    (shards / "torn").mkdir()
    (shards / "torn/0.json").write_text("{")
    specs = {variant: plan.spec(variant, 7) for variant in plan.variants}
    assert recorded_seconds(specs, shards, store, kept) == {"lenet": pytest.approx(10 / 8000)}
    assert recorded_seconds(specs, shards, store, KeptCosts(tmp_path, gpu=True, threads=1)) == {}
    larger = {name: {**spec, "data": {**spec["data"], "side": 16}} for name, spec in specs.items()}
    assert recorded_seconds(larger, shards, store, kept) == {}, "that was other work"
    kept.add({kept.key(plan.spec("lenet", 0), MANIFEST["shape"], 3): COST})
    price = known_prices(plan, plan.variants, MANIFEST, tmp_path, kept)["lenet"]
    assert price.seconds == pytest.approx(10 / 8000 * 8 * 1000)
    assert (price.how, price.memory is not None) == (RECORDED, True), "memory is known by measurement alone"


def test_of_many_networks_some_are_measured_and_the_others_scaled(monkeypatch):
    monkeypatch.setattr(pricing, "MOST_MEASURED", 2)
    widths = (1, 2, 3, 8)
    specs = {f"w{width}": make_spec(width=6 * width, activation="relu") for width in widths}
    costs = measure_costs(specs, MANIFEST, False, 1, 2, print)
    assert [costs[name].how for name in ("w1", "w3")] == [MEASURED, MEASURED]
    assert [costs[name].how for name in ("w2", "w8")] == [SCALED, SCALED]
    assert costs["w8"].train / costs["w3"].train > 2
    assert costs["w8"].memory == costs["w3"].memory


def test_a_process_that_is_killed_costs_its_own_price_alone(monkeypatch):
    measure = pricing.measure_cost

    def killed(spec, *others):
        return os.kill(os.getpid(), 9) if spec["seed"] else measure(spec, *others)

    monkeypatch.setattr(pricing, "measure_cost", killed)
    said, spec = [], make_spec(activation="relu")
    costs = measure_costs({"killed": {**spec, "seed": 1}, "sound": spec}, MANIFEST, False, 1, 2, said.append)
    assert list(costs) == ["sound"]
    assert said == ["killed cannot be priced: its process ended with -9, perhaps for want of memory"]


def test_what_cannot_be_trained_has_no_price_and_is_said():
    said = []
    spec = make_spec(activation="relu")
    broken = {**spec, "recipe": {"batch_size": 16}}
    costs = measure_costs({"sound": spec, "broken": broken}, MANIFEST, False, 1, 2, said.append)
    assert list(costs) == ["sound"]
    assert said[0].startswith("broken cannot be priced: KeyError")


def test_the_bill_of_a_study_is_told_kept_and_not_measured_twice(plan, tmp_path, digits, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"small: found no prepared data in .*--until prepare_data"):
        ablation(["price", "small.yaml", "--no-gpu"])
    datasets.write(tmp_path / "results/data" / plan.data_folder, *digits)
    ablation(["price", "small.yaml", "--no-gpu", "--jobs", "2"])
    first = capfd.readouterr()
    assert "timing a few steps of 2 variants" in first.err
    assert "core-hours of training" in first.out
    assert "with 2 jobs at once" in first.out
    assert "memory of a job up to" in first.out
    ablation(["price", "small.yaml", "--no-gpu", "--json"])
    again = capfd.readouterr()
    assert "timing" not in again.err
    rows = json.loads(again.out)["variants"]
    assert list(rows) == list(plan.variants)
    assert {row["runs_left"] for row in rows.values()} == {3}
    assert (tmp_path / "results" / KEPT).is_file()
