"""Several tests at once: p-values and intervals adjusted for a family of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05


@dataclass(frozen=True)
class Family:
    """What a correction makes of a family of p-values, in the order in which they were given.

    Attributes
    ----------
    adjusted : numpy.ndarray
        Adjusted p-values (tests,); NaN where there is none.
    rejected : numpy.ndarray
        Whether the adjusted p-value is at most the significance level of the family: bool (tests,).
    alphas : numpy.ndarray
        The significance level of each test by itself (tests,). Its interval at the confidence ``1 - alpha`` excludes the
        value that is tested exactly where the test is rejected, so that intervals and decisions agree.
    """

    adjusted: np.ndarray
    rejected: np.ndarray
    alphas: np.ndarray


def holm(p: Sequence[float], alpha: float = ALPHA) -> Family:
    """Adjust p-values so that a family has any false rejection with a probability of at most `alpha` (Holm 1979).

    The level of each test is that of its step: of m tests the smallest p is held against alpha / m, the next one against
    alpha / (m - 1), and so on to the first that is not rejected; its level holds for all that follow. The intervals at
    these levels agree with the decisions. They do not all cover at once with the confidence of the family, as those
    at alpha / m do, which agree with Bonferroni's decisions.

    Parameters
    ----------
    p : sequence of float
        One per test. A test without p-value (NaN) still belongs to the family and counts as not rejected: that nothing
        came of it was known after the data only.
    alpha : float
        Significance level of the family.

    Raises
    ------
    ValueError
        If a number is no probability.
    """

    def step(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        steps = np.arange(len(ordered), 0, -1)
        rejected = int(np.logical_and.accumulate(ordered * steps <= alpha).sum())
        held = np.minimum(np.arange(len(ordered)), rejected)
        return np.maximum.accumulate(ordered * steps), alpha / (len(ordered) - held)

    return _adjust(p, alpha, step)


def benjamini_hochberg(p: Sequence[float], alpha: float = ALPHA) -> Family:
    """Adjust p-values so that of the rejected tests an expected share of at most `alpha` is false (1995).

    One level serves all: alpha R / m for R rejections among m tests (alpha / m if there is none). The intervals of the R
    rejected tests then miss what they estimate in an expected share of at most `alpha` (Benjamini and Yekutieli 2005,
    definition 1).

    Parameters
    ----------
    p : sequence of float
        As for `holm`; tests are independent or positively dependent, as are contrasts with a common reference.
    alpha : float
        Significance level of the family.

    Raises
    ------
    ValueError
        If a number is no probability.
    """

    def step(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = len(ordered)
        adjusted = np.minimum.accumulate((ordered * count / np.arange(1, count + 1))[::-1])[::-1]
        rejected = int((adjusted <= alpha).sum())
        return adjusted, np.full(count, alpha * max(rejected, 1) / count)

    return _adjust(p, alpha, step)


def _adjust(p: Sequence[float], alpha: float, step: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Family:
    """Apply a correction to p-values in ascending order, and put what it says in the order given."""
    given = np.asarray(p, float)
    if ((given < 0) | (given > 1)).any():
        raise ValueError(f"found p-values from {np.nanmin(given)} to {np.nanmax(given)}, expected 0 to 1")
    known = np.where(np.isnan(given), 1.0, given)
    order = np.argsort(known, kind="stable")
    adjusted, alphas = np.empty_like(known), np.empty_like(known)
    if len(known):
        adjusted[order], alphas[order] = step(known[order])
    adjusted = np.where(np.isnan(given), np.nan, np.minimum(adjusted, 1))
    return Family(adjusted, adjusted <= alpha, alphas)
