"""Verdicts: from estimates to words, from runs to `verdicts.json`."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from invented import invented_outcomes
from scipy import stats

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.inference import Cell, Finding, find, find_spread
from ablation.analysis.outcomes import ADAPTER, VERDICTS, claim_rows, outcomes_schema, outcomes_text, read_outcomes
from ablation.analysis.verdicts import Level, Standing, judge, outcomes, standings, withdrawn
from ablation.catalogue.metrics import FAILURE_RATES, METRICS
from ablation.jobs.registration import Withdrawn, register
from ablation.report.verdicts import deciding_interval, effect_words, number
from ablation.statistics import linear
from ablation.statistics.estimates import Estimate
from ablation.study.claims import rise
from ablation.study.studyfile import StudyFileError, read_study
from ablation.support.wording import UserError

LEVEL = Level(math.nan, math.nan, 0.05, 0.05)
STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 4, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {activation: relu}}}
grid:
  - {factors: {activation: [relu, tanh], norm: [none, batch]}, design: full_factorial}
  - {factors: {width: [2, 4, 8]}}
seeds: 5
threshold: 0.9
smallest_effect: 0.01
metrics: [test_accuracy, epochs_to_threshold]
claims:
"""
CLAIM = "  {name}: {{statement: s, source: s, factor: activation, level: tanh, against: relu, {more}}}\n"
ACCURACY = "metric: test_accuracy, direction: "


def claim(name, more):
    return CLAIM.format(name=name, more=more)


@pytest.fixture(name="read")
def make_read(tmp_path):
    def read(claims):
        (tmp_path / "small.yaml").write_text(STUDY + claims)
        return read_study(tmp_path / "small.yaml")

    return read


def runs_of(plan, means, sd=0.004, metric="test_accuracy"):
    """Runs whose values of a metric have the means that are given by variant, else 0.9."""
    rng, rows = np.random.default_rng(0), []
    for variant in plan.variants:
        noise = rng.normal(size=len(plan.study.seeds))
        noise = (noise - noise.mean()) / noise.std(ddof=1)  # so that each has exactly this mean and spread
        for seed, one in zip(plan.study.seeds, noise, strict=True):
            row = {"variant": variant, "seed": seed, "status": "completed", "metric_errors": None, "error": None}
            row |= {**dict.fromkeys(FAILURE_RATES, 0.0), "test_accuracy": 0.9, "epochs_to_threshold": 2.0}
            rows.append({**row, metric: means.get(variant, 0.9) + sd * one})
    return pd.DataFrame(rows)


def only(plan, runs):
    (found,) = invented_outcomes(plan, runs).claims
    (test,) = found.tests
    return test


@pytest.mark.parametrize(
    ("effect", "error", "direction", "expected"),
    [
        (0.05, 0.01, "greater", ("supported", True)),
        (0.05, 0.01, "less", ("refuted", True)),
        (-0.05, 0.01, "less", ("supported", True)),
        (0.005, 0.001, "greater", ("equivalent", True)),  # different, too little to matter
        (0.001, 0.001, "less", ("equivalent", False)),
        (0.01, 0.02, "greater", ("undecided", False)),
        (0.001, 0.001, "equivalent", ("supported", False)),
        (0.05, 0.01, "equivalent", ("refuted", True)),
        (0.012, 0.004, "equivalent", ("undecided", True)),  # not zero, but perhaps too little to matter
    ],
)
def test_equivalence_comes_before_better_and_worse(effect, error, direction, expected):
    estimate = Estimate(effect, error, 8.0)
    finding = Finding(effect, estimate.interval, estimate.p, estimate=estimate)
    assert judge(direction, 0.01, finding, LEVEL) == expected


