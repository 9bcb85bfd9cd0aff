"""What is made again, and what is not."""

import shutil

import pandas as pd
import pytest
from PIL import Image
from workspace import COLLECT, RUNS, STUDY


def test_a_second_start_does_nothing(finished):
    assert "Nothing to be done" in finished.run()


def test_a_changed_folder_of_images_is_prepared_anew(workspace):
    for shade, label in enumerate(("cat", "dog")):
        (workspace.path / "pictures" / label).mkdir(parents=True)
        for place in range(5):
            image = Image.new("L", (8, 8), 100 * shade + place)
            image.save(workspace.path / f"pictures/{label}/{place}.png")
    study = (workspace.path / STUDY).read_text().replace("{name: digits}", "{name: folder, folder: pictures}")
    (workspace.path / "pictures.yaml").write_text(study)
    workspace.run("--until", "prepare_data", study="pictures.yaml")
    assert "prepare_data" not in workspace.planned("pictures.yaml")
    (workspace.path / "pictures/cat/0.png").touch()
    assert workspace.planned("pictures.yaml")["prepare_data"] == 1


def test_edits_that_cannot_change_a_result_retrain_nothing(workspace):
    """What a key counts is tested in tests/records/test_keys.py; here, that the workflow goes by it."""
    for path, old, new in (
        ("networks/kit.py", '"""The kit of', '"""The whole kit of'),
        ("networks/families/vgg.py", "multiple * width", "width * multiple"),
        ("records/running.py", 'CURVES, STATE = "curves.jsonl"', 'CURVES, STATE = "curve.jsonl"'),
    ):
        workspace.edit(f"src/ablation/{path}", old, new)
    assert "train_shard" not in workspace.planned()


def test_editing_what_trains_retrains_it_and_lists_its_layers_again(workspace):
    workspace.edit("src/ablation/networks/families/lenet.py", "KERNEL = 5", "KERNEL = 3")
    planned = workspace.planned()
    assert (planned["list_layers"], planned["plan_study"], planned["train_shard"]) == (1, 1, 5)


def test_editing_a_figure_draws_it_again_and_retrains_nothing(workspace):
    workspace.edit("src/ablation/report/figures/style.py", "WIDTH = 7.5", "WIDTH = 7.0")
    planned = workspace.planned()
    assert "train_shard" not in planned
    assert planned["draw_figures"] == 1


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


@pytest.mark.ways
def test_a_second_study_trains_nothing_that_it_shares(workspace):
    before = workspace.records()
    shutil.copy(workspace.path / STUDY, workspace.path / "config/studies/other.yaml")
    workspace.run(*COLLECT, study="other")
    assert workspace.records() == before
