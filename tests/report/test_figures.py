"""The table of figures."""

import string
import subprocess
import sys
from pathlib import Path

import claimed
import pytest
from invented import invented_tables

from ablation.report.figures.table import FIGURES, draw, figures_of
from ablation.study.studyfile import read_study

STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 4, batch_size: 64, lr: 0.1}
architectures:
  lenet: {}
  dense: {builder: densenet_cifar, baseline: {depth: 10}}
grid: [{architectures: [lenet], factors: {width: [3, 12]}}]
seeds: 2
diagnostics: [4, 0]
metrics: [test_accuracy, epochs_to_threshold]
threshold: 0.5
smallest_effect: 0.01
"""


DESIGNS = {"interactions", "trends"}  # of claims of other shapes: see test_designs.py


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "study.yaml").write_text(text)
        return read_study(tmp_path / "study.yaml")

    return read


@pytest.mark.parametrize("name", ["runs", "effects"])
@pytest.mark.parametrize(("study", "differ"), [("miniature", False), ("digits", True)])
def test_scales_differ_only_where_there_are_several(name, study, differ):
    figure = draw(name, invented_tables(read_study(Path(__file__).parents[2] / f"config/studies/{study}.yaml")))
    assert ("scales differ" in figure.get_suptitle().replace("\n", " ")) == differ


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_has_a_caption(read, name):
    figure = draw(name, invented_tables(read(claimed.STUDY if name in DESIGNS else STUDY)))
    figure.draw_without_rendering()
    assert any(axis.has_data() or axis.patches for axis in figure.axes)
    assert figure.get_suptitle()
    caption = FIGURES[name].caption
    assert caption.endswith(".")
    assert {field for _, field, _, _ in string.Formatter().parse(caption)} <= {None, "accuracy"}


def test_a_study_has_the_figures_that_it_has_the_results_for(read):
    def missing(text):
        return set(FIGURES) - set(figures_of(read(text))) - DESIGNS

    assert figures_of(read(STUDY)) == [name for name in FIGURES if name not in DESIGNS]
    assert set(figures_of(read(claimed.STUDY))) > DESIGNS
    sparse = STUDY.replace("  dense: {builder: densenet_cifar, baseline: {depth: 10}}\n", "")
    assert missing(sparse) == {"sources"}
    sparse = sparse.replace("metrics: [test_accuracy, epochs_to_threshold]\nthreshold: 0.5\n", "")
    assert missing(sparse) == {"sources", "epochs_to_threshold"}
    sparse = sparse.replace("diagnostics: [4, 0]\n", "").replace("width: [3, 12]", "width: [3]")
    assert missing(sparse) == {"sources", "epochs_to_threshold", "series", "gradient_flow", "saturation"}
    sparse = sparse.replace("grid: [{architectures: [lenet], factors: {width: [3]}}]\n", "")
    of_several = {"effects", "accuracy_against_size"}
    assert missing(sparse) == {"sources", "epochs_to_threshold", "series", "gradient_flow", "saturation", *of_several}


def test_the_names_of_figures_are_read_without_the_libraries_that_draw():
    code = (
        "import sys; import ablation.report.figures.table; "
        "print(sorted({'matplotlib', 'numpy', 'pandas', 'seaborn', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in {"blocks", *DESIGNS}])
def test_every_figure_of_runs_says_how_many_diverged_or_were_stuck(read, name):
    figure = draw(name, invented_tables(read(STUDY)))
    title = figure.get_suptitle().replace("\n", " ")
    assert "no run diverged or was stuck" in title if name == "sources" else "1 diverged, 2 stuck of 12" in title
    texts = [text.get_text() for axis in figure.axes for text in axis.get_yticklabels()]
    texts += [text.get_text() for axis in figure.axes if axis.get_legend() for text in axis.get_legend().get_texts()]
    labelled = [text for text in texts if text.replace("\n", " ") == "width 3 (1 diverged, 2 stuck of 3)"]
    assert bool(labelled) == (name not in ("sources", "series", "accuracy_against_size"))


def test_an_effect_that_is_known_within_bounds_is_drawn_as_these(read):
    tables = invented_tables(read(STUDY))
    known = dict.fromkeys(("test_accuracy_effect", "test_accuracy_low", "test_accuracy_high"), float("nan"))
    known |= {"test_accuracy_effect_least": -0.2, "test_accuracy_effect_most": 0.1}
    own = tables.comparison["variant"] == "lenet-width.3"
    tables.comparison.loc[own, list(known)] = list(known.values())
    lines = [line.get_xdata() for axis in draw("effects", tables).axes for line in axis.lines]
    assert [-20.0, 10.0] in [list(line) for line in lines]
