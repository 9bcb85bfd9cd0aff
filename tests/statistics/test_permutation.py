import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics import permutation
from ablation.statistics.permutation import permutation_p, smallest_p


def by_definition(a, b):
    """The share of assignments whose Welch t of scipy is at least that observed."""
    pooled, n = np.concatenate([a, b]), len(a)
    statistic = [
        abs(stats.ttest_ind(pooled[list(chosen)], np.delete(pooled, chosen), equal_var=False).statistic)
        for chosen in itertools.combinations(range(len(pooled)), n)
    ]
    return np.mean(np.array(statistic) >= statistic[0] - 1e-9)


@pytest.mark.parametrize(("seed", "n", "m"), [(0, 3, 3), (1, 4, 3), (2, 2, 5), (3, 4, 4)])
def test_every_assignment_is_tried(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(1, 1, n), rng.normal(0, 3, m)
    assert permutation_p(a, b) == pytest.approx(by_definition(a, b))
    assert permutation_p(1e6 + a / 1e3, 1e6 + b / 1e3) == pytest.approx(by_definition(a, b))


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (5, 5), (3, 5), (7, 4)])
def test_sides_that_do_not_overlap_reach_the_smallest_p(n, m):
    rng = np.random.default_rng(0)
    assert permutation_p(rng.random(n) + 99, rng.random(m)) == pytest.approx(smallest_p(n, m))


def test_five_runs_against_five_cannot_pass_holm_over_seven():
    assert smallest_p(5, 5) == pytest.approx(2 / 252)
    assert smallest_p(5, 5) > 0.05 / 7


def test_sides_without_spread_differ_or_are_equal():
    assert permutation_p([0.1] * 5, [0.9] * 5) == pytest.approx(smallest_p(5, 5))
    assert permutation_p([0.1] * 5, [0.9, 0.91, 0.92, 0.89, 0.9]) == pytest.approx(smallest_p(5, 5))
    assert permutation_p([0.1] * 3, [0.1 + 1e-17, 0.1, 0.3 - 0.2]) == 1


def test_one_run_says_nothing():
    assert math.isnan(permutation_p([1.0], [1.0, 2.0, 3.0]))
    assert math.isnan(permutation_p([1.0, math.nan], [1.0, 2.0, 3.0]))


def test_what_are_too_many_to_try_are_drawn(monkeypatch):
    rng = np.random.default_rng(4)
    a, b = rng.normal(1, 1, 6), rng.normal(0, 1, 6)
    exact = permutation_p(a, b)
    monkeypatch.setattr(permutation, "ENUMERATED", 100)
    drawn = permutation_p(a, b)
    assert drawn == permutation_p(a, b)
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / permutation.DRAWS))
    assert drawn != permutation_p(a, b, seed=1)


def test_equal_distributions_are_told_apart_in_5_percent_of_the_cases_at_most():
    rng = np.random.default_rng(0)
    p = [permutation_p(rng.standard_exponential(4), rng.standard_exponential(5)) for _ in range(1000)]
    assert np.mean(np.array(p) <= 0.05) <= 0.065
