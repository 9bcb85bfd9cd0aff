import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.estimates import Estimate
from ablation.statistics.families import benjamini_hochberg, holm

METHODS = (holm, benjamini_hochberg)


def random_family(seed):
    rng = np.random.default_rng(seed)
    effects = rng.normal(0, 1, rng.integers(1, 12)) * rng.choice([0, 3], 1)
    return [Estimate(effect, 0.5 + rng.random(), 2 + 6 * rng.random()) for effect in effects]


@pytest.mark.parametrize("adjust", METHODS)
@pytest.mark.parametrize("seed", range(50))
def test_adjusted_intervals_exclude_zero_exactly_where_the_adjusted_p_rejects(adjust, seed):
    estimates = random_family(seed)
    family = adjust([estimate.p for estimate in estimates])
    for estimate, p, rejected, alpha in zip(estimates, family.adjusted, family.rejected, family.alphas, strict=True):
        low, high = estimate.interval(1 - alpha)
        assert (low > 0 or high < 0) == rejected == (p <= 0.05)


def test_some_of_these_families_are_rejected_in_part():
    counts = [holm([one.p for one in random_family(seed)]).rejected.mean() for seed in range(50)]
    assert any(0 < share < 1 for share in counts)


@pytest.mark.parametrize("seed", range(5))
def test_the_false_discovery_rate_is_that_of_scipy(seed):
    p = np.random.default_rng(seed).random(9) ** 3
    assert benjamini_hochberg(p).adjusted == pytest.approx(stats.false_discovery_control(p))


def test_the_levels_of_holm_are_those_of_its_steps():
    family = holm([0.03, 0.001, 0.4, 0.012])
    assert family.alphas == pytest.approx([0.05 / 2, 0.05 / 4, 0.05 / 2, 0.05 / 3])
    assert family.rejected.tolist() == [False, True, False, True]


@pytest.mark.parametrize("adjust", METHODS)
def test_a_test_without_p_belongs_to_the_family_and_is_not_rejected(adjust):
    family = adjust([0.03, math.nan])
    assert family.adjusted[0] == pytest.approx(0.06)
    assert math.isnan(family.adjusted[1])
    assert family.rejected.tolist() == [False, False]


@pytest.mark.parametrize("adjust", METHODS)
def test_a_family_may_be_empty(adjust):
    assert len(adjust([]).adjusted) == 0


@pytest.mark.parametrize("adjust", METHODS)
def test_what_is_no_probability_is_refused(adjust):
    with pytest.raises(ValueError, match=r"found p-values from -0.1 to 0.2, expected 0 to 1"):
        adjust([0.2, -0.1])


def test_holm_rejects_a_true_null_in_5_percent_of_the_families_at_most():
    rng = np.random.default_rng(0)
    p = rng.random((2000, 7))
    p[:, :2] *= 1e-4  # two of the seven are false, so that the steps matter
    false = [holm(row).rejected[2:].any() for row in p]
    assert 0.035 < np.mean(false) <= 0.055
