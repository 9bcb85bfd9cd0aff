"""Claims about times to a threshold that some runs never reach: what is found, how large it is, what more seeds would do."""

import math

import numpy as np
import pandas as pd
import pytest
from invented import invented_outcomes

from ablation.analysis.inference import Cell, find
from ablation.catalogue.metrics import FAILURE_RATES, METRICS
from ablation.report.verdicts import magnitude_words, remark
from ablation.statistics.survival import restricted_means, until
from ablation.study.studyfile import read_study

METRIC = "epochs_to_threshold"
STUDY = """\
title: t
question: q
data: {{name: digits}}
recipe: {{epochs: {epochs}, batch_size: 64, lr: 0.1}}
architectures: {{lenet: {{baseline: {{activation: relu}}}}}}
grid: [{{factors: {{activation: [relu, tanh]}}}}]
seeds: {seeds}
threshold: 0.9
metrics: [epochs_to_threshold]
claims:
  slower: {{statement: s, source: s, factor: activation, level: tanh, against: relu, metric: epochs_to_threshold, {more}}}
"""
NEVER = [math.inf] * 5


@pytest.fixture(name="decide")
def make_decide(tmp_path):
    """Decides on the claim that tanh is slower than relu, from the times of both."""

    def decide(tanh, relu, epochs, more="direction: greater"):
        (tmp_path / "times.yaml").write_text(STUDY.format(epochs=epochs, seeds=max(len(tanh), len(relu)), more=more))
        plan = read_study(tmp_path / "times.yaml")
        known = {"status": "completed", "metric_errors": None, "error": None, **dict.fromkeys(FAILURE_RATES, 0.0)}
        runs = pd.DataFrame(
            [
                {"variant": variant, "seed": seed, METRIC: time, **known}
                for variant in plan.variants
                for seed, time in enumerate(tanh if "tanh" in variant else relu)
            ]
        )
        (claim,) = invented_outcomes(plan, runs).claims
        return claim, claim.tests[0]

    return decide


def cells_of(*times):
    return [Cell(np.array(side, float)) for side in times]


def test_an_interaction_of_cells_that_never_got_there_is_open():
    found = find(METRICS[METRIC], cells_of([3, 4, 14, 3, 18], NEVER, NEVER, NEVER), [1, -1, -1, 1], 20)
    assert found.effect == pytest.approx(-11.6)
    low, high = found.interval(0.95)
    assert low < -20 < 0 < high
    assert found.p > 0.05
    assert found.equivalence_p(1.0) == 0.5


@pytest.mark.parametrize("weights", [[1, -1, -1, 1], [0.5, 0.5, -0.5, -0.5], [-1, 0, 0, 1]])
def test_weighted_sums_of_times_are_decided_as_their_interval_says(weights):
    found = find(METRICS[METRIC], cells_of([3, 4, 9, 3, 6], [12, 15, 11, 14], [2, 2, 2], NEVER), weights, 20)
    for factor in (0.98, 1.02):
        low, high = found.interval(1 - min(found.p * factor, 0.999999))
        assert (low > 0 or high < 0) == (factor > 1)


def test_a_difference_of_times_is_that_of_restricted_means():
    sides = [3, 4, 9, math.inf], [12, 15, 11, 14]
    found, expected = (
        find(METRICS[METRIC], cells_of(*sides), [1, -1], 13),
        restricted_means(*(until(side, 13) for side in sides)),
    )
    assert (found.effect, *found.interval(0.95)) == (expected.effect, expected.low, expected.high)


