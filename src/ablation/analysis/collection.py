"""Records gathered into tables: one row per run, per run and epoch, per diagnosed number, per class; one bit per image."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.scores import by_class
from ablation.catalogue.catalogue import OURS
from ablation.records.environment import KIND
from ablation.records.runs import RunRecord, began, read_run
from ablation.records.store import DIVERGED, FAILED, LATE, DamagedRecordError, Store
from ablation.study.levels import level_text
from ablation.study.plan import Plan
from ablation.support.failures import in_one_line, is_of_the_machine
from ablation.support.references import OwnCodeError, own_code, resolve

SIZES = ("parameters", "multiply_adds")

# What the curves state of each epoch.
CURVES = ("train_loss", "objective", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "seconds")
# Columns of `curves.parquet` of a study without a single epoch, as every run failed before; else the records name them.
CURVE_COLUMNS = ("variant", "seed", "epoch", *CURVES, "time")
# Columns of `diagnostics.parquet`, which a study without diagnostics has, too.
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
# Columns of `classes.parquet`, which has no row of a run without predictions.
CLASS_COLUMNS = {
    "variant": str,
    "seed": "int64",
    "class": str,
    "images": "int64",
    "accuracy": float,
    "precision": float,
    "f1": float,
}
TIMINGS = ("evaluate_seconds", "diagnostics_seconds", "images_per_second")
ENVIRONMENT = (*KIND, "python", "git")


@dataclass(frozen=True)
class Collected:
    """The tables of a study's records, ordered by the study's variants and then by seeds.

    Attributes
    ----------
    runs : pandas.DataFrame
        One row per run. One that diverged has what it is worth to each metric (`ablation.catalogue.metrics.Metric`).
    curves : pandas.DataFrame
        One row per run and epoch.
    examples : numpy.ndarray
        bool (runs, test images): whether the run classified that image correctly; rows as in `runs`,
        without those of failed runs, which have classified nothing.
    diagnostics : pandas.DataFrame
        One row per run, epoch, layer and quantity; empty if the study has no diagnostics.
    classes : pandas.DataFrame
        One row per run and class, of the test images; none of a run that diverged.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    examples: np.ndarray
    diagnostics: pd.DataFrame
    classes: pd.DataFrame


