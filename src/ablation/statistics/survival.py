"""Times until a threshold is reached, as censored data: how many have not yet, and how two variants differ."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from ablation.statistics.estimates import CONFIDENCE, are_equal
from ablation.statistics.linear import contrast
from ablation.statistics.rates import rate

MOST_SPLITS = 20_000  # of the runs, up to which all are looked at; 8 + 8 have 12,870
PERMUTATIONS, SEED = 9999, 0  # beyond
TIE = 1e-9  # relative: splits that are as far out differ by rounding alone


@dataclass(frozen=True)
class Times:
    """Times of the runs of a variant, each until its threshold or until the horizon.

    Attributes
    ----------
    times : numpy.ndarray
        Time (n,) at which each run reached the threshold; the horizon for those that did not.
    reached : numpy.ndarray
        Whether it did: bool (n,).
    horizon : float
        Until when all runs are looked at.
    """

    times: np.ndarray
    reached: np.ndarray
    horizon: float


@dataclass(frozen=True)
class Curve:
    """The share of runs that have not reached the threshold, from each time on, with its interval: arrays (k,)."""

    times: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class LogRank:
    """The log-rank test of two variants.

    Attributes
    ----------
    excess : float
        Runs of the variant that reached the threshold, less those expected if both sides were alike.
    chi2 : float
        Its square over its variance; 0 where that is zero.
    p : float
        Two-sided, from permutations; 1 where no run reached the threshold.
    """

    excess: float
    chi2: float
    p: float


@dataclass(frozen=True)
class RestrictedContrast:
    """A weighted sum of mean times until a threshold, each time cut at a common horizon, with its interval.

    The interval never has a width of zero; without runs of a cell it is all that can be, and the effect NaN.
    """

    effect: float
    low: float
    high: float


@dataclass(frozen=True)
class RestrictedMeans:
    """How the mean times of two variants until a threshold differ, each time cut at a common horizon.

    Attributes
    ----------
    horizon : float
        The shorter one of the two.
    variant, reference : float
        Mean times; NaN without runs.
    effect, low, high : float
        Their difference with its interval, which never has a width of zero.
    ratio, ratio_low, ratio_high : float
        Their ratio with its interval; 0 and infinity where a mean may be zero.
    """

    horizon: float
    variant: float
    reference: float
    effect: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float


def until(times: np.ndarray, horizon: float) -> Times:
    """Censor times at the horizon.

    A run that died never reaches the threshold: it stays at risk until the horizon. To censor it at its death would say
    that it might have been as fast as the rest. So nothing is censored before the horizon.

    Parameters
    ----------
    times : numpy.ndarray
        Time (n,) at which each run reached the threshold; infinity or NaN where it did not, for whatever reason.
    horizon : float
        In the same unit.

    Raises
    ------
    ValueError
        If the horizon is not positive and finite, or a time is negative.
    """
    times = np.asarray(times, dtype=float)
    if not 0 < horizon < math.inf or (times < 0).any():
        raise ValueError(
            f"found the times {times.tolist()} until {horizon}, expected none below 0 and a positive horizon"
        )
    reached = times <= horizon
    return Times(np.where(reached, times, horizon), reached, float(horizon))


def kaplan_meier(runs: Times, confidence: float = CONFIDENCE) -> Curve:
    """Return the curve of Kaplan and Meier (1958), a step at each time at which a run reached the threshold.

    No run is censored before the horizon, so the curve is a share of all runs, and its intervals those of a rate, exact.

    Parameters
    ----------
    runs : Times
    confidence : float
        Coverage at each time.
    """
    places = np.unique(np.concatenate([[0.0], runs.times[runs.reached]]))
    left = [int((~runs.reached | (runs.times > place)).sum()) for place in places]
    found = [rate(count, len(runs.times), confidence) for count in left]
    columns = np.array([(x.rate, x.low, x.high) for x in found]).T
    return Curve(places, *columns)


def log_rank(variant: Times, reference: Times) -> LogRank:
    """Test whether two variants reach the threshold alike (Mantel 1966), by permutations of the runs.

    The excess is a sum of scores over the runs of the variant (Peto and Peto 1972): whether a run has reached the threshold,
    less its cumulative hazard. All splits of the runs are looked at, up to 20,000, and 9,999 with a fixed seed beyond.

    Parameters
    ----------
    variant, reference : Times
        Cut at the shorter horizon.
    """
    (variant, reference), _ = _cut(variant, reference)
    n = len(variant.times)
    times, reached = (
        np.concatenate([getattr(side, name) for side in (variant, reference)]) for name in ("times", "reached")
    )
    places = np.unique(times[reached])
    if not len(places) or n in (0, len(times)):
        return LogRank(0.0, 0.0, 1.0)
    events = np.array([(reached & (times == place)).sum() for place in places])
    at_risk = np.array([(times >= place).sum() for place in places])
    share = np.array([(times[:n] >= place).sum() for place in places]) / at_risk
    left = np.where(at_risk > 1, (at_risk - events) / np.maximum(at_risk - 1, 1), 0.0)
    variance = float((events * share * (1 - share) * left).sum())
    hazards = np.where(places <= times[:, None], events / at_risk, 0.0).sum(axis=1)
    scores = reached - hazards
    excess = float(scores[:n].sum())
    return LogRank(excess, excess**2 / variance if variance else 0.0, _permutation_p(scores, n))


def _permutation_p(scores: np.ndarray, n: int) -> float:
    """Return the share of splits whose sum of n scores is as far from zero, their sum, as that of the first n."""
    far = abs(scores[:n].sum()) - TIE * np.abs(scores).sum()
    if math.comb(len(scores), n) <= MOST_SPLITS:
        splits = np.array(list(itertools.combinations(range(len(scores)), n)))
        return float((np.abs(scores[splits].sum(axis=1)) >= far).mean())
    shuffled = np.random.default_rng(SEED).permuted(np.tile(scores, (PERMUTATIONS, 1)), axis=1)
    return float((1 + (np.abs(shuffled[:, :n].sum(axis=1)) >= far).sum()) / (1 + PERMUTATIONS))


def restricted_contrast(
    cells: Sequence[Times], weights: Sequence[float], confidence: float = CONFIDENCE, step: float = 1.0
) -> RestrictedContrast:
    """Estimate a weighted sum of mean times until a threshold, each time cut at the horizon.

    Each mean is the area below the curve of Kaplan and Meier (Royston and Parmar 2013): without earlier censoring, a mean of
    cut times, with the t interval of a mean. The limits of all cells are joined by their distances from the means (Zou and
    Donner, Statistics in Medicine 27, 2008).

    Times at the horizon hide their spread. So where some runs are there, each limit is the wider one of that of t and that
    of the share of these runs (Clopper and Pearson 1934), with the other runs at their mean. Where all are, this says
    nothing of other runs, which may be anywhere from 0 on: the lower limit is that of the share, times the horizon. It is
    the highest that a cell with a run at the horizon has, for an earlier time is no evidence of a larger mean.

    Runs that all got there in the same step before the horizon are known to that step: their standard deviation is taken to
    be half of it, the most that it can be within. A share that would never get there, of which no run was seen, is not
    covered.

    Parameters
    ----------
    cells : sequence of Times
        Cut at the shortest horizon.
    weights : sequence of float
        One per cell; a cell without weight counts for nothing. 1 and -1 for a difference.
    confidence : float
    step : float
        In which times are counted: an epoch.

    Raises
    ------
    ValueError
        If there are not as many weights as cells, or none but zeros.
    """
    cells, horizon = _cut(*cells)
    return _contrast(_limits(cells, weights, confidence, step), weights, horizon)


def restricted_means(
    variant: Times, reference: Times, confidence: float = CONFIDENCE, step: float = 1.0
) -> RestrictedMeans:
    """Estimate the difference of two mean times as `restricted_contrast` does, and their ratio: the same in logarithms.

    Parameters
    ----------
    variant, reference : Times
        Cut at the shorter horizon.
    confidence : float
    step : float
        In which times are counted: an epoch.
    """
    sides, horizon = _cut(variant, reference)
    limits = _limits(sides, [1, -1], confidence, step)
    found, (a, b) = _contrast(limits, [1, -1], horizon), (mean for mean, _, _ in limits)
    ratio, ratio_low, ratio_high = math.nan, 0.0, math.inf
    if a > 0 and b > 0:
        logs = [tuple(math.log(value) if value > 0 else -math.inf for value in limit) for limit in limits]
        in_logs = _contrast(logs, [1, -1], horizon)
        ratio, ratio_low, ratio_high = a / b, math.exp(in_logs.low), math.exp(in_logs.high)
    return RestrictedMeans(horizon, a, b, found.effect, found.low, found.high, ratio, ratio_low, ratio_high)


def _contrast(
    limits: Sequence[tuple[float, float, float]], weights: Sequence[float], horizon: float
) -> RestrictedContrast:
    """Join means with their limits; of a cell without weight, neither counts."""
    used = [(weight, *limit) for weight, limit in zip(weights, limits, strict=True) if weight]
    effect = sum(weight * mean for weight, mean, _, _ in used)
    if math.isnan(effect):
        low, high = (horizon * sum(pick(weight, 0.0) for weight, *_ in used) for pick in (min, max))
        return RestrictedContrast(math.nan, low, high)
    # the limit of each cell towards a smaller sum is its lower one where it is added, its upper one where it is taken off
    ends = [(low, high) if weight > 0 else (high, low) for weight, _, low, high in used]
    below, above = (
        math.hypot(*(weight * (end[side] - mean) for (weight, mean, _, _), end in zip(used, ends, strict=True)))
        for side in (0, 1)
    )
    return RestrictedContrast(effect, effect - below, effect + above)


def _limits(
    cells: Sequence[Times], weights: Sequence[float], confidence: float, step: float
) -> list[tuple[float, float, float]]:
    """Return the mean of each cell with its limits."""
    df = contrast([cell.times for cell in cells], weights).df  # Welch's interval, where all cells vary
    return [_mean(cell, df, confidence, step) for cell in cells]


def _mean(runs: Times, df: float, confidence: float, step: float) -> tuple[float, float, float]:
    """Return the mean of cut times with its limits; without runs, all that can be."""
    times, n = runs.times, len(runs.times)
    if not n:
        return math.nan, 0.0, runs.horizon
    mean, tail = float(times.mean()), (1 - confidence) / 2
    if n == 1:
        return mean, mean * tail, runs.horizon - (runs.horizon - mean) * tail
    at_end, low, high = times == runs.horizon, mean, mean
    if not at_end.all():
        spread = step / 2 if are_equal(times) else float(times.std(ddof=1))
        df = n - 1 if math.isnan(df) else df  # of this cell alone, where no other one varies
        half = float(special.stdtrit(df, 1 - tail)) * spread / math.sqrt(n)
        low, high = max(mean - half, 0.0), min(mean + half, runs.horizon)
    if at_end.any():
        before = 0.0 if at_end.all() else float(times[~at_end].mean())
        share, most = rate(int(at_end.sum()), n, confidence), rate(n, n, confidence).low * runs.horizon
        low = min(low, before + (runs.horizon - before) * share.low, most)
        high = max(high, before + (runs.horizon - before) * share.high)
    return mean, low, high


def _cut(*cells: Times) -> tuple[list[Times], float]:
    horizon = min(cell.horizon for cell in cells)
    return [until(np.where(cell.reached, cell.times, math.inf), horizon) for cell in cells], horizon
