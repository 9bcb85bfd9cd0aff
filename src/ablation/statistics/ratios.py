"""The ratio of two means."""

import math
from collections.abc import Callable

from scipy import optimize

from ablation.statistics.estimates import CONFIDENCE, Estimate

FARTHEST = 1e6  # times the ratio that was found: beyond, the interval is open


def ratio_interval(
    difference: Callable[[float], Estimate], ratio: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval of a ratio of two means of positive values (Fieller 1954).

    It holds the ratios r of which numerator - r · denominator is not told from zero.

    Parameters
    ----------
    difference : callable
        From r to the estimate of numerator - r · denominator.
    ratio : float
        That was found, of which this is zero.
    confidence : float

    Returns
    -------
    tuple of float
        0 and infinity where the interval is open; NaN where a difference has no interval.
    """

    def excess(log_ratio: float) -> float:
        """How far zero lies outside of the interval of the difference, in its half widths, less one."""
        found = difference(math.exp(log_ratio))
        low, high = found.interval(confidence)
        return abs(found.effect) / ((high - low) / 2) - 1

    if not ratio > 0 or math.isnan(difference(ratio).df):
        return math.nan, math.nan
    return _end(excess, math.log(ratio), -1), _end(excess, math.log(ratio), 1)


def _end(excess: Callable[[float], float], start: float, side: int) -> float:
    reach = 0.1
    while excess(start + side * reach) < 0:
        reach *= 2
        if reach > math.log(FARTHEST):
            return 0.0 if side < 0 else math.inf
    return math.exp(optimize.brentq(excess, start, start + side * reach, xtol=1e-10))
