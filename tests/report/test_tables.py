"""Tables and the report: every number comes from the runs."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from invented import MANIFEST, invented_curves, invented_runs, invented_tables
from markupsafe import escape

from ablation.analysis.contrasts import Estimate
from ablation.catalogue.metrics import METRICS
from ablation.records.environment import KIND
from ablation.report import tables
from ablation.report.figures import results
from ablation.report.figures.table import FIGURES, figures_of
from ablation.report.page import inline_svg, write_report
from ablation.report.provenance import diagnostics_cost, mixture
from ablation.statistics.estimates import welch
from ablation.study.plan import Plan
from ablation.study.studyfile import read_study
from ablation.support import formatting

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study():
    return invented_tables(read_study(ROOT / "config/studies/miniature.yaml"))


def test_comparison_is_computed_from_the_runs(study):
    runs, rows = study.runs, study.comparison.set_index("variant")
    baseline, _, variant, *_ = study.plan.variants
    values, against = (runs.loc[runs["variant"] == name, "test_accuracy"].to_numpy() for name in (variant, baseline))
    assert rows.loc[variant, "test_accuracy_mean"] == values.mean()
    assert rows.loc[variant, "test_accuracy_sd"] == values.std(ddof=1)
    assert rows.loc[variant, "test_accuracy_low"] == welch(values, against).low
    assert math.isnan(rows.loc[baseline, "test_accuracy_effect"])


def test_failures_are_counted_and_diverged_runs_are_worth_something(study):
    row = study.comparison.iloc[1]
    assert (row["runs"], row["diverged"], row["stuck"], row["test_accuracy_n"]) == (3, 1, 2, 3)
    assert tables.readable(study.plan, study.comparison)["failures"][1] == "1 diverged, 2 stuck"


def test_claims_read_both_sides(study):
    runs, row = study.runs, study.verdicts.claims[0].tests[0]
    sigmoid = runs.loc[runs["variant"] == "lenet-activation.sigmoid", "test_accuracy"]
    relu = runs.loc[runs["variant"] == "lenet", "test_accuracy"]
    assert row.effect == pytest.approx(relu.mean() - sigmoid.mean())
    assert row.verdict == "undecided", "one of three sigmoid runs diverged"


@pytest.mark.parametrize(
    ("value", "text"),
    [(999, "999"), (61706, "61.7 k"), (1814000000, "1.81 G"), (999_600, "1000 k"), (1e6, "1 M"), (1.29e12, "1.29 T")],
)
def test_counts_have_three_digits(value, text):
    assert formatting.count(value) == text


def test_numbers_have_a_true_minus_and_their_unit():
    accuracy = METRICS["test_accuracy"]
    assert tables.effect_text(Estimate(-0.7423, -0.76, -0.7246), accuracy) == "−74.23 [−76.00, −72.46]"
    assert tables.mean_text(0.5, math.nan, accuracy) == "50.00"


def test_every_form_of_the_table_has_every_variant(study):
    text = tables.readable(study.plan, study.comparison)
    caption = tables.caption(study.plan, study.runs)
    markdown, latex = tables.to_markdown(text, caption), tables.to_latex(text, caption, "tab:x")
    for variant in study.plan.variants:
        assert variant in markdown
        assert variant.replace("_", r"\_") in latex
    assert "15 runs of 5 variants, 3 seeds each" in caption
    assert "with a 95 % interval over seeds and test images." in caption
    assert not [line for line in latex.splitlines() if "%" in line.replace(r"\%", "")]


def test_a_study_of_one_variant_speaks_of_no_effect(tmp_path):
    text = yaml.safe_load((ROOT / "config/studies/miniature.yaml").read_text())
    (tmp_path / "one.yaml").write_text(yaml.safe_dump({**text, "grid": [], "claims": {}}))
    tables_of_one = invented_tables(read_study(tmp_path / "one.yaml"))
    plan, caption = tables_of_one.plan, tables.caption(tables_of_one.plan, tables_of_one.runs)
    assert caption.startswith("3 runs of 1 variant, 3 seeds each. Mean ± standard deviation over seeds. n counts")
    assert not [name for name in tables.readable(plan, tables_of_one.comparison) if "effect" in name]
    assert "lenet" in tables.summary(plan, tables_of_one.comparison, tables_of_one.runs)
    page = write_report(tables_of_one, MANIFEST, {})
    mean = tables.mean_text(
        *tables_of_one.comparison.loc[0, ["test_accuracy_mean", "test_accuracy_sd"]], plan.metrics["test_accuracy"]
    )
    assert (
        f"Test accuracy (%): lenet {mean}, 3 runs. No claim was stated, and there is one variant of each network"
        in page
    )
    assert "All contrasts" not in page


def test_the_report_says_what_was_found_and_has_every_figure_in_its_section(study):
    plan, svg = study.plan, '<?xml version="1.0"?>\n<svg id="{}"></svg>'
    names = figures_of(plan)
    page = write_report(study, MANIFEST, {name: svg.format(name) for name in names})
    for name in names:
        caption = escape(FIGURES[name].caption.format(accuracy="validation accuracy"))
        assert f'id="{name}"></svg></div>\n<figcaption>{caption}</figcaption>' in page
    assert plan.study.question in page
    assert "1 diverged, 2 stuck" in page
    assert f"{15 * 2.5 / 60:.1f} min in all" in page
    assert "layer by layer: 21,386 parameters, 66,600 multiply-adds" in page
    assert '<td class="text">~ conv1.activation</td><td class="text">ReLU → Sigmoid</td>' in page
    assert page.index('id="curves"') < page.index("<h3>What each variant is") < page.index('id="blocks"')


def test_svg_loses_its_head_only():
    named = '<svg role="img" aria-label="x &amp; y" a="b"></svg>'
    assert inline_svg('<?xml version="1.0"?>\n<svg a="b"></svg>', "x & y") == named


def test_svg_on_the_page_is_no_larger_than_it_has_to_be():
    path = '<path d="M 10.987654 2.5 -3.14159e-05" transform="scale(0.015625)"/></svg>'
    svg = f"<svg><metadata>\n a 1.23456\n</metadata>{path}"
    made = '<path d="M 10.98 2.5 -3.14e-05" transform="scale(0.015625)"/></svg>'
    assert inline_svg(svg, "x") == f'<svg role="img" aria-label="x">{made}'


def test_diagnostics_state_their_cost(study):
    plan = study.plan
    assert diagnostics_cost(plan, study.runs) == []
    diagnosed = Plan(plan.study.model_copy(update={"diagnostics": (4, 0)}), plan.name)
    ((_, text),) = diagnostics_cost(diagnosed, study.runs)
    assert text == "0.8 s, 2.5 % of training, and not counted in it (epochs 0, 4)"


def test_mixed_hardware_is_said(study):
    runs = study.runs.copy()
    assert mixture(runs) == ""
    runs.loc[0, "device"] = "GPU"
    others = len(runs) - 1
    assert mixture(runs).startswith(f"The runs mix devices (GPU: 1, cpu: {others}): the same spec")
    runs.loc[:2, ["threads", "instructions"]] = (2, "AVX2")
    assert f"; instruction sets (AVX2: 3, AVX512: {others - 2}); thread counts (1: {others - 2}, 2: 3)" in mixture(runs)


@pytest.mark.parametrize("entry", KIND)
def test_every_mixture_is_said(study, entry):
    runs = study.runs.copy().astype({entry: object})
    runs.loc[0, entry], runs.loc[1, entry] = "one", "another"
    assert KIND[entry] in mixture(runs)


@pytest.mark.parametrize(("seconds", "text"), [(8.6, "9 s"), (125, "2 min 05 s"), (5400, "1 h 30 min")])
def test_times_are_written_for_people(seconds, text):
    assert formatting.duration(seconds) == text


@pytest.fixture
def unvalidated(tmp_path):
    """The miniature study on the same digits, with none kept for validation."""
    text = (ROOT / "config/studies/miniature.yaml").read_text()
    (tmp_path / "unvalidated.yaml").write_text(text.replace("name: digits", "name: digits, validation: 0"))
    return read_study(tmp_path / "unvalidated.yaml")


def test_curves_without_validation_images_show_the_training_accuracy(unvalidated):
    runs = invented_runs(unvalidated)
    rows = invented_curves(runs).assign(validation_loss=math.nan, validation_accuracy=math.nan)
    right = results.curves(invented_tables(unvalidated, runs=runs, curves=rows)).axes[1]
    assert right.get_ylabel() == "training accuracy (%)"
    assert right.lines[0].get_ydata()[0] == pytest.approx(100)


def test_the_certificate_is_part_of_the_provenance_and_what_is_different_is_a_warning(study):
    key = "aa" * 16
    tables = replace(study, runs=study.runs.assign(key=key))
    assert "no run of this study has been trained again" in write_report(tables, MANIFEST, {})
    run = {"variant": "lenet", "seed": 1, "key": key, "outcome": "bitwise equal", "why": "curves"}
    certificate = {
        **{"date": "2026-01-02T03:04:05+00:00", "revision": "abc", "sample": {"seed": 0, "of": 9}, "runs": [run]},
        "environment": {"device": "cpu", "processor": "P", "torch": "2"},
    }
    page = write_report(tables, MANIFEST, {}, certificate=certificate)
    assert "1 run of 9 trained again on 2026-01-02" in page
    assert "1 bitwise equal." in page
    assert "came out different" not in page
    certificate["runs"].append({**run, "outcome": "different", "why": "from epoch 2 on: curves"})
    page = write_report(tables, MANIFEST, {}, certificate=certificate)
    assert "Runs came out different when they were trained again" in page
    assert "lenet, seed 1: different: from epoch 2 on: curves." in page