def final_metrics(
    plan: Plan, run: RunRecord, measured: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the metrics of a run: those that its record states, and those that are computed from it or were measured.

    Of the author's own, those are computed that the study asks for. A run that failed has none; one that diverged has those
    that were measured before.

    Parameters
    ----------
    plan : Plan
    run : RunRecord
    measured : mapping, optional
        ``metrics`` and ``errors``, as `ablation.jobs.measuring.measure_shard` states them.

    Returns
    -------
    metrics : dict of str to float or None
    errors : dict of str to str
        Of those whose code is the author's and failed, why.
    """
    record, measured = run.for_metrics(), measured or {"metrics": {}, "errors": {}}
    wanted = [name for name, metric in plan.metrics.items() if has_column(plan, name) and not metric.exact]
    found = record["metrics"] = {**dict.fromkeys(wanted), **record["metrics"], **measured["metrics"]}
    errors = dict(measured["errors"])
    for name in wanted if record["status"] != FAILED else ():
        metric = plan.metrics[name]
        if metric.compute and (record["status"] != DIVERGED or metric.diverged == "as_measured"):
            try:
                with own_code(metric.compute, f"{name} cannot be computed from the record of a {record['status']} run"):
                    value = number_or_none(resolve(metric.compute)(record, plan.study))
            except OwnCodeError as error:
                if is_of_the_machine(error):
                    raise
                value, errors[name] = None, str(error)
            found[name] = found[name] if value is None else value  # a record of format 1 states what is not computed
    return found, errors


def with_worths(plan: Plan, metrics: Mapping[str, float | None], classes: int) -> dict[str, float | None]:
    """Give a run that diverged what it is worth to each metric of the study, where it has no value."""
    found = dict(metrics)
    for name, value in metrics.items():
        if value is None and name in plan.metrics and plan.can_have(name):
            found[name] = number_or_none(plan.metrics[name].worth(classes))
    return found


def number_or_none(value: Any) -> float | None:
    """Return what a metric's code found as a number; raises TypeError or ValueError if it is none."""
    return None if value is None else float(value)


def has_column(plan: Plan, name: str) -> bool:
    """Say whether a metric is a column of every study's runs, or of this one's because it asks for it."""
    return name in plan.asked or (name in OURS.metrics and not plan.metrics[name].measure)


def run_row(
    plan: Plan,
    variant_id: str,
    key: str,
    run: RunRecord,
    sizes: Mapping[str, int | None],
    classes: int,
    measured: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Flatten a record, with the sizes of its network and what was measured on it, into a row of `runs.parquet`.

    A run that diverged has what it is worth to each metric, given the number of classes.
    """
    variant, record = plan.variants[variant_id], run.content
    metrics, errors = final_metrics(plan, run, measured)
    if record["status"] == DIVERGED:
        metrics = with_worths(plan, metrics, classes)
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
        **metrics,
        **sizes,
        "epochs": len(record["curves"]),
        "began": began(record),
        "stopped_at": record.get("stopped_at"),
        "training_seconds": record["timings"].get("train_seconds"),
        **{name: record["timings"].get(name) for name in TIMINGS},
        **{name: record["environment"].get(name) for name in ENVIRONMENT},
        "metric_errors": json.dumps(errors) if errors else None,
        "error": in_one_line(record["error"]) if record["status"] == FAILED else None,
        "traceback": record["error"]["traceback"] if record["status"] == FAILED else None,
    }


@dataclass(frozen=True)
class Extract:
    """What the tables take of one record: its row of runs, and columns of the other tables, without variant and seed.

    A record as it is read has a hundred times the size; of thousands, all at once would fill the memory.
    """

    row: dict[str, Any]
    curves: dict[str, np.ndarray]
    diagnostics: dict[str, list]
    classes: dict[str, Any]
    correct: np.ndarray | None

    @classmethod
    def of(cls, row: dict[str, Any], run: RunRecord, classes: Sequence[str]) -> "Extract":
        """Take from a record what the tables need of it."""
        epochs = sorted(run.content["curves"], key=lambda epoch: epoch["epoch"])
        names = dict.fromkeys(name for epoch in epochs for name in epoch)
        curves = {
            name: np.array([epoch.get(name) for epoch in epochs], "int64" if name == "epoch" else float)
            for name in names
        }
        texts = [name for name, kind in DIAGNOSTIC_COLUMNS.items() if kind is str]
        diagnostics = {
            name: list(map(sys.intern, column)) if name in texts else column for name, column in run.diagnostics.items()
        }
        predictions = run.for_metrics()["predictions"]
        scores = {} if predictions is None else {"class": list(classes), **by_class(predictions)._asdict()}
        return cls(row, curves, diagnostics, scores, run.correct)


def stack(extracts: Sequence[Extract], part: str, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Put the columns of all runs below each other.

    Parameters
    ----------
    extracts : sequence of Extract
    part : str
        Which of its tables.
    columns : mapping of str to type
        All columns of the table with their types; missing values of a run are NaN.
    """
    tables = [(one.row, getattr(one, part)) for one in extracts]
    found = [(row, table, len(next(iter(table.values())))) for row, table in tables if table]
    lengths = [length for *_, length in found]
    stacked = {}
    for name, kind in columns.items():
        if name in ("variant", "seed"):
            each = np.array([row[name] for row, *_ in found], object if name == "variant" else "int64")
            stacked[name] = np.repeat(each, lengths)
        else:
            parts = [table[name] if name in table else np.full(length, np.nan) for _, table, length in found]
            array = object if kind is str else kind
            stacked[name] = (
                np.concatenate([np.asarray(part, array) for part in parts]) if parts else np.array([], array)
            )
    return pd.DataFrame(stacked).astype(dict(columns))


def read_sizes(path: Path) -> dict[str, dict[str, int | None]]:
    """Read the sizes of each variant's network from `plan/variants.csv`; None for one that could not be measured.

    They stand in no record: what counts them may be mended without training anything again.
    """
    table = pd.read_csv(path, dtype=dict.fromkeys(SIZES, "Int64")).set_index("variant")[list(SIZES)].astype(object)
    return table.where(table.notna(), None).to_dict("index")


def collect(
    plan: Plan,
    store: Store,
    record_keys: Sequence[tuple[str, str]],
    sizes: Mapping[str, Mapping[str, int | None]],
    classes: Sequence[str],
    measured: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
) -> Collected:
    """Gather records.

    Parameters
    ----------
    plan : Plan
    store : Store
    record_keys : sequence of (str, str)
        Variant and key of every run.
    sizes : mapping
        As `read_sizes` returns them.
    classes : sequence of str
        The names of the classes.
    measured : mapping, optional
        By variant and key: what was measured on the trained network, as `final_metrics` takes it.

    Raises
    ------
    DamagedRecordError
        If records are missing or damaged, naming all of them; the damaged ones are set aside.
    """
    found, broken = [], []
    order = {variant: position for position, variant in enumerate(plan.variants)}
    measured = measured or {}
    for variant, key in record_keys:
        try:
            run = read_run(store, key, patience=0 if broken else LATE)
        except KeyError:
            broken.append(f"{variant}: record {key} is missing")
        except DamagedRecordError as error:
            broken.append(f"{variant}: {error}; set aside as {store.set_aside(key, str(error))}")
        else:
            if not broken:
                row = run_row(plan, variant, key, run, sizes[variant], len(classes), measured.get((variant, key)))
                found.append(Extract.of(row, run, classes))
    if broken:
        raise DamagedRecordError("\n".join([*broken, "start again: only these runs will be trained anew"]))
    found.sort(key=lambda one: (order[one.row["variant"]], one.row["seed"]))
    return Collected(
        typed_runs(plan, [one.row for one in found]),
        curve_rows(found),
        example_rows(found),
        stack(found, "diagnostics", DIAGNOSTIC_COLUMNS),
        stack(found, "classes", CLASS_COLUMNS),
    )


def typed_runs(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make the table of runs; a column of which every value is missing would have no type by itself."""
    runs = pd.DataFrame(rows)
    numbers = [name for name, metric in plan.metrics.items() if name in runs and not metric.exact]
    numbers += [name for name in (*SIZES, "images_per_second", "began") if runs[name].isna().any()]
    runs[numbers] = runs[numbers].astype(float)
    texts = [
        "metric_errors",
        "error",
        "traceback",
        "instructions",
        "cuda",
    ]  # the last two are younger than some records
    runs[texts] = runs[texts].astype("string")
    runs["stopped_at"] = runs["stopped_at"].astype("Int64")
    return runs


def curve_rows(found: Sequence[Extract]) -> pd.DataFrame:
    """Return the rows of `curves.parquet`; there may be none if every run failed."""
    names = dict.fromkeys(name for one in found for name in one.curves) or CURVE_COLUMNS[2:]
    columns = {"variant": str, "seed": "int64", **{name: "int64" if name == "epoch" else float for name in names}}
    return stack(sorted(found, key=lambda one: (one.row["variant"], one.row["seed"])), "curves", columns)


def example_rows(found: Sequence[Extract]) -> np.ndarray:
    """Return bool (runs, test images) of the runs that did not fail."""
    classified = [one.correct for one in found if one.correct is not None]
    return np.stack(classified) if classified else np.zeros((0, 0), bool)