@pytest.mark.parametrize(
    "sides", [([3], [9]), ([3], [9, 10, 12]), ([math.inf], [math.inf]), ([3], [math.inf])], ids=str
)
def test_a_single_run_has_no_interval(decide, sides):
    for weights in ([1, -1], [-1, 1]):
        found = find(METRICS[METRIC], cells_of(*sides), weights, 20)
        assert not found.known
        assert math.isnan(found.p)
        assert abs(found.effect) == abs(np.minimum(sides[0], 20).mean() - np.minimum(sides[1], 20).mean())
    for size in ("difference: 3", "ratio: 3"):
        _, test = decide(*sides, 20, f"direction: greater, magnitude: {{{size}}}")
        assert (test.verdict, test.why) == ("not testable", "1 of the 2 seeds that an interval needs")
        found = test.magnitude
        assert (test.seeds_needed, found.low, found.high, found.holds) == (None, None, None, None)


def test_a_single_run_in_a_cell_without_weight_does_not_matter():
    assert find(METRICS[METRIC], cells_of([3, 4], [7], [8, 9]), [-1, 0, 1], 20).known


FEW = [2, 2, 2, 2, 3]


@pytest.mark.parametrize(
    ("claimed", "holds"),
    [("ratio: 6", True), ("ratio: 1.1", False), ("difference: 10", True), ("difference: 0.1", False)],
)
def test_runs_that_never_got_there_refute_no_larger_size(decide, claimed, holds):
    """Cut at 8 epochs, the slower side is 3.6 times as slow; without the cut it may be any number of times."""
    claim, test = decide(NEVER, FEW, 8, f"direction: greater, magnitude: {{{claimed}}}")
    size = test.magnitude
    assert (size.high, size.holds) == (None, holds)
    assert size.low > 0
    assert "∞]" in magnitude_words(claim, test)
    turned, same = decide(FEW, NEVER, 8, f"direction: less, magnitude: {{{claimed}}}")
    assert (same.magnitude.low, same.magnitude.high, same.magnitude.holds) == (pytest.approx(size.low), None, holds)
    assert magnitude_words(turned, same) == magnitude_words(claim, test)


@pytest.mark.parametrize(("claimed", "low"), [("ratio: 2", 0), ("difference: 2", None)])
def test_the_faster_side_may_be_any_number_of_times_slower(decide, claimed, low):
    claim, test = decide(FEW, NEVER, 8, f"direction: greater, magnitude: {{{claimed}}}")
    size = test.magnitude
    assert (size.low, size.holds) == (low, False)
    assert size.value < size.high < 1
    assert ("[0.0, " if low == 0 else "[−∞, ") in magnitude_words(claim, test)


@pytest.mark.parametrize("claimed", ["ratio: 2", "difference: 2"])
def test_where_both_sides_have_runs_that_never_got_there_no_size_is_known(decide, claimed):
    claim, test = decide([3, 4, *NEVER[:3]], [2, 2, 3, 3, math.inf], 8, f"direction: greater, magnitude: {{{claimed}}}")
    size = test.magnitude
    assert (size.low, size.high, size.holds) == (None, None, None)
    assert "[" not in magnitude_words(claim, test)


def test_a_time_at_the_horizon_is_a_time(decide):
    size = decide([6, 7, 8, 8, 8], FEW, 8, "direction: greater, magnitude: {ratio: 6}")[1].magnitude
    assert size.low < size.high < 6
    assert size.holds is False


@pytest.mark.parametrize(
    ("tanh", "relu", "epochs"),
    [
        (NEVER, NEVER, 20),
        ([20] * 5, [20] * 5, 20),
        ([19, *NEVER[1:]], [14, 15, 18, 19, 17], 20),
        (NEVER[:3], [190] * 3, 200),
    ],
)
def test_no_number_of_seeds_is_promised_where_runs_are_at_the_horizon(decide, tanh, relu, epochs):
    """How many would decide rests on their spread, which the horizon hides."""
    _, test = decide(tanh, relu, epochs)
    assert (test.verdict, test.seeds_needed) == ("undecided", None)
    assert "seeds" not in remark(*decide(tanh, relu, epochs))


def test_a_number_of_seeds_is_given_where_all_get_there(decide):
    _, test = decide([9, 14, 8, 12, 10], [8, 10, 9, 11, 7], 20)
    assert test.verdict == "undecided"
    assert test.seeds_needed.low > 5
