"""What was lost is seen without a change, made again by one start, and left alone by the next."""

import json
import shutil

import pandas as pd
import pytest
from workspace import COLLECT, RUNS, Workspace, copy_project

from ablation.data import datasets, manifests
from ablation.support.locks import hold


@pytest.fixture
def lossy(workspace):
    """The finished study with a record damaged, another one missing, and without its data; and the keys of both."""
    damaged, missing = keys = pd.read_parquet(workspace.path / RUNS)["key"][[3, 8]]
    store = workspace.path / "results/store"
    (store / damaged[:2] / damaged / "weights.safetensors").write_bytes(b"nothing")
    shutil.rmtree(store / missing[:2] / missing)
    shutil.rmtree(workspace.path / "results/data")
    return workspace, set(keys)


def files_below(folder):
    """Return every path below a folder with its time, and the content of files."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in folder.rglob("*")
    }


@pytest.mark.parametrize(
    "options", [("--dry-run",), ("--lint",), ("--report", "own.html"), ("--summary",)], ids=" ".join
)
def test_looking_changes_no_file_of_the_results(lossy, options):
    workspace, _ = lossy
    (workspace.path / "results/miniature/shards/lenet/0.json").write_text("{")
    (workspace.path / "results/mlflow.db").unlink()
    before = files_below(workspace.path / "results")
    workspace.run(*options)
    assert files_below(workspace.path / "results") == before


def test_a_start_that_is_refused_changes_no_file_of_the_results(lossy):
    workspace, _ = lossy
    with hold(workspace.path / "results/miniature/start/lock", what="the study"):
        before = files_below(workspace.path / "results")
        assert "is held by" in workspace.run(ok=False)
        assert files_below(workspace.path / "results") == before


@pytest.mark.ways
def test_one_start_repairs_what_was_lost_and_nothing_else_and_the_next_does_nothing(lossy):
    workspace, lost = lossy
    results = workspace.path / "results"
    (results / "mlflow.db").unlink()
    times = workspace.records()
    output = workspace.run()
    assert all(output.count(f"missing or damaged: {key}") == 1 for key in lost)
    after = workspace.records()
    assert {key for key in after if after[key] != times.get(key)} == lost
    assert [path.name.split("-")[0] in lost for path in (results / "store/.damaged").iterdir()] == [True]
    receipts = [json.loads((results / f"miniature/{name}.json").read_text()) for name in ("data", "mlflow")]
    assert [receipt["generation"] for receipt in receipts] == [1, 1]
    shards = [json.loads(path.read_text())["generation"] for path in results.glob("miniature/shards/*/*.json")]
    assert sorted(shards) == [0, 0, 0, 1, 1]
    assert "Nothing to be done" in workspace.run()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-9])


def make_older(manifest):
    """Write it as a program did that knew no formats."""
    content = json.loads(manifest.read_text())
    for name in manifests.WRITTEN:
        del content[name]
    manifest.write_text(json.dumps({**content, "digest": "d" * 32}))


DAMAGES = {
    "manifest truncated": lambda folder: truncate(folder / "manifest.json"),
    "array truncated": lambda folder: truncate(folder / "train_images.npy"),
    "array missing": lambda folder: (folder / "test_labels.npy").unlink(),
    "older version": lambda folder: make_older(folder / "manifest.json"),
}


def test_damaged_data_are_prepared_anew_by_the_next_start(tmp_path):
    workspace, until = Workspace(tmp_path / "project"), ("--until", "prepare_data")
    copy_project(workspace.path)
    workspace.run(*until)
    (folder,) = (workspace.path / "results/data").iterdir()
    before = datasets.read(folder)[1]
    for name, damage in DAMAGES.items():
        damage(folder)
        workspace.run(*until)
        assert datasets.read(folder)[1] == before, name
    assert "prepare_data" not in workspace.planned()


@pytest.mark.ways
def test_a_training_says_that_data_are_damaged_and_the_next_start_prepares_them_anew(lossy):
    workspace, lost = lossy
    workspace.run("--until", "prepare_data")
    (folder,) = (workspace.path / "results/data").iterdir()
    before, path = datasets.read(folder)[1], folder / "train_images.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    output = workspace.run(*COLLECT, ok=False)
    assert "the prepared data cannot be used (the arrays are not what was written); start again to prepare" in output
    workspace.run(*COLLECT)
    assert datasets.read(folder)[1] == before
    assert lost <= set(workspace.records())


@pytest.mark.ways
def test_a_result_that_cannot_be_read_is_written_again(workspace):
    result = workspace.path / "results/miniature/shards/lenet/0.json"
    content, times = json.loads(result.read_text()), workspace.records()
    result.write_text("{")
    assert workspace.planned()["train_shard"] == 1
    workspace.run()
    assert json.loads(result.read_text())["runs"] == content["runs"]
    assert workspace.records() == times
    assert "Nothing to be done" in workspace.run()
