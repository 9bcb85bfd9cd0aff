"""The warm worker: what is handed over to it runs as it would in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from specs import make_shard, make_spec

from ablation.cli.worker import loaded_code
from ablation.data import datasets
from ablation.records.store import PREDICTIONS, WEIGHTS, Store
from ablation.support.handover import VARIABLE, hand_over

SOURCE = Path(__file__).parents[2] / "src"


class Workplace:
    """A worker, and commands that are handed over to it."""

    def __init__(self, folder):
        self.folder, self.path = folder, folder / "own/worker"
        self.environment = {**os.environ, "PYTHONPATH": str(SOURCE), VARIABLE: str(self.path)}
        self.path.parent.mkdir(mode=0o700)
        self.worker = self.start("worker", "--socket", str(self.path), "--parent", str(os.getpid()))
        while not self.path.exists():
            time.sleep(0.02)

    def start(self, *words, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "ablation", *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def forks(self):
        return [
            int(one) for one in Path(f"/proc/{self.worker.pid}/task/{self.worker.pid}/children").read_text().split()
        ]

    def end(self):
        self.worker.kill()
        self.worker.communicate()


@pytest.fixture(scope="module")
def place(tmp_path_factory, digits):
    place = Workplace(tmp_path_factory.mktemp("worker"))
    datasets.write(place.folder / "data", *digits)
    yield place
    place.end()


def train(folder, name, epochs=1, seed=0):
    """Return the words that train a shard of one run."""
    spec = make_spec(activation="relu", seed=seed, recipe={"epochs": epochs, "batch_size": 64})
    (folder / f"{name}.json").write_text(json.dumps(make_shard(spec)))
    words = ["train", "--spec", f"{name}.json", "--data", "data", "--store", f"store-{name}"]
    return [*words, "--result", f"{name}-result.json"]


def record(folder, name):
    (run,) = json.loads((folder / f"{name}-result.json").read_text())["runs"]
    return Store(folder / f"store-{name}").folder(run["key"])


def test_a_handed_over_training_gives_the_same_record(place):
    for name, environment in (("warm", {}), ("plain", {VARIABLE: ""})):
        done = place.start(*train(place.folder, name), **environment)
        _, errors = done.communicate(timeout=120)
        assert not done.returncode, errors
        assert "(1 of 1)  stuck after" in errors, "one epoch is too short"
    warm, plain = (record(place.folder, name) for name in ("warm", "plain"))
    assert warm.name == plain.name
    for name in (WEIGHTS, PREDICTIONS):
        assert (warm / name).read_bytes() == (plain / name).read_bytes()


def test_nothing_but_the_imports_happens_before_a_fork(place):
    threads = [(task / "comm").read_text().strip() for task in Path(f"/proc/{place.worker.pid}/task").iterdir()]
    assert len(threads) - threads.count("jemalloc_bg_thd") == 1, "a fork has no other; jemalloc starts its own again"


@pytest.mark.parametrize("words", [["train"], ["train", "--nonsense"], ["tables", "--study", "nowhere.json"]])
def test_what_is_wrong_is_said_and_counts_as_by_itself(place, words):
    said = []
    for environment in ({}, {VARIABLE: ""}):
        done = place.start(*words, **environment)
        said.append((*done.communicate(timeout=60), done.returncode))
    assert said[0][-1] != 0
    assert said[0][-1] == said[1][-1]
    assert said[0][0] == said[1][0]
    assert said[0][1].splitlines()[-1] == said[1][1].splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_training_that_is_asked_to_stop_saves_its_state_and_says_so(place, number):
    name = f"long-{number}"
    job = place.start(*train(place.folder, name, epochs=100_000, seed=number))
    running = place.folder / f"store-{name}/.running"
    while not list(running.glob("*/curves.jsonl")):
        time.sleep(0.05)
        assert job.poll() is None, job.communicate()
    job.send_signal(number)
    _, errors = job.communicate(timeout=60)
    assert job.returncode == 75
    assert f"stopped by {signal.Signals(number).name}" in errors
    assert list(running.glob("*/state.pt"))
    assert not place.forks()


def test_a_training_whose_job_was_killed_saves_its_state(place):
    job = place.start(*train(place.folder, "orphan", epochs=100_000, seed=5))
    running = place.folder / "store-orphan/.running"
    while not list(running.glob("*/curves.jsonl")):
        time.sleep(0.05)
    job.kill()
    job.communicate()
    end = time.monotonic() + 60
    while place.forks() and time.monotonic() < end:
        time.sleep(0.05)
    assert not place.forks()
    assert list(running.glob("*/state.pt"))


def test_without_a_worker_a_command_runs_by_itself(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert hand_over(["train"]) is None
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nothing"))
    assert hand_over(["train"]) is None


def test_a_worker_whose_code_was_edited_is_not_used(tmp_path):
    package = tmp_path / "src"
    subprocess.run(["cp", "-r", str(SOURCE), str(package)], check=True)
    place = Workplace.__new__(Workplace)
    place.folder, place.path = tmp_path, tmp_path / "own/worker"
    place.environment = {**os.environ, "PYTHONPATH": str(package), VARIABLE: str(place.path)}
    place.path.parent.mkdir(mode=0o700)
    place.worker = place.start("worker", "--socket", str(place.path), "--parent", str(os.getpid()))
    while not place.path.exists():
        time.sleep(0.02)
    warm = place.start("train", "--help")
    assert "usage: ablation train" in warm.communicate(timeout=120)[0]
    edited = package / "ablation/cli/train.py"
    edited.write_text(edited.read_text().replace("the shard's frozen spec (JSON)", "edited since"))
    assert "edited since" in place.start("train", "--help").communicate(timeout=120)[0]
    place.end()
    assert any(path.endswith("entry.py") or path.endswith("worker.py") for path in loaded_code())


def test_a_command_goes_on_by_itself_when_its_worker_is_killed(tmp_path, digits):
    place = Workplace(tmp_path)
    datasets.write(tmp_path / "data", *digits)
    job = place.start(*train(tmp_path, "left", epochs=40))
    while not list((tmp_path / "store-left/.running").glob("*/curves.jsonl")):
        time.sleep(0.02)
        assert job.poll() is None, job.communicate()
    place.end()
    _, errors = job.communicate(timeout=120)
    assert not job.returncode, errors
    assert json.loads((record(tmp_path, "left") / "record.json").read_text())["status"] == "completed"
    assert "stopped by SIGTERM" in errors
    assert "goes on after epoch" in errors


def test_a_job_that_was_killed_while_the_worker_imported_leaves_no_training(tmp_path, digits):
    place = Workplace(tmp_path)  # which has only just begun to import
    datasets.write(tmp_path / "data", *digits)
    job = place.start(*train(tmp_path, "early", epochs=100_000))
    time.sleep(0.3)
    job.kill()
    job.communicate()
    place.start("train", "--help").communicate(timeout=120)  # the worker has come to what waited before this
    end = time.monotonic() + 60
    while place.forks() and time.monotonic() < end:
        time.sleep(0.05)
    assert not place.forks()
    place.end()
