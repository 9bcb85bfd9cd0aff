"""Runs that are trained side by side: each has the record that it would have alone. On a CPU they take turns."""

import pytest
import torch
from specs import make_shard, make_spec
from test_shard_training import OWN, Shard, StopAfter, StopNever, without_times

from ablation.jobs import sidebyside, training
from ablation.jobs.sidebyside import MOST, fitting, groups
from ablation.jobs.stopping import TRY_AGAIN
from ablation.jobs.training import train_missing
from ablation.records.keys import run_key
from ablation.training.capture import Captured, reason_against
from ablation.training.turns import Lane, take_turns


class Beside(Shard):
    def together(self, *specs, at_once=3, stop=None):
        keys = [run_key(spec, self.manifest["digest"]) for spec in specs]
        train_missing(
            make_shard(*specs),
            keys,
            self.arrays,
            self.manifest,
            self.store,
            stop or StopNever(),
            False,
            at_once=at_once,
        )
        return [self.store.read(key) for key in keys]


@pytest.fixture
def shards(tmp_path):
    """Two stores, with the same code of an author's own."""
    alone, beside = tmp_path / "alone", tmp_path / "beside"
    for folder in (alone, beside):
        folder.mkdir()
    pair = Shard(alone), Beside(beside)
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "cause").touch()
    pair[0].own = pair[1].own = lambda name: f"{tmp_path}/own.py:{name}"
    return pair


def specs_of(shard):
    """Runs of several kinds: one draws in its network, one diverges, one fails on its way, one is of another variant."""
    augmented = {"epochs": 3, "batch_size": 16, "augmentation": "crop1+flip", "momentum": 0.9}
    dropping = {"name": "vgg", "width": 4, "hidden": 16, "dropout": 0.5, "norm": "batch"}
    return [
        shard.spec(),
        shard.spec(**dropping, seed=1),
        shard.spec(activation="none", recipe={"epochs": 3, "batch_size": 20, "lr": 1e5}),
        shard.spec(("noise", 2), seed=3),
        make_spec(activation="tanh", recipe=augmented, seed=4),
    ]


@pytest.fixture(params=["taking turns", "captured, too"])
def way(request, monkeypatch):
    """With the steps of a CPU, and with those that CUDA would record."""
    if request.param == "captured, too":

        def captured(spec, lane, device, say):
            return lambda step: Captured(step, lane, say, reason_against(spec))

        monkeypatch.setattr(training, "stepper_of", captured)


def comparable(record):
    return (
        without_times(record) if record["status"] != "failed" else (record["error"]["message"], len(record["curves"]))
    )


def test_each_record_is_that_of_the_run_alone(shards, way, tmp_path):
    alone, beside = shards
    records = []
    for spec in specs_of(alone):
        (tmp_path / "count").unlink(missing_ok=True)
        records += alone.train(spec)
    assert [record["status"] for record in records].count("failed") == 1
    assert [record["status"] for record in records].count("diverged") == 1
    (tmp_path / "count").unlink(missing_ok=True)
    for record, other in zip(records, beside.together(*specs_of(beside)), strict=True):
        assert comparable(record) == comparable(other)


@pytest.mark.parametrize("times", [0, 4, 11])
def test_all_are_stopped_at_once_and_go_on_bit_for_bit(shards, way, times, capfd):
    alone, beside = shards
    specs = [spec for spec in specs_of(alone) if not spec["code"]["augmentation"] or "own.py" not in str(spec["code"])]
    records = [alone.train(spec)[0] for spec in specs]
    with pytest.raises(SystemExit) as left:
        beside.together(*specs, stop=StopAfter(times))
    assert left.value.code == TRY_AGAIN
    assert capfd.readouterr().err.count("stopped by SIGTERM") == 3, "of those under way"
    again = beside.together(*specs, at_once=2)
    assert [without_times(record) for record in again] == [without_times(record) for record in records]


def test_the_seconds_of_runs_side_by_side_add_up_to_no_more_than_passed(shards):
    import time

    start = time.perf_counter()
    records = shards[1].together(*(shards[1].spec(seed=seed) for seed in range(3)))
    passed = time.perf_counter() - start
    parts = ("train_seconds", "evaluate_seconds", "diagnostics_seconds")
    assert 0 < sum(record["timings"][part] for record in records for part in parts) < passed


def test_a_broken_machine_ends_the_job_and_frees_every_place(shards):
    beside = shards[1]
    with pytest.raises(OSError, match="No space"):
        beside.together(beside.spec(), beside.spec(seed=1), beside.spec(("full", 0), seed=2))
    for seed in (0, 1):
        with beside.store.lock(run_key(beside.spec(seed=seed), beside.manifest["digest"]), wait=False):
            pass


def test_a_run_whose_place_is_held_elsewhere_keeps_none_waiting(shards, monkeypatch):
    beside = shards[1]
    specs = [beside.spec(seed=seed) for seed in range(3)]
    key = run_key(specs[1], beside.manifest["digest"])
    place, written = beside.store.lock(key), []
    place.__enter__()
    write = beside.store.write

    def write_and_release(*arguments):
        write(*arguments)
        written.append(arguments[0])
        if len(written) == 2:  # the others are done
            place.__exit__(None, None, None)

    monkeypatch.setattr(beside.store, "write", write_and_release)
    beside.together(*specs)
    assert len(written) == 3
    assert written[-1] == key


def test_groups_are_of_one_variant_and_have_no_start_among_them(shards):
    first, second = make_spec(), make_spec(seed=1)
    warm = {**make_spec(seed=2), "warm_start": first}
    compiled = [make_spec(recipe={"engine": "compiled"}, seed=seed) for seed in (3, 4)]
    own = shards[0].spec(("noise", 9))
    specs = {first["seed"]: first, 1: second, 2: warm, 3: compiled[0], 4: compiled[1], 5: {**own, "seed": 5}}
    variants = ["a", "a", "a", "compiled", "compiled", "own"]
    runs = [({"variant": v, "spec": s}, run_key(s, "data")) for v, s in zip(variants, specs.values(), strict=True)]
    cut = [[runs.index(run) for run in group] for group in groups(runs, "data")]
    assert cut == [[0, 1], [2], [3], [4], [5]]
    assert list(groups([], "data")) == []


def test_as_many_runs_are_under_way_as_fit():
    assert fitting(10**9, 4 * 10**9) == 3
    assert fitting(10**12, 10**9) == 1
    assert fitting(0, 10**12) == MOST
    room = sidebyside.Room(torch.device("cpu"))
    room.measure()
    assert room(0) == 1
    assert sidebyside.Room(torch.device("cpu"), 3)(0) == 3


class Noting(Lane):
    closed = 0

    def close(self):
        Noting.closed += 1


def test_works_take_turns_within_the_room_there_is(monkeypatch):
    monkeypatch.setattr(Noting, "closed", 0)
    log, most = [], []

    def work(name, pieces):
        def begin(lane, others):
            for piece in range(pieces):
                log.append(f"{name}{piece}")
                most.append(others())
                yield

        return begin

    take_turns([work("a", 1), work("b", 3), work("c", 2)], Noting, lambda under_way: 2)
    assert log == ["a0", "b0", "b1", "b2", "c0", "c1"]
    assert most == [True, True, False, True, True, False]
    assert Noting.closed == 3
