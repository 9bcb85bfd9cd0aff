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


class RunsByVariant:
    """The runs of a study, looked up by variant: searching the whole table for each contrast would take its square.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per run (`runs.parquet`).
    """

    def __init__(self, runs: pd.DataFrame):
        self._rows = runs.groupby("variant", sort=False).indices
        self._columns = {name: runs[name].to_numpy() for name in runs}
        self._numbers: dict[str, np.ndarray] = {}
        self._failed: dict[str, str] = {}

    def values(self, variant: str, metric: str) -> np.ndarray:
        """Return the values of a variant's runs (runs,); none of a variant without runs."""
        if metric not in self._numbers:
            self._numbers[metric] = self._columns[metric].astype(float)
        return self._numbers[metric][self._rows.get(variant, [])]

    def failed_text(self, variant: str) -> str:
        """Say how many runs of a variant failed, and why the first of them did; empty if none failed."""
        if variant not in self._failed:
            rows = self._rows.get(variant, [])
            failed = [row for row in rows if self._columns["status"][row] == FAILED]
            first = min(failed, key=self._columns["seed"].__getitem__, default=None)
            self._failed[variant] = (
                f"{len(failed)} of {plural(len(rows), 'run')} of {variant} failed: {self._columns['error'][first]}"
                if failed
                else ""
            )
        return self._failed[variant]

    def error_text(self, variant: str, metric: str) -> str:
        """Say that code of the author's failed at a metric for a run of a variant, and why; empty if it did not."""
        for row in sorted(self._rows.get(variant, []), key=self._columns["seed"].__getitem__):
            errors = self._columns["metric_errors"][row]
            if not pd.isna(errors) and (error := json.loads(errors).get(metric)):
                return f"seed {self._columns['seed'][row]} of {variant}: {error}"
        return ""


def _why_not_testable(plan: Plan, runs: RunsByVariant, contrast: Contrast, metric: str) -> str:
    """Say what keeps a contrast from being tested; empty if nothing does.

    A run that failed by itself says nothing of its network, nor do those that are left say what it would have done.
    """
    sides = (contrast.variant, contrast.reference)
    if plan.metrics[metric].exact:  # counted, whatever becomes of the runs
        unknown = [name for name in sides if np.isnan(runs.values(name, metric)).all()]
        return "; ".join(f"{name} cannot be built" for name in unknown)
    reasons = [runs.failed_text(name) for name in sides] + [runs.error_text(name, metric) for name in sides]
    return "; ".join(filter(None, reasons))


def _size_ratio(runs: RunsByVariant, contrast: Contrast) -> float:
    """Return the size of a control relative to its variant: near one, as widths are whole numbers."""
    if not contrast.matched:
        return math.nan
    sizes = [runs.values(name, contrast.matched)[0] for name in (contrast.reference, contrast.variant)]
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


def estimate(plan: Plan, runs: RunsByVariant, contrast: Contrast, metric: str) -> ContrastRow:
    """Estimate a contrast on a metric."""
    variant, reference = (runs.values(name, metric) for name in (contrast.variant, contrast.reference))
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
    by_variant = RunsByVariant(runs)
    rows = [
        estimate(plan, by_variant, contrast, metric) for metric in plan.study.metrics for contrast in plan.contrasts
    ]
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
    rows, by_variant = [], RunsByVariant(runs)
    for name, contrast in plan.claims:
        claim = plan.study.claims[name]
        row = estimate(plan, by_variant, contrast, claim.metric)
        effect = Effect(row.effect, row.low, row.high, row.df)
        observed = NOT_TESTABLE if row.not_testable else observe(effect, claim.direction)
        rows.append((name, plan.variants[contrast.variant].architecture, *row, claim.direction, observed))
    return pd.DataFrame(rows, columns=["claim", "architecture", *ContrastRow._fields, "direction", "observed"])
