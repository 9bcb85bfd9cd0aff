"""Records gathered into tables: one row per run, per run and epoch, per diagnosed number; one bit per test image."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablation.catalogue.catalogue import OURS
from ablation.records.store import CORRECT, DIAGNOSTICS, FAILED, LATE, DamagedRecordError, Store
from ablation.study.levels import level_text
from ablation.study.plan import Plan
from ablation.support.failures import in_one_line
from ablation.support.references import own_code, resolve

SIZES = ("parameters", "multiply_adds")

# Columns of `diagnostics.parquet`, which a study without diagnostics has, too.
CURVE_COLUMNS = (
    *("variant", "seed", "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr"),
    *("seconds", "time"),
)
DIAGNOSTIC_COLUMNS = {
    "variant": str,
    "seed": "int64",
    "epoch": "int64",
    "layer": str,
    "depth": "int64",
    "kind": str,
    "quantity": str,
    "value": float,
}


def final_metrics(plan: Plan, record: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the metrics of a run: those that its record states, and those that are computed from it.

    Of the author's own, those are computed that the study asks for. A run that failed has none.
    """
    if record["status"] == FAILED:
        return dict.fromkeys(
            name
            for name, metric in plan.metrics.items()
            if not metric.exact and (name in plan.asked or (name in OURS.metrics and not metric.measure))
        )
    found = dict(record["metrics"])
    for name, metric in plan.metrics.items():
        if metric.compute and (name in OURS.metrics or name in plan.asked):
            with own_code(metric.compute, f"{name} cannot be computed from the record of a {record['status']} run"):
                found[name] = resolve(metric.compute)(record, plan.study)
    return found


def run_row(
    plan: Plan, variant_id: str, key: str, record: Mapping[str, Any], sizes: Mapping[str, int | None]
) -> dict[str, Any]:
    """Flatten a record, with the sizes of its network, into a row of `runs.parquet`."""
    variant = plan.variants[variant_id]
    levels = {
        factor: level_text(variant.levels[factor]) if factor in variant.levels else None for factor in plan.factors
    }
    return {
        "variant": variant_id,
        "architecture": variant.architecture,
        "baseline": not variant.changed,
        **levels,
        "seed": record["seed"],
        "key": key,
        "status": record["status"],
        **final_metrics(plan, record),
        **sizes,
        "epochs": len(record["curves"]),
        "training_seconds": record["timings"]["train_seconds"],
        "evaluate_seconds": record["timings"]["evaluate_seconds"],
        "diagnostics_seconds": record["timings"]["diagnostics_seconds"],
        "images_per_second": record["timings"]["images_per_second"],
        **{name: record["environment"][name] for name in ("device", "processor", "threads", "torch", "python", "git")},
        "error": in_one_line(record["error"]) if record["status"] == FAILED else None,
        "traceback": record["error"]["traceback"] if record["status"] == FAILED else None,
    }


def diagnostic_rows(variant: str, folder: Path, record: dict[str, Any]) -> pd.DataFrame:
    """Read a run's diagnostics into rows of `diagnostics.parquet`; none if it had no diagnostics."""
    columns = json.loads((folder / DIAGNOSTICS).read_bytes()) if DIAGNOSTICS in record["files"] else {}
    rows = pd.DataFrame(columns, columns=list(DIAGNOSTIC_COLUMNS))
    return rows.assign(variant=variant, seed=record["seed"]).astype(DIAGNOSTIC_COLUMNS)


def read_sizes(path: Path) -> dict[str, dict[str, int | None]]:
    """Read the sizes of each variant's network from `plan/variants.csv`; None for one that could not be measured.

    They stand in no record: what counts them may be mended without training anything again.
    """
    table = pd.read_csv(path, dtype=dict.fromkeys(SIZES, "Int64")).set_index("variant")[list(SIZES)].astype(object)
    return table.where(table.notna(), None).to_dict("index")


def _typed_runs(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make the table of runs; a column of which every value is missing would have no type by itself."""
    runs = pd.DataFrame(rows)
    numbers = [name for name, metric in plan.metrics.items() if name in runs and not metric.exact]
    numbers += [name for name in (*SIZES, "images_per_second") if runs[name].isna().any()]
    runs[numbers] = runs[numbers].astype(float)
    runs[["error", "traceback"]] = runs[["error", "traceback"]].astype("string")
    return runs


def _typed_curves(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make the table of epochs, likewise; there may be none if every run failed."""
    curves = pd.DataFrame(rows, columns=None if rows else list(CURVE_COLUMNS))
    curves = curves.sort_values(["variant", "seed", "epoch"], ignore_index=True)
    numbers = curves.columns.difference(["variant", "seed", "epoch"])
    curves[numbers] = curves[numbers].astype(float)
    return curves


def collect(
    plan: Plan, store: Store, record_keys: Sequence[tuple[str, str]], sizes: Mapping[str, Mapping[str, int | None]]
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Gather records.

    Parameters
    ----------
    plan : Plan
    store : Store
    record_keys : sequence of (str, str)
        Variant and key of every run.
    sizes : mapping
        As `read_sizes` returns them.

    Returns
    -------
    runs : pandas.DataFrame
        One row per run, in the order of the study's variants and then of seeds.
    curves : pandas.DataFrame
        One row per run and epoch.
    examples : numpy.ndarray
        bool (runs, test images): whether the run classified that image correctly; rows as in `runs`, without those of
        failed runs, which have classified nothing.
    diagnostics : pandas.DataFrame
        One row per run, epoch, layer and quantity, ordered as `runs`; empty if the study has no diagnostics.

    Raises
    ------
    DamagedRecordError
        If records are missing or damaged, naming all of them; the damaged ones are set aside.
    """
    order = {variant: position for position, variant in enumerate(plan.variants)}
    rows, curves, examples, diagnostics, broken = [], [], [], [], []
    for variant, key in record_keys:
        try:
            record = store.read(key, patience=0 if broken else LATE)
        except KeyError:
            broken.append(f"{variant}: record {key} is missing")
            continue
        except DamagedRecordError as error:
            broken.append(f"{variant}: {error}; set aside as {store.set_aside(key, str(error))}")
            continue
        rows.append(run_row(plan, variant, key, record, sizes[variant]))
        curves += [{"variant": variant, "seed": record["seed"], **row} for row in record["curves"]]
        examples.append(None if record["status"] == FAILED else np.load(store.folder(key) / CORRECT))
        diagnostics.append(diagnostic_rows(variant, store.folder(key), record))
    if broken:
        raise DamagedRecordError("\n".join([*broken, "start again: only these runs will be trained anew"]))
    position = sorted(range(len(rows)), key=lambda i: (order[rows[i]["variant"]], rows[i]["seed"]))
    runs = _typed_runs(plan, [rows[i] for i in position])
    curve_rows = _typed_curves(curves)
    diagnosed = pd.concat([diagnostics[i] for i in position], ignore_index=True)
    classified = [examples[i] for i in position if examples[i] is not None]
    return runs, curve_rows, np.stack(classified) if classified else np.zeros((0, 0), bool), diagnosed
