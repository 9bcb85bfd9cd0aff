"""Rates of runs, such as those that diverged: exact intervals for few runs, and the exact test that agrees with them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from ablation.statistics.estimates import CONFIDENCE

STEPS = 1000  # of the difference of two rates, from 0 to 1
HALVINGS = 12  # of a step, to find a bound
NODES = 12  # values of the unknown rate per run: the peaks of a probability between them are seen to some 1e-4 of it
TIE = 1e-6  # tables whose statistics differ by less are equally far out; rounding of the cubic's roots is some 1e-8
MOST_TABLES = 21 * 21  # two sides of 20 runs; two seconds, once


@dataclass(frozen=True)
class Rate:
    """A rate of runs with its exact interval; without runs the rate is NaN and the interval 0 to 1."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class RateDifference:
    """A difference of two rates.

    Attributes
    ----------
    effect : float
        Rate of a minus rate of b; NaN where a side has no runs.
    low, high : float
        Bounds of the interval; -1 and 1 where a side has no runs. It has a width and covers at least as often as it says.
    p : float
        Two-sided: at most 1 - confidence exactly where the interval excludes zero.
    """

    effect: float
    low: float
    high: float
    p: float


def rate(failed: int, n: int, confidence: float = CONFIDENCE) -> Rate:
    """Estimate a rate with the exact interval (Clopper and Pearson 1934).

    Parameters
    ----------
    failed, n : int
        How many of n runs failed.
    confidence : float

    Raises
    ------
    ValueError
        Counts that cannot be.
    """
    _refuse_impossible(failed, n)
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(failed, n - failed + 1, tail)) if failed else 0.0
    high = float(special.betaincinv(failed + 1, n - failed, 1 - tail)) if failed < n else 1.0
    return Rate(failed / n if n else math.nan, low, high)


def difference_of_rates(
    failed_a: int, n_a: int, failed_b: int, n_b: int, confidence: float = CONFIDENCE
) -> RateDifference:
    """Estimate the difference of two rates with an exact unconditional interval, and test that it is zero.

    The two-sided score test of each difference is inverted, its p-value being the largest over the unknown rate of b
    (Agresti and Min, Biometrics 57, 2001); the interval reaches from the first to the last difference that is
    not rejected. Its p-value is that of the differences beyond zero, with zero itself: at least Barnard's for the same
    statistic. Above 20 runs on both sides, where this takes too long, the exact intervals of the two
    rates are subtracted instead, each wide enough that both hold: longer, and still exact.

    Parameters
    ----------
    failed_a, n_a, failed_b, n_b : int
        How many of how many runs failed, of the variant (a) and of its reference (b).
    confidence : float

    Raises
    ------
    ValueError
        Counts that cannot be.
    """
    _refuse_impossible(failed_a, n_a)
    _refuse_impossible(failed_b, n_b)
    if not n_a or not n_b:
        return RateDifference(math.nan, -1.0, 1.0, 1.0)
    effect = failed_a / n_a - failed_b / n_b
    if (n_a + 1) * (n_b + 1) > MOST_TABLES:
        low, high = _separate(failed_a, n_a, failed_b, n_b, confidence)
        return RateDifference(effect, low, high, _separate_p(failed_a, n_a, failed_b, n_b))
    places, tables = np.linspace(-1, 1, 2 * STEPS + 1), _p_values(n_a, n_b)
    p_values = tables[:, failed_a, failed_b]
    beyond = p_values[: STEPS + 1] if effect > 0 else p_values[STEPS:]
    p = float(beyond.max()) if effect else 1.0
    kept = np.flatnonzero(p_values > min(1 - confidence, float(p_values.max()) * (1 - TIE)))  # of any confidence, one

    def bound(inside: int, outside: int) -> float:
        if not 0 <= outside < len(places):
            return float(places[inside])
        kept_place, rejected = places[inside], places[outside]
        for _ in range(HALVINGS):
            middle = (kept_place + rejected) / 2
            if _p_values_at(middle, n_a, n_b)[failed_a, failed_b] > 1 - confidence:
                kept_place = middle
            else:
                rejected = middle
        return float(kept_place)

    return RateDifference(effect, bound(kept[0], kept[0] - 1), bound(kept[-1], kept[-1] + 1), p)


