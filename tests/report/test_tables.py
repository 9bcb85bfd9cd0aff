"""Tables and the report: every number comes from the runs."""

import math
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablation.analysis.contrasts import claim_table, contrast_table
from ablation.catalogue.metrics import METRICS
from ablation.networks.layertable import to_record
from ablation.networks.sizes import inspect
from ablation.report import tables
from ablation.report.figures import results as figures
from ablation.report.figures.drawings import draw_blocks
from ablation.report.page import diagnostics_cost, inline_svg, mixtures, write_report
from ablation.statistics.estimates import welch
from ablation.study.plan import Plan
from ablation.study.studyfile import read_study
from ablation.support import formatting as texts

ROOT = Path(__file__).parents[2]


def invented_runs(plan: Plan) -> pd.DataFrame:
    """Runs as `collect` gives them, with one that diverged and one that is stuck."""
    rng, rows = np.random.default_rng(0), []
    for position, variant in enumerate(plan.variants.values()):
        for seed in (0, 1, 2):
            diverged = position == 1 and seed == 0
            accuracy = math.nan if diverged else 0.5 + 0.05 * position + rng.normal(0, 0.01)
            rows.append(
                {
                    "variant": variant.id,
                    "architecture": variant.architecture,
                    "seed": seed,
                    "status": "diverged" if diverged else "stuck" if position == 1 else "completed",
                    "test_accuracy": accuracy,
                    "test_loss": 1 - accuracy,
                    "train_accuracy": accuracy,
                    "train_seconds": 2.0,
                    "training_seconds": 2.0,
                    "epochs": 3,
                    "evaluate_seconds": 0.5,
                    "diagnostics_seconds": 0.05,
                    "parameters": 1000 * (position + 1),
                    "multiply_adds": 5_000_000,
                    "device": "cpu",
                    "processor": "p",
                    "torch": "2",
                    "python": "3",
                    "threads": 1,
                    "git": "abc",
                }
            )
    return pd.DataFrame(rows)


def invented_curves(runs: pd.DataFrame) -> pd.DataFrame:
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "seconds")
    return pd.DataFrame(
        [
            {"variant": run.variant, "seed": run.seed, "epoch": epoch, **dict.fromkeys(names, 1 / epoch)}
            for run in runs.itertuples()
            for epoch in (1, 2, 3)
        ]
    )


@pytest.fixture(scope="module")
def study():
    plan = read_study(ROOT / "config/studies/miniature.yaml")
    runs = invented_runs(plan)
    contrasts = contrast_table(plan, runs)
    return plan, runs, contrasts, claim_table(plan, runs), tables.comparison(plan, runs, contrasts)


def test_comparison_is_computed_from_the_runs(study):
    plan, runs, _, _, table = study
    first, _, second, *_ = plan.variants
    row = table.set_index("variant").loc[second]
    mine, base = (runs.loc[runs["variant"] == name, "test_accuracy"].to_numpy() for name in (second, first))
    assert row["test_accuracy_mean"] == mine.mean()
    assert row["test_accuracy_sd"] == mine.std(ddof=1)
    assert row["test_accuracy_low"] == welch(mine, base).low
    assert math.isnan(table.set_index("variant").loc[first, "test_accuracy_effect"])


def test_failures_are_counted_and_diverged_runs_have_no_value(study):
    plan, _, _, _, table = study
    row = table.iloc[1]
    assert (row["runs"], row["diverged"], row["stuck"], row["test_accuracy_n"]) == (3, 1, 2, 2)
    assert tables.readable(plan, table)["failures"][1] == "1 diverged, 2 stuck"


def test_claims_read_both_sides(study):
    _, runs, _, claims, _ = study
    row = claims.iloc[0]
    sigmoid = runs.loc[runs["variant"] == "lenet-activation.sigmoid", "test_accuracy"]
    relu = runs.loc[runs["variant"] == "lenet", "test_accuracy"]
    assert row["effect"] == pytest.approx(relu.mean() - sigmoid.mean())
    assert row["observed"] == "opposite"


@pytest.mark.parametrize(
    ("value", "text"),
    [(999, "999"), (61706, "61.7 k"), (1814000000, "1.81 G"), (999_600, "1000 k"), (1e6, "1 M"), (1.29e12, "1.29 T")],
)
def test_counts_have_three_digits(value, text):
    assert texts.count(value) == text


def test_numbers_have_a_true_minus_and_their_unit():
    accuracy = METRICS["test_accuracy"]
    assert tables.effect_text(-0.7423, -0.76, -0.7246, accuracy) == "−74.23 [−76.00, −72.46]"
    assert tables.mean_text(0.5, math.nan, accuracy) == "50.00"


