"""References to code, above all to files of one's own."""

import sys

import pytest

from ablation.support.references import OwnCodeError, own_code, resolve


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_a_file_is_imported_with_the_modules_beside_it(tmp_path):
    (tmp_path / "beside_it.py").write_text("FACTOR = 3\n")
    (tmp_path / "own.py").write_text("from beside_it import FACTOR\n\ndef three():\n    return FACTOR\n")
    assert resolve(f"{tmp_path}/own.py:three")() == 3


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("nosuchlibrary:Act", "nosuchlibrary:Act: there is no such code: No module named 'nosuchlibrary'"),
        ("torch.nn:Nope", "torch.nn:Nope: there is no such code"),
        ("{folder}/own.py:missing", "own.py: found nothing named 'missing', expected it at the top level"),
        ("{folder}/broken.py:f", "broken.py, line 2: it cannot be imported: ModuleNotFoundError"),
        ("{folder}/syntax.py:f", "syntax.py, line 1: it cannot be imported"),
    ],
)
def test_what_cannot_be_imported_is_said_with_its_line(tmp_path, reference, expected):
    (tmp_path / "own.py").write_text("")
    (tmp_path / "broken.py").write_text("\nimport nosuchlibrary\n")
    (tmp_path / "syntax.py").write_text("def f(:\n")
    with pytest.raises(OwnCodeError) as caught:
        resolve(reference.format(folder=tmp_path))
    assert expected in str(caught.value)


def test_another_module_than_the_one_beside_the_file_is_refused(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "helper_of_tests.py").write_text(f"NAME = {folder!r}\n")
        (tmp_path / folder / "own.py").write_text("import helper_of_tests\n\nNAME = helper_of_tests.NAME\n")
    assert resolve(f"{tmp_path}/first/own.py:NAME") == "first"
    with pytest.raises(OwnCodeError, match=r"second/own.py, line 1: helper_of_tests was imported from .*first/helper"):
        resolve(f"{tmp_path}/second/own.py:NAME")


def test_code_of_ones_own_that_fails_is_said_with_its_line_and_ours_fails_as_it_is(tmp_path):
    (tmp_path / "own.py").write_text("def divide():\n    return 1 / 0\n")
    reference = f"{tmp_path}/own.py:divide"
    with (
        pytest.raises(OwnCodeError, match=r"own.py, line 2: it fails: ZeroDivisionError"),
        own_code(reference, "it fails"),
    ):
        resolve(reference)()
    with pytest.raises(ZeroDivisionError), own_code("ablation.networks.build:build", "it fails"):
        resolve(reference)()
