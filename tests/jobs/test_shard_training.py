"""The training of a shard: what becomes of runs that fail by themselves, and of a machine that is broken."""

import errno
import json
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from specs import make_shard, make_spec, prepared_digits

from ablation.catalogue.factors import Level
from ablation.jobs import training
from ablation.jobs.stopping import TRY_AGAIN
from ablation.jobs.training import AroundTrainingError, train_missing
from ablation.records.keys import run_key
from ablation.records.running import Running
from ablation.records.store import Store

# Parts that are wrong in one way each; `count` and `cause` lie in files, so that a mended cause leaves the keys as they are.
OWN = """
import errno
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


def noise(images, amount, generator):
    if (HERE / "cause").exists():
        count = HERE / "count"
        count.write_text(count.read_text() + "." if count.exists() else ".")
        if len(count.read_text()) > amount:
            raise RuntimeError("no more noise")
    return images + torch.randn(images.shape, generator=generator)


def full(images, amount, generator):
    raise OSError(errno.ENOSPC, "No space left on device", "cache")


def starved(images, amount, generator):
    return torch.zeros(10**14)


class Unmade(nn.Module):
    def __init__(self, *arguments):
        raise KeyError("channels")
"""


class Shard:
    """A shard of some runs in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.store = folder, Store(folder / "store")
        (folder / "own.py").write_text(OWN)
        arrays, self.manifest = prepared_digits()
        self.arrays = {name: array[:40] if name.startswith("train") else array[:20] for name, array in arrays.items()}

    def own(self, name):
        return f"{self.folder}/own.py:{name}"

    def spec(self, *steps, seed=0, own_norm=None, **options):
        spec = make_spec(seed=seed, **{"activation": "relu", "recipe": {"epochs": 3, "batch_size": 20}, **options})
        spec["code"]["augmentation"] = [[self.own(name), amount] for name, amount in steps]
        if own_norm:
            spec["architecture"]["layers"]["norm"] = {"level": "own", **Level(self.own(own_norm), "").spec()}
        return spec

    def train(self, *specs, retry_failed=False, variant="lenet", stop=None):
        keys = [run_key(spec, self.manifest["digest"]) for spec in specs]
        shard = make_shard(*specs, variant=variant)
        train_missing(shard, keys, self.arrays, self.manifest, self.store, stop or StopNever(), False, retry_failed)
        return [self.store.read(key) for key in keys]


class StopNever:
    asked = ""

    def postponed(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class StopAfter(StopNever):
    """A request to stop that comes once it could have been obeyed so many times."""

    def __init__(self, times):
        self.times = times

    @property
    def asked(self):
        self.times -= 1
        return "SIGTERM" if self.times < 0 else ""


def without_times(record):
    rows = [{name: value for name, value in row.items() if name not in ("seconds", "time")} for row in record["curves"]]
    metrics = {name: value for name, value in record["metrics"].items() if name != "train_seconds"}
    return rows, metrics, record["files"], record["status"]


@pytest.fixture
def shard(tmp_path):
    return Shard(tmp_path)


def test_a_run_that_fails_on_its_way_is_recorded_and_the_others_go_on(shard, capfd):
    (shard.folder / "cause").touch()
    failed, sound = shard.train(shard.spec(("noise", 2)), shard.spec(seed=1))
    assert failed["status"] == "failed"
    assert sound["status"] in ("completed", "stuck")
    assert failed["error"]["type"] == "RuntimeError"
    assert failed["error"]["message"] == "no more noise"
    assert failed["error"]["where"] == f"{shard.folder}/own.py, line 16"
    assert [row["epoch"] for row in failed["curves"]] == [1], "an epoch has two steps"
    assert failed["timings"]["train_seconds"] > 0
    assert failed["environment"]["torch"]
    assert failed["metrics"] == {}
    assert failed["files"] == {}
    assert shard.store.verify(failed["key"]) == failed
    assert list((shard.folder / "store/.running").iterdir()) == [shard.folder / "store/.running/locks"]
    said = capfd.readouterr().err
    assert "lenet  seed 0 (1 of 2)  failed after 1 of 3 epochs: RuntimeError: no more noise" in said
    assert 'raise RuntimeError("no more noise")' in said
    assert "--retry-failed" in said


@pytest.mark.parametrize(
    ("wrong", "kind", "reached"),
    [
        ({"own_norm": "Unmade"}, "KeyError", 0),
        # A batch of one image, whose maps have one pixel, has no variance.
        (
            {
                "name": "vgg_plan",
                "plan": "3x1 3x1 3x1 3x1",
                "width": 4,
                "norm": "batch",
                "recipe": {"epochs": 3, "batch_size": 1},
            },
            "ValueError",
            0,
        ),
    ],
    ids=["it cannot be built", "a batch of one image before batch norm"],
)
def test_a_run_that_cannot_begin_is_recorded(shard, wrong, kind, reached):
    (record,) = shard.train(shard.spec(**wrong))
    assert (record["status"], record["error"]["type"], len(record["curves"])) == ("failed", kind, reached)


def test_a_failed_run_is_left_alone_until_it_is_asked_for(shard):
    cause = shard.folder / "cause"
    cause.touch()
    spec = shard.spec(("noise", 0))
    (first,) = shard.train(spec)
    assert shard.train(spec) == [first]
    (again,) = shard.train(spec, retry_failed=True)
    assert again["status"] == "failed"
    assert again["error"]["time"] > first["error"]["time"]
    cause.unlink()
    assert shard.train(spec) == [again]
    (mended,) = shard.train(spec, retry_failed=True)
    assert mended["status"] in ("completed", "stuck")
    assert mended["key"] == first["key"]
    assert shard.train(spec, retry_failed=True) == [mended]
    assert [path.name for path in (shard.folder / "store").iterdir() if path.name.startswith(".p")] == []


def test_of_two_jobs_that_try_the_same_failure_again_the_second_leaves_the_new_record(shard, monkeypatch):
    (shard.folder / "cause").touch()
    spec = shard.spec(("noise", 0))
    (failed,) = shard.train(spec)
    mended, lock = {}, Store.lock

    @contextmanager
    def lock_after_another(store, key):
        if not mended:  # another job is first
            store.remove(key)
            store.write(key, {**failed, "error": {**failed["error"], "time": failed["error"]["time"] + 1}}, {})
            mended[key] = store.peek(key)
        with lock(store, key) as running:
            yield running

    monkeypatch.setattr(Store, "lock", lock_after_another)
    assert shard.train(spec, retry_failed=True) == list(mended.values())


def test_a_try_that_is_cut_off_goes_on_as_any_other_run(shard, monkeypatch):
    (shard.folder / "cause").touch()
    spec = shard.spec(("noise", 0))
    (failed,) = shard.train(spec)
    (shard.folder / "cause").unlink()
    monkeypatch.setattr(training, "SAVE_EVERY", 0)

    def killed(running, rows):
        if len(rows) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Running, "write_curves", killed)
    with pytest.raises(KeyboardInterrupt):
        shard.train(spec, retry_failed=True)
    monkeypatch.undo()
    assert not shard.store.has(failed["key"])
    assert shard.store.lock(failed["key"]).__enter__().state.exists()
    (whole,) = shard.train(spec)
    assert [row["epoch"] for row in whole["curves"]] == [1, 2, 3]


# Three epochs of two steps, one batch of validation images and the end; then the training and the test images.
@pytest.mark.parametrize("times", range(0, 14, 2))
def test_a_job_that_is_asked_to_stop_leaves_after_the_step_and_ends_as_if_it_never_had(shard, times, capfd):
    spec = shard.spec()
    (whole,) = shard.train(spec)
    shard.store.remove(whole["key"])
    with pytest.raises(SystemExit) as left:
        shard.train(spec, stop=StopAfter(times))
    assert left.value.code == TRY_AGAIN
    assert not shard.store.has(whole["key"])
    epochs, step = divmod(times, 4)
    reached = f"after epoch {epochs + (step == 3)}" if times < 12 else "after epoch 3"
    assert f"stopped by SIGTERM; the next start goes on {reached}" in capfd.readouterr().err
    (again,) = shard.train(spec)
    assert f"goes on {reached}" in capfd.readouterr().err
    assert without_times(again) == without_times(whole)


def test_the_state_is_saved_by_time_within_an_epoch(shard, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 0)
    saved, write = [], Running.write_state

    def write_state(running, save):
        write(running, save)
        saved.append(torch.load(running.read_state(), weights_only=True)["taken"])

    monkeypatch.setattr(Running, "write_state", write_state)
    shard.train(shard.spec(recipe={"epochs": 1, "batch_size": 10}))
    assert saved[:4] == [1, 2, 3, 4]


@pytest.mark.parametrize("state", [b"", b"half a state", "of another run"])
def test_a_state_that_is_damaged_or_of_another_run_costs_its_epochs_and_nothing_else(shard, capfd, state):
    spec = shard.spec()
    (record,) = shard.train(spec)
    weights = (shard.store.folder(record["key"]) / "weights.safetensors").read_bytes()
    shard.store.remove(record["key"])
    with shard.store.lock("ab" * 16) as other, shard.store.lock(record["key"]) as running:
        other.write_state(lambda file: torch.save({"curves": []}, file))
        running.state.write_bytes(other.state.read_bytes() if state == "of another run" else state)
    shard.train(spec)
    assert "state.pt: cannot be used" in capfd.readouterr().err
    assert (shard.store.folder(record["key"]) / "weights.safetensors").read_bytes() == weights


def test_a_run_has_failed_if_that_has_failed_whose_weights_it_starts_from(shard):
    source = shard.spec(own_norm="Unmade")
    shard.train(source, variant="vgg")
    (record,) = shard.train({**shard.spec(), "warm_start": source})
    assert record["status"] == "failed"
    assert record["error"]["type"] == "NoStartError"
    assert record["error"]["message"].startswith(
        "seed 0 of vgg, whose weights it starts from, failed: KeyError: 'channels'"
    )


@pytest.mark.parametrize("step", ["full", "starved"])
def test_a_broken_machine_ends_the_job_without_a_record(shard, step):
    with pytest.raises((OSError, RuntimeError), match=r"No space|allocate memory"):
        shard.train(shard.spec((step, 0)))
    assert list(shard.store.root.glob("??")) == []


def broken_store(running, rows):
    raise PermissionError(errno.EACCES, "not allowed")


def test_a_store_that_cannot_be_written_is_no_fault_of_the_run(shard, monkeypatch):
    monkeypatch.setattr(Running, "write_curves", broken_store)
    with pytest.raises(AroundTrainingError, match="cannot be written"):
        shard.train(shard.spec())
    assert list(shard.store.root.glob("??")) == []


def test_a_start_that_is_missing_or_damaged_is_no_fault_of_the_run(shard):
    source = shard.spec()
    (record,) = shard.train(source)
    spec = {**shard.spec(seed=1), "warm_start": source}
    (shard.store.folder(record["key"]) / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(AroundTrainingError, match=r"weights\.safetensors is missing or damaged"):
        shard.train(spec)


def test_curves_that_are_kept_are_plain_numbers(shard):
    (record,) = shard.train(shard.spec(own_norm="Unmade"))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert np.isfinite(record["timings"]["train_seconds"])
