"""What is there of each run of a study, and what the others will cost."""

from contextlib import ExitStack
from dataclasses import replace

import pytest

from ablation.jobs import inventory
from ablation.jobs.inventory import DAMAGED, MISSING, RECORDED, SAVED, TRAINING
from ablation.jobs.prices import Price
from ablation.jobs.shards import planned_runs
from ablation.records.store import RECORD, Store
from ablation.study.studyfile import read_study

MANIFEST = {"digest": "d" * 32, "counts": {"train": 1000, "validation": 100, "test": 100}}
PRICE = Price(80.0, None, None, "measured")
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


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "small.yaml").write_text(STUDY)
    return read_study(tmp_path / "small.yaml")


def write(store, run, status="completed"):
    store.write(run.key, {"status": status}, {})


@pytest.fixture
def begun(plan, tmp_path):
    """A store with three records of lenet, one of them torn; of the other runs, one trains and one was saved."""
    store = Store(tmp_path / "store")
    runs = planned_runs(plan, MANIFEST["digest"])
    write(store, runs[0])
    write(store, runs[1], "diverged")
    write(store, runs[2])
    (store.folder(runs[2].key) / RECORD).write_text("{")
    with ExitStack() as held:
        held.enter_context(store.lock(runs[3].key)).write_curves([{"epoch": 1}, {"epoch": 2}])
        with store.lock(runs[4].key) as running:
            running.write_curves([{"epoch": 1}])
            running.write_state(lambda file: file.write(b"state"))
        yield store, runs


def test_each_run_is_in_the_state_that_the_store_shows(plan, begun):
    store, runs = begun
    states = inventory.run_states(plan, MANIFEST, store)
    assert [run.state for run in states] == [RECORDED] * 3 + [TRAINING, SAVED, MISSING]
    assert [run.done for run in states] == [8, 8, 8, 2, 1, 0]
    assert [run.key for run in states] == [run.key for run in runs]
    found = [run.state for run in inventory.statuses(states, store)]
    assert found == ["completed", "diverged", DAMAGED, TRAINING, SAVED, MISSING]
    (store.root / ".running" / runs[4].key / "curves.jsonl").write_text("{")
    assert inventory.run_states(plan, MANIFEST, store)[4].done == 0, "its curves are damaged"
    lost = inventory.run_states(plan, MANIFEST, store, lost=[runs[0].key])
    assert lost[0].state == MISSING


def test_without_data_or_the_size_of_a_control_no_run_has_a_key(plan, begun):
    store, _ = begun
    assert {(run.state, run.key) for run in inventory.run_states(plan, None, store)} == {(MISSING, "")}
    states = inventory.run_states(plan, MANIFEST, store, without=["lenet"])
    assert [bool(run.key) for run in states] == [False] * 3 + [True] * 3


def test_a_start_is_told_what_it_trains_and_what_that_costs(plan, begun):
    states = inventory.run_states(plan, MANIFEST, begun[0])
    first, second = inventory.outlook(plan, states, 1000, {"lenet-activation.tanh": PRICE}, 2).splitlines()
    assert first == "small: 2 variants x 3 seeds = 6 runs, 3 exist, 3 to train (2 of them begun)"
    assert second == "21 epochs of 1,000 images; about 3 min 30 s of training, 1 min 45 s with 2 at once"
    _, unknown = inventory.outlook(plan, states, 1000, {}).splitlines()
    assert unknown == (
        "21 epochs of 1,000 images; the price of lenet-activation.tanh is not known on this machine, `ablation price` "
        "measures it"
    )
    assert inventory.outlook(plan, states[:2], 1000, {}) == "small: 2 variants x 3 seeds = 6 runs, 2 exist, 0 to train"
    assert inventory.seconds_left(states, {}) is None
    assert inventory.seconds_left(states, {}, guess=True) is None
    assert inventory.seconds_left(states[:2], {}) == 0
    assert "known once the data are prepared" in inventory.outlook(plan, states, None, {})


def test_a_network_by_two_names_is_trained_and_paid_once(plan, tmp_path):
    states = inventory.run_states(plan, MANIFEST, Store(tmp_path / "store"))
    twice = [*states, *(replace(state, variant="the same") for state in states[:3])]
    assert inventory.work_left(twice) == inventory.work_left(states) == {"lenet": 3, "lenet-activation.tanh": 3}
    unknown = inventory.run_states(plan, None, Store(tmp_path / "store"))
    assert inventory.work_left(unknown) == {"lenet": 3, "lenet-activation.tanh": 3}, "without keys, nobody can tell"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"digest": "x"}', '{"digest": "x", "counts": []}'])
def test_a_manifest_that_cannot_be_read_is_none(tmp_path, content):
    assert inventory.read_manifest(tmp_path) is None
    (tmp_path / "manifest.json").write_text(content)
    assert inventory.read_manifest(tmp_path) is None
