"""What a number of seeds can decide: the power of a contrast, the smallest effect it finds, and the seeds it would need."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import optimize, special, stats

from ablation.statistics.spread import deviation, finite

ALPHA, POWER = 0.05, 0.8
LIKELY = 0.5  # the share of what effect and spread may be that a range of seeds covers
MOST_SEEDS = 10_000
FAR = 10.0  # standard deviations, beyond which a normal value does not lie
NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True)
class Design:
    """Seeds of two variants, and what their difference of means varies by.

    Attributes
    ----------
    sd_a, n : float, int
        Standard deviation over the seeds of the variant, and their number.
    sd_b, m : float, int
        Those of the reference.
    image_variance : float
        What the choice of test images adds to the variance of the difference, however many the seeds; taken as known.
    """

    sd_a: float
    n: int
    sd_b: float
    m: int
    image_variance: float = 0.0

    def __post_init__(self) -> None:
        for name in ("sd_a", "n", "sd_b", "m", "image_variance"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}: found {value}, expected a finite number from 0 on")

    @classmethod
    def of(cls, variant: np.ndarray, reference: np.ndarray, image_variance: float = 0.0) -> "Design":
        """Take the spread of the finite values of runs, (n,) and (m,): zero where they differ by rounding alone."""
        a, b = finite(variant), finite(reference)
        return cls(deviation(a), len(a), deviation(b), len(b), image_variance)

    @property
    def testable(self) -> bool:
        """Whether both sides have two seeds and one of them a spread: runs that are equal do not show that all are."""
        return min(self.n, self.m) >= 2 and max(self.sd_a, self.sd_b) > 0

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return math.sqrt(sum(self._parts) + self.image_variance)

    @property
    def df(self) -> float:
        """Degrees of freedom of the standard error (Satterthwaite 1946), of which test images cost none."""
        a, b = self._parts
        return self.error**4 / (a**2 / (self.n - 1) + b**2 / (self.m - 1))

    @property
    def _parts(self) -> tuple[float, float]:
        return self.sd_a**2 / self.n, self.sd_b**2 / self.m


@dataclass(frozen=True)
class Seeds:
    """How many seeds on each side would probably decide.

    Attributes
    ----------
    low, high : int or None
        Of the middle half of what effect and spread may be, given what was found, the easiest and the hardest; None where
        more seeds never decide.
    limit : {"spread", "images", "effect"} or None
        Why not: no two runs differ, or the test images limit it, or the effect may be too close to zero (of a difference)
        or to the margin (of equivalence) for 10,000 seeds.
    """

    low: int | None
    high: int | None
    limit: Literal["spread", "images", "effect"] | None


def power_of_difference(effect: float, design: Design, alpha: float = ALPHA) -> float:
    """Return the probability that Welch's two-sided t test finds a true effect; 0 where the design is not testable.

    Exact for normal values: the integral over what both spreads may be found to be (for one of them, the noncentral t
    distribution, which promises 80 % where Welch's test has 69, at 3 + 3).
    """
    if not design.testable:
        return 0.0
    shift = abs(effect) / design.error
    return _mean_over_spreads(lambda far: special.ndtr(shift - far) + special.ndtr(-shift - far), design, alpha / 2)


def power_of_equivalence(effect: float, margin: float, design: Design, alpha: float = ALPHA) -> float:
    """Return the probability that two one-sided t tests show a true effect to lie within ± margin.

    Exact in the same way; 0 where the design is not testable.
    """
    if not design.testable:
        return 0.0
    above, below = (margin - effect) / design.error, (margin + effect) / design.error

    def inside(far: np.ndarray) -> np.ndarray:
        return np.maximum(special.ndtr(above - far) - special.ndtr(far - below), 0.0)

    return _mean_over_spreads(inside, design, alpha)


def smallest_effect(design: Design, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return the smallest true effect that is found with this power; infinite where the design is not testable."""
    return _smallest(lambda effect: power_of_difference(effect, design, alpha) - power, design)


def smallest_margin(design: Design, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return the smallest margin within which no effect at all is shown to lie, with this power; infinite likewise."""
    return _smallest(lambda margin: power_of_equivalence(0.0, margin, design, alpha) - power, design)


def seeds_for_difference(effect: float, design: Design, alpha: float = ALPHA, power: float = POWER) -> Seeds:
    """Return how many seeds on each side would probably find an effect, given what was found.

    Effect and spread are both uncertain: their ratio has an exact interval from the noncentral t distribution (Steiger and
    Fouladi 1997), of which each end is a number of seeds.

    Parameters
    ----------
    effect : float
        The effect that was found.
    design : Design
        The seeds and spreads with which it was.
    alpha, power : float
    """
    if not design.testable:
        return Seeds(None, None, "spread")
    ends = [max(shift, 0.0) * design.error for shift in _shifts(abs(effect) / design.error, design.df)]  # hardest first
    return _range([lambda larger, end=end: power_of_difference(end, larger, alpha) for end in ends], design, power)


def seeds_for_equivalence(
    effect: float, margin: float, design: Design, alpha: float = ALPHA, power: float = POWER
) -> Seeds:
    """Return how many seeds on each side would probably show an effect to lie within ± margin, given what was found.

    As for `seeds_for_difference`, with the distances of the effect from both margins in place of that from zero.
    """
    if not design.testable:
        return Seeds(None, None, "spread")
    distances = [_shifts((margin + sign * abs(effect)) / design.error, design.df) for sign in (-1, 1)]
    # a pair of distances is that of an effect and a margin
    ends = [
        ((far - near) / 2 * design.error, (far + near) / 2 * design.error) for near, far in zip(*distances, strict=True)
    ]
    return _range([lambda larger, end=end: power_of_equivalence(*end, larger, alpha) for end in ends], design, power)


def _range(chances: list[Callable[[Design], float]], design: Design, power: float) -> Seeds:
    """Return the seeds for the hardest and the easiest end of what may be, and what limits the first that has none."""
    high, low = (_fewest(chance, design, power) for chance in chances)
    limit = None
    if high is None:
        hardest = chances[0] if low is not None else chances[1]
        endless = replace(design, n=MOST_SEEDS, m=MOST_SEEDS, image_variance=0.0)
        limit = "images" if design.image_variance and hardest(endless) >= power else "effect"
    return Seeds(low, high, limit)


def _fewest(chance: Callable[[Design], float], design: Design, power: float) -> int | None:
    """Return the smallest number of seeds on each side with this power."""
    few, many = 1, 2
    while chance(replace(design, n=many, m=many)) < power:
        if many == MOST_SEEDS:
            return None
        few, many = many, min(2 * many, MOST_SEEDS)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if chance(replace(design, n=middle, m=middle)) >= power else (middle, many)
    return many


def _smallest(excess: Callable[[float], float], design: Design) -> float:
    if not design.testable:
        return math.inf
    upper = design.error
    while excess(upper) < 0:
        upper *= 2
    return float(optimize.brentq(excess, 0.0, upper, xtol=1e-12 * upper, rtol=1e-12))


def _shifts(found: float, df: float) -> tuple[float, float]:
    """Return the noncentralities between which that of a found t statistic lies, with the probability `LIKELY`."""
    centres = found * np.sqrt(_found_variances(df)[0])  # given the standard deviation, it is normal about one of these
    ends = float(centres.min()) - FAR, float(centres.max()) + FAR
    return tuple(
        float(optimize.brentq(lambda shift, tail=tail: _shifted(found, df, shift) - tail, *ends))
        for tail in ((1 + LIKELY) / 2, (1 - LIKELY) / 2)
    )


def _shifted(t: float, df: float, shift: float) -> float:
    """Return the distribution function of the noncentral t."""
    found, weights = _found_variances(df)
    return float(weights @ special.ndtr(t * np.sqrt(found) - shift))


def _mean_over_spreads(chance: Callable[[np.ndarray], np.ndarray], design: Design, tail: float) -> float:
    """Return the mean of a chance that depends on how many true standard errors make half an interval.

    That depends on what the variances of both sides are found to be, each a multiple of a χ².
    """
    (a, weights_a), (b, weights_b) = (_found_variances(n - 1) for n in (design.n, design.m))
    part_a, part_b = design.sd_a**2 / design.n * a[:, None], design.sd_b**2 / design.m * b
    squared = part_a + part_b + design.image_variance
    df = squared**2 / (part_a**2 / (design.n - 1) + part_b**2 / (design.m - 1))
    half = -special.stdtrit(df, tail) * np.sqrt(squared) / design.error
    return float(weights_a @ chance(half) @ weights_b)


@lru_cache(maxsize=1024)
def _found_variances(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of what a variance of one may be found to be: (nodes,) each."""
    least, most = np.sqrt(stats.chi2.ppf([1e-13, 1 - 1e-13], df) / df)
    found = least + (most - least) * (NODES + 1) / 2  # standard deviations, whose density is smooth for all df
    weights = WEIGHTS * (most - least) * df * found * stats.chi2.pdf(df * found**2, df)
    return found**2, weights / weights.sum()
