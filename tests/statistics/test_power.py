"""Power is what simulated tests have; the range of seeds holds what would be needed about as often as it says."""

import math

import numpy as np
import pytest
from scipy import special, stats

from ablation.statistics import power
from ablation.statistics.power import Design

DESIGNS = [
    Design(1, 3, 1, 3),
    Design(1, 3, 5, 3),
    Design(1, 5, 3, 5),
    Design(2, 3, 1, 10),
    Design(1, 5, 1, 5, 0.3),
    Design(1, 10, 0, 10),
]
RUNS = 10_000


def simulated(design, effect, margin=None):
    """The share of simulated studies in which Welch's test finds the effect, or both one-sided ones that it is small."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(effect, design.sd_a, (RUNS, design.n)), rng.normal(0, design.sd_b, (RUNS, design.m))
    found = a.mean(axis=1) - b.mean(axis=1) + rng.normal(0, math.sqrt(design.image_variance), RUNS)
    parts = a.var(axis=1, ddof=1) / design.n, b.var(axis=1, ddof=1) / design.m
    squared = sum(parts) + design.image_variance
    df = squared**2 / (parts[0] ** 2 / (design.n - 1) + parts[1] ** 2 / (design.m - 1))
    if margin is None:
        return (np.abs(found) > special.stdtrit(df, 0.975) * np.sqrt(squared)).mean()
    return (np.abs(found) + special.stdtrit(df, 0.95) * np.sqrt(squared) < margin).mean()


@pytest.mark.parametrize("design", DESIGNS)
def test_the_smallest_effect_is_found_as_often_as_said(design):
    effect = power.smallest_effect(design)
    assert power.power_of_difference(effect, design) == pytest.approx(0.8, abs=1e-8)
    assert simulated(design, effect) == pytest.approx(0.8, abs=0.02)
    assert simulated(design, effect / 2) == pytest.approx(power.power_of_difference(effect / 2, design), abs=0.02)
    assert power.power_of_difference(-effect, design) == pytest.approx(0.8, abs=1e-8)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_smallest_margin_holds_as_often_as_said(design):
    margin = power.smallest_margin(design)
    assert simulated(design, 0, margin) == pytest.approx(0.8, abs=0.02)
    off = power.power_of_equivalence(margin / 3, margin, design)
    assert simulated(design, margin / 3, margin) == pytest.approx(off, abs=0.02)
    # an effect at the margin is too large, which Welch's test knows to a point at three seeds of the larger spread
    assert power.power_of_equivalence(margin, margin, design) <= 0.06


@pytest.mark.parametrize("effect", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_one_spread_has_the_noncentral_t_distribution(n, effect):
    known = stats.nct(n - 1, effect * math.sqrt(n))
    far = stats.t.ppf(0.975, n - 1)
    found = power.power_of_difference(effect, Design(1, n, 0, n))
    assert found == pytest.approx(known.sf(far) + known.cdf(-far), abs=1e-8)


def test_no_effect_is_found_as_often_as_alpha_says():
    for alpha in (0.05, 0.005):
        assert power.power_of_difference(0, Design(1, 5, 0, 5), alpha) == pytest.approx(alpha, rel=1e-6)


@pytest.mark.parametrize(
    "design", [Design(1, 1, 1, 5), Design(0, 5, 0, 5), Design(0, 5, 0, 5, 0.1), Design(1, 0, 1, 3)]
)
def test_what_cannot_be_tested_promises_nothing(design):
    assert power.power_of_difference(100, design) == 0
    assert power.power_of_equivalence(0, 100, design) == 0
    assert power.smallest_effect(design) == math.inf
    assert power.smallest_margin(design) == math.inf
    assert power.seeds_for_difference(1, design) == power.Seeds(None, None, "spread")
    assert power.seeds_for_equivalence(0, 1, design) == power.Seeds(None, None, "spread")


def test_runs_that_differ_by_rounding_have_no_spread():
    assert Design.of([0.1] * 3, [0.3, 0.1 + 0.2, math.nan]) == Design(0, 3, 0, 2)


def test_a_spread_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="sd_b: found nan"):
        Design(1, 3, math.nan, 3)
    with pytest.raises(ValueError, match="image_variance: found -1"):
        Design(1, 3, 1, 3, -1)


def test_more_seeds_or_an_image_limit():
    clear = power.seeds_for_difference(3.0, Design(1, 5, 1, 5))
    assert 2 <= clear.low <= clear.high <= 10
    assert clear.limit is None
    tiny = power.seeds_for_difference(0.01, Design(1, 5, 1, 5))
    assert (tiny.high, tiny.limit) == (None, "effect")
    assert tiny.low > 5, "an effect that may be larger than it was found may be decided"
    limited = power.seeds_for_difference(1.0, Design(1, 10, 1, 10, 1.0))
    assert limited == power.Seeds(None, None, "images")


def test_equivalence_asks_for_seeds_within_the_margin_and_never_beyond_it():
    within = power.seeds_for_equivalence(0.1, 2.0, Design(1, 10, 1, 10))
    assert 2 <= within.low <= within.high <= 20
    assert within.limit is None
    beyond = power.seeds_for_equivalence(-4.0, 1.0, Design(1, 10, 1, 10))
    assert beyond == power.Seeds(None, None, "effect")
    limited = power.seeds_for_equivalence(0.0, 1.0, Design(1, 20, 1, 20, 0.5))
    assert (limited.high, limited.limit) == (None, "images")


def test_an_end_of_the_range_is_a_number_with_the_power_and_the_one_before_it_has_less():
    design = Design(1, 5, 1, 5)
    needed = power._fewest(lambda larger: power.power_of_difference(1.0, larger), design, 0.8)
    assert power.power_of_difference(1.0, Design(1, needed, 1, needed)) >= 0.8
    assert power.power_of_difference(1.0, Design(1, needed - 1, 1, needed - 1)) < 0.8


def test_the_range_of_seeds_holds_what_is_needed_every_other_time():
    rng, effect, n = np.random.default_rng(1), 1.0, 5
    needed = power._fewest(lambda larger: power.power_of_difference(effect, larger), Design(1, n, 1, n), 0.8)
    held = 0
    for _ in range(60):
        a, b = rng.normal(effect, 1, n), rng.normal(0, 1, n)
        found = power.seeds_for_difference(a.mean() - b.mean(), Design.of(a, b))
        held += (found.low or math.inf) <= needed <= (found.high or math.inf)
    assert 0.38 < held / 60 < 0.72


@pytest.mark.parametrize("found", [300.0, 5000.0, -400.0, 0.0])
@pytest.mark.parametrize("df", [1.0, 2.0, 4.0, 40.0])
def test_the_noncentralities_of_a_large_t_of_few_runs_are_found(found, df):
    """They spread as the t itself times that of the standard deviation, far more than by its rounded 1."""
    low, high = power._shifts(found, df)
    assert low < high
    for shift, share in ((low, 0.75), (high, 0.25)):
        exact = stats.norm.cdf(found * np.sqrt(stats.chi2.ppf((np.arange(4000) + 0.5) / 4000, df) / df) - shift).mean()
        assert exact == pytest.approx(share, abs=0.06), "32 nodes of a spread"


def test_seeds_are_planned_for_an_effect_just_within_the_margin():
    within = power.seeds_for_equivalence(0.00999, 0.01, Design(1e-4, 3, 0.5e-4, 3))
    assert within.low is None or within.low >= 2
    assert power.seeds_for_difference(100.0, Design(0.5, 3, 0.5, 3)) == power.Seeds(2, 2, None)
