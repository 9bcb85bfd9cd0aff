"""The workflow itself: what is trained when, and what is not."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image
from projectcopy import copy_project

STUDY = "config/studies/miniature.yaml"
RUNS = "results/miniature/runs.parquet"
COLLECT = ("--until", "collect_records")  # as far as the records matter


class Workspace:
    """A copy of the project in a folder of its own."""

    def __init__(self, path):
        self.path = path
        hidden = ("MLFLOW_TRACKING_URI", "PYTHONPATH")  # the rules find the code of their checkout by themselves
        self.environment = {name: value for name, value in os.environ.items() if name not in hidden}

    def command(self, *arguments):
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    def run(self, *arguments, study="miniature", ok=True):
        done = subprocess.run(
            self.command(*arguments, "--config", f"study={study}"),
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, output
        return output

    def planned(self, study="miniature"):
        """Count the jobs that a dry run announces, by rule."""
        output = self.run("--dry-run", study=study)
        return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}

    def edit(self, path, old, new):
        text = (self.path / path).read_text()
        assert old in text
        (self.path / path).write_text(text.replace(old, new, 1))

    def records(self):
        return {path.parent.name: path.stat().st_mtime_ns for path in self.path.glob("results/store/??/*/record.json")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The miniature study, run once from nothing."""
    path = tmp_path_factory.mktemp("finished") / "project"
    copy_project(path)
    workspace = Workspace(path)
    workspace.output = workspace.run()
    return workspace


@pytest.fixture
def workspace(finished, tmp_path):
    path = tmp_path / "project"
    shutil.copytree(finished.path, path)
    return Workspace(path)


def test_the_study_ends_in_everything_it_promises(finished):
    results = finished.path / "results/miniature"
    tables = ("runs.parquet", "curves.parquet", "diagnostics.parquet", "examples.npy", "contrasts.csv")
    for name in ("report.html", "mlflow.json", *tables):
        assert (results / name).stat().st_size
    for ending in ("csv", "md", "tex"):
        assert (results / f"tables/comparison.{ending}").stat().st_size
    for figure in ("blocks", "curves", "runs", "effects", "series"):
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
    assert json.loads((results / "mlflow.json").read_text())["runs"] == 10
    assert "100%" in finished.output
    assert "Report: results/miniature/report.html" in finished.output
    assert re.search(r"lenet +2 +\d", finished.output)
    assert re.search(r"seed 0 \(1 of 2\)  epoch 1/4  loss \d\.\d+  validation accuracy", finished.output)


def test_a_changed_folder_of_images_is_prepared_anew(workspace):
    for label in ("cat", "dog"):
        (workspace.path / "pictures" / label).mkdir(parents=True)
        for place in range(5):
            image = Image.new("L", (8, 8), place)
            image.save(workspace.path / f"pictures/{label}/{place}.png")
    study = (workspace.path / STUDY).read_text().replace("{name: digits}", "{name: folder, folder: pictures}")
    (workspace.path / "pictures.yaml").write_text(study)
    workspace.run("--until", "prepare_data", study="pictures.yaml")
    assert "prepare_data" not in workspace.planned("pictures.yaml")
    (workspace.path / "pictures/cat/0.png").touch()
    assert workspace.planned("pictures.yaml")["prepare_data"] == 1


def test_relu_beats_sigmoid(finished):
    claims = pd.read_csv(finished.path / "results/miniature/claims.csv")
    assert claims["observed"].tolist() == ["as claimed"]


def test_a_second_start_does_nothing(finished):
    assert "Nothing to be done" in finished.run()


def test_lint_and_graph(finished):
    assert "Congratulations" in finished.run("--lint")
    assert "digraph" in finished.run("--rulegraph")


def test_snakemakes_own_report(finished):
    finished.run("--report", "report.html")
    assert "10 runs of 5 variants, 2 seeds each" in (finished.path / "report.html").read_text()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("src/ablation/training.py", "EVALUATION_BATCH = 1024", "EVALUATION_BATCH = 1024  # a comment"),
        ("src/ablation/layers.py", '"""The kit of', '"""The whole kit of'),
        ("src/ablation/architectures/vgg.py", "multiple * width", "width * multiple"),
        ("src/ablation/store.py", 'CURVES, STATE = "curves.jsonl"', 'CURVES, STATE = "curve.jsonl"'),
    ],
    ids=["comment", "docstring", "another family", "the store"],
)
def test_edits_that_cannot_change_a_result_retrain_nothing(workspace, path, old, new):
    workspace.edit(path, old, new)
    assert "train_shard" not in workspace.planned()


