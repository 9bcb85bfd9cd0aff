"""Contrasts and claims estimated from the runs."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ablation.records.store import FAILED
from ablation.statistics.estimates import Effect, summarise, welch
from ablation.study.contrasts import Contrast
from ablation.study.plan import Plan
from ablation.support.formatting import plural

AS_CLAIMED, OPPOSITE, OPEN, NO_INTERVAL = "as claimed", "opposite", "open", "no interval"
NOT_TESTABLE = "not testable"
TEXTS = ("factors", "matched", "not_testable")  # columns of `contrasts.csv` that may be empty


def observe(effect: Effect, direction: str) -> str:
    """Say where an interval lies: as claimed, opposite, or open where it contains zero; or that there is none."""
    if math.isnan(effect.low):
        return NO_INTERVAL
    sign = 1 if direction == "greater" else -1
    bounds = sorted((sign * effect.low, sign * effect.high))
    return AS_CLAIMED if bounds[0] > 0 else OPPOSITE if bounds[1] < 0 else OPEN


def _values(runs: pd.DataFrame, variant: str, metric: str) -> np.ndarray:
    return runs.loc[runs["variant"] == variant, metric].to_numpy(dtype=float)


def failed_text(runs: pd.DataFrame, variant: str) -> str:
    """Say how many runs of a variant failed, and why the first of them did; empty if none failed."""
    own_runs = runs[runs["variant"] == variant]
    failed = own_runs[own_runs["status"] == FAILED].sort_values("seed")
    if failed.empty:
        return ""
    return f"{len(failed)} of {plural(len(own_runs), 'run')} of {variant} failed: {failed['error'].iloc[0]}"


def error_text(runs: pd.DataFrame, variant: str, metric: str) -> str:
    """Say that code of the author's failed at a metric for a run of a variant, and why; empty if it did not."""
    for run in runs[(runs["variant"] == variant) & runs["metric_errors"].notna()].sort_values("seed").itertuples():
        if error := json.loads(run.metric_errors).get(metric):
            return f"seed {run.seed} of {variant}: {error}"
    return ""


def _why_not_testable(plan: Plan, runs: pd.DataFrame, contrast: Contrast, metric: str) -> str:
    """Say what keeps a contrast from being tested; empty if nothing does.

    A run that failed by itself says nothing of its network, nor do those that are left say what it would have done.
    """
    sides = (contrast.variant, contrast.reference)
    if plan.metrics[metric].exact:  # counted, whatever becomes of the runs
        unknown = [name for name in sides if np.isnan(_values(runs, name, metric)).all()]
        return "; ".join(f"{name} cannot be built" for name in unknown)
    reasons = [failed_text(runs, name) for name in sides] + [error_text(runs, name, metric) for name in sides]
    return "; ".join(filter(None, reasons))


def _size_ratio(runs: pd.DataFrame, contrast: Contrast) -> float:
    """Return the size of a control relative to its variant: near one, as widths are whole numbers."""
    if not contrast.matched:
        return math.nan
    sizes = [_values(runs, name, contrast.matched)[0] for name in (contrast.reference, contrast.variant)]
    return sizes[0] / sizes[1]


class ContrastRow(NamedTuple):
    """A row of `contrasts.csv`: a contrast on one metric. Its fields are the columns."""

    variant: str
    reference: str
    factors: str
    matched: str
    size_ratio: float
    metric: str
    n_variant: int
    n_reference: int
    effect: float
    low: float
    high: float
    df: float
    not_testable: str


def estimate(plan: Plan, runs: pd.DataFrame, contrast: Contrast, metric: str) -> ContrastRow:
    """Estimate a contrast on a metric."""
    variant, reference = (_values(runs, name, metric) for name in (contrast.variant, contrast.reference))
    effect = welch(variant, reference)
    if plan.metrics[metric].exact:  # counted, so the interval is the effect itself
        effect = Effect(effect.effect, effect.effect, effect.effect, math.nan)
    why = _why_not_testable(plan, runs, contrast, metric)
    if why:
        effect = Effect(math.nan, math.nan, math.nan, math.nan)
    return ContrastRow(
        variant=contrast.variant,
        reference=contrast.reference,
        factors=" ".join(contrast.factors),
        matched=contrast.matched,
        size_ratio=_size_ratio(runs, contrast),
        metric=metric,
        n_variant=summarise(variant).n,
        n_reference=summarise(reference).n,
        effect=effect.effect,
        low=effect.low,
        high=effect.high,
        df=effect.df,
        not_testable=why,
    )


def contrast_table(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """Estimate every contrast of a study on every metric.

    Parameters
    ----------
    plan : Plan
    runs : pandas.DataFrame
        One row per run (`runs.parquet`).

    Returns
    -------
    pandas.DataFrame
        One `ContrastRow` per contrast and metric, in the metric's recorded unit; intervals of 95 % over seeds. A contrast
        of which a side has failed runs has no effect, and says so in ``not_testable``.
    """
    rows = [estimate(plan, runs, contrast, metric) for metric in plan.study.metrics for contrast in plan.contrasts]
    return pd.DataFrame(rows, columns=ContrastRow._fields)


def read_table(path: Path) -> pd.DataFrame:
    """Read `contrasts.csv`, `claims.csv` or `comparison.csv`; a text that is empty stays one."""
    return pd.read_csv(path, dtype=dict.fromkeys(TEXTS, "string")).fillna(dict.fromkeys(TEXTS, ""))


def claim_table(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """Estimate the contrasts of every claim and say on which side of zero they lie.

    Returns
    -------
    pandas.DataFrame
        One row per claim and contrast; ``observed`` reads `AS_CLAIMED`, `OPPOSITE`, `OPEN`, `NO_INTERVAL` or
        `NOT_TESTABLE`.
    """
    rows = []
    for name, contrast in plan.claims:
        claim = plan.study.claims[name]
        row = estimate(plan, runs, contrast, claim.metric)
        effect = Effect(row.effect, row.low, row.high, row.df)
        observed = NOT_TESTABLE if row.not_testable else observe(effect, claim.direction)
        rows.append((name, plan.variants[contrast.variant].architecture, *row, claim.direction, observed))
    return pd.DataFrame(rows, columns=["claim", "architecture", *ContrastRow._fields, "direction", "observed"])
