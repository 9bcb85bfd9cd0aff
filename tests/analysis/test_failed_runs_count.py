"""Runs that diverged or were stuck are results: from their records to contrasts, claims and tables."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from invented import invented_outcomes
from predicted import predictions
from specs import make_spec

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.collection import collect
from ablation.analysis.contrasts import contrast_table
from ablation.analysis.failures import whole_curves
from ablation.analysis.maineffects import main_effects
from ablation.catalogue.metrics import FAILURE_RATES, METRICS, epochs_to_threshold, gradient_ratio
from ablation.records.environment import KIND
from ablation.records.store import DIAGNOSTICS, PREDICTIONS, WEIGHTS, Store
from ablation.report import tables
from ablation.statistics.estimates import welch
from ablation.study.studyfile import read_study
from ablation.training.diagnostics import Probe
from ablation.training.evaluation import without_numbers
from ablation.training.run import train

EPOCHS, CLASSES = 6, 10
VARIANT = "lenet-norm.none"
STUDY = f"""\
title: t
question: q
data: {{name: digits}}
recipe: {{epochs: {EPOCHS}, batch_size: 64, lr: 0.1}}
architectures: {{lenet: {{baseline: {{norm: batch}}}}}}
grid: [{{factors: {{norm: [none], epochs: [3]}}}}]
metrics: [test_accuracy, top5_accuracy, calibration_error, generalisation_gap, epochs_to_threshold, gradient_ratio]
seeds: 5
threshold: 0.9
diagnostics: [0]
claims:
  norm-helps:
    {{statement: s, source: me, factor: norm, level: batch, against: none, metric: test_accuracy, direction: greater}}
  norm-saves:
    {{statement: It trains., source: me, factor: norm, level: batch, against: none, metric: diverged, direction: less}}
