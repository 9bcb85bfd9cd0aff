"""What was lost is seen without a change, made again by one start, and left alone by the next."""

import os
import shutil

import pandas as pd
import pytest
from workspace import COLLECT, RUNS, Workspace, copy_project

from ablation.data import datasets
from ablation.support.locks import hold

# Files whose bytes are the same however often they are made from the same records.
STABLE = (
    *(
        "runs.parquet",
        "curves.parquet",
        "diagnostics.parquet",
        "examples.npy",
        "contrasts.csv",
        "claims.csv",
        "verdicts.json",
        "data.json",
    ),
    *(
        "tables/comparison.csv",
        "tables/comparison.md",
        "tables/comparison.tex",
        "tables/claims.md",
        "tables/claims.tex",
        "tables/summary.txt",
        "figures/effects.svg",
    ),
    *("plan/variants.csv", "plan/layers.csv", "plan/layers/lenet.md", "plan/miniature.json", "shards/lenet/0.json"),
    *("specs/lenet/0.json", "specs/lenet-width.3/0.json"),
)


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
        assert workspace.refused().splitlines()[-1].startswith("the study miniature is held by")
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
    assert "Nothing to be done" in workspace.run()


def delete(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def garble(path):
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def test_damaged_data_are_prepared_anew_by_the_next_start(tmp_path):
    """Which damage is seen is tested in tests/data/test_manifests.py; here, that a start mends it."""
    workspace, until = Workspace(tmp_path / "project"), ("--until", "prepare_data")
    copy_project(workspace.path)
    workspace.run(*until)
    (folder,) = (workspace.path / "results/data").iterdir()
    before = datasets.read(folder)[1]
    truncate(folder / "train_images.npy")
    workspace.run(*until)
    assert datasets.read(folder)[1] == before
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


def test_a_start_names_and_writes_again_every_file_that_was_deleted_or_damaged_and_trains_nothing(workspace):
    results, times = workspace.path / "results/miniature", workspace.records()
    before = {name: (results / name).read_bytes() for name in STABLE}
    harmed = {
        "runs.parquet": truncate,
        "curves.parquet": garble,
        "examples.npy": delete,
        "diagnostics.parquet": empty,
        "contrasts.csv": delete,
        "claims.csv": truncate,
        "tables/comparison.md": delete,
        "tables/comparison.tex": garble,
        "figures/curves.png": delete,
        "figures/effects.svg": truncate,
        "report.html": garble,
        "plan/variants.csv": truncate,
        "plan/layers/lenet.md": delete,
        "data.json": empty,
        "mlflow.json": garble,
        "shards/lenet/0.json": truncate,
    }
    for name, harm in harmed.items():
        harm(results / name)
    garble(results / "specs/lenet/0.json")
    delete(results / "specs/lenet-width.3/0.json")
    truncate(results / "plan/miniature.json")
    delete(results / "seals/write_tables.json")
    garble(results / "seals/draw_figures.json")
    (results / "start/study.json").write_text("{")
    (results / "start/outline.json").write_text("{")
    output = workspace.run()
    unsealed = {"tables/comparison.md", "tables/comparison.tex", "figures/curves.png", "figures/effects.svg"}
    for name in {*harmed, "seals/draw_figures.json"} - unsealed:
        assert f"results/miniature/{name}: missing or damaged; it will be written again" in output
    assert "results/miniature/plan/miniature.json and 1 file like it: not what the study asks now" in output
    assert {name: (results / name).read_bytes() for name in STABLE} == before
    assert (results / "figures/curves.png").read_bytes().startswith(b"\x89PNG")
    assert workspace.records() == times, "no training"
    assert "Nothing to be done" in workspace.run()


def test_only_what_follows_from_a_lost_file_is_made_again(workspace):
    results = workspace.path / "results/miniature"
    (results / "report.html").unlink()
    publishing = {"write_report": 1, "mirror_records": 1, "all": 1}
    assert workspace.planned() == {**publishing, "total": 3}
    shutil.rmtree(workspace.path / ".snakemake/metadata")
    assert workspace.planned(options=("--rerun-triggers", "mtime")) == {**publishing, "total": 3}
    (results / "plan/layers/lenet.md").unlink()
    assert workspace.planned() == {"list_layers": 1, "draw_figures": 1, **publishing, "total": 5}


def test_a_folder_in_the_place_of_a_file_is_refused_with_a_sentence(workspace):
    path = workspace.path / "results/miniature/runs.parquet"
    path.unlink()
    path.mkdir()
    expected = "results/miniature/runs.parquet: found a folder, expected the file that the study makes; move it away"
    assert workspace.refused() == expected
