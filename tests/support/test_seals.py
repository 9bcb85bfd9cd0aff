import json
import os
import shutil

import pytest

from ablation.support.seals import damaged_files, write_seal


@pytest.fixture
def study(tmp_path):
    """A folder with two files and a folder of two pages, and its seal."""
    folder = tmp_path / "study"
    (folder / "pages").mkdir(parents=True)
    (folder / "seals").mkdir()
    names = ("runs.csv", "empty.csv", "pages/a.md", "pages/b.md")
    for name in names:
        (folder / name).write_text("" if "empty" in name else f"what {name} says")
    write_seal(folder / "seals/collect.json", [folder / name for name in names])
    return folder


def delete(path):
    path.unlink()


def empty(path):
    path.write_text("")


def truncate(path):
    os.truncate(path, 3)


def extend(path):
    path.write_text(path.read_text() + "\n")


def garble(path):
    text = path.read_text()
    path.write_text("X" + text[1:])


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_dead_link(path):
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    "harm", [delete, empty, truncate, extend, garble, replace_by_folder, replace_by_dead_link], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("name", ["runs.csv", "pages/b.md"])
def test_a_damaged_file_is_named_and_no_other(study, name, harm):
    harm(study / name)
    assert damaged_files(study / "seals/collect.json") == [study / name]


def test_what_is_whole_stays_whole_when_it_is_copied_touched_or_replaced_by_the_same(study, tmp_path):
    seal = "seals/collect.json"
    assert damaged_files(study / seal) == []
    (study / "runs.csv").touch()
    (study / "pages/a.md").chmod(0o400)
    copy = tmp_path / "elsewhere/copy"
    shutil.copytree(study, copy, copy_function=shutil.copyfile)
    shutil.rmtree(study)
    assert damaged_files(copy / seal) == []


def test_a_file_whose_time_is_that_of_its_seal_is_not_read(study, monkeypatch):
    monkeypatch.setattr("ablation.support.seals.file_digest", lambda path: pytest.fail(f"read {path}"))
    assert damaged_files(study / "seals/collect.json") == []


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"files": {}, "seal": 1}', '{"files": {"../runs.csv": 1}, "seal": "x"}']
)
def test_a_seal_that_is_not_what_was_written_is_damaged_itself(study, content):
    seal = study / "seals/collect.json"
    seal.write_text(content)
    assert damaged_files(seal) == [seal]


def test_an_edited_seal_does_not_vouch_for_an_edited_file(study):
    seal = study / "seals/collect.json"
    (study / "runs.csv").write_text("other")
    write_seal(study / "seals/other.json", [study / "runs.csv"])
    forged = json.loads(seal.read_text()) | {"files": json.loads((study / "seals/other.json").read_text())["files"]}
    seal.write_text(json.dumps(forged))
    assert damaged_files(seal) == [seal]


def test_without_a_seal_nothing_is_known(tmp_path):
    assert damaged_files(tmp_path / "none.json") == []