def test_without_a_margin_nothing_is_equivalent():
    estimate = Estimate(1e-9, 1e-9, 8.0)
    assert judge("less", None, Finding(1e-9, estimate.interval, estimate.p, estimate=estimate), LEVEL)[0] == "undecided"


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(("diverged", [1] * 4 + [0], [0] * 5), id="rates"),
        pytest.param(("epochs_to_threshold", [2, 3, 2, 4, 3], [6, 5, 7, 6, math.inf]), id="times"),
        pytest.param(("calibration_error", [0.1, 0.2, math.nan], [0.9, 0.8, 0.85]), id="missing"),
        pytest.param(("test_loss", [0.1, 0.2, 0.15], [0.3, 0.25, 0.4]), id="means"),
    ],
)
def test_a_p_value_rejects_exactly_where_the_interval_excludes_zero(cells):
    name, *sides = cells
    found = find(METRICS[name], [Cell(np.array(side, float)) for side in sides], [1, -1], horizon=8)
    for factor in (0.98, 1.02):
        low, high = found.interval(1 - min(found.p * factor, 0.999999))
        assert (low > 0 or high < 0) == (factor > 1)


def test_the_p_value_of_a_ratio_of_spreads_is_that_of_its_interval():
    found = find_spread(np.array([0.1, 0.5, 0.9, 0.2]), np.array([0.5, 0.52, 0.49, 0.51]))
    assert found.null == 1
    assert found.effect > 1
    assert found.interval(1 - found.p * 0.98)[0] < 1 < found.interval(1 - found.p * 1.02)[0]


def test_the_image_by_image_interval_is_wider_than_that_over_seeds(read):
    plan = read(claim("better", ACCURACY + "greater"))
    rng, runs = np.random.default_rng(1), runs_of(plan, {})
    chances = np.array([np.linspace(0.5, 1, 200)[:: -1 if "tanh" in one else 1] for one in runs["variant"]])
    examples = rng.random((len(runs), 200)) < chances  # which images are hard differs between the two
    runs["test_accuracy"] = examples.mean(axis=1)
    (found,) = invented_outcomes(plan, runs, examples).claims[0].tests
    assert found.image_share > 0
    assert found.low < found.seeds_effect_low < found.effect < found.seeds_effect_high < found.high
    assert only(plan, runs).seeds_effect_low is None, "without images, the interval is that over seeds already"


FAMILY = claim("one", ACCURACY + "greater") + claim("two", ACCURACY + "less, given: {norm: batch}")


def test_the_family_is_the_registered_claims_and_exploratory_ones_are_held_against_all(read):
    plan = read(FAMILY + claim("three", "metric: epochs_to_threshold, direction: less"))
    runs = RunsByVariant(runs_of(plan, {"lenet-activation.tanh": 0.91, "lenet-activation.tanh-norm.batch": 0.905}))
    standing = {name: Standing(1.8e9, "") for name in ("one", "two")} | {"three": Standing(None, "not registered")}
    found = outcomes(plan, runs, standing)
    one, two, three = (claim.tests[0] for claim in found.claims)
    assert (found.family, found.correction) == (2, "holm")
    assert one.p_adjusted == pytest.approx(min(1, 2 * one.p))
    assert two.p_adjusted == pytest.approx(max(one.p_adjusted, two.p))
    assert one.confidence == pytest.approx(1 - 0.05 / 2)
    assert found.claims[2].registered is None
    assert found.claims[2].exploratory == "not registered"
    assert three.p_adjusted >= three.p
    assert one.low_adjusted < one.low < one.high < one.high_adjusted


