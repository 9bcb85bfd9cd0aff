import math

import numpy as np
import pytest

from ablation.statistics.equivalence import equivalence_p
from ablation.statistics.estimates import Estimate, over_seeds


@pytest.mark.parametrize("seed", range(40))
def test_it_rejects_exactly_where_the_interval_lies_within_the_margin(seed):
    rng = np.random.default_rng(seed)
    estimate = Estimate(rng.normal(), 0.5 * rng.random(), 2 + 6 * rng.random())
    alpha, margin = 0.05 / rng.integers(1, 5), 2 * rng.random()
    low, high = estimate.interval(1 - 2 * alpha)
    assert (equivalence_p(estimate, margin) <= alpha) == (-margin < low and high < margin)


def test_without_a_margin_nothing_is_equivalent_and_without_an_interval_nothing_is_known():
    assert equivalence_p(Estimate(0.001, 0.001, 8.0), 0.0) > 0.5
    assert math.isnan(equivalence_p(Estimate(0.0), 0.01))


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_a_margin_is_a_number(margin):
    with pytest.raises(ValueError, match="found a margin of"):
        equivalence_p(Estimate(0.0, 1.0, 5.0), margin)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_what_differs_by_the_margin_is_called_equivalent_in_5_percent_of_the_cases_at_most(seeds):
    rng = np.random.default_rng(seeds)
    values = rng.normal(0, 1, (2000, 2, seeds))
    values[:, 0] += 2
    called = [equivalence_p(over_seeds(*sides), 2.0) <= 0.05 for sides in values]
    assert 0.02 < np.mean(called) <= 0.06
