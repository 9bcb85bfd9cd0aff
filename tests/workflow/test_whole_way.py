"""A study from its file to its report."""

import contextlib
import json
import re
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from workspace import STUDY

from ablation.tracking.view import link


def test_the_study_ends_in_everything_it_promises(finished):
    results = finished.path / "results/miniature"
    tables = (
        "runs.parquet",
        "curves.parquet",
        "diagnostics.parquet",
        "classes.parquet",
        "examples.npy",
        "contrasts.csv",
    )
    for name in ("report.html", "mlflow.json", *tables):
        assert (results / name).stat().st_size
    for ending in ("csv", "md", "tex"):
        assert (results / f"tables/comparison.{ending}").stat().st_size
    for figure in ("blocks", "curves", "runs", "effects", "accuracy_against_size", "series"):
        assert (results / f"figures/{figure}.svg").stat().st_size
        assert (results / f"figures/{figure}.png").stat().st_size
    runs = pd.read_parquet(results / "runs.parquet")
    assert len(runs) == 10
    layers = pd.read_csv(results / "plan/layers.csv")
    summed = layers.groupby("variant", sort=False)[["parameters", "multiply_adds"]].sum().reset_index()
    sizes = runs[["variant", "parameters", "multiply_adds"]].drop_duplicates(ignore_index=True)
    pd.testing.assert_frame_equal(summed, sizes)
    for variant in sizes["variant"]:
        page = (results / f"plan/layers/{variant}.md").read_text()
        assert page.startswith(f"# {variant} (1x8x8, 10 classes)")
        assert ("## Difference from lenet" in page) == (variant != "lenet")
    receipt = json.loads((results / "mlflow.json").read_text())
    assert (receipt["runs"], receipt["table"]) == (10, link(receipt["uri"], "1"))
    assert mlflow_tags(finished.path / "results/mlflow.db")["verdict.relu-better"] == {"supported"}
    assert "10 runs; how many of them exist is known once the data are prepared" in finished.output
    assert "100%" in finished.output
    assert "Report: results/miniature/report.html" in finished.output
    assert re.search(r"lenet +2 +\d", finished.output)
    assert re.search(r"seed 0 \(1 of 2\)  epoch 1/4  loss \d\.\d+  validation accuracy", finished.output)


def mlflow_tags(path):
    """The values of each tag."""
    with contextlib.closing(sqlite3.connect(path)) as there:
        found = {}
        for name, value in there.execute("SELECT key, value FROM tags"):
            found.setdefault(name, set()).add(value)
        return found


def test_relu_beats_sigmoid(finished):
    claims = pd.read_csv(finished.path / "results/miniature/claims.csv")
    assert claims["verdict"].tolist() == ["supported"]


def test_a_finished_study_is_published_as_that_of_the_code(finished, tmp_path):
    docs = tmp_path / "docs"
    command = [sys.executable, "-m", "ablation", "publish", "miniature", "--docs", str(docs)]
    environment = {**finished.environment, "PYTHONPATH": str(finished.path / "src")}
    subprocess.run(command, cwd=finished.path, env=environment, check=True, capture_output=True)
    page = json.loads((docs / "studies/miniature.json").read_text())
    assert page["verdicts"] == {"supported": 1}
    assert page["summary"] == "1 supported", "registered by the start, before its runs"
    assert page["kept"] is None
    assert page["figure"]["file"] == "miniature.svg"
    assert "**Supported:** lenet, activation: relu − sigmoid: " in (docs / "studies/miniature.md").read_text()


def test_lint_and_graph(finished):
    assert "Congratulations" in finished.run("--lint")
    assert "digraph" in finished.run("--rulegraph")


def test_snakemakes_own_report(finished):
    finished.run("--report", "report.html")
    assert "10 runs of 5 variants, 2 seeds each" in (finished.path / "report.html").read_text()


@pytest.mark.ways
def test_a_diverging_run_is_counted_and_stops_nothing(workspace):
    text = yaml.safe_load((workspace.path / STUDY).read_text())
    text["grid"] = [{"factors": {"lr": [100000.0]}}]
    text["claims"] = {}
    (workspace.path / "config/studies/wild.yaml").write_text(yaml.safe_dump(text))
    workspace.run("--until", "write_tables", study="wild")
    assert "2 diverged" in (workspace.path / "results/wild/tables/summary.txt").read_text()


