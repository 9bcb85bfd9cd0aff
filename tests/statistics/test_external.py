"""Our runs against numbers from elsewhere."""

import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.estimates import prediction_interval, summarise, welch, welch_of_summaries
from ablation.statistics.external import ABOVE, BELOW, MEDIAN, UNKNOWN, WITHIN, mean_interval, place, place_best

VALUES = np.array([0.91, 0.93, 0.90, 0.92, 0.94])


def test_the_interval_of_one_more_run_is_that_of_the_book():
    half = stats.t.ppf(0.975, 4) * VALUES.std(ddof=1) * math.sqrt(1 + 1 / 5)
    placed = place(0.93, VALUES)
    assert (placed.low, placed.high) == pytest.approx((0.92 - half, 0.92 + half))
    assert (placed.n, placed.lower) == (5, 3)
    assert placed.percentile == pytest.approx(stats.t.cdf(0.01 / (VALUES.std(ddof=1) * math.sqrt(1.2)), 4))


@pytest.mark.parametrize(("value", "where"), [(0.92, WITHIN), (0.99, ABOVE), (0.85, BELOW)])
def test_a_value_lies_within_or_beyond_the_interval(value, where):
    placed = place(value, VALUES)
    assert placed.where == where
    assert (0.025 <= placed.percentile <= 0.975) == (where == WITHIN)


def test_the_mean_of_many_runs_is_predicted_more_narrowly():
    one, many = prediction_interval(VALUES, 0.95), prediction_interval(VALUES, 0.95, count=20)
    assert one[0] < many[0] < many[1] < one[1]
    assert place(0.9, VALUES, count=20).low == pytest.approx(many[0])


@pytest.mark.parametrize("values", [[], [0.9], [0.1] * 3, [0.1 + 0.2, 0.3], [0.9, math.nan]])
def test_runs_without_spread_place_nothing(values):
    placed = place(0.5, np.array(values))
    assert placed.where == UNKNOWN
    assert math.isnan(placed.percentile)


@pytest.mark.parametrize(("of", "count"), [(np.mean, 1), (np.mean, 4), (np.median, 9)])
def test_prediction_intervals_cover_as_often_as_they_say(of, count):
    rng = np.random.default_rng(1)
    values, others = rng.normal(0.9, 0.01, (3000, 5)), rng.normal(0.9, 0.01, (3000, count))
    runs = count / MEDIAN if of is np.median else count
    inside = [place(float(of(more)), some, runs).where == WITHIN for some, more in zip(values, others, strict=True)]
    assert 0.94 < np.mean(inside) < 0.965


def test_the_best_of_one_run_is_that_run():
    for higher in (True, False):
        one, best = place(0.93, VALUES), place_best(0.93, VALUES, 1, higher)
        assert (best.low, best.high, best.percentile) == pytest.approx((one.low, one.high, one.percentile), abs=1e-4)


@pytest.mark.parametrize(("n", "runs", "higher"), [(5, 5, True), (3, 5, True), (10, 20, True), (5, 5, False)])
def test_intervals_of_the_best_of_some_runs_cover_as_often_as_they_say(n, runs, higher):
    rng = np.random.default_rng(3)
    values, others = rng.normal(0.9, 0.01, (1000, n)), rng.normal(0.9, 0.01, (1000, runs))
    best = others.max(axis=1) if higher else others.min(axis=1)
    low = (1 - 0.95) / 2
    shares = np.array(
        [place_best(value, some, runs, higher).percentile for value, some in zip(best, values, strict=True)]
    )
    assert 0.93 < ((shares > low) & (shares < 1 - low)).mean() < 0.97
    placed = place_best(float(best[0]), values[0], runs, higher)
    assert (placed.where == WITHIN) == (low <= placed.percentile <= 1 - low)
    assert place_best(placed.low, values[0], runs, higher).percentile == pytest.approx(low, abs=1e-6)
    assert place_best(placed.high, values[0], runs, higher).percentile == pytest.approx(1 - low, abs=1e-6)


def test_summaries_are_compared_as_the_runs_would_be():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.8, 0.02, 10), rng.normal(0.82, 0.01, 198)
    assert welch_of_summaries(summarise(a), summarise(b)) == welch(a, b)
    known = stats.ttest_ind_from_stats(a.mean(), a.std(ddof=1), 10, b.mean(), b.std(ddof=1), 198, equal_var=False)
    effect = welch(a, b)
    error = (effect.high - effect.low) / 2 / stats.t.ppf(0.975, effect.df)
    assert effect.effect / error == pytest.approx(known.statistic)


def test_a_mean_has_the_interval_of_student():
    found = mean_interval(np.array([*VALUES, math.nan]))
    low, high = stats.t.interval(0.95, 4, VALUES.mean(), stats.sem(VALUES))
    assert (found.n, found.mean) == (5, pytest.approx(0.92))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert math.isnan(mean_interval(np.array([0.1] * 3)).low)
