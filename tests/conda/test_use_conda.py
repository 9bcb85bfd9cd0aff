"""`snakemake --use-conda`, run from an environment that has Snakemake and nothing else."""

import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from oneslurm import lacking
from snakemake import __version__ as snakemake_version
from workspace import copy_project

pytestmark = pytest.mark.conda
HIDDEN = ("CONDA_", "MAMBA_", "PYTHON", "VIRTUAL_ENV", "MLFLOW_", "ABLATION_")


@pytest.fixture(scope="session")
def environment(plain, tmp_path_factory):
    """The variables of a shell in which the plain environment is active."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
    kept["PATH"] = f"{plain}:{os.environ['PATH']}"
    return kept | {"HOME": str(tmp_path_factory.mktemp("home")), "PIP_FIND_LINKS": ""}


def snakemake(folder, environment, *arguments, study="miniature", ok=True):
    command = ["snakemake", "--cores", "2", *arguments, "--config", f"study={study}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("study", ["miniature", "growth_rate_full", "d2l_lenet"])
def test_a_study_is_planned_where_there_is_only_snakemake(plain, environment, tmp_path, study):
    copy_project(tmp_path)
    assert "train_shard" in snakemake(tmp_path, environment, "--dry-run", study=study)
    missing = subprocess.run([plain / "python", "-c", "import numpy"], capture_output=True, text=True)
    assert "ModuleNotFoundError" in missing.stderr


@pytest.fixture(scope="module")
def finished(environment, conda, tmp_path_factory):
    """The miniature study in a checkout, run by --use-conda."""
    folder = tmp_path_factory.mktemp("checkout")
    copy_project(folder)
    prefix = str(tmp_path_factory.mktemp("prefix"))
    options = ("--use-conda", "--conda-prefix", prefix)
    output = snakemake(folder, environment | conda, *options)
    return folder, options, output


def test_the_study_runs_in_the_environment_of_the_rules(finished, environment, conda):
    folder, options, output = finished
    assert "Report: results/miniature/report.html" in output
    assert json.loads((folder / "results/miniature/mlflow.json").read_text())["runs"] == 10
    (prefix,) = (path for path in Path(options[-1]).iterdir() if path.is_dir())
    python = prefix / "bin/python"
    code = "import torch, torchvision, mlflow, os; print(torch.__version__, os.environ.get('PYTHONNOUSERSITE'))"
    activated = f'. "{prefix}/etc/conda/activate.d/variables.sh"; "{python}" -c "{code}"'
    if not shutil.which("conda"):  # conda itself keeps them elsewhere
        done = subprocess.run(["sh", "-c", activated], capture_output=True, text=True, check=True)
        torch = re.search("torch===(.*)", (folder / "environment.yml").read_text())[1]
        assert re.fullmatch(rf"{re.escape(torch)}(\+cu\d+)? 1\n", done.stdout)
    assert not subprocess.run([python, "-m", "pip", "check"], capture_output=True).returncode
    assert "Nothing to be done" in snakemake(folder, environment | conda, *options)


LONG = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 20000, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {activation: relu}}}
seeds: 1
smallest_effect: 0.01
"""


def test_runs_show_in_mlflow_while_they_train(finished, environment, conda):
    folder, options, _ = finished
    (folder / "long.yaml").write_text(LONG)
    command = ["snakemake", "--cores", "2", *options, "--config", "study=long.yaml"]
    with open(folder / "long.log", "w") as output:
        how = {"stdout": output, "stderr": output, "start_new_session": True}
        start = subprocess.Popen(command, cwd=folder, env=environment | conda, **how)
    try:
        end = time.monotonic() + 300
        while not points(folder / "results/mlflow.db", "long"):
            assert start.poll() is None, (folder / "long.log").read_text()
            assert time.monotonic() < end, (folder / "results/long/logs/mirror_follow.log").read_text()
            time.sleep(1)
    finally:
        os.killpg(start.pid, signal.SIGTERM)  # SIGINT is ignored by what a shell starts in the background
        start.wait(60)


