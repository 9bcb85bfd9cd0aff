"""Contrasts and claims estimated from the runs, of which those that diverged count with what they are worth."""

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.failures import horizon
from ablation.catalogue.metrics import FAILURE_RATES, Metric
from ablation.statistics.estimates import Effect, welch
from ablation.statistics.missing import worst_case
from ablation.statistics.rates import difference_of_rates
from ablation.study.contrasts import Contrast
from ablation.study.plan import Plan

AS_CLAIMED, OPPOSITE, OPEN, NO_INTERVAL = "as claimed", "opposite", "open", "no interval"
NOT_TESTABLE = "not testable"
TEXTS = ("factors", "matched", "not_testable")  # columns of `contrasts.csv` that may be empty
rate_difference = cache(difference_of_rates)  # few counts differ among thousands of contrasts


def observe(low: float, high: float, direction: str) -> str:
    """Say where an interval lies: as claimed, opposite, or open where it contains zero; or that there is none."""
    if math.isnan(low):
        return NO_INTERVAL
    sign = 1 if direction == "greater" else -1
    bounds = sorted((sign * low, sign * high))
    return AS_CLAIMED if bounds[0] > 0 else OPPOSITE if bounds[1] < 0 else OPEN


class Estimate(NamedTuple):
    """An effect with its interval, and what it could be where values are missing; NaN what is not known.

    ``effect_least`` and ``effect_most`` are the effect itself unless values are missing, and then there is none between.
    """

    effect: float = math.nan
    low: float = math.nan
    high: float = math.nan
    df: float = math.nan
    effect_least: float = math.nan
    effect_most: float = math.nan


def estimate_values(metric: Metric, variant: np.ndarray, reference: np.ndarray) -> Estimate:
    """Estimate the difference of a metric between two sides.

    Parameters
    ----------
    metric : Metric
    variant, reference : numpy.ndarray
        A value per run; NaN where it is missing.
    """
    if metric.exact:  # counted, so the interval is the effect itself
        value = welch(variant, reference).effect
        return Estimate(value, value, value, math.nan, value, value)
    if metric.binary:
        counted = (number for side in (variant, reference) for number in (int(side.sum()), len(side)))
        rates = rate_difference(*counted)
        return Estimate(rates.effect, rates.low, rates.high, math.nan, rates.effect, rates.effect)
    if metric.bounds and np.isnan([*variant, *reference]).any():
        found = worst_case(variant, reference, metric.bounds)
        return Estimate(math.nan, found.low, found.high, math.nan, found.least, found.most)
    found = welch(variant, reference)
    return Estimate(found.effect, found.low, found.high, found.df, found.effect, found.effect)


def _why_not_testable(plan: Plan, runs: RunsByVariant, contrast: Contrast, metric: str) -> str:
    """Say what keeps a contrast from being tested; empty if nothing does.

    A run that failed by an error says nothing of its network, nor do those that are left say what it would have done. Values
    that are missing keep it, too, unless it is known within which bounds they could have been.
    """
    sides, known = (contrast.variant, contrast.reference), plan.metrics[metric]
    if known.exact:  # counted, whatever becomes of the runs
        unknown = [name for name in sides if np.isnan(runs.values(name, metric)).all()]
        return "; ".join(f"{name} cannot be built" for name in unknown)
    reasons = [runs.failed_text(name) for name in sides] + [runs.error_text(name, metric) for name in sides]
    if not any(reasons) and known.bounds is None:
        reasons = [runs.missing_text(name, metric) for name in sides]
    return "; ".join(filter(None, reasons))


def _size_ratio(runs: RunsByVariant, contrast: Contrast) -> float:
    """Return the size of a control relative to its variant: near one, as widths are whole numbers."""
    if not contrast.matched:
        return math.nan
    sizes = [runs.values(name, contrast.matched)[0] for name in (contrast.reference, contrast.variant)]
    return sizes[0] / sizes[1]


class ContrastRow(NamedTuple):
    """A row of `contrasts.csv`: a contrast on one metric. Its fields are the columns.

    Attributes
    ----------
    n_variant, n_reference : int
        Runs with a value of the metric, measured or, of those that diverged, stated.
    diverged_variant, diverged_reference, stuck_variant, stuck_reference : int
        How many runs of each side diverged, and how many were stuck at chance.
    effect, low, high, df, effect_least, effect_most : float
        See `Estimate`.
    horizon : float
        Of a metric that is a time: the epochs over which it is compared; a run that did not come so far has this time.
    completed_n_variant, completed_n_reference, completed_effect, completed_low, completed_high
        The same of those runs alone that neither diverged nor were stuck: a description, for they are chosen by their
        outcome.
    not_testable : str
        Why there is no effect; empty if there is one.
    """

    variant: str
    reference: str
    factors: str
    matched: str
    size_ratio: float
    metric: str
    n_variant: int
    n_reference: int
    diverged_variant: int
    diverged_reference: int
    stuck_variant: int
    stuck_reference: int
    effect: float
    low: float
    high: float
    df: float
    effect_least: float
    effect_most: float
    horizon: float
    completed_n_variant: int
    completed_n_reference: int
    completed_effect: float
    completed_low: float
    completed_high: float
    not_testable: str


