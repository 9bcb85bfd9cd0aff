"""The list of studies, and of the variants of one."""

import json

import pandas as pd
import pytest

from ablation.cli import entry
from ablation.jobs.shards import planned_runs
from ablation.records.environment import processor
from ablation.records.store import FORMAT, RECORD, Store
from ablation.study.studyfile import read_study
from ablation.support.digests import digest

STUDY = """\
title: {title}
question: q
data: {{name: digits}}
recipe: {{epochs: 8, batch_size: 64, lr: 0.1}}
architectures: {{lenet: {{baseline: {{}}}}}}
grid: [{{factors: {{activation: [tanh]}}}}]
seeds: 2
smallest_effect: 0.01
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Three studies, of which one cannot run and one has two records, and the tables that were collected of it."""
    monkeypatch.chdir(tmp_path)
    studies = tmp_path / "config/studies"
    studies.mkdir(parents=True)
    (studies / "small.yaml").write_text(STUDY.format(title="Small"))
    (studies / "long.yaml").write_text(STUDY.format(title="A title of many words " * 10))
    (studies / "broken.yaml").write_text("title: [")
    plan = read_study(studies / "small.yaml")
    manifest = {"digest": "d" * 32, "counts": {"train": 1000}}
    folder = tmp_path / "results/data" / plan.data_folder
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    store, runs = Store(tmp_path / "results/store"), planned_runs(plan, manifest["digest"])
    for run, status in zip(runs, ("completed", "diverged"), strict=False):
        environment = {"device": "cpu", "processor": processor()}
        store.write(run.key, {"status": status, "environment": environment}, {})
    (tmp_path / "results/small").mkdir()
    table = pd.DataFrame({"key": [run.key for run in runs], "test_accuracy": [0.9, None, 0.5, 0.6]})
    table.to_parquet(tmp_path / "results/small/runs.parquet")
    return tmp_path


def printed(capsys, *words):
    entry.run(["list", *words])
    return capsys.readouterr().out


def test_studies_are_listed_with_their_runs_and_what_is_wrong_with_one(checkout, capsys):
    lines = printed(capsys).splitlines()
    assert [line.split()[:3] for line in lines[2:]] == [
        ["broken", "-", "-"],
        ["long", "4", "2"],
        ["small", "4", "2"],
    ], "runs that two studies want are the same runs"
    assert max(map(len, lines)) <= 100
    assert json.loads(printed(capsys, "--json"))[2] == {"study": "small", "runs": 4, "exist": 2, "title": "Small"}


def test_variants_are_listed_with_what_is_there_of_each(checkout, capsys):
    _, _, first, second, _, *total = printed(capsys, "small").splitlines()
    assert first.split() == ["lenet", "2", "2", "(1", "diverged)", "-", "90.00"]
    assert second.split() == ["lenet-activation.tanh", "2", "0", "2", "to", "train", "-"], (
        "no accuracy without a record"
    )
    assert total[0] == "small: 2 variants x 2 seeds = 4 runs, 2 exist, 2 to train"
    assert total[1].startswith("16 epochs of 1,000 images")


def test_programs_read_each_run(checkout, capsys):
    runs = json.loads(printed(capsys, "config/studies/small.yaml", "--json"))
    assert [(run["seed"], run["state"]) for run in runs][:2] == [(0, "completed"), (1, "diverged")]
    assert runs[0]["test_accuracy"] == 0.9
    assert runs[1]["test_accuracy"] is None


@pytest.mark.parametrize("content", [None, b"", b"no table"])
def test_tables_that_are_missing_or_damaged_are_done_without(checkout, capsys, content):
    path = checkout / "results/small/runs.parquet"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert "90.00" not in printed(capsys, "small")


def test_a_study_that_is_none_is_refused_in_a_sentence(checkout):
    with pytest.raises(SystemExit) as error:
        entry.run(["list", "nothing"])
    assert "study: no such file config/studies/nothing.yaml" in str(error.value)


def test_a_record_of_a_newer_version_is_refused_in_a_sentence(checkout, capsys):
    path = sorted((checkout / "results/store").glob(f"??/*/{RECORD}"))[0]
    content = {"key": path.parent.name, "format": FORMAT + 1}
    path.write_text(json.dumps({**content, "seal": digest(content)}))
    with pytest.raises(SystemExit, match=f"found format {FORMAT + 1}, expected {FORMAT} or less: a newer version"):
        printed(capsys, "small")