"""
GRADIENTS = {
    **{"epoch": [0, 0, 3, 3], "layer": ["a", "b"] * 2, "depth": [1, 2] * 2, "kind": ["affine"] * 4},
    **{"quantity": ["gradient_rms"] * 4, "value": [0.01, 1.0, None, None]},
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_text(STUDY)
    return read_study(path)


def predicted(accuracy, status):
    """Predictions of 100 images of ten classes, of which so many are right."""
    labels = np.arange(100) % CLASSES
    logits = np.eye(CLASSES)[np.where(np.arange(100) < 100 * accuracy, labels, (labels + 1) % CLASSES)]
    found = predictions(logits.tolist(), labels.tolist())
    if status == "diverged":
        arrays = {name: getattr(found, name) for name in ("labels", "predicted", "rank")}
        arrays |= {name: getattr(found, name) for name in ("label_log_probability", "predicted_log_probability")}
        found = type(found)(classes=CLASSES, **without_numbers(arrays, CLASSES))
    return found


def write(store, key, seed, status, accuracy, rows=EPOCHS):
    """Write the record of a run as training writes it; its training accuracy grows by a tenth of the last per epoch."""
    diverged = status == "diverged"
    curves = [
        {"epoch": e, "train_loss": 1.0 / e, "objective": 1.0 / e, "train_accuracy": accuracy + 0.01 * e, "seconds": 1.0}
        for e in range(1, rows + 1)
    ]
    if diverged:
        curves[-1] |= {"train_loss": None, "objective": None}
    known = (
        "train_accuracy",
        "train_loss",
        "validation_accuracy",
        "validation_loss",
        "train_seconds",
        "gradient_ratio",
    )
    metrics = dict.fromkeys(known) if diverged else dict.fromkeys(known, accuracy) | {"gradient_ratio": -2.0}
    record = {
        "seed": seed,
        "status": status,
        "stopped_at": rows if rows < EPOCHS else None,
        "metrics": metrics,
        "curves": curves,
        "timings": {"train_seconds": float(rows), "images_per_second": 1.0},
        "environment": dict.fromkeys((*KIND, "python", "git"), "x"),
    }
    files = {PREDICTIONS: predicted(accuracy, status).to_bytes(), WEIGHTS: b""}
    store.write(key, record, {**files, DIAGNOSTICS: json.dumps(GRADIENTS).encode()})


GOOD = [("completed", accuracy) for accuracy in (0.95, 0.94, 0.96, 0.93, 0.97)]


def gather(folder, plan, variant, baseline=GOOD):
    """Collect records of the variant without norm, of the baseline, and of the one with half the epochs."""
    store, keys = Store(folder / "store"), []
    for place, (name, runs) in enumerate({"lenet": baseline, VARIANT: variant, "lenet-epochs.3": GOOD}.items()):
        for seed, (status, accuracy) in enumerate(runs):
            keys.append((name, f"{10 * place + seed:032x}"))
            rows = 2 if status == "diverged" else 3 if name.endswith("3") else EPOCHS
            write(store, keys[-1][1], seed, status, accuracy, rows)
    sizes = {variant: {"parameters": 10, "multiply_adds": 20} for variant in plan.variants}
    return collect(plan, store, keys, sizes, list("abcdefghij"))


def verdict_of(plan, runs, claim):
    found = {one.claim: one for one in invented_outcomes(plan, runs).claims}
    return found[claim].tests[0]


def row_of(plan, runs, metric, variant=VARIANT):
    found = contrast_table(plan, RunsByVariant(runs))
    return found[(found["metric"] == metric) & (found["variant"] == variant)].iloc[0]


def some(diverged, stuck=0):
    """Five runs of which so many diverged or were stuck."""
    ends = ["diverged"] * diverged + ["stuck"] * stuck + ["completed"] * (5 - diverged - stuck)
    return [(status, {"stuck": 0.1}.get(status, good)) for status, (_, good) in zip(ends, GOOD, strict=True)]


def test_a_run_that_diverged_is_worth_what_its_metrics_say(plan, tmp_path):
    runs = gather(tmp_path, plan, some(1)).runs.set_index(["variant", "seed"]).loc[VARIANT, 0]
    assert runs[["test_accuracy", "macro_f1", "worst_class_accuracy", "validation_accuracy"]].tolist() == [0.1] * 4
    assert runs[["test_loss", "train_loss"]].tolist() == [math.log(10)] * 2
    assert runs["top5_accuracy"] == 0.5
    assert runs["epochs_to_threshold"] == math.inf
    assert runs[["calibration_error", "generalisation_gap"]].isna().all(), "chance would give the best there are"
    assert runs["train_seconds"] == 2
    assert runs[list(FAILURE_RATES)].tolist() == [1, 0, 1]


def test_a_gradient_that_was_measured_before_training_outlives_a_divergence(plan, tmp_path):
    found = gather(tmp_path, plan, some(5)).runs
    assert found["gradient_ratio"].tolist() == [-2.0] * 15
    assert row_of(plan, found, "gradient_ratio")["n_variant"] == 5


def test_the_gradient_ratio_of_a_record_is_that_of_training(parts):
    spec = make_spec("lenet", recipe={"epochs": 1}, diagnostics=[0])
    rows = train(spec, parts, 10).diagnostics
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    expected = Probe.gradient_ratio(rows)
    assert expected is not None
    assert gradient_ratio({"diagnostics": columns}, None) == expected
    assert gradient_ratio({"diagnostics": {}}, None) is None
    assert gradient_ratio({"diagnostics": {**columns, "value": [None] * len(rows)}}, None) is None


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_of_ours_is_worth_something_or_says_what_it_could_have_been(metric):
    known = METRICS[metric]
    measured_before = ("train_seconds", "gradient_ratio", "parameters", "multiply_adds", *FAILURE_RATES)
    assert not math.isnan(known.worth(10)) or known.bounds or metric in measured_before


@pytest.mark.parametrize(
    ("diverged", "verdict"),
    [(0, "undecided"), (1, "undecided"), (3, "undecided"), (4, "supported"), (5, "supported")],
)
def test_a_claim_says_how_many_runs_diverged_and_reads_with_all_of_them(plan, tmp_path, diverged, verdict):
    found = verdict_of(plan, gather(tmp_path, plan, some(diverged)).runs, "norm-helps")
    assert [(cell.n, cell.diverged) for cell in found.cells] == [(5, 0), (5, diverged)]
    values = [0.1] * diverged + [accuracy for _, accuracy in GOOD[diverged:]]
    assert found.effect == pytest.approx(0.95 - np.mean(values))
    assert found.verdict == verdict
    if diverged < 5:
        assert found.completed_effect == pytest.approx(0.95 - np.mean(values[diverged:]))
    else:
        assert found.completed_effect is None
    assert found.failures_effect == pytest.approx(-diverged / 5)


def test_a_claim_on_the_rate_of_divergence_has_an_exact_interval(plan, tmp_path):
    found = verdict_of(plan, gather(tmp_path, plan, some(5)).runs, "norm-saves")
    assert found.verdict == "supported"
    assert (found.effect, found.low) == (-1.0, -1.0)
    assert -0.6 < found.high < -0.3


@pytest.mark.parametrize(("diverged", "stuck"), [(3, 0), (0, 4), (2, 2)])
def test_rates_of_failure_are_contrasts_of_their_own(plan, tmp_path, diverged, stuck):
    runs = gather(tmp_path, plan, some(diverged, stuck)).runs
    rows = {name: row_of(plan, runs, name) for name in FAILURE_RATES}
    assert [rows[name]["effect"] for name in FAILURE_RATES] == pytest.approx(
        [diverged / 5, stuck / 5, (diverged + stuck) / 5]
    )
    for row in rows.values():
        assert (row["n_variant"], row["diverged_variant"], row["stuck_variant"]) == (5, diverged, stuck)
        assert row["low"] < row["effect"] < row["high"], "an exact interval has a width"
    nothing = row_of(plan, runs, "diverged", "lenet-epochs.3")
    assert (nothing["effect"], nothing["low"]) == (0, pytest.approx(-nothing["high"]))


def test_what_is_missing_leaves_an_effect_within_bounds(plan, tmp_path):
    row = row_of(plan, gather(tmp_path, plan, some(2)).runs, "calibration_error")
    assert math.isnan(row["effect"])
    assert row["effect_most"] - row["effect_least"] == pytest.approx(2 / 5), "of five, two could be 0 or 1"
    assert row["low"] < row["effect_least"] < row["effect_most"] < row["high"]
    assert (row["n_variant"], row["n_reference"], row["diverged_variant"]) == (3, 5, 2)
    assert row["not_testable"] == ""


def test_what_is_missing_without_bounds_is_not_testable(plan, tmp_path):
    found = gather(tmp_path, plan, some(2)).runs
    found.loc[found["status"] == "diverged", "gradient_ratio"] = math.nan
    row = row_of(plan, found, "gradient_ratio")
    assert row["not_testable"] == f"2 of 5 runs of {VARIANT} have no value of gradient_ratio"
    assert math.isnan(row["effect"])
    assert row["completed_n_variant"] == 3


def test_a_time_that_was_never_reached_is_as_long_as_the_horizon_and_not_left_out(plan, tmp_path):
    slow = [("diverged", 0.95), ("completed", 0.2), ("completed", 0.86), ("completed", 0.86), ("stuck", 0.1)]
    runs = gather(tmp_path, plan, slow).runs
    times = runs.loc[runs["variant"] == VARIANT, "epochs_to_threshold"].tolist()
    assert times == [math.inf, math.inf, 4, 4, math.inf], "the first passed the threshold and diverged then"
    row = row_of(plan, runs, "epochs_to_threshold")
    assert row["horizon"] == EPOCHS
    assert row["effect"] == pytest.approx((6 + 6 + 4 + 4 + 6) / 5 - 1)
    assert row["n_variant"] == 5
    shorter = row_of(plan, runs, "epochs_to_threshold", "lenet-epochs.3")
    assert shorter["horizon"] == 3
    readable = tables.readable(
        plan, tables.comparison(plan, runs, contrast_table(plan, RunsByVariant(runs)))
    ).set_index("variant")
    assert readable.loc[VARIANT, "epochs to the threshold (epochs)"] == "≥ 5.2 ± 1.1"
    assert readable.loc["lenet", "epochs to the threshold (epochs)"] == "1.0 ± 0.0"


def test_epochs_to_a_threshold_are_infinite_where_it_is_not_reached():
    curves = [{"epoch": epoch, "train_accuracy": share} for epoch, share in enumerate((0.2, None, 0.6, 0.5, 0.9), 1)]
    found = [epochs_to_threshold({"curves": curves}, SimpleNamespace(threshold=t)) for t in (0.6, 0.95, None)]
    assert found == [3, math.inf, None]


def test_n_diverged_and_stuck_stand_in_every_row(plan, tmp_path):
    runs = gather(tmp_path, plan, some(2, 1)).runs
    comparison = tables.comparison(plan, runs, contrast_table(plan, RunsByVariant(runs))).set_index("variant")
    assert comparison.loc[VARIANT, ["runs", "diverged", "stuck", "test_accuracy_n"]].tolist() == [5, 2, 1, 5]
    assert comparison.loc[VARIANT, "test_accuracy_mean"] == pytest.approx((0.1 + 0.1 + 0.1 + 0.93 + 0.97) / 5)
    assert comparison.loc[VARIANT, ["test_accuracy_completed_n", "test_accuracy_completed_mean"]].tolist() == [2, 0.95]
    assert comparison.loc[VARIANT, ["calibration_error_n", "epochs_to_threshold_n"]].tolist() == [3, 5]
    text = tables.readable(plan, comparison.reset_index()).set_index("variant").loc[VARIANT]
    assert (text["n"], text["failures"]) == ("5", "2 diverged, 1 stuck")
    assert text["expected calibration error (%)"].endswith("(n = 3)")
    assert text["completed alone: test accuracy (%)"] == "95.00 ± 2.83 (n = 2)"
    short = tables.summary(plan, comparison.reset_index(), runs)
    assert "2 diverged, 1 stuck" in short
    counted = contrast_table(plan, RunsByVariant(runs))[
        ["n_variant", "n_reference", "diverged_variant", "stuck_reference"]
    ]
    assert counted.notna().all(axis=None)


def test_main_effects_count_runs_that_diverged(plan, tmp_path):
    found = gather(tmp_path, plan, some(4)).runs
    rows = main_effects(plan, found, "test_accuracy")
    row = rows[(rows["factor"] == "norm") & (rows["level"] == "none")].iloc[0]
    assert (row["runs"], row["n"]) == (5, 5)
    assert row["mean"] == pytest.approx((4 * 0.1 + 0.97) / 5)
    slow = main_effects(plan, found, "epochs_to_threshold")
    assert slow.loc[(slow["factor"] == "norm") & (slow["level"] == "none"), "mean"].iloc[0] == (4 * 6 + 1) / 5


def test_curves_of_runs_that_diverged_go_on_at_what_they_are_worth(plan, tmp_path):
    found = gather(tmp_path, plan, some(1))
    curves = whole_curves(plan, found.curves, found.runs)
    first = curves[(curves["variant"] == VARIANT) & (curves["seed"] == 0)]
    assert first["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert first["train_accuracy"].tolist() == [0.96] + [0.1] * 5
    assert first["train_loss"].tolist() == [1.0] + [math.log(10)] * 5
    others = curves[curves["variant"] == "lenet-epochs.3"]
    assert len(others) == 15


def test_the_images_of_a_run_that_diverged_are_guessed(plan, tmp_path):
    found = gather(tmp_path, plan, some(2, 1))
    scores = RunsByVariant(found.runs, found.examples).scores(VARIANT, "test_accuracy", 1)
    values = found.runs.loc[found.runs["variant"] == VARIANT, "test_accuracy"]
    assert scores.seeds == pytest.approx(values.to_numpy())
    assert values.tolist()[:2] == [0.1, 0.1]


@pytest.mark.parametrize("value", [0.1, 1 / 3, 359 / 7, 1e-9])
@pytest.mark.parametrize("n", [3, 5, 7])
def test_equal_values_have_no_spread_however_they_were_rounded(value, n):
    nearly = [np.nextafter(value, 1e9), *[value] * (n - 1)]
    for side in ([value] * n, nearly):
        effect = welch(side, [0.1 * value] * n)
        assert math.isnan(effect.low)
    one_varies = welch(nearly, [0.9, 0.8, 0.7])
    assert one_varies.df == 2, "that of the side that varies"
