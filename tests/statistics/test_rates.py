"""Exact intervals of rates and of their differences: every table that can come out is looked at, nothing is simulated."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.rates import MOST_TABLES, difference_of_rates, rate

RATES = np.linspace(0, 1, 81)
ROUNDING = 1e-6  # of the bounds, and of the parabola through a peak
PAIRS = [(n, m) for n in range(1, 7) for m in range(1, n + 1)] + [(10, 3), (10, 5), (10, 10), (12, 7)]


def chances(n):
    return stats.binom.pmf(np.arange(n + 1), n, RATES[:, None])


def every_table(n, m, confidence=0.95):
    """The bounds and p-values of all tables: (n + 1, m + 1) each."""
    found = [[difference_of_rates(a, n, b, m, confidence) for b in range(m + 1)] for a in range(n + 1)]
    return (np.array([[getattr(x, name) for x in row] for row in found]) for name in ("low", "high", "p"))


def worst_coverage(low, high, n, m):
    gaps = RATES[:, None] - RATES
    held = (low[..., None, None] <= gaps) & (gaps <= high[..., None, None])
    return np.einsum("ia,abij,jb->ij", chances(n), held, chances(m)).min()


@pytest.mark.parametrize("n", range(1, 13))
def test_the_interval_of_a_rate_covers_for_every_rate(n):
    found = [rate(failed, n) for failed in range(n + 1)]
    held = np.array([(x.low <= RATES) & (x.high >= RATES) for x in found])
    assert (chances(n) * held.T).sum(axis=1).min() >= 0.95 - 1e-12


@pytest.mark.parametrize(("failed", "n"), [(0, 5), (3, 5), (5, 5), (17, 40)])
def test_the_interval_of_a_rate_is_that_of_scipy(failed, n):
    expected = stats.binomtest(failed, n).proportion_ci(0.9)
    found = rate(failed, n, 0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("n", "m"), PAIRS)
def test_the_interval_of_a_difference_covers_for_every_pair_of_rates_and_agrees_with_its_test(n, m):
    low, high, p = every_table(n, m)
    assert worst_coverage(low, high, n, m) >= 0.95 - ROUNDING
    assert (((low > 0) | (high < 0)) == (p <= 0.05)).all()
    assert (high > low).all()
    assert ((p > 0) & (p <= 1)).all()


@pytest.mark.parametrize("confidence", [0.8, 0.99])
def test_so_does_one_of_another_confidence(confidence):
    low, high, p = every_table(5, 4, confidence)
    assert worst_coverage(low, high, 5, 4) >= confidence - ROUNDING
    assert (((low > 0) | (high < 0)) == (p <= 1 - confidence)).all()


@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 5), (3, 7), (5, 10)])
def test_the_test_decides_as_that_of_barnard_and_is_never_bolder(n, m):
    _, _, found = every_table(n, m)
    for a, b in itertools.product(range(n + 1), range(m + 1)):
        same = a == b == 0 or (a, b) == (n, m)  # which scipy gives no statistic
        expected = 1.0 if same else stats.barnard_exact([[a, b], [n - a, m - b]], n=64).pvalue
        assert found[a, b] >= expected - 1e-4
        assert (found[a, b] <= 0.05) == (expected <= 0.05)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_all_against_none_has_the_p_value_of_a_fair_coin(n):
    """Both tables farthest out are likeliest at one half, where each has the probability 2⁻²ⁿ."""
    assert difference_of_rates(n, n, 0, n).p == pytest.approx(2 * 0.25**n, rel=1e-8)


def test_sides_and_outcomes_can_be_swapped():
    here, swapped = difference_of_rates(4, 5, 1, 7), difference_of_rates(1, 7, 4, 5)
    assert (here.effect, here.low, here.high) == pytest.approx((-swapped.effect, -swapped.high, -swapped.low))
    survived = difference_of_rates(1, 5, 6, 7)
    assert (here.effect, here.low, here.high) == pytest.approx((-survived.effect, -survived.high, -survived.low))
    assert here.p == pytest.approx(swapped.p) == pytest.approx(survived.p)


@pytest.mark.parametrize("n", [1, 5, 12])
def test_no_failure_at_all_is_no_proof_that_none_happens(n):
    none = difference_of_rates(0, n, 0, n)
    assert none.effect == 0
    assert none.p == 1
    assert none.high == pytest.approx(-none.low, abs=1e-6)
    assert none.high > 0.2
    assert rate(0, n).high == pytest.approx(1 - 0.025 ** (1 / n))


def test_without_runs_everything_is_possible():
    nothing = rate(0, 0)
    assert math.isnan(nothing.rate)
    assert (nothing.low, nothing.high) == (0, 1)
    against = difference_of_rates(0, 0, 2, 5)
    assert math.isnan(against.effect)
    assert (against.low, against.high, against.p) == (-1, 1, 1)


def test_many_runs_have_an_interval_that_holds_that_of_both_rates():
    n, m = 30, 25
    assert (n + 1) * (m + 1) > MOST_TABLES
    low, high, p = every_table(n, m)
    assert worst_coverage(low, high, n, m) >= 0.95
    assert (((low > 0) | (high < 0)) == (p <= 0.05)).all()


@pytest.mark.parametrize(("failed", "n"), [(3, 2), (-1, 2)])
def test_counts_that_cannot_be_are_refused(failed, n):
    with pytest.raises(ValueError, match=f"found {failed} failed of {n} runs"):
        rate(failed, n)
    with pytest.raises(ValueError, match="expected a count from 0"):
        difference_of_rates(1, 2, failed, n)
