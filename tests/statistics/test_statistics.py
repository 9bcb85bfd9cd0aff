import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.estimates import over_seeds, summarise, welch


@pytest.mark.parametrize("seed", range(5))
def test_welch_is_the_interval_of_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(3, 1, 5), rng.normal(2, 4, 8)
    expected = stats.ttest_ind(a, b, equal_var=False)
    effect = welch(a, b)
    assert effect.effect == pytest.approx(a.mean() - b.mean())
    assert (effect.low, effect.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert effect.df == pytest.approx(expected.df)


def test_welch_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        effect = welch(rng.normal(1, 1, 5), rng.normal(0, 3, 5))
        hits += effect.low <= 1 <= effect.high
    assert 0.93 < hits / 2000 < 0.975


def test_diverged_runs_have_no_value():
    assert summarise([1.0, 3.0, math.nan]) == summarise([1.0, 3.0])
    assert summarise([math.nan]).n == 0


def test_one_run_has_no_interval():
    effect = welch([1.0], [0.5, 0.7])
    assert effect.effect == pytest.approx(0.4)
    assert math.isnan(effect.low)


def test_runs_that_do_not_differ_have_no_interval():
    effect = welch([0.1, 0.1], [0.0972, 0.0972])
    assert effect.effect == pytest.approx(0.0028)
    assert math.isnan(effect.low)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("seed", range(5))
def test_the_p_of_an_estimate_is_that_of_its_intervals(seed, confidence):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(1, 1, 5), rng.normal(0, 2, 4)
    estimate = over_seeds(a, b)
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert estimate.p == pytest.approx(expected.pvalue, abs=1e-8)
    assert estimate.interval(confidence) == pytest.approx(tuple(expected.confidence_interval(confidence)), abs=1e-8)
    low, high = estimate.interval(1 - estimate.p)
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("values", [[0.1] * 3, [0.3, 0.1 + 0.2], [1e9 + 0.1] * 7, [-0.7] * 6, [0.0, 0.0]])
def test_floats_that_differ_by_rounding_alone_have_no_spread(values):
    assert summarise(values).sd == 0
    assert math.isnan(over_seeds(values, values).low)


def test_floats_that_differ_by_more_have_a_spread():
    assert summarise([0.1, 0.1 + 1e-9]).sd > 0
    assert summarise([0.0, 1e-30]).sd > 0