def test_a_claim_that_is_withdrawn_stays_in_the_family(read, tmp_path):
    means = {"lenet-activation.tanh": 0.9065, "lenet-activation.tanh-norm.batch": 0.9}
    both, folder = read(FAMILY), tmp_path / "results"
    (first, _) = register(both, folder)
    runs = runs_of(both, means).assign(began=first.time + 1)
    honest = outcomes(both, RunsByVariant(runs), standings(both, runs, folder), withdrawn(both, runs, folder))
    assert (honest.family, honest.withdrawn) == (2, ())
    alone = read(claim("one", ACCURACY + "greater"))
    kept = runs[runs["variant"].isin(alone.variants)]
    found = outcomes(alone, RunsByVariant(kept), standings(alone, kept, folder), withdrawn(alone, kept, folder))
    assert [(one.claim, one.tests) for one in found.withdrawn] == [("two", 1)]
    assert found.family == 2
    before, after = honest.claims[0].tests[0], found.claims[0].tests[0]
    assert before.p < 0.05 < before.p_adjusted == after.p_adjusted
    assert (before.verdict, after.verdict) == ("undecided", "undecided")
    assert found.claims[0].exploratory == ""


def test_an_exploratory_claim_is_corrected_for_what_was_withdrawn_but_not_for_itself(read):
    plan = read(FAMILY)
    runs = RunsByVariant(runs_of(plan, {"lenet-activation.tanh": 0.905}))
    standing = {"one": Standing(1.8e9, "changed"), "two": Standing(1.8e9, "")}

    def adjusted(*gone):
        found = outcomes(plan, runs, standing, [Withdrawn(name, 1.8e9, 1) for name in gone])
        test = found.claims[0].tests[0]
        return found.family, test.p_adjusted / test.p

    assert adjusted() == (1, pytest.approx(2))
    assert adjusted("one") == (2, pytest.approx(2))
    assert adjusted("other") == (2, pytest.approx(3))


def test_the_false_discovery_rate_is_an_option(read):
    plan = read(FAMILY.replace("claims:", ""))
    means = {"lenet-activation.tanh": 0.915, "lenet-activation.tanh-norm.batch": 0.885}
    (found,) = {outcomes_of(plan, means).correction}
    assert found == "holm"
    other = plan.study.model_copy(update={"correction": "fdr"})
    fdr = outcomes_of(type(plan)(other, "small"), means)
    holm = outcomes_of(plan, means)
    assert fdr.correction == "fdr"
    for one, two in zip(fdr.claims, holm.claims, strict=True):
        assert one.tests[0].p_adjusted <= two.tests[0].p_adjusted


def outcomes_of(plan, means):
    return invented_outcomes(plan, runs_of(plan, means))


def test_an_interaction_is_a_difference_of_differences(read):
    plan = read(claim("more", ACCURACY + "greater, interaction: {level: {norm: batch}, against: {norm: none}}"))
    means = {"lenet-activation.tanh-norm.batch": 0.95, "lenet-activation.tanh": 0.92, "lenet-norm.batch": 0.91}
    test = only(plan, runs_of(plan, means))
    assert test.kind == "interaction"
    assert test.effect == pytest.approx((0.95 - 0.91) - (0.92 - 0.9))
    assert [(cell.variant, cell.weight) for cell in test.cells] == [
        ("lenet-activation.tanh-norm.batch", 1),
        ("lenet-norm.batch", -1),
        ("lenet-activation.tanh", -1),
        ("lenet", 1),
    ]
    assert test.compared == "activation: tanh − relu, at norm batch − at norm none"
    assert test.low == pytest.approx(0.02 - stats.t.ppf(0.975, 16) * 0.004 * math.sqrt(4 / 5))


def test_a_main_effect_is_averaged_over_other_factors(read):
    plan = read(claim("mean", ACCURACY + "greater, over: {norm: [batch, none]}"))
    test = only(plan, runs_of(plan, {"lenet-activation.tanh-norm.batch": 0.95, "lenet-activation.tanh": 0.92}))
    assert (test.kind, test.effect) == ("main effect", pytest.approx(0.035))
    assert sum(cell.weight for cell in test.cells) == pytest.approx(0)


