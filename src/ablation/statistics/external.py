"""Our runs held against numbers from elsewhere: where a value falls among runs, and what choosing an epoch gains."""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import special
from scipy.optimize import brentq

from ablation.statistics.estimates import CONFIDENCE, prediction_interval, summarise

WITHIN, ABOVE, BELOW, UNKNOWN = "within", "above", "below", "unknown"
MEDIAN = (
    math.pi / 2
)  # how many times the variance of a mean that of a median is, for many values of a normal distribution


@dataclass(frozen=True)
class Placement:
    """Where a value from elsewhere falls among runs.

    Attributes
    ----------
    value : float
    n : int
        How many runs it is held against.
    low, high : float
        The prediction interval: where such a value of the same distribution would lie. NaN below two runs, or where none
        differs from another.
    percentile : float
        Of the value in that predictive distribution, between 0 and 1; 0.5 is the mean of the runs. NaN likewise.
    lower : int
        How many of the runs lie below the value.
    """

    value: float
    n: int
    low: float
    high: float
    percentile: float
    lower: int

    @property
    def where(self) -> str:
        """Say where it lies: `WITHIN` the interval, `ABOVE` or `BELOW` it, or `UNKNOWN` without one."""
        if math.isnan(self.low):
            return UNKNOWN
        return BELOW if self.value < self.low else ABOVE if self.value > self.high else WITHIN


@dataclass(frozen=True)
class MeanInterval:
    """A mean over runs with its interval; NaN below two runs, or where none differs from another."""

    n: int
    mean: float
    low: float
    high: float


def varies(values: np.ndarray) -> bool:
    """Say whether values differ by more than rounding: those of a few runs may be equal by chance."""
    return len(values) > 1 and not np.allclose(values, values[0], rtol=1e-9, atol=1e-12)


def finite(values: np.ndarray) -> np.ndarray:
    """Return the finite ones of an array (n,)."""
    values = np.asarray(values, dtype=float)
    return values[np.isfinite(values)]


def place(value: float, values: np.ndarray, count: float = 1, confidence: float = CONFIDENCE) -> Placement:
    """Say where a value from elsewhere falls among runs, as if it came from the same normal distribution.

    Parameters
    ----------
    value : float
        One more run, or the mean of `count` of them.
    values : numpy.ndarray
        One value per run, (n,); those that are not finite are left out.
    count : float
        Of how many runs the value is the mean; of the median of m runs, about m / `MEDIAN`.
    confidence : float
        Of the prediction interval (`ablation.statistics.estimates.prediction_interval`).
    """
    values = finite(values)
    n, lower = len(values), int((values < value).sum())
    if not varies(values):
        return Placement(value, n, math.nan, math.nan, math.nan, lower)
    low, high = prediction_interval(values, confidence, count=count)
    known = summarise(values)
    percentile = special.stdtr(n - 1, (value - known.mean) / (known.sd * math.sqrt(1 / count + 1 / n)))
    return Placement(value, n, float(low), float(high), float(percentile), lower)


def place_best(
    value: float, values: np.ndarray, runs: int, higher: bool = True, confidence: float = CONFIDENCE
) -> Placement:
    """Say where the best of some runs from elsewhere falls among what the best of as many of ours would be.

    For normal runs (best - mean) / s of n of ours has a distribution that depends on no parameter: it is integrated over
    the mean (Gauss-Hermite) and the standard deviation (Gauss-Legendre over its quantiles). With one run it is `place`.

    Parameters
    ----------
    value : float
        The best of them.
    values : numpy.ndarray
        One value per run of ours, (n,); those that are not finite are left out.
    runs : int
        Of how many runs it is the best.
    higher : bool
        Whether the highest is the best.
    confidence : float
        Of the interval.
    """
    values = finite(values)
    placed = place(value, values, confidence=confidence)
    if math.isnan(placed.low):
        return placed
    known, sign = summarise(values), 1 if higher else -1
    tail = (1 - confidence) / 2
    bounds = [known.mean + sign * known.sd * _best_quantile(share, known.n, runs) for share in (tail, 1 - tail)]
    below = _best_below(sign * (value - known.mean) / known.sd, known.n, runs)
    return replace(placed, low=min(bounds), high=max(bounds), percentile=below if higher else 1 - below)


@cache
def _best_quantile(share: float, n: int, runs: int) -> float:
    """Return the t of which `_best_below` is this share."""
    return brentq(lambda t: _best_below(t, n, runs) - share, -1e4, 1e4)


def _best_below(t: float, n: int, runs: int) -> float:
    """Return the probability that the highest of so many normal values lies below mean + t s of n others."""
    means, weights, deviations, parts = _nodes(n)
    # Sums and no matrix products, whose threads would wait for each other on a machine that is busy.
    return float((weights[:, None] * special.ndtr(means[:, None] + t * deviations) ** runs * parts).sum())


@cache
def _nodes(n: int) -> tuple[np.ndarray, ...]:
    """Return nodes and weights for the mean and the standard deviation of n standard normal values."""
    means, weights = np.polynomial.hermite_e.hermegauss(32)
    shares, parts = np.polynomial.legendre.leggauss(128)
    deviations = np.sqrt(special.chdtri(n - 1, (1 - shares) / 2) / (n - 1))
    return means / math.sqrt(n), weights / weights.sum(), deviations, parts / 2


def mean_interval(values: np.ndarray, confidence: float = CONFIDENCE) -> MeanInterval:
    """Estimate the mean of an array (n,) with Student's interval; values that are not finite are left out."""
    values = finite(values)
    known = summarise(values)
    if not varies(values):
        return MeanInterval(known.n, known.mean, math.nan, math.nan)
    half = float(special.stdtrit(known.n - 1, (1 + confidence) / 2)) * known.sd / math.sqrt(known.n)
    return MeanInterval(known.n, known.mean, known.mean - half, known.mean + half)
