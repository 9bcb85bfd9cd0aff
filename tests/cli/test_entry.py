"""What any command says of an error in a part of one's own, wherever it is met."""

import pytest

from ablation.cli.entry import run

PARTS = """
from torch import nn

LEVELS = {"norm": {"odd": {"make": "Odd", "text": "A norm that cannot be made.", "shifts": False}}}


class Odd(nn.Module):
    def __init__(self, channels, epsilon):
        super().__init__()
        self.gain = channels // 0
"""
STUDY = """\
title: t
question: q
parts: [odd.py]
data: {name: digits}
recipe: {epochs: 1, batch_size: 64, lr: 0.1}
architectures: {lenet: {}}
grid: [{factors: {norm: [odd]}}]
seeds: 1
smallest_effect: 0.01
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.py").write_text(PARTS)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def test_a_part_that_fails_within_a_network_of_ours_is_a_sentence_with_its_line(study):
    with pytest.raises(SystemExit) as exit:
        run(["show", "study.yaml", "lenet-norm.odd"])
    assert str(exit.value) == "odd.py, line 10: ZeroDivisionError: integer division or modulo by zero"


def test_an_error_of_ours_is_shown_whole(study, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("ablation.cli.show.main", broken)
    with pytest.raises(ZeroDivisionError):
        run(["show", "study.yaml", "lenet-norm.odd"])


def test_an_error_of_the_machine_is_a_sentence_that_says_what_to_do(study, monkeypatch):
    def starved(*_):
        raise MemoryError("Unable to allocate 7 PiB")

    monkeypatch.setattr("ablation.cli.show.main", starved)
    with pytest.raises(SystemExit) as exit:
        run(["show", "study.yaml", "lenet-norm.odd"])
    said, advice = str(exit.value).splitlines()
    assert said == "MemoryError: Unable to allocate 7 PiB"
    assert advice.startswith("The memory of this machine is used up.")
