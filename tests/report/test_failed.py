"""Studies of which runs failed: they end in all their tables and figures, and say what cannot be tested."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from invented import MANIFEST, failing, invented_curves, invented_runs, invented_tables
from markupsafe import escape

from ablation.analysis.contrasts import NOT_TESTABLE, read_table
from ablation.report import tables
from ablation.report.figures.table import draw, figures_of
from ablation.report.page import write_report
from ablation.study.studyfile import read_study

STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 4, batch_size: 64, lr: 0.1}
architectures:
  lenet: {}
  dense: {builder: densenet_cifar, baseline: {depth: 10}}
grid:
  - {architectures: [lenet], factors: {width: [3, 12], activation: [relu]}}
metrics: [test_accuracy, parameters]
seeds: 3
diagnostics: [4, 0]
smallest_effect: 0.01
claims:
  relu-better:
    statement: ReLU is better.
    source: notes
    factor: activation
    level: relu
    against: sigmoid
    metric: test_accuracy
    direction: greater
"""
RELU, WIDE = "lenet-activation.relu", "lenet-width.12"
ALL = ("lenet", "lenet-width.3", WIDE, RELU, "dense")


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_text(STUDY)
    return read_study(path)


def results(plan, *variants, seeds=(0, 1, 2), measured=True):
    """All tables of the study; of some variants, these seeds failed before anything was diagnosed."""
    runs = failing(invented_runs(plan), variants, seeds, measured)
    rows = invented_curves(runs)
    found = invented_tables(plan, runs=runs, curves=rows if measured else rows[~rows["variant"].isin(variants)])
    gone = [
        not (v in variants and s in seeds) for v, s in found.diagnostics[["variant", "seed"]].itertuples(index=False)
    ]
    layers = {name: table for name, table in found.layers.items() if measured or name not in variants}
    return replace(found, diagnostics=found.diagnostics[gone], layers=layers)


def contrast(found, variant, metric="test_accuracy"):
    rows = found.contrasts[(found.contrasts["variant"] == variant) & (found.contrasts["metric"] == metric)]
    return rows.iloc[0]


WHY = "1 of 3 runs of {} failed: ValueError: <one> & \\two_ (own.py, line 7)"


@pytest.mark.parametrize("failed", [RELU, "lenet"])
def test_a_contrast_with_a_failed_run_on_either_side_is_not_testable_and_says_why(plan, failed, tmp_path):
    found = results(plan, failed, seeds=[1])
    row = contrast(found, RELU)
    assert row["not_testable"] == WHY.format(failed)
    assert row[["effect", "low", "high", "df"]].isna().all()
    assert sorted([row["n_variant"], row["n_reference"]]) == [2, 3]
    assert contrast(found, WIDE)["not_testable"] == (WHY.format(failed) if failed == "lenet" else "")
    (test,) = found.verdicts.claims[0].tests
    assert (test.verdict, test.why) == (NOT_TESTABLE, WHY.format(failed))
    found.contrasts.to_csv(tmp_path / "contrasts.csv", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "contrasts.csv"), found.contrasts, check_dtype=False)


def test_what_is_counted_needs_no_training(plan):
    found = results(plan, RELU)
    assert contrast(found, RELU, "parameters")["effect"] > 0
    unbuilt = results(plan, RELU, measured=False)
    row = contrast(unbuilt, RELU, "parameters")
    assert pd.isna(row["effect"])
    assert row["not_testable"] == f"{RELU} cannot be built"


def test_both_sides_are_named(plan):
    why = contrast(results(plan, RELU, "lenet", seeds=[1]), RELU)["not_testable"]
    assert why == "; ".join(WHY.format(name) for name in (RELU, "lenet"))


