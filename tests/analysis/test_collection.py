"""Records gathered into tables."""

import json
import math
import re
from pathlib import Path

import predicted
import pytest

from ablation.analysis.collection import CLASS_COLUMNS, DIAGNOSTIC_COLUMNS, collect, read_sizes
from ablation.analysis.contrasts import RunsByVariant
from ablation.catalogue.metrics import generalisation_gap
from ablation.records.environment import KIND
from ablation.records.store import DIAGNOSTICS, DamagedRecordError, Store
from ablation.study.studyfile import read_study

STUDY = Path(__file__).parents[2] / "config/studies/miniature.yaml"
DIAGNOSED = {
    "epoch": [0, 2],
    "layer": ["conv1", "conv1"],
    "depth": [1, 1],
    "kind": ["affine", "affine"],
    "quantity": ["gradient_norm", "update_norm"],
    "value": [0.5, None],
}

SIZES = {"lenet": {"parameters": 1, "multiply_adds": 2}}


def write(store, key, seed, files, **entries):
    row = {"epoch": 1, "train_loss": None, "seconds": 1.0}
    timings = ("train_seconds", "evaluate_seconds", "diagnostics_seconds", "images_per_second")
    environment = (*KIND, "python", "git")
    record = {
        "seed": seed,
        "status": "completed",
        "metrics": {"train_accuracy": 0.75, "gradient_ratio": None},
        "curves": [row, {**row, "epoch": 2}],
        "timings": dict.fromkeys(timings, 1.0),
        "environment": dict.fromkeys(environment, "x"),
    }
    store.write(key, {**record, **entries}, {**predicted.files(True, False), **files})


def gather(store, *keys, plan=None, **more):
    return collect(plan or read_study(STUDY), store, [("lenet", key) for key in keys], SIZES, ["a", "b"], **more)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    write(store, "aa" * 16, 1, {})
    write(store, "bb" * 16, 0, {DIAGNOSTICS: json.dumps(DIAGNOSED).encode()})
    return store


def test_diagnostics_are_rows_and_a_run_without_them_has_none(store):
    found = gather(store, "aa" * 16, "bb" * 16)
    diagnostics = found.diagnostics
    assert found.runs["seed"].tolist() == [0, 1]
    assert found.runs["gradient_ratio"].dtype == float
    assert len(found.curves) == 4
    assert found.examples.tolist() == [[True, False]] * 2
    assert diagnostics["seed"].tolist() == [0, 0]
    assert diagnostics["quantity"].tolist() == DIAGNOSED["quantity"]
    assert diagnostics["value"].isna().tolist() == [False, True]


def test_a_study_without_diagnostics_has_an_empty_table_of_the_same_columns(store):
    full, empty = (gather(store, key * 16).diagnostics for key in ("bb", "aa"))
    assert empty.empty
    assert empty.dtypes.equals(full.dtypes)
    assert list(empty) == list(DIAGNOSTIC_COLUMNS)


def test_damaged_diagnostics_are_not_used(store):
    (store.folder("bb" * 16) / DIAGNOSTICS).write_text("{}")
    with pytest.raises(DamagedRecordError, match=DIAGNOSTICS):
        gather(store, "bb" * 16)


def test_the_generalisation_gap_is_computed_from_a_record():
    metrics = {"train_accuracy": 0.9, "test_accuracy": 0.7}
    assert generalisation_gap({"metrics": metrics}, None) == pytest.approx(0.2)
    assert generalisation_gap({"metrics": dict.fromkeys(metrics)}, None) is None


def test_metrics_of_the_test_images_are_computed_from_the_predictions(store):
    row = gather(store, "aa" * 16).runs.iloc[0]
    expected = {"test_accuracy": 0.5, "top5_accuracy": 1.0, "worst_class_accuracy": 0.5, "generalisation_gap": 0.25}
    assert {name: row[name] for name in expected} == expected
    assert row["test_loss"] == pytest.approx((math.log(1 + math.exp(-1)) + math.log(1 + math.e)) / 2)
    assert row["macro_f1"] == pytest.approx((2 / 3 + 0) / 2), "the class without images has a wrong prediction"
    confidence = 1 / (1 + math.exp(-1))
    assert row["calibration_error"] == pytest.approx(confidence - 0.5)


def test_a_diverged_run_has_what_it_is_worth_and_no_row_of_classes(store):
    write(store, "cc" * 16, 2, {}, status="diverged", metrics={}, curves=[])
    found = gather(store, "aa" * 16, "cc" * 16)
    assert found.runs.loc[1, ["test_accuracy", "macro_f1", "top5_accuracy"]].tolist() == [0.5, 0.5, 1]
    assert found.runs.loc[1, "test_loss"] == math.log(2)
    assert math.isnan(found.runs.loc[1, "calibration_error"])
    assert math.isnan(found.runs.loc[1, "epochs_to_threshold"]), "the study states no threshold"
    assert found.classes["seed"].unique().tolist() == [1]


