"""Records gathered into tables."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from ablation.analysis.collection import DIAGNOSTIC_COLUMNS, collect, read_sizes
from ablation.catalogue.metrics import generalisation_gap
from ablation.records.store import CORRECT, DIAGNOSTICS, DamagedRecordError, Store
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


def write(store, key, seed, files):
    correct = io.BytesIO()
    np.save(correct, np.array([True, False]))
    row = {"epoch": 1, "train_loss": None, "seconds": 1.0}
    timings = ("train_seconds", "evaluate_seconds", "diagnostics_seconds", "images_per_second")
    environment = ("device", "processor", "threads", "torch", "python", "git")
    record = {
        "seed": seed,
        "status": "completed",
        "metrics": {"test_accuracy": 0.5, "gradient_ratio": None},
        "curves": [row, {**row, "epoch": 2}],
        "timings": dict.fromkeys(timings, 1.0),
        "environment": dict.fromkeys(environment, "x"),
    }
    store.write(key, record, {CORRECT: correct.getvalue(), **files})


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    write(store, "aa" * 16, 1, {})
    write(store, "bb" * 16, 0, {DIAGNOSTICS: json.dumps(DIAGNOSED).encode()})
    return store


def test_diagnostics_are_rows_and_a_run_without_them_has_none(store):
    runs, curves, examples, diagnostics = collect(
        read_study(STUDY), store, [("lenet", "aa" * 16), ("lenet", "bb" * 16)], SIZES
    )
    assert runs["seed"].tolist() == [0, 1]
    assert runs["gradient_ratio"].dtype == float
    assert len(curves) == 4
    assert examples.shape == (2, 2)
    assert diagnostics["seed"].tolist() == [0, 0]
    assert diagnostics["quantity"].tolist() == DIAGNOSED["quantity"]
    assert diagnostics["value"].isna().tolist() == [False, True]


def test_a_study_without_diagnostics_has_an_empty_table_of_the_same_columns(store):
    plan = read_study(STUDY)
    *_, full = collect(plan, store, [("lenet", "bb" * 16)], SIZES)
    *_, empty = collect(plan, store, [("lenet", "aa" * 16)], SIZES)
    assert empty.empty
    assert empty.dtypes.equals(full.dtypes)
    assert list(empty) == list(DIAGNOSTIC_COLUMNS)


def test_damaged_diagnostics_are_not_used(store):
    (store.folder("bb" * 16) / DIAGNOSTICS).write_text("{}")
    with pytest.raises(DamagedRecordError, match=DIAGNOSTICS):
        collect(read_study(STUDY), store, [("lenet", "bb" * 16)], SIZES)


def test_the_generalisation_gap_is_computed_from_a_record():
    metrics = {"train_accuracy": 0.9, "test_accuracy": 0.7}
    assert generalisation_gap({"metrics": metrics}, None) == pytest.approx(0.2)
    assert generalisation_gap({"metrics": dict.fromkeys(metrics)}, None) is None


def write_failed(store, key, seed):
    environment = ("device", "processor", "threads", "torch", "python", "git")
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
    keys = [("lenet", key * 16) for key in ("aa", "bb", "cc")]
    runs, curves, examples, _ = collect(read_study(STUDY), store, keys, SIZES)
    assert runs["status"].tolist() == ["completed", "completed", "failed"]
    assert runs["error"].isna().tolist() == [True, True, False]
    assert (runs["error"][2], runs["traceback"][2]) == ("ValueError: no good", "Traceback\n")
    assert runs["test_accuracy"].isna().tolist() == [False, False, True]
    assert examples.shape == (2, 2), "those of the runs that did not fail, in their order"
    assert set(curves["seed"]) == {0, 1}
    runs.to_parquet(tmp_path / "runs.parquet")


def test_a_study_of_which_every_run_failed_has_tables_with_all_columns(store, tmp_path):
    plan = read_study(STUDY)
    write_failed(store, "cc" * 16, 2)
    nowhere = {"lenet": {"parameters": None, "multiply_adds": None}}
    runs, curves, examples, diagnostics = collect(plan, store, [("lenet", "cc" * 16)], nowhere)
    whole = collect(plan, store, [("lenet", "bb" * 16)], SIZES)
    assert set(runs) >= {"test_accuracy", "test_loss", "generalisation_gap", "parameters"}
    assert runs[["test_accuracy", "parameters"]].dtypes.tolist() == [float, float]
    assert set(curves) >= set(whole[1])
    assert examples.shape == (0, 0)
    assert diagnostics.empty
    runs.to_parquet(tmp_path / "runs.parquet")


def test_sizes_that_are_not_known_are_none_and_the_others_stay_whole(tmp_path):
    (tmp_path / "variants.csv").write_text("variant,parameters,multiply_adds\na,10,20\nb,,\n")
    assert read_sizes(tmp_path / "variants.csv") == {
        "a": {"parameters": 10, "multiply_adds": 20},
        "b": {"parameters": None, "multiply_adds": None},
    }