def points(path, experiment):
    """Count the points of an experiment's curves in MLflow's database."""
    query = (
        "SELECT count(*) FROM metrics JOIN runs USING (run_uuid)"
        " JOIN experiments USING (experiment_id) WHERE experiments.name = ?"
    )
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query, [experiment]).fetchone()[0]


def test_a_second_checkout_with_the_same_prefix_trains_its_own_code(finished, environment, conda, tmp_path):
    copy_project(tmp_path)
    lines = tmp_path / "src/ablation/jobs/progress.py"
    own = lines.read_text().replace(' left"', ' left in the second checkout"')
    assert own != lines.read_text()
    lines.write_text(own)
    _, options, _ = finished
    target = "results/miniature/shards/lenet/0.json"
    snakemake(tmp_path, environment | conda, *options, target)
    log = tmp_path / "results/miniature/logs/train_shard/lenet/0.log"
    assert "the second checkout" in log.read_text()


def test_the_workflow_can_be_put_in_a_container_and_in_an_archive(finished, environment, conda):
    folder, options, _ = finished
    dockerfile = snakemake(folder, environment | conda, "--containerize")
    assert re.search(r"^COPY environment\.yml", dockerfile, re.MULTILINE)
    assert re.search(r"^RUN conda env create", dockerfile, re.MULTILINE)
    git = ["git", "-C", folder, "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "a checkout"]):
        subprocess.run([*git, *words], check=True)
    # The stand-in cannot export packages, which comes after the code.
    output = snakemake(
        folder, environment | conda, *options, "--archive", "archive.tar.gz", ok="LOCAL_CHANNELS" not in conda
    )
    archived = {"Snakefile", "environment.yml", "src/ablation/training/run.py", "workflow/rules/train.smk"}
    assert archived <= set(re.findall("^archived (.*)$", output, re.MULTILINE))


@pytest.mark.skipif(bool(lacking()), reason=f"no cluster to test with; missing: {lacking()}")
def test_jobs_of_a_cluster_run_in_the_environment_too(finished, environment, conda, plain, slurm, tmp_path):
    copy_project(tmp_path)
    plugin = ["-m", "venv", "--system-site-packages", tmp_path / "env"]
    subprocess.run([plain / "python", *plugin], check=True)
    version = importlib.metadata.version("snakemake-executor-plugin-slurm")
    packages = [f"snakemake=={snakemake_version}", f"snakemake-executor-plugin-slurm=={version}"]
    subprocess.run([tmp_path / "env/bin/python", "-m", "pip", "install", "--quiet", *packages], check=True)
    path = f"{tmp_path / 'env/bin'}:{slurm.folder}/bin:{(environment | conda)['PATH']}:/usr/sbin"
    variables = environment | conda | {"PATH": path, "SLURM_CONF": slurm.environment["SLURM_CONF"]}
    _, options, _ = finished
    target = "results/miniature/shards/lenet/0.json"
    profile = (
        "--workflow-profile",
        "profiles/slurm-cpu",
        "--default-resources",
        "slurm_partition=main",
        *options,
        target,
    )
    snakemake(tmp_path, variables, *profile)
    record = next((tmp_path / "results/store").glob("??/*/record.json"))
    assert json.loads(record.read_text())["status"] == "completed"
    assert "rule_train_shard" in " ".join(comment for *_, comment in slurm.jobs())


def test_an_environment_that_cannot_be_solved_is_an_error(environment, conda, tmp_path):
    copy_project(tmp_path)
    file = tmp_path / "environment.yml"
    file.write_text(file.read_text().replace("python=3.11", "python=2.11"))
    output = snakemake(tmp_path, environment | conda, "--use-conda", ok=False)
    assert "CreateCondaEnvironmentException" in output
    assert not (tmp_path / "results/store").exists()
