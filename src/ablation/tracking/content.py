"""What is sent: tags, parameters, metrics and files, from a plan and its records; knows nothing of MLflow."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ablation.analysis.collection import CURVES, final_metrics
from ablation.jobs.shards import PlannedRun
from ablation.records.runs import RunRecord
from ablation.records.store import DIVERGED, FAILED
from ablation.study.levels import level_text
from ablation.study.plan import Plan
from ablation.support.failures import in_one_line

PRESENT = {"superseded": "false"}  # the tag of a variant that the study has as it stands
LAST_OF_ROW = "seconds"  # every row has it, so that its steps tell which rows were sent


def milliseconds(time: float) -> int:
    """Return MLflow's form of a time."""
    return round(1000 * time)


def parameters(plan: Plan, variant: str) -> dict[str, str]:
    """Return every level of a variant."""
    return {factor: level_text(level) for factor, level in plan.variants[variant].levels.items()}


def variant_tags(plan: Plan, variant: str) -> dict[str, Any]:
    """Return the tags of a variant's run: the levels that differ from its baseline."""
    chosen = plan.variants[variant]
    levels = {f"factor.{factor}": level_text(level) for factor, level in chosen.changed.items()}
    return {"level": "variant", "variant": variant, "architecture": chosen.architecture, **PRESENT, **levels}


def run_tags(plan: Plan, planned: PlannedRun) -> dict[str, Any]:
    """Return the tags of a run in training: the levels of all factors that the study varies."""
    chosen = plan.variants[planned.variant]
    levels = {f"factor.{f}": level_text(chosen.levels[f]) for f in plan.factors if f in chosen.levels}
    identity = {"level": "run", "variant": planned.variant, "architecture": chosen.architecture, "seed": planned.seed}
    return {**identity, "status": "training", **levels}


def record_tags(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tags of a run that ended."""
    environment = record["environment"]
    known = {name: environment[name] for name in ("device", "torch", "threads")}
    if record["status"] == FAILED:
        known["error"] = in_one_line(record["error"])
    return {"status": record["status"], "mlflow.source.git.commit": environment["git"] or "unknown", **known}


def beginning(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return when the first epoch of some curves began, in seconds since 1970."""
    return rows[0]["time"] - rows[0]["seconds"]


def ending(record: Mapping[str, Any]) -> float:
    """Return when a run ended, in seconds since 1970."""
    return record["error"]["time"] if record["status"] == FAILED else record["curves"][-1]["time"]


def curve_points(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, float, int, int]]:
    """Return name, value, time and step of every point of some rows; a loss that is not finite has no point."""
    return [
        (name, row[name], milliseconds(row["time"]), row["epoch"])
        for row in rows
        for name in CURVES
        if row[name] is not None and math.isfinite(row[name])
    ]


def record_values(plan: Plan, run: RunRecord, sizes: Mapping[str, int | None]) -> dict[str, float]:
    """Return the final metrics of a run, with the sizes of its network.

    A metric that needs what is measured later has its value once the study is complete: `row_values`.
    """
    speed = {"images_per_second": run.content["timings"].get("images_per_second")}
    values = {**final_metrics(plan, run)[0], **sizes, **speed}
    return {final_name(name): value for name, value in values.items() if value is not None and math.isfinite(value)}


def final_name(metric: str) -> str:
    """Return the name of a final metric. Those of curves are taken: a last point of another kind would bend them."""
    return f"final_{metric}" if metric in CURVES else metric


def row_values(plan: Plan, row: Mapping[str, Any]) -> dict[str, float]:
    """Return the final metrics of a run from its row in `runs.parquet`, with what was measured after it was recorded.

    Of a run that diverged, what was measured: what it is worth is part of its variant's summary. A time that was never
    reached has no point.
    """
    measured = [
        name
        for name, metric in plan.metrics.items()
        if name in row and (row["status"] != DIVERGED or metric.diverged == "as_measured")
    ]
    return {final_name(name): row[name] for name in measured if pd.notna(row[name]) and math.isfinite(row[name])}


def run_files(record: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the artifacts of a run that ended, by name."""
    rows, table = record["curves"], io.StringIO()
    writer = csv.DictWriter(table, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files = {"spec.json": json.dumps(record["spec"], indent=1), "curves.csv": table.getvalue()}
    if record["status"] == FAILED:
        files["error.txt"] = f"{in_one_line(record['error'])}\n\n{record['error']['traceback']}"
    return {name: text.encode() for name, text in files.items()}
