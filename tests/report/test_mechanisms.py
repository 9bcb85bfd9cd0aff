"""Figures of the mechanism, from invented numbers."""

from dataclasses import replace

import numpy as np
import pytest
from invented import invented_tables

from ablation.report.figures import mechanisms
from ablation.study.studyfile import read_study

STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 4, batch_size: 64, lr: 0.1}
architectures:
  lenet: {}
  dense: {builder: densenet_cifar, baseline: {depth: 10}}
grid: [{factors: {activation: [tanh]}}]
seeds: 2
diagnostics: [4, 0]
smallest_effect: 0.01
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_text(STUDY)
    return invented_tables(read_study(path))


def test_gradient_flow_has_a_line_per_variant_at_the_first_and_the_last_epoch(tables):
    figure = mechanisms.gradient_flow(tables)
    before, after, *_ = figure.axes
    assert [axis.get_title(loc="left") for axis in (before, after)] == ["before training", "after epoch 4"]
    assert before.get_yscale() == "log"
    line = before.get_lines()[0]
    rows = tables.diagnostics
    own_rows = rows[(rows["variant"] == "lenet") & (rows["epoch"] == 0) & (rows["quantity"] == "gradient_rms")]
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert line.get_ydata() == pytest.approx(own_rows.groupby("depth")["value"].mean().to_numpy())
    assert [line.get_label() for line in before.get_lines()] == [
        "baseline",
        "activation tanh (1 diverged, 2 stuck of 3)",
    ]


def test_saturation_is_the_mean_over_layers_in_percent(tables):
    saturated = mechanisms.saturation(tables).axes[0].get_lines()[0]
    rows = tables.diagnostics
    own_rows = rows[(rows["variant"] == "lenet") & (rows["quantity"] == "saturated")]
    assert saturated.get_xdata().tolist() == [0, 4]
    assert saturated.get_ydata() == pytest.approx(100 * own_rows.groupby("epoch")["value"].mean().to_numpy())


def test_sources_are_drawn_block_by_block(tables):
    maps = [axis.images[0].get_array() for axis in mechanisms.sources(tables).axes if axis.images]
    assert [block.shape for block in maps] == [(3, 3), (2, 2)], "sources down, targets across"
    assert maps[0][1, 2] == pytest.approx(0.31)
    assert np.isnan(maps[0].filled(np.nan)[2, 1]), "a layer reads no later one"


@pytest.mark.parametrize("draw", [mechanisms.gradient_flow, mechanisms.saturation, mechanisms.sources])
@pytest.mark.parametrize("missing", ["rows", "values"])
def test_runs_without_a_number_still_have_their_figures(tables, draw, missing):
    rows = tables.diagnostics[:0] if missing == "rows" else tables.diagnostics.assign(value=np.nan)
    figure = draw(replace(tables, diagnostics=rows))
    figure.draw_without_rendering()
    assert figure.axes, "a figure without panels says nothing of what is missing"
    drawn = [line.get_ydata() for axis in figure.axes for line in axis.get_lines()]
    assert not any(np.isfinite(np.asarray(values, dtype=float)).any() for values in drawn)
