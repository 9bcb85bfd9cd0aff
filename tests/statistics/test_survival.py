"""Times until a threshold: against scipy, every split by hand, coverage, and runs that never got there."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.linear import contrast
from ablation.statistics.survival import kaplan_meier, log_rank, restricted_contrast, restricted_means, until

FAST = until([3, 4, 4, 9, 12, 20, math.inf], 20)
SLOW = until([5, 8, 8, 14, math.inf, math.nan, 25], 20)


def in_scipy(runs):
    return stats.CensoredData.right_censored(runs.times, ~runs.reached)


def test_a_run_that_died_stays_at_risk_until_the_horizon():
    """Censored at its death at 2, it would leave the others a share of 1/2 after 3: as if it might still be as fast."""
    runs = until([3, 7, math.nan], 10)
    assert runs.times.tolist() == [3, 7, 10]
    assert runs.reached.tolist() == [True, True, False]
    assert kaplan_meier(runs).share.tolist() == pytest.approx([1, 2 / 3, 1 / 3])


def test_what_happens_after_the_horizon_has_not_happened():
    assert SLOW.reached.sum() == 4
    assert FAST.reached.sum() == 6, "at the horizon is by the horizon"


@pytest.mark.parametrize("runs", [FAST, SLOW])
def test_the_curve_is_that_of_scipy(runs):
    expected, found = stats.ecdf(in_scipy(runs)).sf, kaplan_meier(runs)
    assert found.share == pytest.approx(expected.evaluate(found.times), rel=1e-12)
    assert set(found.times) == {0.0, *runs.times[runs.reached]}
    assert (found.low < found.share).all()
    assert ((found.share < found.high) | (found.share == 1)).all()


def test_the_statistic_is_that_of_scipy():
    expected = stats.logrank(in_scipy(FAST), in_scipy(SLOW)).statistic
    found = log_rank(FAST, SLOW)
    assert found.chi2 == pytest.approx(expected**2, rel=1e-8)
    assert found.excess > 0, "the fast ones are there more often than expected"
    assert log_rank(SLOW, FAST).excess == pytest.approx(-found.excess)
    assert log_rank(SLOW, FAST).p == pytest.approx(found.p)


def test_the_p_value_counts_every_split():
    a, b = until([2, 5, 5], 10), until([4, 7, math.inf, math.inf], 10)
    times = np.concatenate([a.times, b.times])
    reached = np.concatenate([a.reached, b.reached])

    def excess(chosen):
        """Observed less expected, step by step."""
        total = 0.0
        for time in np.unique(times[reached]):
            events, risk = (reached & (times == time)).sum(), (times >= time).sum()
            total += (reached & (times == time))[chosen].sum() - events * (times >= time)[chosen].sum() / risk
        return total

    everything = [abs(excess(list(chosen))) for chosen in itertools.combinations(range(7), 3)]
    assert log_rank(a, b).excess == pytest.approx(excess([0, 1, 2]), rel=1e-12)
    assert log_rank(a, b).p == np.mean(np.array(everything) >= abs(excess([0, 1, 2])) - 1e-9)


def test_all_fast_against_none_at_all_is_the_strongest_evidence_that_five_seeds_have():
    fast, never = until([3, 3, 3, 3, 3], 20), until([math.nan] * 5, 20)
    assert log_rank(fast, never).p == pytest.approx(2 / 252)
    found = restricted_means(never, fast)
    assert found.effect == 17
    assert 0 < found.low < 17 < found.high <= 20, "equal runs on both sides, and still an interval"
    assert found.ratio_low > 1


def test_many_runs_are_permuted():
    fast, slow = until(np.arange(1, 13), 40), until(np.arange(8, 20), 40)
    expected = stats.logrank(in_scipy(fast), in_scipy(slow)).pvalue
    assert log_rank(fast, slow).p == pytest.approx(expected, abs=0.01)
    assert log_rank(fast, slow) == log_rank(fast, slow)


def test_runs_of_which_none_got_there_do_not_differ_and_are_not_sure_of_it():
    never = until([math.inf] * 5, 20)
    assert log_rank(never, never) == log_rank(never, until([], 20))
    assert (log_rank(never, never).chi2, log_rank(never, never).p) == (0, 1)
    found = restricted_means(never, never)
    assert found.effect == 0
    assert found.low == pytest.approx(-20 * (1 - 0.025**0.2))
    assert (found.ratio, found.ratio_low) == (1, pytest.approx(0.025**0.2))


def test_runs_that_all_got_there_in_the_same_epoch_are_known_to_that_epoch():
    quick, slow = until([2] * 5, 10), until([5, 6, 5, 7, 5], 10)
    found = restricted_means(quick, slow)
    half = stats.t.ppf(0.975, 4) * math.hypot(0.5, np.std([5, 6, 5, 7, 5], ddof=1)) / math.sqrt(5)
    assert (found.effect, found.high) == pytest.approx((-3.6, -3.6 + half))
    same = restricted_means(quick, quick)
    assert same.low < -0.5 < 0.5 < same.high < 1
    assert restricted_means(until([2], 10), slow).high > 1, "a single run shows nothing"


def test_without_runs_everything_is_possible():
    found = restricted_means(until([], 20), FAST)
    assert math.isnan(found.effect)
    assert (found.low, found.high, found.ratio_low, found.ratio_high) == (-20, 20, 0, math.inf)


def test_the_mean_is_the_area_below_the_curve():
    found = restricted_means(FAST, SLOW)
    for runs, mean in ((FAST, found.variant), (SLOW, found.reference)):
        curve = kaplan_meier(runs)
        assert mean == pytest.approx(np.diff([*curve.times, runs.horizon]) @ curve.share, rel=1e-12)


@pytest.mark.parametrize("weights", [[1, -1, 0], [1, -1, -1], [-0.5, -0.5, 2]])
def test_where_all_got_there_the_interval_is_that_of_welch(weights):
    """Zou and Donner's joining of limits that are the same to both sides is that of variances."""
    cells = [until(times, 100) for times in ([3, 4, 9, 12], [30, 28, 41, 36, 30], [60, 61, 64])]
    found, expected = restricted_contrast(cells, weights), contrast([cell.times for cell in cells], weights)
    assert (found.effect, found.low, found.high) == pytest.approx((expected.effect, expected.low, expected.high))


