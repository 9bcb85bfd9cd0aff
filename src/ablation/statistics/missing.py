"""Differences of means where values are missing that could have been anything within bounds."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ablation.statistics.estimates import Effect, welch


@dataclass(frozen=True)
class BoundedEffect:
    """An effect as far as it is known.

    Attributes
    ----------
    least, most : float
        The effect for the values least in its favour, and for those most in its favour.
    low, high : float
        Bounds of the hull of the intervals of all that could have been; NaN where one of these has none.
    """

    least: float
    most: float
    low: float
    high: float


def worst_case(
    variant: np.ndarray,
    reference: np.ndarray,
    bounds: tuple[float, float],
    estimate: Callable[[np.ndarray, np.ndarray], Effect] = welch,
) -> BoundedEffect:
    """Bound the difference of two means by what missing values could have been (Horowitz and Manski, JASA 95, 2000).

    Nothing is assumed of why they are missing. Each is put at one end of the bounds or at the other, in all combinations:
    an effect is largest, and an interval reaches farthest, at the ends.

    Parameters
    ----------
    variant, reference : numpy.ndarray
        One value per run, (n,) and (m,); NaN where it is missing.
    bounds : tuple of float
        The least and the greatest that a value can be.
    estimate : callable
        What estimates the difference of two arrays without missing values.
    """
    found = [estimate(a, b) for a in _filled(variant, bounds) for b in _filled(reference, bounds)]
    effects, lows, highs = (np.array([getattr(one, part) for one in found]) for part in ("effect", "low", "high"))
    if np.isnan(lows).any():
        return BoundedEffect(float(effects.min()), float(effects.max()), math.nan, math.nan)
    return BoundedEffect(float(effects.min()), float(effects.max()), float(lows.min()), float(highs.max()))


def _filled(values: np.ndarray, bounds: tuple[float, float]) -> Iterator[np.ndarray]:
    """Yield the values with none, one, ... all of the missing ones at the upper end, the others at the lower."""
    values = np.asarray(values, dtype=float)
    missing = np.flatnonzero(np.isnan(values))
    for count in range(len(missing) + 1):
        filled = values.copy()
        filled[missing] = bounds[0]
        filled[missing[:count]] = bounds[1]
        yield filled
