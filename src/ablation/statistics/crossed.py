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

Of a weighted sum of more than two means, the weights take the place of 1 and -1: their squares weight S and R, and V is
the variance of the images' weighted sums.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ablation.statistics import linear
from ablation.statistics.estimates import Estimate, summarise


class _Parts(NamedTuple):
    """What a matrix of scores (seeds, images) says of its variance."""

    seeds: np.ndarray  # the mean of each (seeds,)
    images: np.ndarray  # the mean of each (images,)
    interaction: float  # mean square of what neither explains; NaN for one seed


def over_seeds_and_images(variant: np.ndarray, reference: np.ndarray) -> Estimate:
    """Estimate the difference of two means over seeds and test images, which are crossed.

    Parameters
    ----------
    variant, reference : numpy.ndarray
        The score of each seed on each test image, as for `contrast`.
    """
    return contrast([variant, reference], [1, -1])


def contrast(cells: Sequence[np.ndarray], weights: Sequence[float]) -> Estimate:
    """Estimate a weighted sum of means over seeds and test images, which are crossed.

    Parameters
    ----------
    cells : sequence of numpy.ndarray
        The score of each seed on each test image, (seeds, images): whether it was right, or its loss. All have the same
        images in the same order; their seeds are independent and may differ in number. A run that diverged is a row of
        the constant that it is worth.
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
        If the cells do not have the same images, at least two, or a score is not finite.
    """
    cells = [np.asarray(scores, float) for scores in cells]
    shapes = [scores.shape for scores in cells]
    if any(len(shape) != 2 or 0 in shape or shape[1] != shapes[0][1] or shape[1] < 2 for shape in shapes):
        found = " and ".join(map(str, shapes))
        raise ValueError(f"found scores {found}, expected (seeds, images), of the same images, two or more")
    if not all(np.isfinite(scores).all() for scores in cells):
        raise ValueError("found scores that are not finite, expected a stated value for a run that diverged")
    parts = [_parts(scores) for scores in cells]
    seeds = linear.contrast([part.seeds for part in parts], weights)
    if math.isnan(seeds.df):
        return seeds
    combined = sum(weight * part.images for weight, part in zip(weights, parts, strict=True))
    count = len(combined)
    both = sum(
        weight**2 * part.interaction / len(part.seeds) for weight, part in zip(weights, parts, strict=True) if weight
    )
    images = max(0.0, summarise(combined).sd ** 2 - both) / count
    variance = seeds.standard_error**2 + images
    share = images / variance
    inverse_df = (1 - share) / seeds.df + (share / _df_of_variance(combined) if share else 0)
    return Estimate(seeds.effect, math.sqrt(variance), 1 / inverse_df, share)


def _parts(scores: np.ndarray) -> _Parts:
    seeds, images = scores.mean(axis=1), scores.mean(axis=0)
    count = (len(seeds) - 1) * (len(images) - 1)
    if not count:
        return _Parts(seeds, images, math.nan)
    centred = scores - seeds[:, None]
    of_images = len(seeds) * ((images - images.mean()) ** 2).sum()
    return _Parts(seeds, images, max(0.0, float(np.vdot(centred, centred) - of_images)) / count)


def _df_of_variance(values: np.ndarray) -> float:
    """Return the degrees of freedom of the variance of values (n,) that are not all equal, of any distribution."""
    n, centred = len(values), values - values.mean()
    variance = (centred**2).sum() / (n - 1)
    return float(2 * n * variance**2 / ((centred**4).mean() - variance**2 * (n - 3) / (n - 1)))
