"""What a start looks at before it makes anything."""

import json
import shutil

import pytest

from ablation.jobs.starts import (
    ORIGIN,
    MisplacedError,
    OriginError,
    check_origin,
    is_other,
    listed,
    lost_of,
    note_origin,
    refuse_misplaced,
)


@pytest.fixture
def checkout(tmp_path):
    """A checkout with two studies of the same name, and results of the first."""
    path = tmp_path / "checkout"
    for folder in ("one", "two", "results/same"):
        (path / folder).mkdir(parents=True)
    (path / "one/same.yaml").write_text("title: one")
    (path / "two/same.yaml").write_text("title: two")
    note_origin(path / "one/same.yaml", path / "results/same")
    return path


def test_another_study_of_the_same_name_is_refused_with_both_files_and_the_ways_out(checkout):
    check_origin(checkout / "one/same.yaml", checkout / "results/same")
    with pytest.raises(OriginError) as error:
        check_origin(checkout / "two/same.yaml", checkout / "results/same")
    for part in (checkout / "one/same.yaml", checkout / "two/same.yaml", "Rename", "--config results=FOLDER"):
        assert str(part) in str(error.value)


def test_the_other_file_by_another_path_or_with_the_same_content_is_no_other_study(checkout):
    (checkout / "link").symlink_to("one")
    check_origin(checkout / "link/same.yaml", checkout / "results/same")
    shutil.copy(checkout / "one/same.yaml", checkout / "two/same.yaml")
    check_origin(checkout / "two/same.yaml", checkout / "results/same")


def test_an_edited_moved_or_copied_checkout_keeps_its_results(checkout, tmp_path):
    (checkout / "one/same.yaml").write_text("title: edited")
    check_origin(checkout / "one/same.yaml", checkout / "results/same")
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy)
    (copy / "one/same.yaml").write_text("title: edited in the copy")
    check_origin(copy / "one/same.yaml", copy / "results/same")
    moved = checkout.rename(tmp_path / "moved")
    check_origin(moved / "one/same.yaml", moved / "results/same")
    check_origin(moved / "two/same.yaml", moved / "results/same")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"study": 1, "results": 2}'])
def test_a_note_that_cannot_be_read_hinders_nobody(checkout, content):
    (checkout / "results/same" / ORIGIN).write_text(content)
    check_origin(checkout / "two/same.yaml", checkout / "results/same")


def find_lost(content):
    return [key for key in content["keys"] if key.startswith("lost")]


def test_what_a_file_names_and_what_of_it_is_lost(tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"keys": ["a", "lost 1", "lost 2"]}))
    assert lost_of(path, find_lost) == ["lost 1", "lost 2"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"keys": [0]}', '{"keys": 3}', "\xff"])
def test_a_file_that_cannot_be_read_names_nothing(tmp_path, content):
    path = tmp_path / "result.json"
    assert lost_of(path, find_lost) == []
    path.write_bytes(content.encode("latin-1"))
    assert lost_of(path, find_lost) == []


def test_a_text_that_is_another_one_and_a_folder_in_its_place(tmp_path):
    path = tmp_path / "spec.json"
    assert not is_other(path, "text"), "what is missing, Snakemake sees"
    path.write_text("text")
    assert not is_other(path, "text")
    assert is_other(path, "text\n")
    refuse_misplaced([path])
    path.unlink()
    path.mkdir()
    assert is_other(path, "text")
    with pytest.raises(MisplacedError, match="found a folder, expected the file"):
        refuse_misplaced([path])


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path, kind):
    folder = tmp_path / "figures"
    refuse_misplaced([folder / "deep/curves.svg"])
    folder.write_text("") if kind == "file" else folder.symlink_to("nowhere")
    with pytest.raises(MisplacedError, match="figures: found a file, expected a folder"):
        refuse_misplaced([tmp_path / "runs.parquet", folder / "deep/curves.svg"])


def test_a_long_list_is_cut_and_counted():
    assert listed(["a", "b"]) == "a\nb"
    assert listed(["a", "b", "c", "d"], 2) == "a\nb\n… and 2 more"
    assert listed([]) == ""
