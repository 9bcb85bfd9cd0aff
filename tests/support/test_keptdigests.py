import sys

import pytest

from ablation.support.bindings import Module
from ablation.support.definitions import Sources

FILES = {
    "__init__.py": "",
    "first.py": "from lab import second\n\ndef run():\n    return second.VALUE\n",
    "second.py": "VALUE = 1\n",
}
ROOT = ["lab.first:run"]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A small package, and how often a file of it is parsed."""
    folder = tmp_path / "lab"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    parsed, read = [], Module.read
    monkeypatch.setattr(
        Module, "read", lambda module, content: (parsed.append(module.path.name), read(module, content))
    )
    return folder, parsed


def digest(folder):
    return Sources(folder).digest(ROOT)


def kept(folder):
    return folder / "__pycache__" / f"digests.{sys.implementation.cache_tag}.json"


def test_what_was_digested_is_parsed_no_more(lab):
    folder, parsed = lab
    first = digest(folder)
    assert "second.py" in parsed
    parsed.clear()
    assert digest(folder) == first
    assert parsed == []


@pytest.mark.parametrize(
    ("name", "text"), [("second.py", "VALUE = 2\n"), ("second/__init__.py", "VALUE = 2\n")], ids=["edited", "hidden"]
)
def test_a_file_that_changes_or_comes_is_seen_and_one_that_is_as_it_was_has_its_digest_again(lab, name, text):
    folder, _ = lab
    first = digest(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    assert digest(folder) != first
    (folder / name).write_text(FILES.get(name, ""))
    if name not in FILES:
        (folder / name).unlink()
        (folder / name).parent.rmdir()
    assert digest(folder) == first


def test_nothing_is_kept_of_files_that_are_edited_while_they_are_read(lab):
    folder, _ = lab
    (folder / "third.py").write_text("ALONE = 1\n")
    root = ["lab.third:ALONE"]
    right = Sources(folder).digest(root)
    kept(folder).unlink()
    sources = Sources(folder)
    sources.digest(ROOT)  # which does not read the third
    (folder / "third.py").write_text("ALONE = 2\n")
    assert sources.digest(root) != right
    (folder / "third.py").write_text("ALONE = 1\n")
    assert Sources(folder).digest(root) == right


@pytest.mark.parametrize("content", ["", "[]", '{"state": 1}', '{"digests": {}}', '{"state": "x", "digests": 3}'])
def test_a_file_that_is_something_else_is_written_again(lab, content):
    folder, parsed = lab
    first = digest(folder)
    kept(folder).write_text(content)
    assert digest(folder) == first
    parsed.clear()
    assert digest(folder) == first
    assert parsed == []


def test_nothing_is_written_where_python_writes_no_bytecode(lab, monkeypatch):
    folder, _ = lab
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    digest(folder)
    assert not kept(folder).exists()


def test_what_cannot_be_written_is_taken_anew(lab):
    folder, _ = lab
    (folder / "__pycache__").write_text("no folder")
    assert digest(folder) == digest(folder)


def test_what_code_counts_by_name_has_digests_of_its_own(lab):
    folder, _ = lab
    assert digest(folder) != Sources(folder, by_name=["lab.second"]).digest(ROOT)
    assert digest(folder) == Sources(folder).digest(ROOT)


def test_of_a_users_file_nothing_is_kept(lab, tmp_path):
    folder, _ = lab
    own, beside = tmp_path / "own.py", tmp_path / "beside.py"
    own.write_text("import beside\n\ndef run():\n    return beside.VALUE\n")
    beside.write_text("VALUE = 1\n")
    first = Sources(folder).digest([f"{own}:run"])
    beside.write_text("VALUE = 2\n")
    assert Sources(folder).digest([f"{own}:run"]) != first


def test_they_lie_where_the_bytecode_lies(lab, tmp_path, monkeypatch):
    folder, _ = lab
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "elsewhere"))
    digest(folder)
    assert not (folder / "__pycache__").exists()
    assert [path.name for path in (tmp_path / "elsewhere").rglob("*.json")] == [kept(folder).name]
