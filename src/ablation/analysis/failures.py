"""What runs that diverged, were stuck or never came so far count for, where runs are summed up.

A run that diverged has what it is worth to each metric in `runs.parquet` already (`ablation.analysis.collection`), and so it
is in every mean without more ado. Here is what has to be told beside, and what is no mean: times and curves.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ablation.records.store import DIVERGED, FAILED, STUCK
from ablation.study.plan import Plan

FAILURES = (FAILED, DIVERGED, STUCK)  # statuses of runs that are counted wherever a variant is shown


class Counts(NamedTuple):
    """How many runs a variant has, and how many of them failed by an error, diverged, or were stuck at chance."""

    runs: int
    failed: int
    diverged: int
    stuck: int


NO_RUNS = Counts(0, 0, 0, 0)


def counts(runs: pd.DataFrame) -> Counts:
    """Count the runs of one variant, or of all, given their rows of `runs.parquet`."""
    status = list(runs["status"])
    return Counts(len(status), *(status.count(name) for name in FAILURES))


def counts_by_variant(runs: pd.DataFrame) -> dict[str, Counts]:
    """Count the runs of each variant."""
    return {variant: counts(rows) for variant, rows in runs.groupby("variant", sort=False)}


def horizon(plan: Plan, *variants: str) -> int:
    """Return the epochs that all runs of some variants were to have: as long as their times can be compared."""
    return min(plan.variants[variant].levels["epochs"] for variant in variants)


def restricted(plan: Plan, runs: pd.DataFrame, metric: str) -> pd.Series:
    """Return the values of a metric with a time that was never reached cut at the last epoch of the run's variant.

    Their mean is the restricted mean (Royston and Parmar, BMC Medical Research Methodology 13:152, 2013): as no run is lost
    before the horizon, it needs no curve of survival, and is the least that the mean time can be.
    """
    values = runs[metric].astype(float)
    if plan.metrics[metric].diverged != "never":
        return values
    return values.clip(upper=runs["variant"].map(lambda variant: horizon(plan, variant)))


def whole_curves(plan: Plan, curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Continue the curves of runs that were stopped, so that the mean at an epoch is one over the same runs as at the first.

    A run that diverged has from its last epoch on what it is worth; one that was stopped at chance stays where it was. Rows
    of runs that failed are left out: what they reached until then would bend the means of the others.

    Parameters
    ----------
    plan : Plan
    curves, runs : pandas.DataFrame
        `curves.parquet` and `runs.parquet`.
    """
    named = runs.set_index(["variant", "seed"])
    status = named["status"].to_dict()
    kept = [status[run] != FAILED for run in zip(curves["variant"], curves["seed"], strict=True)]
    curves = curves[np.array(kept, dtype=bool)]
    worths = [name for name in plan.metrics if name in curves and name in runs]
    parts = []
    for (variant, seed), own in curves.groupby(["variant", "seed"], sort=False):
        wanted, diverged = horizon(plan, variant), status[variant, seed] == DIVERGED
        if diverged or (len(own) < wanted and status[variant, seed] == STUCK):
            last = own.iloc[-1].copy()
            if diverged:
                last[worths] = named.loc[(variant, seed), worths]
            epochs = np.arange(last["epoch"], max(wanted, last["epoch"]) + 1, dtype="int64")
            continued = pd.DataFrame([last] * len(epochs)).assign(epoch=epochs).astype(own.dtypes.to_dict())
            own = pd.concat([own.iloc[:-1], continued])
        parts.append(own)
    return pd.concat(parts, ignore_index=True) if parts else curves
