"""What runs say of a weighted sum of means: the effect, its interval at any confidence, and p-values that agree with it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from ablation.catalogue.metrics import Metric
from ablation.statistics import crossed, linear
from ablation.statistics.equivalence import equivalence_interval, equivalence_p
from ablation.statistics.estimates import CONFIDENCE, ROUNDING, Estimate, summarise, welch
from ablation.statistics.missing import worst_case
from ablation.statistics.rates import difference_of_rates, weighted_rates
from ablation.statistics.spread import ratio_of_spreads
from ablation.statistics.survival import restricted_contrast, until

Interval = tuple[float, float]
NONE: Interval = (math.nan, math.nan)
LEAST_P = 1e-9  # that is looked for where p has no closed form
HALVINGS = 40
rates_of_counts = cache(difference_of_rates)  # few counts differ among thousands of contrasts


class Cell(NamedTuple):
    """The runs of a variant on a metric.

    Attributes
    ----------
    values : numpy.ndarray
        One value per run (n,), measured or, of those that diverged, stated; NaN where it is missing.
    scores : crossed.Scores or None
        The same on each test image, where that is known of all runs.
    """

    values: np.ndarray
    scores: crossed.Scores | None = None


@dataclass(frozen=True)
class Finding:
    """An effect with its interval at any confidence.

    Attributes
    ----------
    effect : float
        NaN where it is not known for values that are missing.
    interval : callable
        From a confidence to the bounds; NaN where there are none.
    p : float
        For no difference, two-sided: at most ``1 - confidence`` exactly where the interval excludes `null`. NaN without
        interval, and of what is counted.
    null : float
        No difference: 0, and 1 of a ratio.
    least, most : float
        What the effect could be: itself, unless values are missing.
    estimate, over_seeds : Estimate or None
        What the interval rests on, where that is Student's t; the same over seeds alone, where it covers the test images.
    counted : bool
        Whether it is the same for every run, and so known.
    equal_tailed : bool
        Whether the interval misses on either side equally often, so that one of ``1 - 2 alpha`` tests equivalence at alpha.
        Of exact intervals of rates it need not, and that of ``1 - alpha`` is held against the margin.
    """

    effect: float
    interval: Callable[[float], Interval]
    p: float = math.nan
    null: float = 0.0
    least: float = math.nan
    most: float = math.nan
    estimate: Estimate | None = None
    over_seeds: Estimate | None = None
    counted: bool = False
    equal_tailed: bool = True

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.interval(CONFIDENCE)[0])

    def equivalence_p(self, margin: float) -> float:
        """Return the p-value of two one-sided tests that the effect lies within ±margin of none; NaN without interval."""
        if self.estimate is not None:
            return equivalence_p(self.estimate, margin)
        if not self.known:
            return math.nan

        def within(p: float) -> bool:
            low, high = self.equivalence_interval(p)
            return -margin <= low - self.null and high - self.null <= margin

        return _smallest(within, 0.5)

    def equivalence_interval(self, alpha: float) -> Interval:
        """Return the interval that lies within the margin exactly where equivalence is shown at a level."""
        if self.estimate is not None:
            return equivalence_interval(self.estimate, alpha)
        return self.interval(1 - (2 if self.equal_tailed else 1) * alpha)

    def beyond_p(self, margin: float) -> float:
        """Return the p-value for an effect within ±margin: rejected where the interval lies beyond. NaN without one."""
        if not self.known:
            return math.nan

        def beyond(p: float) -> bool:
            low, high = self.interval(1 - p)
            return low - self.null > margin or high - self.null < -margin

        return _smallest(beyond, 1.0)


def find(metric: Metric, cells: Sequence[Cell], weights: Sequence[float], horizon: float = math.inf) -> Finding:
    """Estimate a weighted sum of means.

    Parameters
    ----------
    metric : Metric
    cells : sequence of Cell
    weights : sequence of float
        One per cell; 1 and -1 for a difference.
    horizon : float
        Of a metric that is a time: the epochs over which it is compared; a run that did not come so far has this time.
    """
    if len(weights) == 2 and np.allclose(weights, [-1, 1], atol=ROUNDING):  # such as a trend over two levels
        cells, weights = cells[::-1], [1, -1]
    is_pair = len(weights) == 2 and np.allclose(weights, [1, -1], atol=ROUNDING)
    values = [cell.values for cell in cells]
    if metric.exact:
        return _counted([weight * summarise(side).mean for weight, side in zip(weights, values, strict=True)])
    if metric.binary:
        return _of_rates(values, weights) if not np.isnan(np.concatenate(values)).any() else _none()
    if np.isnan(np.concatenate(values)).any():
        return _of_missing(metric, *values) if metric.bounds and is_pair else _none()
    if metric.diverged == "never":
        return _of_times(values, weights, horizon)
    over_seeds = linear.contrast(values, weights)
    if any(cell.scores is None for cell in cells):
        return _of(over_seeds, None)
    return _of(crossed.contrast([cell.scores for cell in cells], weights), over_seeds)


def find_spread(variant: np.ndarray, reference: np.ndarray) -> Finding:
    """Estimate the ratio of two standard deviations over seeds, (n,) and (m,)."""
    found = ratio_of_spreads(variant, reference)
    if math.isnan(found.ratio) or found.low == 0:
        return _none()

    def interval(confidence: float) -> Interval:
        at = ratio_of_spreads(variant, reference, confidence)
        return at.low, at.high

    return Finding(found.ratio, interval, found.p, 1.0, found.ratio, found.ratio)


def _none(effect: float = math.nan) -> Finding:
    return Finding(effect, lambda _: NONE, least=effect, most=effect)


def _of(estimate: Estimate, over_seeds: Estimate | None) -> Finding:
    effect = estimate.effect
    return Finding(effect, estimate.interval, estimate.p, 0.0, effect, effect, estimate, over_seeds)


def _counted(parts: Sequence[float]) -> Finding:
    effect = float(sum(parts))
    effect = 0.0 if abs(effect) <= ROUNDING * sum(map(abs, parts)) else effect
    return Finding(effect, lambda _: (effect, effect), least=effect, most=effect, counted=True)


def _of_rates(values: Sequence[np.ndarray], weights: Sequence[float]) -> Finding:
    counts = [(int(side.sum()), len(side)) for side in values]
    if len(counts) == 2 and list(weights) == [1, -1]:
        flat = [number for count in counts for number in count]
        found = rates_of_counts(*flat)

        def exact(confidence: float) -> Interval:
            at = rates_of_counts(*flat, confidence)
            return at.low, at.high

        return Finding(found.effect, exact, found.p, 0.0, found.effect, found.effect, equal_tailed=False)
    effect = sum(weight * failed / n if n else math.nan for weight, (failed, n) in zip(weights, counts, strict=True))
    interval = partial(weighted_rates, counts, weights)
    return Finding(effect, interval, _p(interval), 0.0, effect, effect, equal_tailed=False)


def _of_missing(metric: Metric, variant: np.ndarray, reference: np.ndarray) -> Finding:
    def interval(confidence: float) -> Interval:
        at = worst_case(variant, reference, metric.bounds, partial(welch, confidence=confidence))
        return at.low, at.high

    found = worst_case(variant, reference, metric.bounds)
    return Finding(math.nan, interval, _p(interval), 0.0, found.least, found.most)


def _of_times(values: Sequence[np.ndarray], weights: Sequence[float], horizon: float) -> Finding:
    cells = [until(side, horizon) for side in values]
    effect = restricted_contrast(cells, weights).effect
    if min(len(side) for side, weight in zip(values, weights, strict=True) if weight) < 2:
        return _none(effect)

    def interval(confidence: float) -> Interval:
        at = restricted_contrast(cells, weights, confidence)
        return at.low, at.high

    return Finding(effect, interval, _p(interval), 0.0, effect, effect)


def _p(interval: Callable[[float], Interval]) -> float:
    """Return the p-value of which an interval is the inversion; NaN if there is none."""
    if math.isnan(interval(CONFIDENCE)[0]):
        return math.nan

    def excludes(p: float) -> bool:
        low, high = interval(1 - p)
        return low > 0 or high < 0

    return _smallest(excludes, 1.0)


def _smallest(rejects: Callable[[float], bool], largest: float) -> float:
    """Return the smallest significance level at which a test rejects; the largest one if it never does."""
    low, high = math.log(LEAST_P), math.log(largest * (1 - 1e-9))
    if not rejects(math.exp(high)):
        return largest
    if rejects(LEAST_P):
        return LEAST_P
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if rejects(math.exp(middle)) else (middle, high)
    return math.exp(high)