def test_classes_have_a_row_per_run_and_class(store):
    table = gather(store, "bb" * 16, "aa" * 16).classes
    assert list(table) == list(CLASS_COLUMNS)
    assert table["class"].tolist() == ["a", "b", "a", "b"]
    assert table["images"].tolist() == [2, 0, 2, 0]
    assert table["accuracy"].tolist()[0] == 0.5
    assert table["accuracy"].isna().tolist() == [False, True, False, True]


OWN = """
METRICS = {
    "confident": {"label": "confident", "compute": "confident"},
    "shades": {"label": "shades", "measure": "shades"},
}


def confident(record, study):
    predictions = record["predictions"]
    return None if predictions is None else (predictions.predicted_log_probability > -0.5).mean()


def shades(network, images, labels):
    return images.mean()
"""


@pytest.fixture
def own_plan(tmp_path):
    text = STUDY.read_text().replace(
        "smallest_effect", "parts: [own.py]\nmetrics: [confident, shades]\nsmallest_effect"
    )
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "own.yaml").write_text(re.sub(r"^metrics: .*\n", "", text, count=1, flags=re.MULTILINE))
    return read_study(tmp_path / "own.yaml")


def test_metrics_of_ones_own_get_the_predictions_and_what_was_measured_joins(store, own_plan):
    write(store, "cc" * 16, 2, {}, status="diverged")
    measured = {
        ("lenet", "aa" * 16): {"metrics": {"shades": 0.25}, "errors": {}},
        ("lenet", "cc" * 16): {"metrics": {"shades": None}, "errors": {"shades": "no shades"}},
    }
    runs = gather(store, "aa" * 16, "cc" * 16, plan=own_plan, measured=measured).runs
    assert runs["confident"].tolist()[0] == 1.0
    assert runs["shades"].tolist()[0] == 0.25
    assert runs[["confident", "shades"]].isna().all(axis=1).tolist() == [False, True]
    assert runs["metric_errors"].tolist()[1:] == ['{"shades": "no shades"}']


def test_a_metric_of_ones_own_that_fails_is_missing_and_what_needs_it_is_not_testable(store, own_plan, tmp_path):
    own = (tmp_path / "own.py").read_text()
    (tmp_path / "own.py").write_text(own.replace("predictions.predicted_log_probability", "predictions.nonsense"))
    runs = gather(store, "aa" * 16, "bb" * 16, plan=read_study(tmp_path / "own.yaml")).runs
    assert runs["confident"].isna().all()
    assert runs["test_accuracy"].notna().all()
    assert "own.py, line 10: confident cannot be computed" in RunsByVariant(runs).error_text("lenet", "confident")
    assert RunsByVariant(runs).error_text("lenet", "test_accuracy") == ""


def write_failed(store, key, seed):
    environment = (*KIND, "python", "git")
    timings = ("train_seconds", "evaluate_seconds", "diagnostics_seconds")
    record = {
        "seed": seed,
        "status": "failed",
        "error": {"type": "ValueError", "message": "no\ngood", "where": "", "traceback": "Traceback\n", "time": 1.0},
        "metrics": {},
        "curves": [],
        "timings": {**dict.fromkeys(timings, 0.0), "images_per_second": None},
        "environment": dict.fromkeys(environment, "x"),
    }
    store.write(key, record, {})


def test_a_failed_run_has_a_row_with_its_error_and_no_values(store, tmp_path):
    write_failed(store, "cc" * 16, 2)
    found = gather(store, "aa" * 16, "bb" * 16, "cc" * 16)
    runs = found.runs
    assert runs["status"].tolist() == ["completed", "completed", "failed"]
    assert runs["error"].isna().tolist() == [True, True, False]
    assert (runs["error"][2], runs["traceback"][2]) == ("ValueError: no good", "Traceback\n")
    assert runs["test_accuracy"].isna().tolist() == [False, False, True]
    assert found.examples.shape == (2, 2), "those of the runs that did not fail, in their order"
    assert set(found.curves["seed"]) == {0, 1}
    assert set(found.classes["seed"]) == {0, 1}
    runs.to_parquet(tmp_path / "runs.parquet")


def test_a_study_of_which_every_run_failed_has_tables_with_all_columns(store, tmp_path):
    plan = read_study(STUDY)
    write_failed(store, "cc" * 16, 2)
    nowhere = {"lenet": {"parameters": None, "multiply_adds": None}}
    found = collect(plan, store, [("lenet", "cc" * 16)], nowhere, ["a", "b"])
    whole = gather(store, "bb" * 16)
    assert set(found.runs) >= {"test_accuracy", "test_loss", "generalisation_gap", "parameters"}
    assert found.runs[["test_accuracy", "parameters"]].dtypes.tolist() == [float, float]
    assert set(found.curves) >= set(whole.curves)
    assert found.examples.shape == (0, 0)
    assert found.diagnostics.empty
    assert found.classes.empty
    found.runs.to_parquet(tmp_path / "runs.parquet")


def test_sizes_that_are_not_known_are_none_and_the_others_stay_whole(tmp_path):
    (tmp_path / "variants.csv").write_text("variant,parameters,multiply_adds\na,10,20\nb,,\n")
    assert read_sizes(tmp_path / "variants.csv") == {
        "a": {"parameters": 10, "multiply_adds": 20},
        "b": {"parameters": None, "multiply_adds": None},
    }
