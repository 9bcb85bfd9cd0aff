"""What the command `show` prints, and what it refuses."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.cli.entry import run
from ablation.networks.layertext import TERMINAL
from ablation.study.studyfile import read_study

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    """Work where nothing is prepared, with the studies of the project."""
    shutil.copytree(ROOT / "config/studies", tmp_path / "config/studies")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shown(capsys):
    def show_it(*arguments):
        run(["show", *map(str, arguments)])
        return capsys.readouterr().out

    return show_it


@pytest.fixture
def refused():
    def refuse(*arguments):
        with pytest.raises(SystemExit) as exit:
            run(["show", *arguments])
        return str(exit.value)

    return refuse


def test_an_architecture_of_the_catalogue(shown):
    text = shown("lenet")
    assert "lenet (1x28x28, 10 classes)" in text
    assert re.search(r"^conv2\.conv +Conv 5x5 +16x10x10 +2,416 +240,000 +14$", text, re.MULTILINE)
    assert "61,706 parameters, 416,520 multiply-adds" in text
    assert "Against" not in text


def test_the_readme_shows_what_is_printed(shown):
    command, printed = re.search(r"\$ \./do show (.*)\n((?:.*\n)*?)```", (ROOT / "README.md").read_text()).groups()
    lines = [[line.rstrip() for line in text.strip().splitlines()] for text in (printed, shown(*command.split()))]
    assert lines[0] == lines[1]


def test_other_levels_and_their_difference(shown):
    text = shown("resnet_cifar", "--set", "depth=56", "norm=none", "--input", "1x16x16", "--classes", 7)
    assert "resnet_cifar with depth 56, norm none (1x16x16, 7 classes)" in text
    # 18 more blocks of 5 layers each without norms, and the 19 norms of the baseline are gone.
    assert "Against resnet_cifar: 90 added, 19 removed, 19 changed" in text
    assert "parameters 269,239 → " in text
    assert re.search(r"^\+ block3_9\.branch\.unit2\.conv +Conv 3x3 +64x4x4 ", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= TERMINAL


def test_blocks_shorten_the_table_and_hide_no_difference(shown):
    text = shown("resnet_cifar", "--set", "depth=14", "norm=group", "--blocks")
    table, changes = text.split("Against")
    assert re.search(r"^− block1_3 +2 × Conv 3x3 +16x32x32 +−4,672 +−4,718,592$", changes, re.MULTILINE)
    assert re.search(r"^block1_1 +2 × Conv 3x3 +16x32x32 ", table, re.MULTILINE)
    assert "branch" not in table
    assert re.search(r"^~ block1_1\.branch\.unit2\.norm +BatchNorm → GroupNorm, 4 groups ", changes, re.MULTILINE)


def test_a_variant_of_a_study(shown):
    text = shown("digits", "vgg-norm.none")
    assert "vgg-norm.none, a variant of the study digits (1x8x8, 10 classes)" in text
    assert "Against vgg: 8 removed, 25 same" in text
    assert "Against" not in shown("digits", "vgg")


def test_a_study_given_by_its_file_with_prepared_data(shown, in_a_folder):
    study = read_study(Path("config/studies/miniature.yaml")).study.data.model_dump_json()
    prepared = in_a_folder / "results/data/digits-x"
    prepared.mkdir(parents=True)
    (prepared / "manifest.json").write_text(f'{{"data": {study}, "shape": [2, 12, 12], "classes": ["a", "b"]}}')
    assert "(2x12x12, 2 classes)" in shown("config/studies/miniature.yaml", "lenet-width.3")
    assert "(2x12x12, 5 classes)" in shown("miniature", "lenet-width.3", "--classes", 5)


def test_markdown(shown):
    text = shown("miniature", "lenet-norm.batch", "--markdown")
    assert text.startswith("# lenet-norm.batch")
    assert "## Difference from lenet" in text
    assert re.search(r"^\| \+ conv1\.norm +\| BatchNorm ", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["resnett"], "architecture of the catalogue (lenet, "),
        (["resnett"], "did you mean 'resnet'?"),
        (["digits"], "found no variant, expected one of the study digits\n"),
        (["digits", "vgg-norm.non"], "did you mean 'vgg-norm.none'?"),
        (["nothing", "vgg"], "no such file config/studies/nothing.yaml"),
        (["digits", "vgg", "--set", "depth=13"], "has its levels already"),
        (["vgg", "--set", "depth"], "found 'depth', expected FACTOR=LEVEL"),
        (["vgg", "--set", "depth=["], "found '[', expected a number"),
        (["vgg", "--set", "depth=twelve"], "depth: found 'twelve', expected a whole number of 1 or more"),
        (["vgg", "--set", "depth=12"], "found 12, expected one of 11, 13, 16, 19"),
        (["vgg", "--set", "norm=bach"], "did you mean 'batch'?"),
        (["vgg", "--set", "nrm=batch"], "did you mean 'norm'?"),
        (["vgg", "--input", "3x8"], "expected channels, height and width of a square"),
        (["vgg", "--input", "3x8x9"], "expected channels, height and width of a square"),
        (["vgg", "--input", "3x4x4"], "found a side of 4, expected 8 or more for vgg"),
        (["vgg", "--classes", "0"], "--classes: found 0, expected 1 or more"),
    ],
)
def test_what_is_refused_says_what_was_expected(refused, arguments, expected):
    assert expected in refused(*arguments)


def test_help_and_refusals_come_without_torch():
    code = (
        "import sys\nfrom ablation.cli.entry import run\n"
        "try: run(['show', 'vgg', '--set', 'depth=12'])\n"
        "except SystemExit: sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")}).returncode == 0