def _completed(metric: Metric, variant: np.ndarray, reference: np.ndarray) -> Effect:
    """Describe the difference among runs that completed; nothing where it would be no other, or one by construction."""
    if metric.exact or metric.binary:
        return Effect(math.nan, math.nan, math.nan, math.nan)
    return welch(variant, reference)


def estimate(plan: Plan, runs: RunsByVariant, contrast: Contrast, name: str) -> ContrastRow:
    """Estimate a contrast on a metric."""
    metric, sides = plan.metrics[name], (contrast.variant, contrast.reference)
    values, completed = ([runs.values(side, name, alone) for side in sides] for alone in (False, True))
    until = math.nan
    if metric.diverged == "never":
        until = float(horizon(plan, *sides))
        values, completed = ([np.minimum(side, until) for side in both] for both in (values, completed))
    (variant, reference), (diverged, stuck) = values, zip(*(runs.counts(side)[2:] for side in sides), strict=True)
    why = _why_not_testable(plan, runs, contrast, name)
    among = _completed(metric, *completed)
    return ContrastRow(
        variant=contrast.variant,
        reference=contrast.reference,
        factors=" ".join(contrast.factors),
        matched=contrast.matched,
        size_ratio=_size_ratio(runs, contrast),
        metric=name,
        n_variant=int(np.isfinite(variant).sum()),
        n_reference=int(np.isfinite(reference).sum()),
        diverged_variant=diverged[0],
        diverged_reference=diverged[1],
        stuck_variant=stuck[0],
        stuck_reference=stuck[1],
        **(Estimate() if why else estimate_values(metric, variant, reference))._asdict(),
        horizon=until,
        completed_n_variant=int(np.isfinite(completed[0]).sum()),
        completed_n_reference=int(np.isfinite(completed[1]).sum()),
        completed_effect=among.effect,
        completed_low=among.low,
        completed_high=among.high,
        not_testable=why,
    )


def contrast_table(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """Estimate every contrast of a study on every metric, and on the rates of runs that diverged or were stuck.

    Parameters
    ----------
    plan : Plan
    runs : pandas.DataFrame
        One row per run (`runs.parquet`).

    Returns
    -------
    pandas.DataFrame
        One `ContrastRow` per contrast and metric, in the metric's recorded unit; intervals of 95 % over seeds, those of
        rates exact. A contrast of which a side has failed runs has no effect, and says so in ``not_testable``.
    """
    by_variant = RunsByVariant(runs)
    metrics = dict.fromkeys([*plan.study.metrics, *FAILURE_RATES])
    rows = [estimate(plan, by_variant, contrast, metric) for metric in metrics for contrast in plan.contrasts]
    return pd.DataFrame(rows, columns=ContrastRow._fields)


def read_table(path: Path) -> pd.DataFrame:
    """Read `contrasts.csv`, `claims.csv` or `comparison.csv`; a text that is empty stays one."""
    return pd.read_csv(path, dtype=dict.fromkeys(TEXTS, "string")).fillna(dict.fromkeys(TEXTS, ""))


def claim_table(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """Estimate the contrasts of every claim and say on which side of zero they lie.

    Returns
    -------
    pandas.DataFrame
        One row per claim and contrast, as `ContrastRow`; ``failures_effect``, ``failures_low`` and ``failures_high``
        compare the rates of runs that diverged or were stuck; ``observed`` reads `AS_CLAIMED`, `OPPOSITE`, `OPEN`,
        `NO_INTERVAL` or `NOT_TESTABLE`.
    """
    rows, by_variant = [], RunsByVariant(runs)
    for name, contrast in plan.claims:
        claim = plan.study.claims[name]
        row = estimate(plan, by_variant, contrast, claim.metric)
        rates = estimate(plan, by_variant, contrast, FAILURE_RATES[-1])
        observed = NOT_TESTABLE if row.not_testable else observe(row.low, row.high, claim.direction)
        failures = (rates.effect, rates.low, rates.high)
        rows.append((name, plan.variants[contrast.variant].architecture, *row, *failures, claim.direction, observed))
    added = ["failures_effect", "failures_low", "failures_high", "direction", "observed"]
    return pd.DataFrame(rows, columns=["claim", "architecture", *ContrastRow._fields, *added])
