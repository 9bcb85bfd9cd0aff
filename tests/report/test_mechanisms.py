"""Figures of the mechanism, from invented numbers."""

import numpy as np
import pandas as pd
import pytest

from ablation.analysis.collection import DIAGNOSTIC_COLUMNS
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
BLOCKS = {"dense1": 3, "dense2": 2}  # target layers each


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return read_study(path)


@pytest.fixture
def rows(plan):
    """As `collect` gathers them: five layers, and the sources of a DenseNet's two blocks."""
    rng, found = np.random.default_rng(0), []
    for variant in plan.variants.values():
        for seed in plan.study.seeds:
            for epoch in plan.study.diagnostics:
                numbers = [
                    *[
                        (f"layer{d}", d, "affine", "gradient_rms", 10.0 ** (d - 6) * rng.uniform(1, 2))
                        for d in range(1, 6)
                    ],
                    *[(f"act{d}", d, "activation", q, rng.uniform()) for d in (1, 2) for q in ("saturated", "dead")],
                ]
                if variant.architecture == "dense":
                    targets = [(f"{block}_{t}", t) for block, count in BLOCKS.items() for t in range(1, count + 1)]
                    numbers += [
                        (name, depth, "source", f"source_{s}", 0.1 * depth + 0.01 * s)
                        for depth, (name, count) in enumerate(targets, 1)
                        for s in range(count)
                    ]
                found += [(variant.id, seed, epoch, *number) for number in numbers]
    return pd.DataFrame(found, columns=list(DIAGNOSTIC_COLUMNS)).astype(DIAGNOSTIC_COLUMNS)


def test_gradient_flow_has_a_line_a_variant_at_the_first_and_the_last_epoch(plan, rows):
    figure = mechanisms.gradient_flow(plan, rows)
    before, after, *_ = figure.axes
    assert [axis.get_title(loc="left") for axis in (before, after)] == ["before training", "after epoch 4"]
    assert before.get_yscale() == "log"
    line = before.get_lines()[0]
    mine = rows[(rows["variant"] == "lenet") & (rows["epoch"] == 0) & (rows["quantity"] == "gradient_rms")]
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert line.get_ydata() == pytest.approx(mine.groupby("depth")["value"].mean().to_numpy())
    assert [line.get_label() for line in before.get_lines()] == ["baseline", "activation tanh"]


def test_saturation_is_the_mean_over_layers_in_percent(plan, rows):
    saturated = mechanisms.saturation(plan, rows).axes[0].get_lines()[0]
    mine = rows[(rows["variant"] == "lenet") & (rows["quantity"] == "saturated")]
    assert saturated.get_xdata().tolist() == [0, 4]
    assert saturated.get_ydata() == pytest.approx(100 * mine.groupby("epoch")["value"].mean().to_numpy())


def test_sources_are_drawn_block_by_block(plan, rows):
    maps = [axis.images[0].get_array() for axis in mechanisms.sources(plan, rows).axes if axis.images]
    assert [block.shape for block in maps] == [(3, 3), (2, 2)], "sources down, targets across"
    assert maps[0][1, 2] == pytest.approx(0.31)
    assert np.isnan(maps[0].filled(np.nan)[2, 1]), "a layer reads no later one"


def test_runs_without_a_number_still_have_their_figures(plan, rows):
    for draw in mechanisms.DRAW.values():
        for empty in (rows[:0], rows.assign(value=np.nan)):
            figure = draw(plan, empty)
            figure.draw_without_rendering()
            assert figure.axes, "a figure without panels says nothing of what is missing"
            drawn = [line.get_ydata() for axis in figure.axes for line in axis.get_lines()]
            assert not any(np.isfinite(np.asarray(values, dtype=float)).any() for values in drawn)


def test_the_plan_lists_the_figures_that_it_can_have(plan, tmp_path):
    assert plan.figures[-3:] == list(mechanisms.DRAW)
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("  dense: {builder: densenet_cifar, baseline: {depth: 10}}\n", ""))
    assert "sources" not in read_study(path).figures
    path.write_text(STUDY.replace("diagnostics: [4, 0]\n", ""))
    assert not set(read_study(path).figures) & set(mechanisms.DRAW)
