"""What failed, diverged or was stuck, written for the page."""

import json
import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from ablation.analysis.maineffects import MANY
from ablation.records.store import DIVERGED, FAILED, STUCK
from ablation.report.contrasttables import failure_rates
from ablation.report.htmltables import fitting_table, searchable_table
from ablation.report.inputs import StudyTables
from ablation.report.tables import number_text
from ablation.study.plan import Plan

TRACEBACK_LINES = 24  # of the end of a traceback: the page is no log


def unmeasured(plan: Plan, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """List the metrics whose code failed: for how many runs, and why for the first of them."""
    errors = [error for text in runs["metric_errors"].dropna() for error in json.loads(text).items()]
    found = pd.DataFrame(errors, columns=["metric", "why"]).groupby("metric", sort=False)["why"]
    return [{"metric": plan.metrics[name].label, "runs": len(whys), "why": whys.iloc[0]} for name, whys in found]


def failures(plan: Plan, runs: pd.DataFrame, curves: pd.DataFrame) -> list[dict[str, Any]]:
    """List the runs that diverged or were stuck."""
    chosen = runs[runs["status"].isin([DIVERGED, STUCK])]
    own_curves = dict(iter(curves[curves["variant"].isin(chosen["variant"])].groupby(["variant", "seed"])["objective"]))
    accuracy, rows = plan.metrics["train_accuracy"], []
    for run in chosen.itertuples():
        objective = own_curves[run.variant, run.seed]
        loss, stopped = objective.iloc[-1], getattr(run, "stopped_at", None)
        rows.append(
            {
                "variant": run.variant,
                "seed": run.seed,
                "status": run.status,
                "epochs": len(objective),
                "stopped": "–" if pd.isna(stopped) else f"after epoch {stopped:.0f}",
                "loss": "not finite" if math.isnan(loss) else f"{loss:.3f}",
                "accuracy": f"{number_text(run.train_accuracy, accuracy)} %" if run.status == STUCK else "–",
            }
        )
    return rows


def failures_table(rows: list[dict[str, Any]]) -> Markup | str:
    """Write many runs that diverged or were stuck as a table to search; nothing of few, which the page lists."""
    if len(rows) <= MANY:
        return ""
    table = pd.DataFrame(rows).rename(
        columns={"stopped": "stopped before its last", "loss": "last objective", "accuracy": "training accuracy"}
    )
    return searchable_table(table, {"variant", "status"}, "runs.parquet", name="Runs that diverged or were stuck")


def errors_of_runs(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """List the runs that failed by themselves, at most `MANY`: their error in a line, the end of its traceback, the log."""
    columns = ["variant", "seed", "epochs", "error", "traceback", "log"]
    rows = runs.loc[runs["status"] == FAILED].head(MANY).reindex(columns=columns).to_dict("records")
    return [
        {**row, "traceback": "".join(row["traceback"].splitlines(keepends=True)[-TRACEBACK_LINES:])} for row in rows
    ]


def failure_parts(tables: StudyTables) -> dict[str, Any]:
    """Write all that failed: runs with an error, metrics that could not be measured, what diverged or was stuck."""
    plan, runs = tables.plan, tables.runs
    rows, rates = failures(plan, runs, tables.curves), failure_rates(plan, tables.contrasts)
    return {
        "failed": errors_of_runs(runs),
        "failed_count": int((runs["status"] == FAILED).sum()),
        "unmeasured": unmeasured(plan, runs),
        "failures": rows,
        "failures_table": failures_table(rows),
        "failure_rates": fitting_table(rates, {"variant", "against"}, "contrasts.csv", "Rates of failure")
        if len(rates)
        else "",
    }