def test_tables_count_what_failed_and_mark_what_is_not_testable(plan, tmp_path):
    found = results(plan, RELU, seeds=[1])
    text = tables.readable(plan, found.comparison).set_index("variant")
    effect = "effect (points) [95 %]"
    assert text.loc[RELU, "failures"] == "1 failed"
    assert text.loc[RELU, effect] == NOT_TESTABLE
    assert text.loc["lenet", effect] == text.loc["dense", effect] == "–"
    found.comparison.to_csv(tmp_path / "comparison.csv", index=False)
    again = tables.readable(plan, read_table(tmp_path / "comparison.csv")).set_index("variant")
    pd.testing.assert_frame_equal(again, text)
    caption = tables.caption(plan, found.runs)
    assert f"(1 of 3 of {RELU}): effects that need them are not testable" in caption
    assert "failed" not in tables.caption(plan, invented_runs(plan))


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "never built"])
@pytest.mark.parametrize("failed", [(RELU,), (WIDE,), ("lenet",), ("dense",), ALL], ids=len)
def test_the_report_and_all_figures_are_there_whatever_failed(plan, failed, measured):
    found = results(plan, *failed, measured=measured)
    figures = {}
    for name in figures_of(plan):
        figure = draw(name, found)
        figure.draw_without_rendering()
        figures[name] = "<svg></svg>"
    assert set(figures) >= {"blocks", "curves", "runs", "effects", "series", "gradient_flow", "saturation", "sources"}
    page = write_report(found, MANIFEST, figures)
    assert "<h3>Failed runs</h3>" in page
    assert f"{3 * len(failed)} of 15 runs ended in an error of their own" in page
    assert page.count("ValueError: &lt;one&gt; &amp; \\two_ (own.py, line 7)\n<details>") == 3 * len(failed)
    assert page.count("<code>results/x/logs/0.log</code>") == 3 * len(failed)
    assert "--retry-failed" in page
    assert not re.search(r"\b(nan|None)\b", page)
    assert ("cannot be built; its page" in page) != measured


def test_a_study_without_failed_runs_does_not_speak_of_them(plan):
    tables = invented_tables(plan)
    page = write_report(replace(tables, verdicts=replace(tables.verdicts, claims=())), MANIFEST, {})
    assert "Failed runs" not in page
    assert "could not be measured" not in page
    assert "not testable" not in page.lower().partition('<main id="main"')[2]


BROKEN = "own.py, line 3: test accuracy <cannot> be $computed_: KeyError: 'x'"


def test_a_metric_whose_code_failed_is_named_and_no_run_is_said_to_have_failed(plan):
    runs = invented_runs(plan)
    broken = (runs["variant"] == RELU) & runs["seed"].isin([1, 2])
    runs.loc[broken, "test_accuracy"] = float("nan")
    runs.loc[broken, "metric_errors"] = json.dumps({"test_accuracy": BROKEN})
    found = invented_tables(plan, runs=runs)
    found = replace(found, verdicts=replace(found.verdicts, claims=()))
    effects = draw("effects", found)
    effects.draw_without_rendering()
    (mark,) = [t.get_text() for axis in effects.axes for t in axis.texts]
    assert mark.startswith("not testable: seed 1 of lenet-activation.relu: own.py")
    page = write_report(found, MANIFEST, {}).partition("<body>")[2]
    shown = str(escape(BROKEN))
    assert "<b>Not testable</b>" in page
    assert f"The first reason: seed 1 of {RELU}: {shown}" in page
    assert f'<td class="text">test accuracy</td><td>2</td><td class="text wrap">{shown}</td>' in page
    assert "Failed runs" not in page
    assert "runs failed" not in page
    assert "1 more is not testable." in page


def test_figures_mark_what_failed(plan):
    found = results(plan, RELU, seeds=[1])
    texts = [text.get_text() for axis in draw("effects", found).axes for text in axis.texts]
    (mark,) = [text.removesuffix(" …") for text in texts if text.startswith(NOT_TESTABLE)]
    assert f"{NOT_TESTABLE}: {WHY.format(RELU)}".startswith(mark)
    assert "failed: ValueError" in mark
    (legend,) = draw("runs", found).legends
    assert "failed (no evidence)" in [text.get_text() for text in legend.get_texts()]


def test_curves_leave_out_what_a_failed_run_reached(plan):
    runs = failing(invented_runs(plan), [RELU], [1])
    rows = invented_curves(runs)
    rows.loc[(rows["variant"] == RELU) & (rows["seed"] == 1), "train_loss"] = 1000.0
    figure = draw("curves", invented_tables(plan, runs=runs, curves=rows))
    assert max(max(line.get_ydata()) for line in figure.axes[0].lines) < 10
