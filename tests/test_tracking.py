"""The mirror, against a real SQLite store."""

import json
from pathlib import Path

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from test_studyfile import GOOD

from ablation.collection import run_row
from ablation.shards import planned_runs
from ablation.store import Store
from ablation.studyfile import read_study
from ablation.tracking import Mirror

MANIFEST = {"digest": "d" * 32, "data": {"name": "digits"}, "counts": {"train": 3}}
ROW = {"train_loss": 1.0, "train_accuracy": 0.4, "validation_loss": 1.1, "validation_accuracy": 0.3, "lr": 0.1}


def curves(epochs):
    return [{"epoch": e, **ROW, "seconds": 0.5, "time": 1.7e9 + e} for e in range(1, epochs + 1)]


def record(planned, status="completed"):
    value = None if status == "diverged" else 0.5
    metrics = {"test_accuracy": value, "train_loss": value, "train_seconds": 1.5}
    environment = dict.fromkeys(("device", "processor", "threads", "torch", "python", "git"), "x")
    return {
        "variant": planned.variant,
        "seed": planned.seed,
        "spec": planned.spec,
        "status": status,
        "metrics": metrics,
        "sizes": {"parameters": 10, "multiply_adds": 20},
        "timings": {
            "train_seconds": 1.5,
            "evaluate_seconds": 1.0,
            "diagnostics_seconds": 0.0,
            "images_per_second": 9.0,
        },
        "environment": environment,
        "curves": curves(3),
    }


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def study(tmp_path, uri, request):
    """A study of two variants and two seeds with a name of its own, its store, and a maker of mirrors."""
    name = "s" + str(abs(hash(request.node.name)))[:12]
    path = tmp_path / f"{name}.yaml"
    text = GOOD.replace("seeds: 3", "seeds: 2").replace("[sigmoid, tanh], norm: [batch]", "[tanh]")
    path.write_text(text[: text.index("  resnet:")] + text[text.index("grid:") : text.index("  - architectures: [resnet]")]
                    + text[text.index("seeds:") :])  # fmt: skip
    plan = read_study(path)
    store = Store(tmp_path / "store")
    runs = planned_runs(plan, MANIFEST["digest"])

    def mirror(uri=uri):
        return Mirror(plan, runs, store, MANIFEST, uri, str(tmp_path / "artifacts"), tmp_path / "ledger.json")

    return plan, store, runs, mirror


def finish_all(store, runs):
    for position, planned in enumerate(runs):
        content = record(planned, "diverged" if position == 1 else "completed")
        store.write(planned.key, content, {"correct.npy": b"", "weights.safetensors": b""})


def everything(uri, plan):
    client = MlflowClient(tracking_uri=uri)
    identity = client.get_experiment_by_name(plan.name).experiment_id
    found = {run.info.run_id: run for run in client.search_runs([identity], max_results=1000)}
    history = {
        (run, metric): [(p.step, p.timestamp, p.value) for p in client.get_metric_history(run, metric)]
        for run, content in found.items()
        for metric in content.data.metrics
    }
    return found, history


def table(plan, runs, store):
    return pd.DataFrame([run_row(plan, p.variant, p.key, store.read(p.key)) for p in runs])


def test_runs_appear_while_they_train_and_end_with_their_record(study, uri):
    plan, store, runs, mirror = study
    with store.claim(runs[0].key) as running:
        running.write_curves(curves(1))
        assert not mirror().sync()
        found, history = everything(uri, plan)
        training = [run for run in found.values() if run.data.tags.get("level") == "run"]
        assert [run.info.status for run in training] == ["RUNNING"]
        assert training[0].data.tags["status"] == "training"
        running.write_curves(curves(2))
        mirror().sync()
    _, history = everything(uri, plan)
    assert [step for step, *_ in history[training[0].info.run_id, "train_loss"]] == [1, 2]
    finish_all(store, runs)
    assert mirror().sync()
    found, history = everything(uri, plan)
    assert [p[0] for p in history[training[0].info.run_id, "train_loss"]] == [1, 2, 3]
    assert found[training[0].info.run_id].info.status == "FINISHED"