def test_editing_an_architecture_lists_its_layers_again(workspace):
    workspace.edit("src/ablation/architectures/lenet.py", "KERNEL = 5", "KERNEL = 3")
    planned = workspace.planned()
    assert (planned["list_layers"], planned["plan_study"]) == (1, 1)


def test_editing_a_figure_draws_it_again_and_retrains_nothing(workspace):
    workspace.edit("src/ablation/figures.py", "WIDTH = 7.5", "WIDTH = 7.0")
    planned = workspace.planned()
    assert "train_shard" not in planned
    assert planned["draw_figures"] == 1


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("src/ablation/training.py", "loss.backward()", "(2 * loss).backward()"),
        ("src/ablation/architectures/lenet.py", "KERNEL = 5", "KERNEL = 3"),
        ("src/ablation/norms.py", "nn.GroupNorm(1, channels", "nn.GroupNorm(2, channels"),
    ],
    ids=["the loop", "the architecture", "a layer"],
)
def test_editing_what_trains_retrains_what_uses_it(workspace, path, old, new):
    workspace.edit(path, old, new)
    assert workspace.planned()["train_shard"] == 5


def test_two_more_seeds_train_two_runs_a_variant(workspace):
    before = workspace.records()
    workspace.edit(STUDY, "seeds: 2", "seeds: 4")
    workspace.run(*COLLECT)
    after = workspace.records()
    assert len(before) == 10
    assert len(after) == 20
    assert {key: after[key] for key in before} == before
    assert len(pd.read_parquet(workspace.path / RUNS)) == 20


def test_another_level_trains_its_variant_alone(workspace):
    workspace.edit(STUDY, "[3, 12]", "[3, 12, 9]")
    assert workspace.planned()["train_shard"] == 1


def test_the_size_of_shards_changes_no_record(workspace):
    before = workspace.records()
    workspace.edit("profiles/default/machine.yaml", "shard_size: 5", "shard_size: 1")
    workspace.run(*COLLECT)
    assert workspace.records() == before


def test_a_second_study_trains_nothing_that_it_shares(workspace):
    before = workspace.records()
    shutil.copy(workspace.path / STUDY, workspace.path / "config/studies/other.yaml")
    workspace.run(*COLLECT, study="other")
    assert workspace.records() == before


def delete(folder):
    shutil.rmtree(folder)


def damage(folder):
    (folder / "weights.safetensors").write_bytes(b"nothing")


def tear(folder):
    (folder / "record.json").write_text("{")


@pytest.mark.parametrize("harm", [delete, damage, tear])
def test_a_lost_record_is_trained_again_alone_and_comes_out_the_same(workspace, harm):
    before = pd.read_parquet(workspace.path / RUNS).drop(
        columns=["train_seconds", "training_seconds", "evaluate_seconds", "images_per_second"]
    )
    times = workspace.records()
    key = before["key"][3]
    harm(workspace.path / "results/store" / key[:2] / key)
    output = workspace.run(*COLLECT)
    assert key in output
    assert len(re.findall("(completed|stuck) after", output)) == 1
    after = workspace.records()
    assert {k for k in times if times[k] != after[k]} == {key}
    again = pd.read_parquet(workspace.path / RUNS)[before.columns]
    pd.testing.assert_frame_equal(again, before)
    assert "train_shard" not in workspace.planned()


