"""Records gathered into tables."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from ablation.analysis.collection import DIAGNOSTIC_COLUMNS, collect
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
