"""The ratio of two means."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from ablation.statistics.estimates import CONFIDENCE, over_seeds, summarise


@dataclass(frozen=True)
class RatioOfMeans:
    """A ratio of two means with its interval; bounds are NaN where the denominator may be zero, or nothing varies."""

    ratio: float
    low: float
    high: float


def ratio_of_means(numerator: np.ndarray, denominator: np.ndarray, confidence: float = CONFIDENCE) -> RatioOfMeans:
    """Estimate the ratio of two means of independent runs of unequal spread (Fieller 1954).

    The interval holds the ratios r of which numerator - r · denominator is not told from zero, by a t test with the degrees
    of freedom that Welch's has for the ratio that was found.

    Parameters
    ----------
    numerator, denominator : numpy.ndarray
        One value per run, (n,) and (m,); values that are not finite are left out.
    confidence : float
    """
    a, b = summarise(numerator), summarise(denominator)
    ratio = a.mean / b.mean if b.mean else math.nan
    df = over_seeds(np.asarray(numerator, float), ratio * np.asarray(denominator, float)).df
    if math.isnan(df):
        return RatioOfMeans(ratio, math.nan, math.nan)
    far = float(special.stdtrit(df, (1 + confidence) / 2))
    top, bottom = far**2 * a.sd**2 / a.n, far**2 * b.sd**2 / b.n
    leading = b.mean**2 - bottom
    if leading <= 0:
        return RatioOfMeans(ratio, math.nan, math.nan)
    middle = a.mean * b.mean / leading
    half = math.sqrt(max(0.0, (a.mean * b.mean) ** 2 - leading * (a.mean**2 - top))) / leading
    return RatioOfMeans(ratio, middle - half, middle + half)