def test_mirroring_again_changes_nothing(study, uri, tmp_path):
    plan, store, runs, mirror = study
    finish_all(store, runs)
    for _ in range(2):
        first = mirror()
        first.sync()
        first.conclude(table(plan, runs, store), [])
        once = everything(uri, plan)[1]
    again = mirror()
    again.sync()
    again.conclude(table(plan, runs, store), [])
    found, history = everything(uri, plan)
    assert history == once
    assert len(found) == 1 + 2 + 4
    (tmp_path / "ledger.json").unlink()  # what was sent is found again by the runs' keys
    lost = mirror()
    lost.sync()
    lost.conclude(table(plan, runs, store), [])
    found, history = everything(uri, plan)
    assert history == once
    assert len(found) == 7


def test_a_deleted_database_is_filled_anew_in_spite_of_the_ledger(study, tmp_path):
    plan, store, runs, mirror = study
    finish_all(store, runs)
    for name in ("first.db", "second.db"):
        new = mirror(f"sqlite:///{tmp_path / name}")
        new.uri = new.ledger["uri"] = "the same"  # as if the file had been deleted and made again in its place
        new.sync()
        new.conclude(table(plan, runs, store), [])
        assert len(everything(f"sqlite:///{tmp_path / name}", plan)[0]) == 7


def test_a_run_that_was_made_and_not_noted_is_found_again(study, uri, monkeypatch):
    plan, store, runs, mirror = study
    finish_all(store, runs)
    interrupted = mirror()
    note, count = interrupted._note, iter(range(100))

    def fail():
        if next(count) == 4:
            raise KeyboardInterrupt
        note()

    monkeypatch.setattr(interrupted, "_note", fail)
    with pytest.raises(KeyboardInterrupt):
        interrupted.sync()
    again = mirror()
    assert again.sync()
    assert len(everything(uri, plan)[0]) == 7


def test_runs_are_nested_and_tagged(study, uri, tmp_path):
    plan, store, runs, mirror = study
    finish_all(store, runs)
    final = mirror()
    final.sync()
    note = tmp_path / "tables" / "comparison.md"
    note.parent.mkdir()
    note.write_text("x")
    for variant in plan.variants:
        (tmp_path / f"{variant}.md").write_text(f"# {variant}")
    study_run = final.conclude(table(plan, runs, store), [note], tmp_path)
    found, _ = everything(uri, plan)
    by_level = {}
    for run in found.values():
        by_level.setdefault(run.data.tags["level"], []).append(run)
    variants = {run.info.run_id: run for run in by_level["variant"]}
    assert all(run.data.tags["mlflow.parentRunId"] == study_run for run in variants.values())
    for run in by_level["run"]:
        parent = variants[run.data.tags["mlflow.parentRunId"]]
        assert parent.data.tags["variant"] == run.data.tags["variant"]
        assert run.data.tags["factor.activation"] == run.data.params["activation"]
        assert run.inputs.dataset_inputs[0].dataset.digest == "d" * 32
    assert sorted(run.data.tags["status"] for run in by_level["run"]) == ["completed"] * 3 + ["diverged"]
    client = MlflowClient(tracking_uri=uri)
    for run in variants.values():
        path = client.download_artifacts(run.info.run_id, "layers.md", str(tmp_path))
        assert Path(path).read_text() == f"# {run.data.tags['variant']}"
    names = {artifact.path for artifact in client.list_artifacts(by_level["run"][0].info.run_id)}
    assert names == {"spec.json", "curves.csv", "curves.png"}
    assert [artifact.path for artifact in client.list_artifacts(study_run, "tables")] == ["tables/comparison.md"]
    assert all(run.info.status == "FINISHED" for run in found.values())
    assert {run.info.end_time - run.info.start_time for run in by_level["run"]} == {2500}


def test_a_run_that_stopped_half_way_does_not_look_as_if_it_trained(study, uri):
    plan, store, runs, mirror = study
    with store.claim(runs[0].key) as running:
        running.write_curves(curves(1))
        half = mirror()
        half.sync()
        half.pause()
        statuses = [run.info.status for run in everything(uri, plan)[0].values() if run.data.tags["level"] == "run"]
        assert statuses == ["KILLED"]
        running.write_curves(curves(2))
        mirror().sync()
    statuses = [run.info.status for run in everything(uri, plan)[0].values() if run.data.tags["level"] == "run"]
    assert statuses == ["RUNNING"]


def test_a_server_that_is_down_is_said_and_leaves_the_ledger_alone(study, monkeypatch, tmp_path):
    *_, mirror = study
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Exception, match=r"Max retries exceeded|Failed to establish|refused"):
        mirror("http://127.0.0.1:9")
    assert (
        not (tmp_path / "ledger.json").exists()
        or "127.0.0.1" not in json.loads((tmp_path / "ledger.json").read_text())["uri"]
    )
