"""A training job as a scheduler sees it: what a signal does, and what the next start makes of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from specs import make_shard, make_spec, prepared_digits

from ablation.data import datasets
from ablation.jobs.stopping import TRY_AGAIN, Stop
from ablation.records.store import Store
from ablation.support.locks import hold

ROOT = Path(__file__).parents[2]


class Job:
    """A shard of one run, in a folder of its own."""

    def __init__(self, folder, epochs):
        self.folder = folder
        spec = make_spec(activation="relu", recipe={"epochs": epochs})
        (folder / "spec.json").write_text(json.dumps(make_shard(spec)))
        datasets.write(folder / "data", *prepared_digits())

    def start(self, *more):
        command = [sys.executable, "-m", "ablation", "train", "--spec", "spec.json", "--data", "data"]
        command += ["--store", "store", "--result", "result.json", *more]
        # As in the rule, where the shell ignores what the training answers.
        return subprocess.Popen(
            ["sh", "-c", 'trap "" TERM; exec "$@"', "sh", *command],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stderr=subprocess.PIPE,
            text=True,
        )

    def epochs(self):
        files = list(self.folder.glob("store/.running/*/curves.jsonl"))
        return len(files[0].read_text().splitlines()) if files else 0


def warned(job, number):
    """Start a training, warn it by a signal in its third epoch or later, and return the epochs that it has saved."""
    training = job.start()
    while job.epochs() < 2:
        assert training.poll() is None, training.stderr.read()
        time.sleep(0.02)
    training.send_signal(number)
    said = training.communicate(timeout=60)[1]
    assert training.returncode == TRY_AGAIN
    saved = job.epochs()
    assert f"stopped by {number.name}; the next start goes on after epoch {saved}" in said
    assert list(job.folder.glob("store/.running/*/state.pt"))
    assert not (job.folder / "result.json").exists()
    return saved


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_a_training_that_is_warned_by_another_signal_saves_its_state(tmp_path, number):
    assert 2 <= warned(Job(tmp_path, 60), number) < 60


def test_a_warned_training_saves_its_state_and_the_next_start_goes_on(tmp_path):
    job = Job(tmp_path, 60)
    saved = warned(job, signal.SIGTERM)
    assert saved < 60
    again = job.start()
    said = again.communicate(timeout=120)[1]
    assert again.returncode == 0, said
    assert f"goes on after epoch {saved}" in said
    key = json.loads((tmp_path / "result.json").read_text())["runs"][0]["key"]
    assert len(Store(tmp_path / "store").read(key)["curves"]) == 60


def test_a_training_that_outlived_its_start_leaves_the_result_to_the_start_that_works_on_the_study_now(tmp_path):
    job, lock, result = Job(tmp_path, 60), tmp_path / "study/start/lock", tmp_path / "study/shards/lenet/0.json"
    result.parent.mkdir(parents=True)
    with hold(lock, what="the study"):
        training = job.start("--result", str(result))
        while job.epochs() < 2:
            assert training.poll() is None, training.stderr.read()
            time.sleep(0.02)
    said = training.communicate(timeout=120)[1]
    assert training.returncode == 1
    assert "the start of this training was killed, and another one works on the study" in said
    assert not result.exists()
    assert len(list((tmp_path / "store").glob("??/*"))) == 1


def test_data_that_another_study_has_prepared_anew_are_refused(tmp_path):
    job = Job(tmp_path, 1)
    (tmp_path / "receipt.json").write_text(json.dumps({"digest": "0" * 32}))
    training = job.start("--receipt", "receipt.json")
    said = training.communicate(timeout=60)[1]
    assert training.returncode == 1
    assert "expected 00000000000000000000000000000000, as receipt.json says" in said
    assert "Traceback" not in said
    assert not (tmp_path / "store").exists()


def test_what_a_training_left_goes_when_a_warning_comes_with_its_record(tmp_path):
    store, key = Store(tmp_path), "ab" * 16

    def stopped():
        with store.lock(key) as running:
            running.write_curves([{"epoch": 1}])
            store.write(key, {}, {})
            sys.exit(TRY_AGAIN)

    with pytest.raises(SystemExit):
        stopped()
    assert store.folder(key).is_dir()
    assert store.running_curves(key) == []


@pytest.fixture
def stop():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    yield Stop()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_anything_but_a_training_stops_at_once(stop):
    with pytest.raises(SystemExit) as raised:
        signal.raise_signal(signal.SIGTERM)
    assert raised.value.code == TRY_AGAIN


def test_what_is_postponed_comes_to_its_end_first(stop):
    done = []

    def save():
        with stop.postponed():
            signal.raise_signal(signal.SIGTERM)
            done.append("saved")

    with pytest.raises(SystemExit):
        save()
    assert done == ["saved"]
