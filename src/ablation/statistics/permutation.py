"""A test that assumes no distribution: what runs of the same distribution would show, whichever side they are on."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from ablation.statistics.estimates import ROUNDING, are_equal

ENUMERATED = 200_000  # assignments at most that are all tried: 10 + 10 runs have 184,756
DRAWS = 99_999  # of more, so many are drawn: p near 0.05 is then known to 0.0007
CHUNK = 20_000  # assignments at once


def smallest_p(n: int, m: int) -> float:
    """Return the smallest p-value that `permutation_p` can reach with n runs against m.

    Of equal numbers, exchanging the sides gives the same statistic, so that two assignments are the most extreme.
    """
    return (1 + (n == m)) / math.comb(n + m, n)


def permutation_p(variant: Sequence[float], reference: Sequence[float], seed: int = 0) -> float:
    """Test by permutation of Welch's t whether two sets of runs have the same mean (Janssen 1997).

    With equal distributions the p-value is exact, however few runs there are and whatever the distribution; as the
    statistic is studentised, it is right in the limit for equal means with unequal spreads, too.

    Parameters
    ----------
    variant, reference : sequence of float
        One value per run, (n,) and (m,); values that are not finite are left out.
    seed : int
        Of the assignments that are drawn where there are too many to try them all.

    Returns
    -------
    float
        Two-sided; NaN if a side has fewer than two values. 1 if no value differs from another.
    """
    sides = [np.asarray(values, float) for values in (variant, reference)]
    n, m = (int(np.isfinite(values).sum()) for values in sides)
    if min(n, m) < 2:
        return math.nan
    pooled = np.concatenate([values[np.isfinite(values)] for values in sides])
    if are_equal(pooled):
        return 1.0
    pooled = (pooled - pooled.mean()) / np.ptp(pooled)
    observed = _statistic(pooled, np.arange(n)[None])[0]
    extreme = tried = 0
    for chosen in _assignments(n, m, seed):
        statistics = _statistic(pooled, chosen)
        extreme += int((statistics >= observed * (1 - math.sqrt(ROUNDING))).sum())
        tried += len(chosen)
    drawn = math.comb(n + m, n) > ENUMERATED
    return (extreme + drawn) / (tried + drawn)  # the assignment that was observed is one of those drawn


def _assignments(n: int, m: int, seed: int) -> Iterator[np.ndarray]:
    """Yield positions of the runs that count as the variant's, (assignments, n), all that there are or drawn."""
    if math.comb(n + m, n) <= ENUMERATED:
        every = itertools.combinations(range(n + m), n)
        while chunk := list(itertools.islice(every, CHUNK)):
            yield np.array(chunk)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, DRAWS, CHUNK):
        order = rng.permuted(np.tile(np.arange(n + m), (min(CHUNK, DRAWS - start), 1)), axis=1)
        yield order[:, :n]


def _statistic(pooled: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the absolute value of Welch's t of each assignment; infinite where both sides have no spread.

    Parameters
    ----------
    pooled : numpy.ndarray
        All values (runs,), of mean 0 and range 1.
    chosen : numpy.ndarray
        (assignments, n).
    """
    n, m = chosen.shape[1], len(pooled) - chosen.shape[1]
    sums, squares = pooled[chosen].sum(axis=1), (pooled[chosen] ** 2).sum(axis=1)
    rest, rest_squares = pooled.sum() - sums, (pooled**2).sum() - squares
    variance = (squares - sums**2 / n) / (n * (n - 1)) + (rest_squares - rest**2 / m) / (m * (m - 1))
    difference = np.abs(sums / n - rest / m)
    variance[variance <= ROUNDING] = 0
    difference[difference <= ROUNDING] = 0
    return np.divide(difference, np.sqrt(variance), out=np.where(difference > 0, np.inf, 0.0), where=variance > 0)
