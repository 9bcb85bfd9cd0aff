"""Contrasts estimated from the runs, of which those that diverged count with what they are worth."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.failures import horizon
from ablation.analysis.inference import Cell, Finding, find
from ablation.catalogue.metrics import FAILURE_RATES, Metric
from ablation.statistics import linear
from ablation.statistics.estimates import CONFIDENCE, Effect
from ablation.study.claims import ClaimTest
from ablation.study.contrasts import Contrast
from ablation.study.plan import Plan

NOT_TESTABLE = "not testable"
TEXTS = (
    "factors",
    "matched",
    "not_testable",
    "exploratory",
    "why",
    "correction",
)  # columns of tables that may be empty


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


def cells_of(runs: RunsByVariant, metric: Metric, name: str, variants: Iterable[str]) -> list[Cell]:
    """Return the runs of some variants on a metric, which is known by a name."""
    return [Cell(runs.values(one, name), runs.scores(one, name, metric.per_image)) for one in variants]


def horizon_of(plan: Plan, metric: Metric, variants: Sequence[str]) -> float:
    """Return the epochs over which a time is compared; infinity of another metric."""
    return float(horizon(plan, *variants)) if metric.diverged == "never" else math.inf


def why_not_testable(
    plan: Plan, runs: RunsByVariant, variants: Sequence[str], metric: str, bounded: bool = True
) -> str:
    """Say what keeps a metric of some variants from being compared; empty if nothing does.

    A run that failed by an error says nothing of its network, nor do those that are left say what it would have done. Values
    that are missing keep it, too, unless it is known within which bounds they could have been, and `bounded`
    says that this can be reckoned with.
    """
    known = plan.metrics[metric]
    if known.exact:  # counted, whatever becomes of the runs
        unknown = [name for name in variants if np.isnan(runs.values(name, metric)).all()]
        return "; ".join(f"{name} cannot be built" for name in unknown)
    reasons = [runs.failed_text(name) for name in variants] + [runs.error_text(name, metric) for name in variants]
    if not any(reasons) and (known.bounds is None or not bounded):
        reasons = [runs.missing_text(name, metric) for name in variants]
    return "; ".join(filter(None, dict.fromkeys(reasons)))


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
        See `Estimate`. The interval of 95 % covers the seeds and, where the metric is known image by image, the test images.
    p : float
        Of no difference, by itself: not corrected for the number of contrasts.
    seeds_low, seeds_high : float
        The interval over seeds alone, on these very test images.
    image_share : float
        Share of the variance that is due to the test images, which more seeds do not take away.
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
    p: float
    seeds_low: float
    seeds_high: float
    image_share: float
    horizon: float
    completed_n_variant: int
    completed_n_reference: int
    completed_effect: float
    completed_low: float
    completed_high: float
    not_testable: str


def completed_alone(runs: RunsByVariant, metric: Metric, name: str, test: ClaimTest | Contrast, until: float) -> Effect:
    """Describe a difference among runs that completed; nothing where it would be no other, or one by construction."""
    if metric.exact or metric.binary:
        return Effect(math.nan, math.nan, math.nan, math.nan)
    sides = [np.minimum(runs.values(variant, name, completed=True), until) for variant, _ in test.cells]
    found = linear.contrast(sides, [weight for _, weight in test.cells])
    return Effect(found.effect, *found.interval(), found.df)


def estimate_of(found: Finding) -> dict[str, float]:
    """Return what the tables say of a finding: the fields of `ContrastRow` from effect to image share."""
    seeds, low, high = found.over_seeds, *found.interval(CONFIDENCE)
    df, share = (found.estimate.df, found.estimate.image_share) if found.estimate else (math.nan, math.nan)
    own = Estimate(found.effect, low, high, df, found.least, found.most)
    return {
        **own._asdict(),
        "p": found.p,
        "seeds_low": seeds.low if seeds else math.nan,
        "seeds_high": seeds.high if seeds else math.nan,
        "image_share": share,
    }


UNKNOWN = dict.fromkeys(estimate_of(Finding(math.nan, lambda _: (math.nan, math.nan))), math.nan)


def estimate(plan: Plan, runs: RunsByVariant, contrast: Contrast, name: str) -> ContrastRow:
    """Estimate a contrast on a metric."""
    metric, sides = plan.metrics[name], (contrast.variant, contrast.reference)
    until = horizon_of(plan, metric, sides)
    diverged, stuck = zip(*(runs.counts(side)[2:] for side in sides), strict=True)
    why = why_not_testable(plan, runs, sides, name)
    cells = cells_of(runs, metric, name, sides)
    among = completed_alone(runs, metric, name, contrast, until)
    counted = [int(np.isfinite(np.minimum(cell.values, until)).sum()) for cell in cells]
    completed = [int(np.isfinite(np.minimum(runs.values(side, name, True), until)).sum()) for side in sides]
    return ContrastRow(
        variant=contrast.variant,
        reference=contrast.reference,
        factors=" ".join(contrast.factors),
        matched=contrast.matched,
        size_ratio=_size_ratio(runs, contrast),
        metric=name,
        n_variant=counted[0],
        n_reference=counted[1],
        diverged_variant=diverged[0],
        diverged_reference=diverged[1],
        stuck_variant=stuck[0],
        stuck_reference=stuck[1],
        **(UNKNOWN if why else estimate_of(find(metric, cells, [1, -1], until))),
        horizon=math.nan if math.isinf(until) else until,
        completed_n_variant=completed[0],
        completed_n_reference=completed[1],
        completed_effect=among.effect,
        completed_low=among.low,
        completed_high=among.high,
        not_testable=why,
    )


def contrast_table(plan: Plan, runs: RunsByVariant) -> pd.DataFrame:
    """Estimate every contrast of a study on every metric, and on the rates of runs that diverged or were stuck.

    Returns
    -------
    pandas.DataFrame
        One `ContrastRow` per contrast and metric, in the metric's recorded unit; those of rates have exact intervals. A
        contrast of which a side has failed runs has no effect, and says so in ``not_testable``.
    """
    metrics = dict.fromkeys([*plan.study.metrics, *FAILURE_RATES])
    rows = [estimate(plan, runs, contrast, metric) for metric in metrics for contrast in plan.contrasts]
    return pd.DataFrame(rows, columns=ContrastRow._fields)


def read_table(path: Path) -> pd.DataFrame:
    """Read `contrasts.csv`, `claims.csv` or `comparison.csv`; a text that is empty stays one."""
    return pd.read_csv(path, dtype=dict.fromkeys(TEXTS, "string")).fillna(dict.fromkeys(TEXTS, ""))
