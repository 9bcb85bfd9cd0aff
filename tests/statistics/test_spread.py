"""The ratio of two standard deviations: Bonett's test written out once more, coverage, and what has no spread."""

import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.estimates import are_equal
from ablation.statistics.spread import ratio_of_spreads

DRAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy": lambda rng, n: rng.standard_t(5, size=n),
    "skewed": lambda rng, n: rng.exponential(size=n),
    "uniform": lambda rng, n: rng.uniform(size=n),
}


def bonett(a, b):
    """The p-value of equal spreads (Bonett 2006) for sides of one size, where his constant is one."""
    n = len(a)
    share = 1 / (2 * math.sqrt(n - 4)) if n > 4 else 0.5
    centres = [stats.trim_mean(values, share) if n > 4 else np.median(values) for values in (a, b)]
    fourth = sum(((values - centre) ** 4).sum() for values, centre in zip((a, b), centres, strict=True))
    kurtosis = 2 * n * fourth / ((n - 1) * (a.var(ddof=1) + b.var(ddof=1))) ** 2
    error = math.sqrt(2 * (kurtosis - (n - 3) / n) / (n - 1))
    return 2 * stats.norm.sf(abs(math.log(a.var(ddof=1) / b.var(ddof=1))) / error)


@pytest.mark.parametrize("n", [3, 4, 5, 7, 10])
def test_the_test_is_that_of_bonett(n):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n), 3 * rng.exponential(size=n)
    assert ratio_of_spreads(a, b).p == pytest.approx(bonett(a, b), rel=1e-8)


@pytest.mark.parametrize("sizes", [(3, 3), (5, 5), (10, 10), (3, 10)], ids=str)
@pytest.mark.parametrize("kind", DRAWS)
def test_the_interval_covers_and_agrees_with_the_test(kind, sizes):
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(500):
        a, b = (DRAWS[kind](rng, n) for n in sizes)
        found = ratio_of_spreads(5 * a, b)
        held += found.low <= 5 <= found.high
        assert ((found.low > 1) or (found.high < 1)) == (found.p < 0.05)
    assert held / 500 >= 0.925


def test_the_interval_does_not_ask_which_side_is_which_nor_for_units():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=5), 4 * rng.normal(size=8)
    here, swapped, scaled = ratio_of_spreads(a, b), ratio_of_spreads(b, a), ratio_of_spreads(100 * a + 7, b)
    assert (1 / swapped.ratio, 1 / swapped.high, 1 / swapped.low) == pytest.approx((here.ratio, here.low, here.high))
    assert swapped.p == pytest.approx(here.p)
    assert (scaled.ratio, scaled.low, scaled.high) == pytest.approx((100 * here.ratio, 100 * here.low, 100 * here.high))


@pytest.mark.parametrize(
    ("variant", "reference", "ratio"),
    [
        ([0.1, 0.1, 0.1], [0.8, 0.9, 0.7], 0),
        ([0.8, 0.9, 0.7], [0.3, 0.1 + 0.2, 0.3], math.inf),
        ([0.1] * 3, [0.1] * 3, math.nan),
        ([0.1, 0.2], [0.3, 0.4, 0.6], 0.0707106781 / 0.152752523),
        ([0.1], [0.3, 0.4, 0.6], 0),
        ([], [math.nan], math.nan),
    ],
)
def test_few_runs_or_equal_ones_exclude_no_ratio(variant, reference, ratio):
    found = ratio_of_spreads(variant, reference)
    assert found.ratio == pytest.approx(ratio, nan_ok=True)
    assert (found.low, found.high, found.p) == (0, math.inf, 1)


@pytest.mark.parametrize(
    "values", [[-1, 1, 0], [0, 0, 1], [1e-9, 2e-9, 4e-9], [1e9 + 1, 1e9, 1e9 + 2], [0.9, 0.9, 0.9, 0.91]]
)
def test_lopsided_runs_have_an_interval_of_some_width(values):
    found = ratio_of_spreads(values, [0.2, 0.4, 0.5])
    assert 0 < found.low < found.high < math.inf
    assert 0 < found.p <= 1


def test_rounding_is_no_spread():
    assert are_equal([0.1 + 0.2, 0.3])
    assert are_equal([0.5])
    assert not are_equal([0.5, 0.5 + 1e-6])