def test_a_difference_is_the_contrast_of_one_and_minus_one():
    means, found = restricted_means(FAST, SLOW, 0.9), restricted_contrast([FAST, SLOW], [1, -1], 0.9)
    assert (found.effect, found.low, found.high) == (means.effect, means.low, means.high)
    turned = restricted_contrast([FAST, SLOW], [-1, 1], 0.9)
    assert (turned.effect, turned.low, turned.high) == pytest.approx((-found.effect, -found.high, -found.low))
    without = restricted_contrast([until([], 20), FAST, SLOW], [0, 2, -2], 0.9)
    assert without.low == pytest.approx(2 * found.low), "a cell without weight"
    nothing = restricted_contrast([until([], 20), FAST, SLOW], [1, 2, -3])
    assert (nothing.low, nothing.high) == (-60, 60), "all that can be"


NEVER, LATE = [math.inf] * 5, [10, 11, 12, 11, 10]


def level(variant, reference, horizon):
    """The smallest significance level at which the variant is found to be slower, of a grid; 1 where it never is."""
    sides = until(variant, horizon), until(reference, horizon)
    return min((p for p in np.logspace(-6, -0.01, 60) if restricted_means(*sides, 1 - p).low > 0), default=1.0)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("times", [[19], [20], [14], [12, 19, 15], [2]], ids=str)
def test_more_runs_that_never_got_there_are_no_less_evidence(n, times):
    """From one of n on: of a side of which all got there, times tell their spread, of one that hides it they do not."""
    sides = [[*(times[i % len(times)] for i in range(n - never)), *[math.inf] * never] for never in range(1, n + 1)]
    levels = [level(side, LATE, 20) for side in sides]
    assert (np.diff(levels) <= 0).all()
    assert levels[-1] < 1


def test_a_run_just_at_the_horizon_or_before_it_is_not_much_more_than_one_that_never_got_there():
    never = level(NEVER, LATE, 20)
    assert 0.05 < never < 0.15
    assert level([20, *NEVER[1:]], LATE, 20) == level([20] * 5, LATE, 20) == never
    assert level([19, *NEVER[1:]], LATE, 20) >= never
    for nearly in (20, 19):
        same = restricted_means(until([nearly, *NEVER[1:]], 20), until([nearly, *NEVER[1:]], 20), 0.9)
        assert same.low < -8.5, "no equivalence within an epoch"
        assert same.high > 8.5


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 8])
def test_five_at_the_second_epoch_of_ten_and_five_never_differ(alpha):
    assert restricted_means(until(NEVER, 10), until([2] * 5, 10), 1 - alpha).low > 0


@pytest.mark.parametrize(
    "times", [[math.inf], [19, math.inf], [2, 2, math.inf], [8, 10, 12, 15, math.inf], [2, 3]], ids=str
)
def test_an_interval_shrinks_as_runs_are_added(times):
    found = [restricted_contrast([until(times * k, 20)], [1]) for k in (2, 4, 8, 16, 400)]
    widths = [one.high - one.low for one in found]
    assert (np.diff(widths) < 0).all()
    assert 0 < widths[-1] < 2


def test_three_cells_that_never_got_there_leave_an_interaction_open():
    """Cut times alone would make it -11.6 [-22.7, -0.5], as if three cells were known to the epoch."""
    never, spread = until(NEVER, 20), until([3, 4, 14, 3, 18], 20)
    found = restricted_contrast([spread, never, never, never], [1, -1, -1, 1])
    pair = restricted_means(never, never)
    assert found.effect == pytest.approx(-11.6)
    assert found.low < -20
    assert found.high > 0
    assert found.high - found.low > pair.high - pair.low


def test_different_horizons_are_cut_at_the_shorter():
    longer = until([3, 15, 30], 50)
    assert restricted_means(longer, FAST).variant == pytest.approx((3 + 15 + 20) / 3)
    assert log_rank(longer, FAST) == log_rank(until([3, 15, math.inf], 20), FAST)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("centre", [1.5, 2.5])
def test_differences_and_ratios_cover(n, centre):
    """Lognormal epochs until a threshold, at 2.5 a fifth of the runs beyond the horizon."""
    rng, horizon = np.random.default_rng(n), 18
    means = [np.minimum(np.ceil(np.exp(rng.normal(mu, 0.5, 200_000))), horizon).mean() for mu in (centre, 2)]
    held = np.zeros(2)
    for _ in range(500):
        found = restricted_means(*(until(np.ceil(np.exp(rng.normal(mu, 0.5, n))), horizon) for mu in (centre, 2)))
        held += (
            found.low <= means[0] - means[1] <= found.high,
            found.ratio_low <= means[0] / means[1] <= found.ratio_high,
        )
    assert (held / 500 >= 0.925).all()


@pytest.mark.parametrize(("times", "horizon"), [([-1.0], 20), ([1.0], 0), ([1.0], math.inf), ([1.0], math.nan)])
def test_times_that_cannot_be_are_refused(times, horizon):
    with pytest.raises(ValueError, match="a positive horizon"):
        until(times, horizon)
