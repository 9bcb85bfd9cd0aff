import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.linear import contrast
from ablation.statistics.rates import difference_of_rates, rate, weighted_rates
from ablation.statistics.ratios import ratio_interval


def interval(a, b, confidence=0.95):
    return ratio_interval(lambda ratio: contrast([a, b], [1, -ratio]), a.mean() / b.mean(), confidence)


def test_a_bound_is_the_ratio_at_which_the_difference_is_told_from_zero_by_t():
    rng = np.random.default_rng(0)
    a, b = rng.normal(6, 0.5, 5), rng.normal(2, 0.2, 7)
    low, high = interval(a, b)
    assert low < a.mean() / b.mean() < high
    for bound in (low, high):
        test = stats.ttest_ind(a, bound * b, equal_var=False)
        assert test.pvalue == pytest.approx(0.05)


def test_a_denominator_that_may_be_zero_leaves_the_interval_open():
    low, high = interval(np.array([5.0, 6.0, 7.0]), np.array([0.1, 0.5, 1.2]))
    assert 0 < low < 10
    assert high == math.inf


@pytest.mark.parametrize("sides", [([1.0, 1.0], [2.0, 2.0]), ([1.0], [2.0, 3.0]), ([-1.0, -2.0], [1.0, 2.0])])
def test_without_spread_seeds_or_sense_there_is_none(sides):
    assert np.isnan(interval(*map(np.array, sides))).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_of_a_ratio_covers_it(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(6, 1, (400, 4)), rng.normal(2, 0.3, (400, 5))
    found = [interval(*pair) for pair in zip(a, b, strict=True)]
    assert 0.92 <= np.mean([low <= 3 <= high for low, high in found]) <= 0.985


def test_a_weighted_sum_of_rates_holds_the_exact_intervals_of_all():
    low, high = weighted_rates([(5, 5), (0, 5), (1, 5), (1, 5)], [1, -1, -1, 1])
    assert low < 1 < high
    exact = difference_of_rates(5, 5, 0, 5)
    wide = weighted_rates([(5, 5), (0, 5)], [1, -1])
    assert wide[0] < exact.low
    assert weighted_rates([(2, 5), (0, 5)], [1, 0]) == (rate(2, 5).low, rate(2, 5).high)


@pytest.mark.parametrize("confidence", [1e-6, 0.01, 0.5])
def test_an_exact_interval_holds_something_at_any_confidence(confidence):
    found = difference_of_rates(0, 3, 1, 3, confidence)
    assert -1 <= found.low <= found.high <= 1