@pytest.mark.parametrize("levels", [[1, 2, 4, 8], [3, 1, 2]])
def test_the_weights_of_a_trend_are_its_slope_times_its_reach(levels):
    rng = np.random.default_rng(0)
    cells = [rng.normal(size=4) for _ in levels]
    slope = linear.trend(levels, cells)
    summed = linear.contrast(cells, rise(levels))
    assert summed.effect == pytest.approx(slope.effect * (max(levels) - min(levels)))
    assert summed.df == pytest.approx(slope.df)


@pytest.mark.parametrize("scale", ["log", "rank"])
def test_a_trend_is_the_change_from_the_lowest_to_the_highest_level(read, scale):
    text = claim("wider", ACCURACY + f"greater, levels: [2, 4, 8], scale: {scale}")
    plan = read(text.replace("factor: activation, level: tanh, against: relu", "factor: width"))
    variants = [variant for variant, _ in plan.claims[0][1].cells]
    test = only(plan, runs_of(plan, dict(zip(variants, (0.90, 0.92, 0.94), strict=True))))
    assert (test.kind, test.verdict) == ("trend", "supported")
    assert test.effect == pytest.approx(0.04)


def test_spread_over_seeds_is_an_outcome(read):
    plan = read(claim("steadier", ACCURACY + "less, outcome: spread"))
    runs = runs_of(plan, {})
    tanh = runs["variant"] == "lenet-activation.tanh"
    runs.loc[tanh, "test_accuracy"] = 0.9 + (runs.loc[tanh, "test_accuracy"] - 0.9) / 40
    test = only(plan, runs)
    assert (test.kind, test.verdict) == ("spread", "supported")
    assert test.high_adjusted < 1


@pytest.mark.parametrize(
    ("magnitude", "holds", "value"),
    [
        ("difference: 0.02", True, 0.02),
        ("difference: 0.1", False, 0.02),
        ("ratio: 1.02", True, 0.92 / 0.9),
        ("ratio: 2", False, 0.92 / 0.9),
    ],
)
def test_a_claimed_magnitude_is_held_by_the_interval_or_not(read, magnitude, holds, value):
    plan = read(claim("much", ACCURACY + f"greater, magnitude: {{{magnitude}}}"))
    found = only(plan, runs_of(plan, {"lenet-activation.tanh": 0.92})).magnitude
    assert found.holds == holds
    assert found.value == pytest.approx(value)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(("ratio", "holds"), [(2, True), (6, False)])
def test_so_many_times_faster_is_a_ratio_of_mean_times(read, ratio, holds):
    plan = read(claim("faster", f"metric: epochs_to_threshold, direction: less, magnitude: {{ratio: {ratio}}}"))
    runs = runs_of(plan, {"lenet": 3.0, "lenet-activation.tanh": 1.5}, 0.2, "epochs_to_threshold")
    found = only(plan, runs).magnitude
    assert (found.measured_as, found.holds) == ("ratio", holds)
    assert found.value == pytest.approx(2)
    assert found.low < 2 < found.high


@pytest.mark.parametrize(
    ("difference", "sd", "needed"), [(0.0, 0.01, True), (0.012, 0.01, True), (0.05, 0.004, False)], ids=str
)
def test_an_undecided_claim_says_how_many_seeds_would_decide(read, difference, sd, needed):
    plan = read(claim("better", ACCURACY + "greater"))
    test = only(plan, runs_of(plan, {"lenet-activation.tanh": 0.9 + difference}, sd))
    assert (test.verdict == "undecided") == needed == (test.seeds_needed is not None)
    if needed:
        assert test.seeds_needed.low > 5
        assert test.seeds_needed.high is None or test.seeds_needed.high >= test.seeds_needed.low


