"""Differences of variants, and other weighted sums of their means, over seeds and test images at once.

The score (correctness or loss) of seed k of variant A on image i is ::

    y(k, i) = mean + s(k) + t(i) + u(k, i)

with effects of the seed, of the image, and of both together, drawn independently; that of B likewise, with seeds of
its own on the same images. The K seeds of A, the L of B and the N images are crossed, so the estimate D, the difference
of the two means, has the variance ::

    var s_A / K + var s_B / L + var(t_A - t_B) / N + var u_A / (K N) + var u_B / (L N)

Its parts have unbiased estimates, whatever the distributions (Searle, Casella and McCulloch, Variance Components, 1992,
chapter 4): the variance of the seeds' means S estimates var s + var u / N, the mean square R of what neither seed nor
image explains estimates var u, and the variance V of the images' differences (of means over seeds) estimates
var(t_A - t_B) + var u_A / K + var u_B / L. Both S and V hold the interaction u, which the sum takes once ::

    var D = S_A / K + S_B / L + I,    I = max(0, V - R_A / K - R_B / L) / N

so that I is the share of the test images, which stays however many seeds are trained, and the standard error is never
smaller than that over seeds alone. D divided by it is compared with Student's t. The seeds' part has Welch's degrees of
freedom. Those of I follow from their definition, 2 V² / var V, with the fourth moment of the images' differences (Cramér,
Mathematical Methods of Statistics, 1946, section 27.4): images of which a few decide are worth far fewer than N - 1.
The two are joined as ::

    1 / df = (share of seeds) / df of seeds + (share of images) / df of images

the first term, in powers of 1 / df, of the quantile of Cochran (1964, Biometrics 20, 191-195) that weights those of the
two t distributions. Satterthwaite (1946) squares the shares, which with three seeds is too narrow where the images matter
a little. In the simulations of `benchmarks/statistics`, which compare ways of the bootstrap as well, the interval of 95 %
covers the effect in 92.5 to 97.3 % of the cases (Satterthwaite's in 91.6 to 96.8 %), least where few runs are skewed.

Near 100 % a few images decide, and the estimate is skewed. The part of its third cumulant that the images cause, the
interaction included, is that of the images' differences over N². Divided by (var D)^1.5 it is the skewness of D, which of a
single image that differs is 1. The interval leaves it alone, for correcting it by an estimate costs more coverage than it
gives; the test of equivalence, whose errors all lie on one side, heeds it (`ablation.statistics.equivalence`). What a few
seeds add to it cannot be estimated.

Of a weighted sum of more than two means, the weights take the place of 1 and -1: their squares weight S and R, and V is
the variance of the images' weighted sums.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablation.statistics import linear
from ablation.statistics.estimates import Estimate, summarise


@dataclass(frozen=True)
class Scores:
    """What the scores of a variant, seeds by images, say of its variance.

    Attributes
    ----------
    seeds : numpy.ndarray
        The mean of each seed (seeds,).
    images : numpy.ndarray
        The mean of each test image (images,).
    interaction : float
        Mean square of what neither explains; NaN for one seed.
    """

    seeds: np.ndarray
    images: np.ndarray
    interaction: float

    @classmethod
    def of(cls, scores: np.ndarray) -> "Scores":
        """Sum scores up.

        Parameters
        ----------
        scores : numpy.ndarray
            The score of each seed on each test image, (seeds, images): whether it was right, or its loss. A run that
            diverged is a row of the constant that it is worth.

        Raises
        ------
        ValueError
            If there are no seeds or fewer than two images, or a score is not finite.
        """
        scores = np.asarray(scores, float)
        if scores.ndim != 2 or not len(scores) or scores.shape[1] < 2:
            raise ValueError(f"found scores {scores.shape}, expected (seeds, images), of two images or more")
        if not np.isfinite(scores).all():
            raise ValueError("found scores that are not finite, expected a stated value for a run that diverged")
        seeds, images = scores.mean(axis=1), scores.mean(axis=0)
        if len(seeds) < 2:
            return cls(seeds, images, math.nan)
        centred = scores - seeds[:, None]
        left = float(np.vdot(centred, centred) - len(seeds) * ((images - images.mean()) ** 2).sum())
        return cls(seeds, images, max(0.0, left) / ((len(seeds) - 1) * (len(images) - 1)))


def over_seeds_and_images(variant: np.ndarray, reference: np.ndarray) -> Estimate:
    """Estimate the difference of two means over seeds and test images, which are crossed.

    Parameters
    ----------
    variant, reference : numpy.ndarray
        As for `Scores.of`; their seeds are independent and may differ in number.

    Raises
    ------
    ValueError
        As for `Scores.of` and `contrast`.
    """
    return contrast([Scores.of(variant), Scores.of(reference)], [1, -1])


def contrast(cells: Sequence[Scores], weights: Sequence[float]) -> Estimate:
    """Estimate a weighted sum of means over seeds and test images, which are crossed.

    Parameters
    ----------
    cells : sequence of Scores
        All of the same images in the same order; their seeds are independent and may differ in number.
    weights : sequence of float
        One per cell.

    Returns
    -------
    Estimate
        Without interval if a cell has one seed, or if the means of the seeds differ in none: a few equal runs do not show
        that the variance is zero.

    Raises
    ------
    ValueError
        If the cells do not have as many images.
    """
    counts = {len(cell.images) for cell in cells}
    if len(counts) > 1:
        raise ValueError(f"found scores of {sorted(counts)} images, expected the same images")
    seeds = linear.contrast([cell.seeds for cell in cells], weights)
    if math.isnan(seeds.df):
        return seeds
    used = [(weight, cell) for weight, cell in zip(weights, cells, strict=True) if weight]
    combined = sum(weight * cell.images for weight, cell in used)
    both = sum(weight**2 * cell.interaction / len(cell.seeds) for weight, cell in used)
    images = max(0.0, summarise(combined).sd ** 2 - both) / len(combined)
    variance = seeds.standard_error**2 + images
    share = images / variance
    inverse_df = (1 - share) / seeds.df + (share / _df_of_variance(combined) if share else 0)
    skewness = _third_cumulant_of_mean(combined) / variance**1.5
    return Estimate(seeds.effect, math.sqrt(variance), 1 / inverse_df, share, min(1.0, max(-1.0, skewness)))


def _third_cumulant_of_mean(values: np.ndarray) -> float:
    """Return the unbiased estimate of the third cumulant of the mean of values (n,); 0 of fewer than three."""
    n = len(values)
    return float(((values - values.mean()) ** 3).sum() / (n * (n - 1) * (n - 2))) if n > 2 else 0.0


def _df_of_variance(values: np.ndarray) -> float:
    """Return the degrees of freedom of the variance of values (n,) that are not all equal, of any distribution."""
    n, centred = len(values), values - values.mean()
    variance = (centred**2).sum() / (n - 1)
    return float(2 * n * variance**2 / ((centred**4).mean() - variance**2 * (n - 3) / (n - 1)))
