"""The workflow on a real Slurm; the GPUs of its node are stand-ins."""

import json
import shutil

import pandas as pd
import pytest
import torch

from ablation.data import datasets
from ablation.records.store import Store
from ablation.study.studyfile import read_study
from ablation.training import evaluation
from ablation.training import run as training


def test_the_miniature_study_runs_through_the_profile(workspace):
    before = len(workspace.slurm.jobs())
    output = workspace.start().end()
    results = workspace.path / "results/miniature"
    assert len(pd.read_parquet(results / "runs.parquet")) == 10
    assert json.loads((results / "mlflow.json").read_text())["runs"] == 10
    assert (results / "report.html").stat().st_size
    assert "Report: results/miniature/report.html" in output
    jobs = workspace.slurm.jobs()[before:]
    assert {state for _, state, *_ in jobs} == {"COMPLETED"}
    assert [comment.split("_wildcards_")[0] for *_, comment in jobs] == ["rule_train_shard"] * 5
    assert "Nothing to be done" in workspace.start().end()
    lost = next(workspace.path.glob("results/store/??/*"))
    shutil.rmtree(lost)
    before = len(workspace.slurm.jobs())
    assert f"missing or damaged: {lost.name}" in workspace.start().end()
    assert (lost / "record.json").exists()
    assert len(workspace.slurm.jobs()) == before + 1
    assert "Nothing to be done" in workspace.start().end(), "what the job wrote is as it was sealed"


@pytest.mark.parametrize(
    ("options", "default", "asked"),
    [
        ((), ["gpu_model=standin"], "1"),
        (("--set-resources", "train_shard:gpu=0", "train_shard:gres=gpu:standin:1"), [], "0"),
    ],
    ids=["gpu", "gres"],
)
def test_jobs_that_run_at_once_see_a_gpu_each(workspace, gpu_jobs, options, default, asked):
    study = workspace.study("gpus", 30, "[{factors: {width: [3, 12]}}]")
    workspace.start(*options, default=default, study=study, profile="slurm").end()
    jobs = list(gpu_jobs().values())
    assert len(jobs) == 3
    assert {devices for devices, *_ in jobs} == {"0", "1"}
    assert {each for _, each, *_ in jobs} == {asked}
    overlaps = [
        (one[0], other[0])
        for n, one in enumerate(jobs)
        for other in jobs[n + 1 :]
        if one[2] < other[3] and other[2] < one[3]
    ]
    assert overlaps
    assert all(one != other for one, other in overlaps)


def test_a_job_without_the_gpu_that_it_was_given_says_what_it_saw(workspace):
    study = workspace.study("nothing", 1)
    output = workspace.start("--retries", "0", "--until", "train_shard", study=study, profile="slurm").end(ok=False)
    assert "the job was given a GPU (resource gpu), but torch finds none" in output
    assert "CUDA_VISIBLE_DEVICES is '0'" in output


def test_a_training_goes_on_after_scancel_and_at_the_end_of_its_time(workspace):
    slurm, study = workspace.slurm, workspace.study("long", 1200)  # a minute: Slurm looks at the time only twice in it
    start = workspace.start("--until", "train_shard", "--set-resources", "train_shard:runtime=60", study=study)
    start.until(lambda: workspace.curves() > 20)
    first = slurm.last_job("train_shard")
    slurm.ask("scancel", str(first))
    start.until(lambda: "stopped by SIGTERM; the next start goes on after epoch" in workspace.training_log())
    saved = workspace.curves()
    second = start.until(lambda: slurm.last_job("train_shard"))
    start.until(lambda: workspace.curves() > saved + 20)
    # The warning comes 120 seconds before the end: now.
    slurm.ask("scontrol", "update", f"JobId={second}", "EndTime=now+100")
    start.until(lambda: slurm.last_job("train_shard") not in (None, second))
    assert slurm.last_job("train_shard", "FAILED") == second, "it left by itself, before its time was over"
    start.end()
    assert "goes on after epoch" in workspace.training_log()
    memory = [memory for _, _, memory, comment in slurm.jobs() if "train_shard" in comment][-3:]
    assert memory == ["2000M", "4000M", "8000M"]
    assert same_as_in_one_go(workspace, study)


def same_as_in_one_go(workspace, study):
    """Train the only run of a study here, without interruption, and compare it with the record."""
    shard = json.loads(next(workspace.path.glob("results/*/shards/lenet/0.json")).read_text())
    record = Store(workspace.path / "results/store").read(shard["runs"][0]["key"])
    plan = read_study(workspace.path / study)
    arrays, manifest = datasets.read(next(workspace.path.glob("results/data/digits-*")))
    torch.set_num_threads(1)
    training.be_deterministic()
    parts = evaluation.put_on_device(arrays, manifest, torch.device("cpu"))
    whole = training.train(plan.spec("lenet", 0), parts, 10)
    exact = ("epoch", "train_loss", "objective", "validation_loss", "train_accuracy", "validation_accuracy", "lr")
    return all(
        [row[name] for name in exact] == [recorded[name] for name in exact]
        for row, recorded in zip(whole.curves, record["curves"], strict=True)
    )


def test_a_job_is_queued_again_when_its_node_dies(workspace):
    # long enough that on a fast machine, too, the training is not over when its state is there (after 20 s)
    slurm, study = workspace.slurm, workspace.study("node", 1000)
    start = workspace.start("--until", "train_shard", study=study)
    start.until(lambda: list(workspace.path.glob("results/store/.running/*/state.pt")))
    job = slurm.last_job("train_shard")
    try:
        slurm.control("kill-node")
        start.until(lambda: slurm.last_job("train_shard", "PENDING"))
    finally:
        slurm.control("revive-node")
    start.until(lambda: slurm.last_job("train_shard") == job)
    start.end()
    assert "goes on after epoch" in workspace.training_log()
    assert slurm.last_job("train_shard", "COMPLETED") == job


@pytest.mark.parametrize(
    ("profile", "options", "partition", "expected"),
    [
        (
            "slurm-cpu",
            (),
            "man",
            "found the partition 'man', expected one of closed, main, no-gpu, short; did you mean 'main'?",
        ),
        ("slurm", (), "no-gpu", "asks for a GPU, and the partition no-gpu has none"),
        (
            "slurm",
            ("--set-resources", "train_shard:gpu_model=h200"),
            "main",
            "of the kind 'h200', and the partition main has standin",
        ),
        ("slurm", ("--set-resources", "train_shard:gres=gpu:1"), "main", "asks for GPUs twice: gpu=1 and gres=gpu:1"),
        ("slurm-cpu", (), "short", "the partition short allows 10 minutes, and longer jobs would wait for ever"),
        ("slurm-cpu", (), "closed", "the partition closed takes no jobs at present"),
        ("slurm-cpu", ("--profile",), "main", "start with --workflow-profile profiles/slurm"),
    ],
)
def test_a_wrong_choice_is_said_before_anything_is_submitted(workspace, profile, options, partition, expected):
    before = workspace.slurm.jobs()
    if options == ("--profile",):
        options, profile = ("--profile", "profiles/slurm-cpu"), "default"
    output = workspace.start(*options, profile=profile, partition=partition).end(ok=False, seconds=60)
    assert expected in output
    assert workspace.slurm.jobs() == before