def test_the_test_images_limit_what_seeds_can_decide(read):
    plan = read(claim("better", ACCURACY + "greater"))
    hard = np.arange(120) % 10 < 3  # which images are hard differs between the two, so the choice of images decides
    rng, rows = np.random.default_rng(0), []
    for variant in plan.variants:
        for _ in range(5):
            right = np.where(np.roll(hard, "tanh" in variant), 0.1, 0.99)
            rows.append(rng.random(120) < right)
    runs = runs_of(plan, {})
    runs["test_accuracy"] = np.array(rows).mean(axis=1)
    test = invented_outcomes(plan, runs, np.array(rows)).claims[0].tests[0]
    assert test.image_share > 0.5
    assert (test.verdict, test.seeds_needed.limit) == ("undecided", "images")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda runs: runs[runs["seed"] == 0], "1 of the 2 seeds that an interval needs"),
        (lambda runs: runs.assign(test_accuracy=0.9), "how much they vary is not known"),
        (lambda runs: runs.assign(status="failed", error="ValueError: x"), "5 of 5 runs of .* failed: ValueError: x"),
    ],
    ids=["one seed", "no spread", "failed"],
)
def test_what_says_nothing_is_not_testable_and_says_why(read, change, why):
    plan = read(claim("better", ACCURACY + "greater"))
    test = only(plan, change(runs_of(plan, {})).reset_index(drop=True))
    assert test.verdict == "not testable"
    assert re.search(why, test.why)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("metric: test_loss, direction: equivalent", r"better\.margin: this key is missing: test_loss has no smallest"),
        (ACCURACY + "greater, interaction: {level: {norm: batch}, over: 1}", "over"),
        (ACCURACY + "greater, interaction: {level: {activation: tanh}}", "a factor that the claim states already"),
        (ACCURACY + "greater, over: {activation: [tanh]}", "the factor of the claim itself"),
        (ACCURACY + "greater, interaction: {level: {norm: none}}", "the same levels on both sides"),
        (ACCURACY + "greater, levels: [relu, tanh]", "levels and level or against"),
        (ACCURACY + "equivalent, magnitude: {ratio: 2}", "has no magnitude"),
        (ACCURACY + "greater, magnitude: {ratio: 2, difference: 1}", "either a difference or a ratio"),
        (ACCURACY + "greater, magnitude: {ratio: 0.5}", "ratio"),
        (ACCURACY + "less, outcome: spread, magnitude: {difference: 0.1}", "a magnitude is one of means"),
        (ACCURACY + "greater, over: {norm: [batch]}, outcome: spread", "expected one of them"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused_in_words(read, more, message):
    with pytest.raises(StudyFileError, match=message):
        read(claim("better", more))


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ("levels: [relu, tanh]", "expected numbers, or the scale 'rank'"),
        ("levels: [relu, relu], scale: rank", "expected every level once"),
        ("levels: [relu]", "levels"),
    ],
)
def test_a_trend_needs_levels_in_an_order(read, levels, message):
    text = claim("up", f"{ACCURACY}greater, {levels}")
    with pytest.raises(StudyFileError, match=message):
        read(text.replace("level: tanh, against: relu, ", ""))


def cells(*sides):
    return [Cell(np.array(side, float)) for side in sides]


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("diverged", ([1, 1, 1, 1, 0], [0] * 5)),
        ("epochs_to_threshold", ([2, 3, 2, 4, 3], [6, 5, 7, 6, 5])),
        ("calibration_error", ([0.1, 0.2, math.nan], [0.9, 0.8, 0.85])),
    ],
)
def test_a_pair_is_the_same_in_either_order(name, sides):
    there, back = (
        find(METRICS[name], cells(*each), weights, horizon=8)
        for each, weights in ((sides, [1, -1]), (sides[::-1], rise([3, 5])))
    )
    assert there.interval(0.95) == back.interval(0.95)
    assert there.p == back.p


def test_rounding_makes_no_difference_of_what_is_counted():
    found = find(METRICS["parameters"], cells([12345.0] * 3, [12345.0] * 3, [12345.0] * 3), rise([2, 4, 8]))
    assert found.effect == 0


