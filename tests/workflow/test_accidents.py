"""What goes wrong on the way, and what becomes of it."""

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from workspace import COLLECT, RUNS, STUDY


def delete(folder):
    shutil.rmtree(folder)


def damage(folder):
    (folder / "weights.safetensors").write_bytes(b"nothing")


def tear(folder):
    (folder / "record.json").write_text("{")


def test_lost_records_are_trained_again_alone_and_come_out_the_same(workspace):
    before = pd.read_parquet(workspace.path / RUNS).drop(
        columns=["train_seconds", "training_seconds", "evaluate_seconds", "images_per_second"]
    )
    times = workspace.records()
    harmed = dict(zip(before["key"][[1, 4, 7]], (delete, damage, tear), strict=True))
    for key, harm in harmed.items():
        harm(workspace.path / "results/store" / key[:2] / key)
    output = workspace.run(*COLLECT)
    assert all(key in output for key in harmed)
    assert len(re.findall("(completed|stuck) after", output)) == 3
    after = workspace.records()
    assert {key for key in times if times[key] != after[key]} == set(harmed)
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
            if b"-m\0ablation\0" in (process / "cmdline").read_bytes() and (process / "cwd").readlink() == folder:
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
    assert "train_shard" not in workspace.planned()


@pytest.mark.ways
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


@pytest.mark.ways
def test_times_of_files_that_a_jumping_clock_left_train_nothing_again(workspace):
    draws, now, records = random.Random(0), time.time(), workspace.records()
    claims = (workspace.path / "results/miniature/claims.csv").read_bytes()
    for path in sorted((workspace.path / "results/miniature").rglob("*.*")):
        os.utime(path, times=(now, now + draws.uniform(-86_400, 86_400)))
    output = workspace.run()
    assert not re.search("(completed|stuck) after", output)
    assert workspace.records() == records
    assert (workspace.path / "results/miniature/claims.csv").read_bytes() == claims
    assert workspace.planned().get("train_shard", 0) == 0


@pytest.mark.ways
def test_a_deleted_mirror_is_made_anew(workspace):
    (workspace.path / "results/mlflow.db").unlink()
    assert workspace.planned() == {"all": 1, "mirror_records": 1, "total": 2}
    workspace.run()
    assert (workspace.path / "results/mlflow.db").exists()
