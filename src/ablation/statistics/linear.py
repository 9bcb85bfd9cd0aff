"""Linear contrasts of independent cells: interactions, main effects, trends over ordered levels, each with its interval."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ablation.statistics.estimates import ROUNDING, Estimate, are_equal, finite, summarise
from ablation.statistics.spread import deviation

Scale = Literal["level", "log", "rank"]
PERMUTATIONS, SEED = 9999, 0  # of values with ties, for which the monotone test has no closed form
FEWEST_LEVELS = 2


@dataclass(frozen=True)
class Monotone:
    """How far values rise with an ordered level.

    Attributes
    ----------
    probability : float
        That a value of a higher level is larger than one of a lower level, equal ones counted half: 0.5 without a trend;
        NaN where there are no two values to compare.
    p : float
        Two-sided; 1 where all values are equal.
    """

    probability: float
    p: float


def contrast(cells: Sequence[np.ndarray], weights: Sequence[float]) -> Estimate:
    """Estimate a weighted sum of the means of independent cells of unequal spread.

    A t interval with the degrees of freedom of Satterthwaite (Biometrics Bulletin 2, 1946).

    Parameters
    ----------
    cells : sequence of numpy.ndarray
        Values of the runs of each cell; those that are not finite are left out.
    weights : sequence of float
        One per cell; a cell without weight counts for nothing.

    Raises
    ------
    ValueError
        If there are not as many weights as cells, or none but zeros.
    """
    if len(cells) != len(weights) or not any(weights):
        raise ValueError(
            f"found weights {list(weights)} of {len(cells)} cells, expected one for each and not only zeros"
        )
    used = [(finite(cell), weight) for cell, weight in zip(cells, weights, strict=True) if weight]
    effect = sum(weight * summarise(cell).mean for cell, weight in used)
    if min(len(cell) for cell, _ in used) < 2 or all(are_equal(cell) for cell, _ in used):
        return Estimate(effect)
    parts = [(weight**2 * deviation(cell) ** 2 / len(cell), len(cell) - 1) for cell, weight in used]
    squared = sum(part for part, _ in parts)
    return Estimate(effect, math.sqrt(squared), squared**2 / sum(part**2 / freedom for part, freedom in parts))


def trend(levels: Sequence[float], cells: Sequence[np.ndarray], scale: Scale = "level") -> Estimate:
    """Estimate the slope of the means over ordered levels, each cell with the same weight.

    Parameters
    ----------
    levels : sequence of float
        At least two different ones.
    cells : sequence of numpy.ndarray
        Values of the runs at each level.
    scale : {"level", "log", "rank"}
        What the slope is per: unit of the level, doubling of it, or step to the next.

    Raises
    ------
    ValueError
        If levels are equal, fewer than two, not as many as cells, or not positive on the scale of logarithms.
    """
    _checked(levels, len(cells))
    return contrast(cells, _slope(levels, scale))


def _places(levels: Sequence[float], scale: Scale) -> np.ndarray:
    """Return where levels (n,) lie on the axis on which a trend is straight."""
    places = np.asarray(levels, dtype=float)
    if scale == "log":
        if places.min() <= 0:
            raise ValueError(
                f"found the level {places.min():g}, expected positive levels for a trend in their logarithm"
            )
        return np.log2(places)
    return np.argsort(np.argsort(places)).astype(float) if scale == "rank" else places


def _slope(levels: Sequence[float], scale: Scale) -> np.ndarray:
    centred = _places(levels, scale)
    centred = centred - centred.mean()
    return centred / (centred**2).sum()


def monotone(levels: Sequence[float], cells: Sequence[np.ndarray]) -> Monotone:
    """Test whether values rise or fall with the level in any shape (Jonckheere 1954, Biometrika 41).

    The p-value is exact without ties, and from permutations with a fixed seed where values are equal.

    Parameters
    ----------
    levels : sequence of float
        At least two different ones.
    cells : sequence of numpy.ndarray
        Values of the runs at each level; NaN is left out, infinity (never reached) is the largest value.

    Raises
    ------
    ValueError
        As for `trend`.
    """
    order = np.argsort(_checked(levels, len(cells)))
    kept = [np.asarray(cells[index], dtype=float) for index in order]
    kept = [cell[~np.isnan(cell)] for cell in kept]
    sizes = [len(cell) for cell in kept]
    pairs = sum(n * m for n, m in itertools.combinations(sizes, 2))
    if not pairs:
        return Monotone(math.nan, 1.0)
    ranks = _ranks(np.concatenate(kept))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rises = _rises(ranks[None, :], groups)[0]
    if len(set(ranks)) == len(ranks):
        return Monotone(rises / pairs, _exact_p(rises, sizes))
    shuffled = np.random.default_rng(SEED).permuted(np.tile(ranks, (PERMUTATIONS, 1)), axis=1)
    as_far = np.abs(_rises(shuffled, groups) - pairs / 2) >= abs(rises - pairs / 2)
    return Monotone(rises / pairs, float((1 + as_far.sum()) / (1 + PERMUTATIONS)))


def _checked(levels: Sequence[float], cells: int) -> np.ndarray:
    if len(set(levels)) != len(levels) or len(levels) != cells or len(levels) < FEWEST_LEVELS:
        raise ValueError(f"found levels {list(levels)} of {cells} cells, expected two or more that differ, one each")
    return np.asarray(levels, dtype=float)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the place of each value (n,) among the different ones; those that differ by rounding alone share one."""
    order = np.argsort(values)
    finite = np.abs(values[np.isfinite(values)])
    with np.errstate(invalid="ignore"):  # infinity less infinity, which is no step
        steps = np.diff(values[order]) > ROUNDING * finite.max(initial=0.0)
    ranks = np.empty(len(values), dtype=int)
    ranks[order] = np.concatenate([[0], np.cumsum(steps)])
    return ranks


def _rises(ranks: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Count the pairs of values that rise with their group, equal ones half: of arrangements (k, n), (k,)."""
    total = np.zeros(len(ranks))
    for place, group in enumerate(groups):
        later = ranks[:, groups > group]
        total += np.sign(later - ranks[:, [place]]).sum(axis=1) / 2 + later.shape[1] / 2
    return total


def _exact_p(rises: float, sizes: Sequence[int]) -> float:
    """Return the share of arrangements without ties in which the count of rises is as far from its mean.

    The counts have the Gaussian multinomial coefficient as their generating function.
    """
    counts, total = [1], 0
    for size in sizes:
        for i in range(1, size + 1):
            top = total + i
            counts = counts + [0] * top  # times 1 - q^top
            counts = [value - (counts[k - top] if k >= top else 0) for k, value in enumerate(counts)]
            for k in range(i, len(counts)):  # by 1 - q^i
                counts[k] += counts[k - i]
            counts = counts[: len(counts) - i]
        total += size
    middle = (len(counts) - 1) / 2
    far = sum(value for k, value in enumerate(counts) if abs(k - middle) >= abs(rises - middle))
    return far / sum(counts)
