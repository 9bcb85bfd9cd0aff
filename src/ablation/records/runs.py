"""Records as what is computed from them needs them: checked to the last entry, with the predictions and the diagnostics."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablation.records.predictions import Predictions
from ablation.records.store import (
    CORRECT,
    DIAGNOSTICS,
    DIVERGED,
    FAILED,
    PREDICTIONS,
    UNREADABLE,
    DamagedRecordError,
    Store,
)

# Entries of `record.json` that every table is made from; of what lies below them, the names are those of the writer.
ENTRIES: dict[str, type] = {
    "seed": int,
    "status": str,
    "metrics": dict,
    "curves": list,
    "timings": dict,
    "environment": dict,
}
# Columns of `diagnostics.json`.
COLUMNS: dict[str, type] = {"epoch": int, "layer": str, "depth": int, "kind": str, "quantity": str, "value": float}

WITHOUT_VALUE = (DIVERGED, FAILED)  # statuses of runs of which nothing is measured, and no predictions count


@dataclass(frozen=True)
class RunRecord:
    """A record of the store, read and checked.

    Attributes
    ----------
    content : dict
        `record.json`.
    predictions : Predictions or None
        Of the test images; None for a run that failed, and for a record of format 1.
    correct : numpy.ndarray or None
        Whether the run classified each test image correctly: bool (test images,); None for a run that failed.
    diagnostics : dict of str to list
        By column; empty without diagnostics.
    """

    content: dict[str, Any]
    predictions: Predictions | None
    correct: np.ndarray | None
    diagnostics: dict[str, list]

    def for_metrics(self) -> dict[str, Any]:
        """Return what metrics are computed from: `record.json`, ``diagnostics``, and ``predictions`` that are some."""
        without = self.content["status"] in WITHOUT_VALUE
        predictions = None if without else self.predictions
        return {**self.content, "predictions": predictions, "diagnostics": self.diagnostics}


def read_run(store: Store, key: str, patience: float = 0.0) -> RunRecord:
    """Read a record with all that tables and metrics are made from.

    Parameters
    ----------
    store : Store
    key : str
    patience : float
        As for `Store.read`.

    Raises
    ------
    KeyError
        If there is no such record.
    DamagedRecordError
        If it is not what was written.
    NewerRecordError
        If a newer version of this program wrote it.
    """
    content = store.read(key, patience)
    folder = store.folder(key)
    check_entries(key, content)
    predictions = correct = None
    diagnostics: dict[str, list] = {}
    name = PREDICTIONS
    try:
        if PREDICTIONS in content["files"]:
            predictions = Predictions.read(folder / PREDICTIONS)
            correct = predictions.correct
        elif content["format"] == 1 and CORRECT in content["files"]:
            name, correct = CORRECT, np.load(io.BytesIO((folder / CORRECT).read_bytes()), allow_pickle=False)
            if correct.dtype != bool or correct.ndim != 1:
                raise ValueError(f"found {correct.dtype} {correct.shape}, expected bool (images,)")
        elif content["status"] != FAILED:
            raise ValueError("found none")
        if DIAGNOSTICS in content["files"]:
            name, diagnostics = DIAGNOSTICS, json.loads((folder / DIAGNOSTICS).read_bytes())
            check_columns(diagnostics)
    except (*UNREADABLE, EOFError) as error:
        raise DamagedRecordError(f"record {key}: {name} is not what was written ({error})") from None
    return RunRecord(content, predictions, correct, diagnostics)


def began(content: Mapping[str, Any]) -> float | None:
    """Return when a run began, in seconds since 1970, given its `record.json`; when it failed; None if it does not say.

    What an interrupted run lost before its first epoch ended is not counted.
    """
    if content["status"] == FAILED:
        return content["error"]["time"]
    row = next(iter(content["curves"]), {})
    return row["time"] - row["seconds"] if is_time(row.get("time")) and is_time(row.get("seconds")) else None


def check_entries(key: str, content: Mapping[str, Any]) -> None:
    """Refuse a `record.json` whose entries are not those of a run; raises DamagedRecordError."""
    wrong = [name for name, kind in ENTRIES.items() if not isinstance(content.get(name), kind)]
    if not wrong:
        numbers = [*content["metrics"].values(), *content["timings"].values()]
        rows = content["curves"]
        wrong += [] if all(map(is_number, numbers)) else ["metrics or timings"]
        wrong += [] if all(isinstance(row, dict) and is_row(row) for row in rows) else ["curves"]
        wrong += [] if content["status"] != FAILED or is_error(content.get("error")) else ["error"]
    if wrong:
        raise DamagedRecordError(
            f"record {key}: {', '.join(wrong)} of record.json: found what is none, expected a run's"
        )


def is_number(value: Any) -> bool:
    """Say whether something is a number or None."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def is_error(error: Any) -> bool:
    """Say whether something is what `ablation.support.failures.describe` returns."""
    texts = ("type", "message", "where", "traceback")
    return isinstance(error, dict) and all(isinstance(error.get(n), str) for n in texts) and is_time(error.get("time"))


def is_time(value: Any) -> bool:
    """Say whether something is a number of seconds."""
    return value is not None and is_number(value)


def is_row(row: Mapping[str, Any]) -> bool:
    """Say whether something is an epoch's row of the curves."""
    return type(row.get("epoch")) is int and all(map(is_number, row.values()))


def check_columns(columns: Any) -> None:
    """Refuse diagnostics that are not those of `COLUMNS`, all of one length; raises ValueError."""
    if not isinstance(columns, dict) or set(columns) != set(COLUMNS):
        raise ValueError(f"expected the columns {', '.join(COLUMNS)}")
    for name, kind in COLUMNS.items():
        fits = is_number if kind is float else lambda value, kind=kind: type(value) is kind
        if not isinstance(columns[name], list) or not all(map(fits, columns[name])):
            raise ValueError(f"column {name}: expected {kind.__name__}")
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("expected columns of equal length")