def test_a_killed_start_goes_on_where_it_was(workspace):
    workspace.edit(STUDY, "epochs: 4", "epochs: 20")
    process = subprocess.Popen(
        workspace.command(*COLLECT, "--config", "study=miniature"),
        cwd=workspace.path,
        env=workspace.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(workspace.records()) < 12 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = workspace.records()
    assert 12 <= len(finished) < 20
    workspace.run(*COLLECT)
    after = workspace.records()
    assert len(after) == 20
    assert {key: after[key] for key in finished} == finished


def followers(folder):
    """List the processes of the package that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"ablation.commands" in (process / "cmdline").read_bytes() and (process / "cwd").readlink() == folder:
                found.append(process.name)
        except OSError:
            continue
    return found


def heed_interrupts():
    """Undo what a shell does to whatever it starts in the background: it lets it ignore interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_interrupt_leaves_no_process_and_no_run_that_seems_to_train(workspace):
    workspace.edit(STUDY, "epochs: 4", "epochs: 60")
    log = workspace.path / "output.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            workspace.command("--config", "study=miniature"),
            cwd=workspace.path,
            env=workspace.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )
        query = (
            "SELECT COUNT(*) FROM runs r JOIN tags t USING (run_uuid) "
            "WHERE t.key = 'level' AND t.value = 'run' AND r.status = 'RUNNING'"
        )
        deadline = time.monotonic() + 90

        def training():
            with sqlite3.connect(workspace.path / "results/mlflow.db") as database:
                return database.execute(query).fetchone()[0]

        while not training() and time.monotonic() < deadline:
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() != 0
    while followers(workspace.path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert followers(workspace.path) == []
    assert training() == 0
    assert "watch.py" not in log.read_text()


def test_a_diverging_run_is_counted_and_stops_nothing(workspace):
    text = yaml.safe_load((workspace.path / STUDY).read_text())
    text["grid"] = [{"factors": {"lr": [100000.0]}}]
    text["claims"] = {}
    (workspace.path / "config/studies/wild.yaml").write_text(yaml.safe_dump(text))
    workspace.run("--until", "write_tables", study="wild")
    assert "2 diverged" in (workspace.path / "results/wild/tables/summary.txt").read_text()


def test_a_job_that_fails_shows_its_log_and_leaves_the_rest_running(workspace):
    runs = pd.read_parquet(workspace.path / RUNS)
    key = runs.loc[runs["variant"] == "lenet-norm.batch", "key"].iloc[0]
    shutil.rmtree(workspace.path / "results/store")
    blocked = workspace.path / "results/store/.running" / key
    blocked.parent.mkdir(parents=True)
    blocked.write_text("no folder")
    output = workspace.run(*COLLECT, ok=False)
    assert "FileExistsError" in output
    assert len(workspace.records()) == 8
    blocked.unlink()
    workspace.run(*COLLECT)
    assert len(workspace.records()) == 10


def test_a_mirror_that_cannot_be_reached_catches_up_later(workspace):
    receipt = workspace.path / "results/miniature/mlflow.json"
    receipt.unlink()
    workspace.environment |= {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    output = workspace.run(ok=False)
    assert "Start again to catch up with the mirror alone" in output
    assert "Report: results/miniature/report.html" in output, "the study itself is done"
    assert not receipt.exists()
    del workspace.environment["MLFLOW_TRACKING_URI"]
    assert workspace.planned() == {"all": 1, "mirror_records": 1, "total": 2}
    workspace.run()
    assert receipt.exists()


def test_a_deleted_mirror_is_made_anew(workspace):
    (workspace.path / "results/mlflow.db").unlink()
    assert workspace.planned() == {"all": 1, "mirror_records": 1, "total": 2}
    workspace.run()
    assert (workspace.path / "results/mlflow.db").exists()


def test_runs_that_all_diverge_at_once_still_end_in_a_report(workspace):
    text = yaml.safe_load((workspace.path / STUDY).read_text())
    text |= {"grid": [], "claims": {}, "recipe": {**text["recipe"], "lr": 1.0e12, "epochs": 1}}
    text["architectures"] = {"lenet": {"baseline": {"activation": "none"}}}
    (workspace.path / "config/studies/lost.yaml").write_text(yaml.safe_dump(text))
    workspace.run("results/lost/report.html", study="lost")
    page = (workspace.path / "results/lost/report.html").read_text()
    assert "2 diverged, 0 stuck" in page


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


def test_warm_starts_and_controls_of_equal_size_go_the_whole_way(workspace):
    (workspace.path / "config/studies/chain.yaml").write_text(CHAIN)
    workspace.run(study="chain")
    results = workspace.path / "results/chain"
    runs = pd.read_parquet(results / "runs.parquet")
    assert "vgg11-width.parameters_of_depth.16" in set(runs["variant"]), "a control joined the study"
    claims = pd.read_csv(results / "claims.csv").set_index("claim")
    assert claims.loc["fewer", "observed"] == "as claimed"
    assert "(equal parameters, × " in (results / "report.html").read_text()
    assert runs["shifted_accuracy"].between(0, 1).all()
    first = pd.read_parquet(results / "curves.parquet").groupby("variant")["train_loss"].first()
    assert first["vgg13-warm_start.vgg11"] < first["vgg13"], "it starts from what the other has learnt"
    assert "train_shard" not in workspace.planned("chain")


@pytest.mark.parametrize("study", ["nothing", "../digits", "broken"])
def test_a_bad_study_is_refused_before_anything_is_made(workspace, study):
    shutil.rmtree(workspace.path / "results")
    (workspace.path / "config/studies/broken.yaml").write_text("title: [")
    output = workspace.run(study=study, ok=False)
    assert "study: " in output or "broken.yaml, line" in output
    assert "Traceback" not in output
    assert not (workspace.path / "results").exists()


def test_an_unknown_key_of_the_config_is_refused(workspace):
    with (workspace.path / "config/config.yaml").open("a") as file:
        file.write("epochs: 3\n")
    assert "epochs" in workspace.run(ok=False)
