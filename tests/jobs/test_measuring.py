"""Metrics that are measured on trained networks, from their records."""

import json
import re

import pytest
import torch
from specs import make_shard, make_spec

from ablation.cli.entry import run as ablation
from ablation.data import datasets
from ablation.jobs.measuring import measure, measure_shard
from ablation.jobs.results import shard_result
from ablation.jobs.trained import read_weights, trained_network
from ablation.jobs.training import origin, write_record
from ablation.records.store import WEIGHTS, NoWeightsError, Store
from ablation.support.references import OwnCodeError
from ablation.training.evaluation import Part
from ablation.training.run import Run

KEY = "ab" * 16
OWN = """
import torch

def undefined(network, images, labels):
    return float("nan")

def drawn(network, images, labels):
    return torch.rand(())

def failing(network, images, labels):
    return images.no_such_thing

def told(network, images, labels):
    return "half"

def starved(network, images, labels):
    raise MemoryError

def training(network, images, labels):
    return float(network.training or torch.is_grad_enabled())
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return lambda *names: {name: f"{tmp_path}/own.py:{name}" for name in names}


@pytest.fixture
def measured(own, parts):
    network = torch.nn.Flatten().eval()
    return lambda *names, seed=0: measure(network, parts["test"], own(*names), seed)


def test_a_measured_number_that_is_none_is_missing(measured):
    assert measured("undefined") == ({"undefined": None}, {})


def test_what_a_measure_draws_follows_from_the_seed(measured):
    first, again, other = measured("drawn"), measured("drawn"), measured("drawn", seed=1)
    assert first == again != other


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("failing", r"own.py, line 11: failing cannot be measured: AttributeError"),
        ("told", r"own.py: told cannot be measured: ValueError"),
    ],
)
def test_a_measure_that_fails_has_no_value_and_says_why(measured, name, said):
    found, errors = measured(name, "training")
    assert found == {name: None, "training": 0.0}
    assert list(errors) == [name]
    assert re.search(said, errors[name])


def test_a_measure_that_the_machine_has_no_memory_for_is_no_finding(measured):
    with pytest.raises(OwnCodeError, match=r"own.py.*starved cannot be measured: MemoryError"):
        measured("starved")


def test_a_measure_sees_a_network_in_evaluation_mode_without_gradients(measured):
    assert measured("training") == ({"training": 0.0}, {})


@pytest.fixture
def trained(tmp_path, digits, parts):
    """A store with the record of a network after an epoch, and the network."""
    _, manifest = digits
    run = Run(make_spec(activation="relu", norm="batch", recipe={"epochs": 1}), parts, 10)
    run.epoch()
    store = Store(tmp_path / "store")
    spec = make_spec(activation="relu", norm="batch", recipe={"epochs": 1})
    made = origin("lenet", spec, manifest, torch.device("cpu"))
    write_record(store, KEY, made, len(manifest["classes"]), run.result())
    return store, run.network


def test_a_network_of_a_record_is_the_trained_one(trained, digits, parts):
    store, network = trained
    again = trained_network(*read_weights(store, KEY), digits[1]["shape"], 10, torch.device("cpu"))
    assert not again.training
    images = parts["test"].images
    with torch.no_grad():
        assert torch.allclose(again(images), network.eval()(images), atol=1e-5), "but for the layout of memory"
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in network.state_dict().items())


def test_a_network_that_todays_code_builds_differently_is_refused(trained, digits):
    store, _ = trained
    record, weights = read_weights(store, KEY)
    fewer = {name: weights[name] for name in weights if name != "head.classifier.bias"}
    with pytest.raises(OwnCodeError, match="lenet, seed 0: the code that builds it has changed since it was trained"):
        trained_network(record, fewer, digits[1]["shape"], 10, torch.device("cpu"))


@pytest.fixture
def shard(trained, digits, tmp_path):
    datasets.write(tmp_path / "data", *digits)
    spec = make_spec(activation="relu", norm="batch")
    runs = make_shard(spec, {**spec, "seed": 1}, {**spec, "seed": 2})
    statuses = [{"status": status} for status in ("completed", "diverged", "failed")]
    result = shard_result(runs, [KEY, "cd" * 16, "ef" * 16], statuses)
    (tmp_path / "shard.json").write_text(json.dumps(result))
    return result


def arguments(folder, measures):
    words = ["measure", "--shard", f"{folder}/shard.json", "--measures", json.dumps(measures)]
    return [*words, "--data", f"{folder}/data", "--store", f"{folder}/store", "--result", f"{folder}/measured.json"]


def test_a_shard_is_measured_and_runs_without_a_value_have_none(shard, trained, digits, tmp_path):
    measures = {"shifted_accuracy": "ablation.training.evaluation:shifted_accuracy"}
    ablation(arguments(tmp_path, measures))
    written = json.loads((tmp_path / "measured.json").read_text())
    assert [(run["seed"], run["key"]) for run in written["runs"]] == [(r["seed"], r["key"]) for r in shard["runs"]]
    values = [run["metrics"]["shifted_accuracy"] for run in written["runs"]]
    arrays, manifest = digits
    test = torch.tensor(arrays["test_images"]).float().div(255)
    mean, std = (torch.tensor(manifest[name])[:, None, None] for name in ("mean", "std"))
    network = trained[1].eval()
    expected, _ = measure(network, Part((test - mean) / std, torch.tensor(arrays["test_labels"])), measures, 0)
    assert values == [pytest.approx(expected["shifted_accuracy"], abs=0.01), None, None]


def test_a_failing_measure_is_written_with_its_reason_and_said_with_its_run(shard, own, tmp_path, capsys):
    ablation(arguments(tmp_path, own("failing")))
    said = "own.py, line 11: failing cannot be measured: AttributeError"
    rows = json.loads((tmp_path / "measured.json").read_text())["runs"]
    assert [row["metrics"] for row in rows] == [{"failing": None}] * len(rows)
    assert said in rows[0]["errors"]["failing"]
    assert re.search(f"lenet, seed 0: .*{re.escape(said)}", capsys.readouterr().err)


def test_what_was_lost_since_training_is_said(shard, trained, tmp_path):
    store, _ = trained
    (store.folder(KEY) / WEIGHTS).write_bytes(b"other")
    with pytest.raises(SystemExit, match=r"weights.safetensors is missing or damaged: .* start again"):
        ablation(arguments(tmp_path, {}))


def test_a_run_that_failed_has_no_weights(tmp_path):
    store = Store(tmp_path)
    store.write(KEY, {"variant": "lenet", "seed": 3, "status": "failed"}, {})
    with pytest.raises(NoWeightsError, match="lenet, seed 3: found no weights: the run ended as failed"):
        read_weights(store, KEY)


def test_a_measured_shard_needs_the_weights_of_completed_runs_alone(shard, digits, tmp_path):
    only = {**shard, "runs": shard["runs"][1:]}
    rows = measure_shard(only, {"m": "nowhere:m"}, *digits, Store(tmp_path / "nothing"), gpu=False)
    assert [row["metrics"] for row in rows] == [{"m": None}] * 2