@pytest.mark.ways
def test_runs_that_all_diverge_at_once_still_end_in_a_report(workspace):
    text = yaml.safe_load((workspace.path / STUDY).read_text())
    text |= {"grid": [], "claims": {}, "recipe": {**text["recipe"], "lr": 1.0e5, "epochs": 1}}
    text["architectures"] = {"lenet": {"baseline": {"activation": "none"}}}
    (workspace.path / "config/studies/lost.yaml").write_text(yaml.safe_dump(text))
    workspace.run("results/lost/report.html", study="lost")
    page = (workspace.path / "results/lost/report.html").read_text()
    assert "2 diverged, 0 stuck" in page


@pytest.mark.ways
def test_a_study_with_diagnostics_draws_the_mechanism_and_says_what_it_cost(workspace):
    text = yaml.safe_load((workspace.path / STUDY).read_text())
    text |= {"grid": [], "claims": {}, "diagnostics": [0, 2], "metrics": ["test_accuracy", "gradient_ratio"]}
    text["architectures"] = {"lenet": {}}
    (workspace.path / "config/studies/inside.yaml").write_text(yaml.safe_dump(text))
    workspace.run("results/inside/report.html", study="inside")
    results = workspace.path / "results/inside"
    assert (results / "figures/gradient_flow.svg").stat().st_size
    assert set(pd.read_parquet(results / "diagnostics.parquet")["epoch"]) == {0, 2}
    assert re.search(
        r"\d+\.\d % of training, and not counted in it \(epochs 0, 2\)", (results / "report.html").read_text()
    )


CHAIN = """\
title: A deeper network that starts from a shallower one's weights
question: Does it learn sooner, and is it better than a wider one of its size?
data: {name: digits, per_class: 40}
recipe: {epochs: 2, batch_size: 64, lr: 0.05, momentum: 0.9}
architectures:
  vgg11: {builder: vgg, baseline: {width: 8, hidden: 16, dropout: 0.0, norm: batch}}
  vgg13: {builder: vgg, baseline: {depth: 13, width: 8, hidden: 16, dropout: 0.0, norm: batch}}
grid:
  - {architectures: [vgg13], factors: {warm_start: [vgg11]}}
  - {architectures: [vgg11], factors: {depth: [16]}, match: parameters}
seeds: 2
metrics: [test_accuracy, epochs_to_threshold, shifted_accuracy, parameters]
threshold: 0.2
smallest_effect: 0.01
claims:
  vgg-warm-start:
    {statement: s, source: t, factor: warm_start, level: vgg11, against: none, metric: test_accuracy, direction: greater}
  fewer:
    {statement: s, source: t, factor: depth, level: 11, against: 16, metric: parameters, direction: less}
"""


@pytest.mark.ways
def test_warm_starts_and_controls_of_equal_size_go_the_whole_way(workspace):
    (workspace.path / "config/studies/chain.yaml").write_text(CHAIN)
    workspace.run(study="chain")
    results = workspace.path / "results/chain"
    runs = pd.read_parquet(results / "runs.parquet")
    assert "vgg11-width.parameters_of_depth.16" in set(runs["variant"]), "a control joined the study"
    claims = pd.read_csv(results / "claims.csv").set_index("claim")
    assert claims.loc["fewer", "verdict"] == "supported"
    assert "(equal parameters, × " in (results / "report.html").read_text()
    assert runs["shifted_accuracy"].between(0, 1).all()
    first = pd.read_parquet(results / "curves.parquet").groupby("variant")["train_loss"].first()
    assert first["vgg13-warm_start.vgg11"] < first["vgg13"], "it starts from what the other has learnt"
    assert "train_shard" not in workspace.planned("chain")


def test_a_study_of_more_runs_than_the_config_allows_says_which_option_lets_it_go_on(workspace):
    expected = "would be 5 variants x 2 seeds = 10 runs, expected 9 or fewer; if it is meant so: --config max_runs=10"
    assert expected in workspace.run("--dry-run", max_runs=9, ok=False)
    workspace.run("--dry-run", max_runs=10)
