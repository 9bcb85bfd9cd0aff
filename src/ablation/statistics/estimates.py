"""Estimates over seeds: arrays in, numbers out. Knows no files, no networks, no drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

CONFIDENCE = 0.95
ROUNDING = 1e-12  # of the largest value: numbers that are closer than that differ by the order of their sums alone


@dataclass(frozen=True)
class Estimate:
    """A difference of two means, or a weighted sum of several, that divided by its standard error follows Student's t.

    Intervals, p-values and tests of equivalence all follow from these numbers, and so agree with each other.

    Attributes
    ----------
    effect : float
        Mean of the variant minus mean of the reference, or the weighted sum; NaN if a side has no value.
    standard_error : float
        NaN where there is no interval: a side has fewer than two runs, or no run differs from another of its side.
    df : float
        Degrees of freedom; NaN likewise.
    image_share : float
        Share of the variance that is due to the choice of test images, which no further seed takes away; NaN likewise,
        and where the images were not looked at.
    skewness : float
        Of the estimate, as far as the choice of test images makes it skewed, which tests of equivalence heed; -1 to 1.
    """

    effect: float
    standard_error: float = math.nan
    df: float = math.nan
    image_share: float = math.nan
    skewness: float = 0.0

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the bounds of the interval; NaN if there is none."""
        half = float(special.stdtrit(self.df, (1 + confidence) / 2)) * self.standard_error
        return self.effect - half, self.effect + half

    @property
    def low(self) -> float:
        """Lower bound of the interval of 95 %."""
        return self.interval()[0]

    @property
    def high(self) -> float:
        """Upper bound of the interval of 95 %."""
        return self.interval()[1]

    @property
    def p(self) -> float:
        """Probability of an effect as large as this one, in either direction, if there is none; NaN without interval."""
        return 2 * float(special.stdtr(self.df, -abs(self.effect) / self.standard_error))


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
    """Summarise the finite values of an array (n,)."""
    values = finite(values)
    if not len(values):
        return Summary(0, math.nan, math.nan)
    if are_equal(values):  # the mean of equal floats need not be one of them, nor their spread zero
        return Summary(len(values), float(values[0]), 0.0 if len(values) > 1 else math.nan)
    return Summary(len(values), float(values.mean()), float(values.std(ddof=1)))


def are_equal(values: np.ndarray) -> bool:
    """Say whether finite values (n,) are equal but for rounding, as one value is, or none."""
    return len(values) < 2 or bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def finite(values: np.ndarray) -> np.ndarray:
    """Return the finite values of an array (n,)."""
    values = np.asarray(values, dtype=float)
    return values[np.isfinite(values)]


def over_seeds(variant: np.ndarray, reference: np.ndarray) -> Estimate:
    """Estimate the difference of two means from independent runs of unequal spread (Welch 1947).

    It covers the randomness of training on these test images, not that of their choice.

    Parameters
    ----------
    variant, reference : numpy.ndarray
        One value per run, (n,) and (m,); values that are not finite are left out. Runs are not paired by seed:
        those of two variants with the same seed soon decorrelate, so pairing would only cost degrees of freedom.
    """
    return difference_of_means(summarise(variant), summarise(reference))


def difference_of_means(a: Summary, b: Summary) -> Estimate:
    """Estimate the same difference where only counts, means and standard deviations are known."""
    effect = a.mean - b.mean
    if min(a.n, b.n) < 2:
        return Estimate(effect)
    parts = a.sd**2 / a.n, b.sd**2 / b.n
    if sum(parts) == 0:
        return Estimate(effect)  # equal values of a few runs do not show that the variance is zero
    df = sum(parts) ** 2 / (parts[0] ** 2 / (a.n - 1) + parts[1] ** 2 / (b.n - 1))
    return Estimate(effect, math.sqrt(sum(parts)), df)


def prediction_interval(
    values: Sequence[float], confidence: float, least: float = 0.0, count: float = 1
) -> tuple[float, float]:
    """Return the interval in which one more value of the same normal distribution, or the mean of some, lies.

    Mean ± t s √(1/m + 1/n), with n - 1 degrees of freedom (Hahn and Meeker, Statistical Intervals, 1991, sections 4.7
    and 4.8).

    Parameters
    ----------
    values : sequence of float
        At least two.
    confidence : float
    least : float
        The smallest standard deviation that is believed.
    count : float
        m: of how many further values the mean is predicted.
    """
    known = summarise(np.asarray(values))
    half = (
        special.stdtrit(known.n - 1, (1 + confidence) / 2) * max(known.sd, least) * math.sqrt(1 / count + 1 / known.n)
    )
    return known.mean - half, known.mean + half


def welch(variant: np.ndarray, reference: np.ndarray, confidence: float = CONFIDENCE) -> Effect:
    """Return the interval of `over_seeds`, with its bounds at one confidence."""
    return welch_of_summaries(summarise(variant), summarise(reference), confidence)


def welch_of_summaries(a: Summary, b: Summary, confidence: float = CONFIDENCE) -> Effect:
    """Return the same interval where only counts, means and standard deviations are known."""
    estimate = difference_of_means(a, b)
    return Effect(estimate.effect, *estimate.interval(confidence), estimate.df)