def test_every_form_of_the_table_has_every_variant(study):
    plan, runs, _, _, table = study
    text = tables.readable(plan, table)
    caption = tables.caption(plan, runs)
    markdown, latex = tables.to_markdown(text, caption), tables.to_latex(text, caption, "tab:x")
    for variant in plan.variants:
        assert variant in markdown
        assert variant.replace("_", r"\_") in latex
    assert "15 runs of 5 variants, 3 seeds each" in caption
    assert not [line for line in latex.splitlines() if "%" in line.replace(r"\%", "")]


class References(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        names = ("src", "href", "xlink:href")
        self.found += [value for name, value in attributes if name in names and not value.startswith("#")]


def test_report_is_one_page_that_needs_no_other_file(study):
    plan, runs, contrasts, claims, table = study
    curves = invented_curves(runs)
    networks = {id: inspect(variant.architecture_spec(), (1, 8, 8), 10) for id, variant in plan.variants.items()}
    layers = pd.DataFrame([{"variant": id, **to_record(layer)} for id in networks for layer in networks[id]])
    drawn = {"blocks": draw_blocks({"lenet": networks["lenet"]}), "curves": figures.curves(plan, runs, curves)}
    drawn |= {name: draw(plan, runs, table) for name, draw in figures.DRAW.items() if name in plan.figures}
    assert list(drawn) == plan.figures
    import io

    svg = {}
    for name, figure in drawn.items():
        text = io.StringIO()
        figure.savefig(text, format="svg")
        svg[name] = text.getvalue()
    manifest = {"counts": {"train": 10, "validation": 3, "test": 5}, "digest": "d" * 32, "source": "somewhere"}
    page = write_report(plan, runs, curves, contrasts, claims, table, layers, manifest, svg)
    parser = References()
    parser.feed(page)
    assert not parser.found
    assert parser.tags.count("svg") == len(plan.figures)
    assert plan.study.question in page
    assert "1 claim, tested by 1 contrast: 0 as claimed, 1 opposite, 0 open" in page
    assert "1 diverged, 2 stuck" in page
    assert f"{15 * 2.5 / 60:.1f} min in all" in page
    assert "layer by layer: 21,386 parameters, 66,600 multiply-adds" in page
    assert '<td class="text">~ conv1.activation</td><td class="text">ReLU → Sigmoid</td>' in page
    assert parser.tags.count("details") == 1 + len(plan.variants)


def test_svg_loses_its_head_only():
    assert inline_svg('<?xml version="1.0"?>\n<svg a="b"></svg>') == '<svg a="b"></svg>'


def test_diagnostics_state_their_cost(study):
    plan, runs, *_ = study
    assert diagnostics_cost(plan, runs) == []
    diagnosed = Plan(plan.study.model_copy(update={"diagnostics": (4, 0)}), plan.name)
    ((_, text),) = diagnostics_cost(diagnosed, runs)
    assert text == "0.8 s, 2.5 % of training, and not counted in it (epochs 0, 4)"


def test_mixed_hardware_is_said(study):
    runs = study[1].copy()
    assert mixtures(runs) == []
    runs.loc[0, "device"] = "GPU"
    assert mixtures(runs) == ["The runs mix devices: GPU, cpu."]


@pytest.mark.parametrize(("seconds", "text"), [(8.6, "9 s"), (125, "2 min 05 s"), (5400, "1 h 30 min")])
def test_times_are_written_for_people(seconds, text):
    assert texts.duration(seconds) == text


@pytest.fixture
def unvalidated(tmp_path):
    """The miniature study on the same digits, with none kept for validation."""
    text = (ROOT / "config/studies/miniature.yaml").read_text()
    (tmp_path / "unvalidated.yaml").write_text(text.replace("name: digits", "name: digits, validation: 0"))
    return read_study(tmp_path / "unvalidated.yaml")


def test_curves_without_validation_images_show_the_training_accuracy(unvalidated):
    runs = invented_runs(unvalidated)
    rows = invented_curves(runs).assign(validation_loss=math.nan, validation_accuracy=math.nan)
    right = figures.curves(unvalidated, runs, rows).axes[1]
    assert right.get_ylabel() == "training accuracy (%)"
    assert right.lines[0].get_ydata()[0] == pytest.approx(100)


def test_curves_of_a_run_without_validation_images_show_the_training_alone():
    rows = [
        {"epoch": epoch, "train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": None, "validation_accuracy": None}
        for epoch in (1, 2)
    ]
    assert [len(axis.lines) for axis in figures.run_curves("a run", rows).axes] == [1, 1]
