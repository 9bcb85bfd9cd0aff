import math

import numpy as np
import populations
import pytest
from populations import Scenario, Side

from ablation.statistics.crossed import over_seeds_and_images
from ablation.statistics.estimates import over_seeds


@pytest.mark.parametrize(
    ("seeds", "scenario"),
    [
        ((3, 3), "equal"),
        ((5, 5), "unequal"),
        ((10, 10), "equal"),
        ((4, 9), "images"),
        ((5, 5), "ceiling"),
        ((5, 5), "zero"),
    ],
)
def test_the_interval_covers_as_often_as_it_says(seeds, scenario):
    rng, scenario = np.random.default_rng(sum(seeds)), populations.SCENARIOS[scenario]
    truth = populations.true_effect(scenario)
    estimates = [over_seeds_and_images(*populations.draw(rng, scenario, seeds, 359)) for _ in range(1500)]
    # 93 to 97 % are asked for, and 1,500 simulations know it to a point; `benchmarks/statistics` has more
    assert 0.92 <= np.mean([one.low <= truth <= one.high for one in estimates]) <= 0.98
    variance = np.mean([one.standard_error**2 for one in estimates])
    assert variance == pytest.approx(np.var([one.effect for one in estimates]), rel=0.15)


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_true_effect_of_a_population_is_that_of_many_runs(deterministic):
    sides = (
        Side("lenet", 0.4, failures=0.1, deterministic=False),
        Side("densenet", shift=0.5, deterministic=deterministic),
    )
    scenario, rng = Scenario("", sides), np.random.default_rng(0)
    means = [np.mean(side) for _ in range(300) for side in populations.draw(rng, scenario, (30, 30), 359)]
    effects = np.array(means[::2]) - means[1::2]
    assert effects.mean() == pytest.approx(populations.true_effect(scenario), abs=4 * effects.std() / 300**0.5)


def test_a_scenario_can_be_made_worse_by_a_margin():
    assert populations.true_effect(populations.SCENARIOS["equal"].worse_by(0.02)) == pytest.approx(-0.02)


def test_seeds_alone_miss_what_the_images_add():
    """Ten seeds of networks that agree on nearly every image: an interval over seeds alone is far too narrow."""
    rng = np.random.default_rng(0)
    truth, hits = 0.0, np.zeros(2)
    for _ in range(1000):
        right = (rng.random((2, 1, 359)) < 0.95) ^ (rng.random((2, 10, 359)) < 0.01)
        seeds, both = over_seeds(*right.mean(axis=2)), over_seeds_and_images(*right)
        hits += [one.low <= truth <= one.high for one in (seeds, both)]
    assert hits[0] < 600
    assert 930 <= hits[1] <= 970


def test_the_images_share_of_the_variance_is_that_of_the_model():
    rng = np.random.default_rng(1)
    images, k, m = 400, 40, 50
    shares = []
    for _ in range(60):
        a = rng.normal(0, 1, images) + rng.normal(0, 0.2, (k, 1)) + rng.normal(0, 2, (k, images))
        b = rng.normal(0, 1, images) + rng.normal(0, 0.1, (m, 1)) + rng.normal(0, 1, (m, images))
        shares.append(over_seeds_and_images(a, b).image_share)
    seeds = 0.2**2 / k + 0.1**2 / m + 4 / (k * images) + 1 / (m * images)
    assert np.mean(shares) == pytest.approx((2 / images) / (2 / images + seeds), rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_images_add_to_the_variance_over_seeds_and_change_no_effect(seed):
    right = np.random.default_rng(seed).random((2, 5, 60)) < 0.8
    seeds, both = over_seeds(*right.mean(axis=2)), over_seeds_and_images(*right)
    assert both.effect == pytest.approx(seeds.effect)
    assert both.standard_error >= seeds.standard_error
    assert seeds.standard_error**2 == pytest.approx(both.standard_error**2 * (1 - both.image_share))
    other = over_seeds_and_images(right[1], right[0])
    assert (other.effect, other.p) == pytest.approx((-both.effect, both.p))


def test_runs_that_all_diverged_are_strong_evidence():
    rng = np.random.default_rng(0)
    diverged, others = np.full((5, 359), 0.1), rng.random((5, 359)) < 0.95
    estimate = over_seeds_and_images(diverged, others)
    assert estimate.effect == pytest.approx(0.1 - others.mean())
    assert estimate.high < -0.8
    assert estimate.p < 1e-5


def test_one_diverged_run_widens_the_interval():
    others = np.random.default_rng(0).random((2, 5, 359)) < 0.95
    with_one = others.astype(float)
    with_one[0, 2] = 0.1
    estimate = over_seeds_and_images(*with_one)
    assert estimate.low < estimate.effect - 0.3 < 0 < estimate.high


RIGHT = np.random.default_rng(3).random((4, 50)) < 0.7


@pytest.mark.parametrize(
    ("variant", "reference"),
    [
        (RIGHT[:1], RIGHT[1:]),  # one seed
        (np.tile(RIGHT[0], (4, 1)), np.tile(RIGHT[1], (4, 1))),  # nothing random in either training
        (np.full((3, 50), 0.1), np.full((3, 50), 0.1)),
        (np.full((3, 50), 0.1), np.full((4, 50), 0.3 - 0.2)),
        (np.roll(RIGHT[:1], [0], 1).repeat(3, 0), np.stack([np.roll(RIGHT[0], shift) for shift in range(3)])),  # ties
    ],
)
def test_without_spread_over_seeds_there_is_no_interval(variant, reference):
    estimate = over_seeds_and_images(variant, reference)
    assert estimate.effect == pytest.approx(variant.mean() - reference.mean())
    assert all(map(math.isnan, (estimate.low, estimate.high, estimate.p, estimate.df, estimate.image_share)))


def test_one_side_without_spread_has_an_interval():
    estimate = over_seeds_and_images(np.tile(RIGHT[0], (4, 1)), RIGHT)
    assert estimate.low < estimate.effect < estimate.high


@pytest.mark.parametrize("shapes", [((3, 50), (3, 49)), ((3,), (3,)), ((3, 1), (3, 1)), ((0, 5), (3, 5))])
def test_scores_of_other_images_are_refused(shapes):
    with pytest.raises(ValueError, match=r"expected (\(seeds, images\), of two images or more|the same images)"):
        over_seeds_and_images(*map(np.ones, shapes))


def test_a_score_that_is_missing_is_refused():
    scores = RIGHT.astype(float)
    scores[0, 0] = math.nan
    with pytest.raises(ValueError, match="not finite, expected a stated value"):
        over_seeds_and_images(scores, RIGHT)


def test_the_skewness_is_that_of_the_images_and_one_image_alone_has_it_whole():
    scores = np.ones((2, 4, 50))
    scores[0, :, 0] = 0
    scores[0, 0, 1] = 0
    alone = over_seeds_and_images(*scores)
    assert -1 <= alone.skewness < -0.5, "the variant is wrong on one image, and once on another"
    assert over_seeds_and_images(*scores[::-1]).skewness == pytest.approx(-alone.skewness)


def test_the_skewness_is_that_of_many_estimates():
    scenario, rng = populations.SCENARIOS["ceiling"].worse_by(0.01), np.random.default_rng(1)
    found = [over_seeds_and_images(*populations.draw(rng, scenario, (10, 10), 359)) for _ in range(2000)]
    effects = np.array([one.effect for one in found])
    skewness = ((effects - effects.mean()) ** 3).mean() / effects.std() ** 3
    assert np.median([one.skewness for one in found]) == pytest.approx(skewness, abs=0.15)
    assert skewness < -0.15
