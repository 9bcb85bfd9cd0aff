"""Metrics that need another forward pass are measured on trained networks, and train nothing."""

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from workspace import COLLECT, RUNS, STUDY

OWN = """
METRICS = {"spread": {"label": "spread of the logits", "measure": "spread"}}


def spread(network, images, labels):
    return network(images).std()
"""


@pytest.fixture
def measured(workspace):
    """The finished study, which now asks for two metrics more, one of them its author's."""
    (workspace.path / "config/studies/own.py").write_text(OWN)
    workspace.edit(STUDY, "test_loss]\n", "shifted_accuracy, spread]\nparts: [own.py]\n")
    return workspace


def test_another_metric_is_measured_and_trains_nothing(measured):
    records, planned = measured.records(), measured.planned()
    assert "train_shard" not in planned
    assert planned["measure_shard"] == 5
    measured.run(*COLLECT)
    assert measured.records() == records
    runs = pd.read_parquet(measured.path / RUNS)
    assert runs["shifted_accuracy"].between(0, 1).all()
    assert (runs["spread"] > 0).all()
    measured.edit("config/studies/own.py", ".std()", ".var()")
    planned = measured.planned()
    assert (planned["measure_shard"], planned.get("train_shard")) == (5, None)


@pytest.mark.ways
def test_a_measure_that_fails_costs_no_table_and_is_tried_again_when_that_is_asked_for(measured):
    measured.edit("config/studies/own.py", ".std()", ".no_such_thing()")
    output = measured.run(*COLLECT)
    assert "lenet, seed 0: " in output
    assert "own.py, line 6: spread cannot be measured: AttributeError" in output
    runs = pd.read_parquet(measured.path / RUNS)
    assert runs["spread"].isna().all()
    assert runs["metric_errors"].str.contains("spread cannot be measured").all()
    assert runs["shifted_accuracy"].between(0, 1).all()
    assert "measure_shard" not in measured.planned()
    assert measured.planned(retry_failed="true")["measure_shard"] == 5


@pytest.mark.ways
def test_what_was_measured_is_in_the_report_and_in_mlflow(measured):
    measured.run()
    assert "spread of the logits" in (measured.path / "results/miniature/report.html").read_text()
    client = MlflowClient(tracking_uri=f"sqlite:///{measured.path}/results/mlflow.db")
    experiment = client.get_experiment_by_name("miniature").experiment_id
    found = [run.data for run in client.search_runs([experiment]) if run.data.tags["level"] == "run"]
    table = pd.read_parquet(measured.path / RUNS).set_index(["variant", "seed"])["spread"]
    assert {(run.tags["variant"], int(run.tags["seed"])): run.metrics["spread"] for run in found} == table.to_dict()
