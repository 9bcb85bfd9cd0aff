import math
from dataclasses import replace

import numpy as np
import populations
import pytest

from ablation.statistics.crossed import over_seeds_and_images
from ablation.statistics.equivalence import equivalence_interval, equivalence_p
from ablation.statistics.estimates import Estimate, over_seeds

SKEWED = (-1.0, -0.3, -1e-7, 0.0, 1e-7, 0.3, 1.0)


def drawn(seed, skewness):
    rng = np.random.default_rng(seed)
    estimate = Estimate(rng.normal(), 0.5 * rng.random(), 2 + 6 * rng.random(), skewness=skewness)
    return estimate, 0.05 / rng.integers(1, 5), 2 * rng.random()


@pytest.mark.parametrize("skewness", SKEWED)
@pytest.mark.parametrize("seed", range(20))
def test_it_rejects_exactly_where_its_interval_lies_within_the_margin(seed, skewness):
    estimate, alpha, margin = drawn(seed, skewness)
    low, high = equivalence_interval(estimate, alpha)
    assert (equivalence_p(estimate, margin) <= alpha) == (-margin < low and high < margin)


@pytest.mark.parametrize("skewness", SKEWED)
@pytest.mark.parametrize("seed", range(5))
def test_skewness_never_makes_it_easier_and_without_it_the_interval_is_that_of_t(seed, skewness):
    estimate, alpha, margin = drawn(seed, skewness)
    plain, usual = replace(estimate, skewness=0.0), estimate.interval(1 - 2 * alpha)
    assert equivalence_p(estimate, margin) >= equivalence_p(plain, margin)
    low, high = equivalence_interval(estimate, alpha)
    assert low <= usual[0] < usual[1] <= high
    assert equivalence_interval(plain, alpha) == pytest.approx(usual, rel=1e-12)


def test_the_interval_widens_on_the_side_to_which_the_estimate_is_skewed():
    (low, high), estimate = Estimate(0, 1, 30).interval(0.9), Estimate(0, 1, 30, skewness=0.5)
    left, right = equivalence_interval(estimate, 0.05)
    assert left == pytest.approx(low)
    assert right > high + 0.2
    # Hall's transformation by hand: 3 / 0.5 (cbrt(1 + 0.5 (t - 0.5 / 6)) - 1) at t = -1.697261
    assert right == pytest.approx(3.12774, abs=1e-4)


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


@pytest.mark.parametrize("seeds", [(5, 5), (10, 10), (3, 10)])
def test_near_100_percent_too_and_t_alone_would_not(seeds):
    scenario, rng = populations.SCENARIOS["ceiling"].worse_by(0.01), np.random.default_rng(sum(seeds))
    found = [over_seeds_and_images(*populations.draw(rng, scenario, seeds, 359)) for _ in range(2000)]
    assert np.mean([equivalence_p(one, 0.01) <= 0.05 for one in found]) <= 0.055
    assert np.mean([equivalence_p(replace(one, skewness=0.0), 0.01) <= 0.05 for one in found]) > 0.06
