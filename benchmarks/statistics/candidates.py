"""Intervals of 95 % of a difference of two variants: what was compared to choose `ablation.statistics.crossed`.

Each takes the correctness of both sides, (seeds, images), and returns the bounds; NaN where there is none.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import special

from ablation.statistics.crossed import over_seeds_and_images
from ablation.statistics.estimates import over_seeds

RESAMPLES = 400
OURS = "seeds and images"
Bounds = tuple[float, float]


def closed_forms(a: np.ndarray, b: np.ndarray) -> dict[str, Bounds]:
    """Return those without resampling: ours, and what it would be without the images, and with Satterthwaite's df.

    Satterthwaite's (1946) squares the shares of the parts, and the images have N - 1.
    """
    both, seeds = over_seeds_and_images(a, b), over_seeds(a.mean(axis=1), b.mean(axis=1))
    share = both.image_share
    other = replace(both, df=1 / ((1 - share) ** 2 / seeds.df + share**2 / (a.shape[1] - 1)))
    return dict(zip(CLOSED, (both.interval(), other.interval(), seeds.interval()), strict=True))


@functools.cache
def multinomial(units: int, seed: int) -> np.ndarray:
    """Return weights of a bootstrap, (resamples, units), that sum to 1; all data sets share them."""
    rng = np.random.default_rng([seed, units])
    return (rng.multinomial(units, np.full(units, 1 / units), RESAMPLES) / units).astype(np.float32)


@functools.cache
def exponential(units: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng([seed, units]).standard_exponential((RESAMPLES, units))
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


def resampled(a: np.ndarray, b: np.ndarray, weights: Callable, inflate: bool = False) -> np.ndarray:
    """Return the effect in each resample of seeds (of each side by itself) and images (of both sides together)."""
    images = weights(a.shape[1], 0)
    means = []
    for seed, side in enumerate((a, b), 1):
        seeds = weights(len(side), seed)
        if inflate:  # a resample of n values has (n - 1) / n of their variance
            mean, scale = 1 / len(side), math.sqrt(len(side) / (len(side) - 1))
            seeds = (mean + (seeds - mean) * scale).astype(np.float32)
        means.append(np.einsum("rs,rs->r", seeds, images @ side.T.astype(np.float32)))
    return means[0] - means[1]


def multi_bootstrap(a: np.ndarray, b: np.ndarray) -> Bounds:
    """Sellam et al. 2021, section 3: seeds and images resampled, unpaired seeds, paired images; percentiles."""
    low, high = np.percentile(resampled(a, b, multinomial), (2.5, 97.5))
    return float(low), float(high)


def calibrated(a: np.ndarray, b: np.ndarray) -> Bounds:
    """The standard deviation of a multi-bootstrap, corrected for few seeds, times the quantile of Student's t (Welch)."""
    seeds = over_seeds(a.mean(axis=1), b.mean(axis=1))
    half = special.stdtrit(seeds.df, 0.975) * resampled(a, b, multinomial, inflate=True).std(ddof=1)
    return seeds.effect - half, seeds.effect + half


def reweighting(a: np.ndarray, b: np.ndarray) -> Bounds:
    """Owen and Eckles 2012: products of independent weights of seeds and images, here exponential; percentiles."""
    low, high = np.percentile(resampled(a, b, exponential), (2.5, 97.5))
    return float(low), float(high)


CLOSED = (OURS, "with Satterthwaite's df", "seeds only (Welch)")
RESAMPLING = {
    "multi-bootstrap": multi_bootstrap,
    "multi-bootstrap with t": calibrated,
    "product reweighting": reweighting,
}