def weighted_rates(
    counts: Sequence[tuple[int, int]], weights: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return bounds of a weighted sum of rates that cover at least as often as they say.

    Those of each rate are exact, and wide enough that all hold at once (Bonferroni).

    Parameters
    ----------
    counts : sequence of (int, int)
        How many of how many runs failed, by cell.
    weights : sequence of float
        One per cell.
    confidence : float
    """
    used = [(weight, count) for weight, count in zip(weights, counts, strict=True) if weight]
    found = [(weight, rate(*count, 1 - (1 - confidence) / len(used))) for weight, count in used]
    ends = [sorted((weight * one.low, weight * one.high)) for weight, one in found]
    return sum(low for low, _ in ends), sum(high for _, high in ends)


def _refuse_impossible(failed: int, n: int) -> None:
    if not 0 <= failed <= n:
        raise ValueError(f"found {failed} failed of {n} runs, expected a count from 0 to the number of runs")


@lru_cache(maxsize=64)
def _p_values(n: int, m: int) -> np.ndarray:
    """Return the p-values of all tables for the differences -1 to 1 in steps: (2 STEPS + 1, n + 1, m + 1)."""
    upper = np.stack([_p_values_at(d, n, m) for d in np.linspace(0, 1, STEPS + 1)])
    # To count the other outcome turns a difference round, and a table with it.
    return np.concatenate([upper[:0:-1, ::-1, ::-1], upper])


def _p_values_at(difference: float, n: int, m: int) -> np.ndarray:
    """Return the p-value of every table (n + 1, m + 1) for a difference of the two rates.

    The probability of a table that is at least as far out, at the rate of b where this is largest.
    """
    far = np.abs(_scores(difference, n, m)).ravel()
    order = np.argsort(-far)
    nodes = NODES * (n + m) + 1  # odd: one is in the middle, where probabilities of equal sides have their peak
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    # Chebyshev's nodes, between which a polynomial of degree n + m cannot hide a high peak (Ehlich and Zeller 1964)
    rates = low + (high - low) * (1 - np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)) / 2
    chances = _binomial(rates + difference, n)[:, :, None] * _binomial(rates, m)[:, None, :]
    sums = np.cumsum(chances.reshape(nodes, -1)[:, order], axis=1)
    last = np.searchsorted(-far[order], -far * (1 - TIE) + TIE, side="right") - 1  # of those as far out
    return np.minimum(_peaks(sums)[last], 1.0).reshape(n + 1, m + 1)


def _peaks(values: np.ndarray) -> np.ndarray:
    """Return the maximum of each column (nodes, columns), by a parabola through the largest value and its neighbours."""
    top = np.clip(values.argmax(axis=0), 1, len(values) - 2)
    before, at, after = (values[top + step, np.arange(values.shape[1])] for step in (-1, 0, 1))
    slope, bend = (after - before) / 2, before - 2 * at + after
    rise = np.divide(-(slope**2), 2 * bend, out=np.zeros_like(at), where=bend < 0)
    inside = (at >= before) & (at >= after)
    return np.where(inside, at + rise, np.maximum(before, after))


def _binomial(rates: np.ndarray, n: int) -> np.ndarray:
    """Return the probability of 0 to n failures at each rate: (rates, n + 1)."""
    counts = np.arange(n + 1)
    rates = np.clip(rates, 0.0, 1.0)[:, None]
    return special.binom(n, counts) * rates**counts * (1 - rates) ** (n - counts)


def _scores(difference: float, n: int, m: int) -> np.ndarray:
    """Return the score statistic of every table (n + 1, m + 1) for a difference (Mee 1984): infinite where it cannot be."""
    a, b = np.arange(n + 1)[:, None], np.arange(m + 1)[None, :]
    rate_b = _restricted(a, n, b, m, difference)
    rate_a = np.clip(rate_b + difference, 0.0, 1.0)
    gap = a / n - b / m - difference
    error = np.sqrt(rate_a * (1 - rate_a) / n + rate_b * (1 - rate_b) / m)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(gap) < 1e-12, 0.0, gap / error)


def _restricted(a: np.ndarray, n: int, b: np.ndarray, m: int, difference: float) -> np.ndarray:
    """Return the most likely rate of b where that of a is larger by a difference (Farrington and Manning 1990, appendix)."""
    ratio, seen_a, seen_b = m / n, a / n, b / m
    third = 1 + ratio
    second = -(1 + ratio + seen_a + ratio * seen_b + difference * (ratio + 2))
    first = difference**2 + difference * (2 * seen_a + ratio + 1) + seen_a + ratio * seen_b
    constant = -seen_a * difference * (1 + difference)
    shift = second / (3 * third)
    v = shift**3 - second * first / (6 * third**2) + constant / (2 * third)
    u = np.where(v < 0, -1.0, 1.0) * np.sqrt(np.maximum(shift**2 - first / (3 * third), 0.0))
    cosine = np.divide(v, u**3, out=np.ones_like(v), where=np.abs(u) > 1e-12)
    rate_a = 2 * u * np.cos((np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3) - shift
    return np.clip(rate_a - difference, max(0.0, -difference), min(1.0, 1 - difference))


def _separate(failed_a: int, n_a: int, failed_b: int, n_b: int, confidence: float) -> tuple[float, float]:
    both = math.sqrt(confidence)  # the sides are independent
    a, b = rate(failed_a, n_a, both), rate(failed_b, n_b, both)
    return a.low - b.high, a.high - b.low


def _separate_p(failed_a: int, n_a: int, failed_b: int, n_b: int) -> float:
    """Return one minus the largest confidence at which the two intervals are apart."""

    def apart(confidence: float) -> bool:
        low, high = _separate(failed_a, n_a, failed_b, n_b, confidence)
        return low > 0 or high < 0

    kept, rejected = 1.0, 0.0
    for _ in range(50):
        middle = (kept + rejected) / 2
        kept, rejected = (kept, middle) if apart(middle) else (middle, rejected)
    return 1 - rejected if rejected else 1.0
