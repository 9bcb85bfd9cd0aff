"""The workflow used from other folders, by other workflows, and by several starts at once."""

import json
import re
import shutil
import subprocess
import time

import pandas as pd
import pytest
from workspace import COLLECT, STUDY

pytestmark = pytest.mark.ways

MODULE = """\
module study:
    snakefile:
        "{snakefile}"
    config:
        {{"study": "miniature"}}
    prefix:
        "inner"


use rule * from study as study_*


rule all:
    input:
        rules.study_all.input,
        "note.txt",
    default_target: True


rule note:
    input:
        rules.study_write_report.output.report,
    output:
        "note.txt",
    shell:
        "wc -c < {{input}} > {{output}}"
"""


@pytest.fixture
def elsewhere(workspace, tmp_path):
    """A folder that has the finished results and nothing else, and how to start the workspace's workflow in it."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.move(workspace.path / "results", folder / "results")
    shutil.move(workspace.path / ".snakemake", folder / ".snakemake")
    workspace.snakefile, workspace.checkout, workspace.path = workspace.path / "Snakefile", workspace.path, folder
    return workspace


@pytest.mark.parametrize("way", ["snakefile", "directory"])
def test_a_snakefile_elsewhere_finds_studies_profile_and_results(elsewhere, way):
    options = ["--snakefile", str(elsewhere.snakefile)]
    folder = elsewhere.path
    if way == "directory":
        elsewhere.path = folder.parent
        options += ["--directory", str(folder)]
    assert "Nothing to be done" in elsewhere.run(*options)
    assert "profiles/default" in elsewhere.run("--dry-run", *options)
    assert not (elsewhere.checkout / "results").exists()


def test_a_study_of_the_working_directory_comes_before_one_of_the_checkout(elsewhere):
    own = elsewhere.path / "config/studies/miniature.yaml"
    own.parent.mkdir(parents=True)
    own.write_text((elsewhere.checkout / STUDY).read_text().replace("[3, 12]", "[3, 12, 9]"))
    output = elsewhere.run("--dry-run", "--snakefile", str(elsewhere.snakefile))
    assert re.search(r"^train_shard +1$", output, re.MULTILINE)


def test_results_may_lie_on_another_disk(workspace, tmp_path):
    scratch = tmp_path / "scratch"
    shutil.rmtree(workspace.path / "results")
    workspace.run(results=scratch)
    assert json.loads((scratch / "miniature/mlflow.json").read_text())["runs"] == 10
    assert len(list(scratch.glob("store/??/*/record.json"))) == 10
    assert (scratch / "mlflow.db").exists()
    assert not (workspace.path / "results").exists()


def test_a_module_with_a_prefix_makes_everything_under_it_and_trains_lost_records_again(workspace, tmp_path):
    checkout, outer = workspace.path, tmp_path / "outer"
    outer.mkdir()
    (outer / "Snakefile").write_text(MODULE.format(snakefile=checkout / "Snakefile"))
    shutil.rmtree(checkout / "results")

    def snakemake(*arguments):
        command = [*workspace.command(), *arguments]
        done = subprocess.run(command, cwd=outer, env=workspace.environment, capture_output=True, text=True)
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr

    snakemake()
    results = outer / "inner/results"
    assert int((outer / "note.txt").read_text()) == (results / "miniature/report.html").stat().st_size
    assert len(list(results.glob("store/??/*/record.json"))) == 10
    assert not (outer / "results").exists()
    assert not (checkout / "results").exists()
    assert "Nothing to be done" in snakemake()
    snakemake("--report", "report.html")
    lost = next(results.glob("store/??/*"))
    shutil.rmtree(lost)
    (results / "mlflow.db").unlink()
    assert re.search(r"^study_train_shard +1$", snakemake("--dry-run"), re.MULTILINE)
    assert f"missing or damaged: {lost.name}" in snakemake()
    assert (lost / "record.json").exists()
    assert (results / "mlflow.db").exists()
    assert "Nothing to be done" in snakemake()


def start(workspace, study, log):
    return subprocess.Popen(
        workspace.command("--config", f"study={study}"),
        cwd=workspace.path,
        env=workspace.environment,
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )


def test_a_second_start_of_a_study_says_who_holds_it_and_another_study_runs_beside_it(workspace, tmp_path):
    shutil.rmtree(workspace.path / "results")
    text = (workspace.path / STUDY).read_text()
    (workspace.path / "config/studies/other.yaml").write_text(text.replace("seeds: 2", "seeds: 3"))
    studies = ("miniature", "other")
    starts = [start(workspace, study, tmp_path / f"{study}.log") for study in studies]
    lock = workspace.path / "results/miniature/start/lock"
    deadline = time.monotonic() + 60
    while not (lock.exists() and lock.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    holder = json.loads(lock.read_text())
    output = workspace.run(*COLLECT, ok=False)
    assert (
        f"the study miniature is held by process {starts[0].pid} of {holder['user']} on {holder['host']} since"
        in output
    )
    assert [process.wait() for process in starts] == [0, 0], "".join(
        (tmp_path / f"{study}.log").read_text() for study in studies
    )
    assert [len(pd.read_parquet(workspace.path / f"results/{study}/runs.parquet")) for study in studies] == [10, 15]
    assert len(workspace.records()) == 15, "what both want is trained once"
    assert lock.read_text() == ""


def test_summary_and_dry_run_make_nothing(workspace):
    shutil.rmtree(workspace.path / "results")
    assert "report.html" in workspace.run("--summary")
    workspace.run("--dry-run")
    assert not (workspace.path / "results").exists()