@pytest.mark.parametrize("failed", [0, 1, 3])
def test_rates_are_equivalent_only_where_the_interval_of_the_level_itself_is_within(failed):
    found = find(METRICS["diverged"], cells([0.0] * 20, [1.0] * failed + [0.0] * (20 - failed)), [1, -1])
    p = found.equivalence_p(0.4)
    low, high = found.interval(1 - p * 1.001)
    assert low >= -0.4
    assert high <= 0.4


def test_missing_values_keep_a_spread_from_being_tested(read):
    plan = read(claim("steadier", "metric: calibration_error, direction: less, outcome: spread"))
    runs = runs_of(plan, {}, metric="calibration_error")
    runs.loc[(runs["variant"] == "lenet") & (runs["seed"] < 2), "calibration_error"] = math.nan
    test = only(plan, runs)
    assert (test.verdict, test.why) == ("not testable", "2 of 5 runs of lenet have no value of calibration_error")


def test_a_claim_and_its_contrary_are_one_test(read):
    twins = claim("helps", ACCURACY + "greater") + claim("idle", ACCURACY + "equivalent")
    plan = read(twins + claim("other", ACCURACY + "greater, given: {norm: batch}"))
    means = {"lenet-activation.tanh": 0.93, "lenet-activation.tanh-norm.batch": 0.904}
    helps, idle, other = (claim.tests[0] for claim in invented_outcomes(plan, runs_of(plan, means)).claims)
    assert helps.p_adjusted == pytest.approx(2 * helps.p), "of two tests, not three"
    assert (helps.confidence, idle.confidence) == (pytest.approx(0.975),) * 2
    assert (helps.verdict, idle.verdict) == ("supported", "refuted")
    assert idle.p > helps.p, "that it lies beyond the margin, not that it is not zero"
    assert other.confidence == pytest.approx(0.95)


def test_what_has_no_margin_is_no_test_of_equivalence(read):
    plan = read(claim("loss", "metric: test_loss, direction: less") + claim("better", ACCURACY + "greater"))
    runs = runs_of(plan, {"lenet-activation.tanh": 0.901}, 0.001)
    runs["test_loss"] = runs["test_accuracy"]
    loss, better = (claim.tests[0] for claim in invented_outcomes(plan, runs).claims)
    assert loss.equivalence_p_adjusted is None
    assert better.equivalence_p_adjusted == better.equivalence_p


def test_a_ratio_covers_the_images_as_its_verdict_does(read):
    plan = read(claim("better", ACCURACY + "greater, magnitude: {ratio: 1.2}"))
    rng, runs = np.random.default_rng(1), runs_of(plan, {})
    hard = np.linspace(0.3, 1, 200)
    chances = np.array([hard[::-1] if "tanh" in one else hard for one in runs["variant"]])
    examples = rng.random((len(runs), 200)) < chances
    runs["test_accuracy"] = examples.mean(axis=1)
    test = invented_outcomes(plan, runs, examples).claims[0].tests[0]
    alone = only(plan, runs)
    assert test.magnitude.low < alone.magnitude.low < alone.magnitude.high < test.magnitude.high
    assert (test.magnitude.low < 1 < test.magnitude.high) == (test.low_adjusted < 0 < test.high_adjusted)


def test_a_size_that_is_claimed_of_what_is_counted_holds_as_far_as_it_is_stated(read):
    text = claim("six", "metric: parameters, direction: greater, magnitude: {ratio: 6}")
    plan = read(text + text.replace("six", "five").replace("ratio: 6", "ratio: 5"))
    runs = runs_of(plan, {}).assign(parameters=100.0)
    runs.loc[runs["variant"] == "lenet-activation.tanh", "parameters"] = 620.0
    six, five = (claim.tests[0].magnitude for claim in invented_outcomes(plan, runs).claims)
    assert (six.value, six.holds, five.holds) == (6.2, True, False)


