import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.rates import difference_of_rates, rate, weighted_rates
from ablation.statistics.ratios import ratio_of_means


def test_a_bound_is_the_ratio_at_which_the_difference_is_told_from_zero_by_t():
    rng = np.random.default_rng(0)
    a, b = rng.normal(6, 0.5, 5), rng.normal(2, 0.2, 7)
    found = ratio_of_means(a, b)
    assert found.low < found.ratio == pytest.approx(a.mean() / b.mean())
    shared = (found.ratio**2 * b.var(ddof=1) / 7, a.var(ddof=1) / 5)
    df = sum(shared) ** 2 / (shared[0] ** 2 / 6 + shared[1] ** 2 / 4)
    for bound in (found.low, found.high):
        error = math.sqrt(a.var(ddof=1) / 5 + bound**2 * b.var(ddof=1) / 7)
        assert abs(a.mean() - bound * b.mean()) / error == pytest.approx(stats.t.ppf(0.975, df))


def test_a_denominator_that_may_be_zero_bounds_nothing():
    found = ratio_of_means(np.array([5.0, 6.0, 7.0]), np.array([-1.0, 0.5, 1.2]))
    assert math.isnan(found.low)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_of_a_ratio_covers_it(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(6, 1, (400, 4)), rng.normal(2, 0.3, (400, 5))
    found = [ratio_of_means(*pair) for pair in zip(a, b, strict=True)]
    assert 0.92 <= np.mean([one.low <= 3 <= one.high for one in found]) <= 0.985


def test_a_weighted_sum_of_rates_holds_the_exact_intervals_of_all():
    low, high = weighted_rates([(5, 5), (0, 5), (1, 5), (1, 5)], [1, -1, -1, 1])
    assert low < 1 < high
    exact = difference_of_rates(5, 5, 0, 5)
    wide = weighted_rates([(5, 5), (0, 5)], [1, -1])
    assert wide[0] < exact.low
    assert weighted_rates([(2, 5), (0, 5)], [1, 0]) == (rate(2, 5).low, rate(2, 5).high)
