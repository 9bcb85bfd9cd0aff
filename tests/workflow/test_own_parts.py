"""The example of parts of one's own, from its files to its report."""

import json

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from ablation.study.parts import COLUMNS
from ablation.study.studyfile import read_study

FOLDER = "examples/own_parts"
STUDY, PARTS = f"{FOLDER}/mixer.yaml", f"{FOLDER}/mixer.py"
OWN = ("mixer-norm.rms", "mixer-mixing.channels", "mixer-augmentation.noise10")


@pytest.fixture
def mixed(workspace):
    """The example study, run; a single test uses it, because it takes as long as the miniature one."""
    workspace.run(study=STUDY)
    return workspace


@pytest.mark.ways
def test_the_example_goes_the_whole_way_and_is_stale_where_its_file_changes_it(mixed):
    results = mixed.path / "results/mixer"
    runs = pd.read_parquet(results / "runs.parquet")
    assert set(OWN) < set(runs["variant"])
    plan = read_study(mixed.path / STUDY)
    assert set(runs.columns) <= {*COLUMNS, *plan.metrics, *plan.factors}, "what no metric of one's own may be called"
    assert runs["worst_class"].between(0, 1).all()
    assert (runs["worst_class"] <= runs["test_accuracy"]).all(), "the worst class is no better than the mean of all"
    assert pd.read_csv(results / "claims.csv")["verdict"].tolist() == ["supported"]

    layers = pd.read_csv(results / "plan/layers.csv").groupby("variant")["name"].agg(list)
    assert {"patches", "patches1", "channels2.outer", "classifier"} <= set(layers["mixer"])
    assert "patches1" not in layers["mixer-mixing.channels"]
    kinds = pd.read_csv(results / "plan/layers.csv").groupby("variant")["kind"].agg(set)
    assert "RootMeanSquare" in kinds["mixer-norm.rms"]

    client = MlflowClient(tracking_uri=f"sqlite:///{mixed.path}/results/mlflow.db")
    experiment = client.get_experiment_by_name("mixer").experiment_id
    found = [run.data for run in client.search_runs([experiment]) if run.data.tags["level"] == "run"]
    assert len(found) == len(runs) == json.loads((results / "mlflow.json").read_text())["runs"]
    (rms, _) = (data for data in found if data.tags["variant"] == "mixer-norm.rms")
    assert rms.params["norm"] == "rms"
    assert "worst_class" in rms.metrics
    page = (results / "report.html").read_text()
    assert PARTS in page
    assert "norm rms" in page

    mixed.edit(PARTS, '"""RMSNorm: a gain and no shift."""', '"""RMSNorm: it has a gain and no shift."""')
    assert "train_shard" not in mixed.planned(STUDY)
    mixed.edit(PARTS, "add(self.epsilon).rsqrt()", "add(2 * self.epsilon).rsqrt()")
    assert mixed.planned(STUDY)["train_shard"] == 1, "only the variant with this norm"