def test_a_verdict_is_printed_with_the_interval_that_it_rests_on(read):
    plan = read(claim("better", ACCURACY + "greater"))
    (found,) = invented_outcomes(plan, runs_of(plan, {"lenet-activation.tanh": 0.903}, 0.002)).claims
    (test,) = found.tests
    assert test.verdict == "equivalent"
    assert deciding_interval(found, test) == (test.equivalence_low, test.equivalence_high)
    assert f"[{number(test.equivalence_low, found)}, " in effect_words(found, test)


def test_beside_a_time_stands_the_log_rank_test_and_beside_a_trend_a_monotone_one(read):
    trend = claim("wider", ACCURACY + "greater, levels: [2, 4, 8], scale: log")
    trend = trend.replace("factor: activation, level: tanh, against: relu", "factor: width")
    plan = read(claim("faster", "metric: epochs_to_threshold, direction: less") + trend)
    runs = runs_of(plan, {"lenet-activation.tanh": 1.5, "lenet": 3.0}, 0.2, "epochs_to_threshold")
    runs["test_accuracy"] = np.linspace(0.8, 0.9, len(runs))
    faster, wider = (one.tests[0] for one in invented_outcomes(plan, runs).claims)
    assert faster.permutation_p == pytest.approx(2 / 252) == faster.permutation_p_smallest
    cells = [runs.loc[runs["variant"] == cell.variant, "test_accuracy"].to_numpy() for cell in wider.cells]
    assert wider.permutation_p == linear.monotone([2, 4, 8], cells).p


def test_verdicts_are_written_for_other_programs_by_a_schema(read, tmp_path):
    plan = read(FAMILY)
    found = outcomes_of(plan, {"lenet-activation.tanh": 0.95})
    (tmp_path / "verdicts.json").write_text(outcomes_text(found))
    assert read_outcomes(tmp_path / "verdicts.json") == found
    assert json.loads(outcomes_text(found)).keys() == outcomes_schema()["properties"].keys()
    rows = claim_rows(found)
    assert rows["verdict"].isin(VERDICTS).all()
    assert rows["effect"].tolist() == [one.tests[0].effect for one in found.claims]
    (tmp_path / "verdicts.json").write_text("{}")
    with pytest.raises(UserError, match="found what no study has written"):
        read_outcomes(tmp_path / "verdicts.json")
    assert ADAPTER.validate_python(ADAPTER.dump_python(found)) == found


def family_errors(plan, truths, sd, studies):
    """Return how often any claim of a study is called different that is not, and equivalent that is not."""
    wrong = np.zeros(2)
    for study in range(studies):
        rng = np.random.default_rng([7, study])
        runs = runs_of(plan, {})
        runs["test_accuracy"] = [0.9 + truths.get(v, 0.0) + sd * rng.normal() for v in runs["variant"]]
        decided = {one.claim: one.tests[0] for one in invented_outcomes(plan, runs).claims}
        null = [decided[name].verdict in ("supported", "refuted") for name, effect in TRUTHS.items() if effect == 0]
        large = [decided[name].verdict == "equivalent" for name, effect in TRUTHS.items() if abs(effect) >= 0.01]
        wrong += any(null), any(large)
    return wrong / studies


TRUTHS = {"one": 0.0, "two": 0.01, "three": 0.0, "four": -0.01}


def test_either_kind_of_error_is_held_over_the_family(read):
    plan = read(
        claim("one", ACCURACY + "greater")
        + claim("two", ACCURACY + "greater, given: {norm: batch}")
        + claim("three", ACCURACY + "less").replace("factor: activation, level: tanh, against: relu", WIDTH.format(2))
        + claim("four", ACCURACY + "less").replace("factor: activation, level: tanh, against: relu", WIDTH.format(4))
    )
    truths = {"lenet-activation.tanh-norm.batch": 0.01, "lenet-width.4": -0.01}
    studies = 400
    errors = family_errors(plan, truths, 0.003, studies)
    allowed = stats.binom.ppf(0.999, studies, 0.05) / studies
    assert (errors <= allowed).all(), errors


WIDTH = "factor: width, level: {}, against: 8"
