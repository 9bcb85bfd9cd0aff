"""Estimates over seeds: arrays in, numbers out. Knows no files, no networks, no drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

CONFIDENCE = 0.95
ROUNDING = 1e-12  # of the largest value: values that differ by less are one number, computed in several ways


@dataclass(frozen=True)
class Summary:
    """Runs of one variant on one metric: count, mean and standard deviation (with n - 1; NaN below two runs)."""

    n: int
    mean: float
    sd: float


@dataclass(frozen=True)
class Effect:
    """A difference of means with its interval.

    Attributes
    ----------
    effect : float
        Mean of the variant minus mean of the reference.
    low, high : float
        Bounds of the interval; NaN where a side has fewer than two runs, or where no run differs from another of its side.
    df : float
        Degrees of freedom; NaN likewise.
    """

    effect: float
    low: float
    high: float
    df: float


def summarise(values: np.ndarray) -> Summary:
    """Summarise the finite values of an array (n,); those that differ by rounding alone have no spread at all."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return Summary(0, math.nan, math.nan)
    if len(values) > 1 and np.ptp(values) <= ROUNDING * np.abs(values).max():
        return Summary(len(values), float(np.median(values)), 0.0)
    return Summary(len(values), float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan)


def prediction_interval(values: Sequence[float], confidence: float, least: float = 0.0) -> tuple[float, float]:
    """Return the interval in which one more value of the same normal distribution lies.

    Mean ± t s √(1 + 1/n), with n - 1 degrees of freedom (Hahn and Meeker, Statistical Intervals, 1991, section 4.7).

    Parameters
    ----------
    values : sequence of float
        At least two.
    confidence : float
    least : float
        The smallest standard deviation that is believed.
    """
    known = summarise(np.asarray(values))
    half = special.stdtrit(known.n - 1, (1 + confidence) / 2) * max(known.sd, least) * math.sqrt(1 + 1 / known.n)
    return known.mean - half, known.mean + half


def welch(variant: np.ndarray, reference: np.ndarray, confidence: float = CONFIDENCE) -> Effect:
    """Estimate the difference of two means from independent runs of unequal spread (Welch 1947).

    Parameters
    ----------
    variant, reference : numpy.ndarray
        One value per run, (n,) and (m,); values that are not finite are left out. Runs are not paired by seed:
        those of two variants with the same seed soon decorrelate, so pairing would only cost degrees of freedom.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    Effect
        The interval covers the randomness of training, not that of the choice of test images.
    """
    a, b = summarise(variant), summarise(reference)
    effect = a.mean - b.mean
    if min(a.n, b.n) < 2:
        return Effect(effect, math.nan, math.nan, math.nan)
    parts = a.sd**2 / a.n, b.sd**2 / b.n
    error = math.sqrt(sum(parts))
    if error == 0:
        return Effect(
            effect, math.nan, math.nan, math.nan
        )  # equal values of a few runs do not show that the variance is zero
    df = sum(parts) ** 2 / (parts[0] ** 2 / (a.n - 1) + parts[1] ** 2 / (b.n - 1))
    margin = float(special.stdtrit(df, (1 + confidence) / 2)) * error  # the quantile of Student's t
    return Effect(effect, effect - margin, effect + margin, df)
