"""Claims about times to a threshold that some runs never reach: what is found, how large it is, what more seeds would do."""

import math

import numpy as np
import pandas as pd
import pytest
from invented import invented_outcomes

from ablation.analysis.inference import Cell, find
from ablation.catalogue.metrics import FAILURE_RATES, METRICS
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


@pytest.mark.parametrize("sides", [([3], [9]), ([3], [9, 10, 12]), ([math.inf], [math.inf])], ids=str)
def test_a_single_run_has_no_interval(decide, sides):
    for weights in ([1, -1], [-1, 1]):
        found = find(METRICS[METRIC], cells_of(*sides), weights, 20)
        assert not found.known
        assert math.isnan(found.p)
        assert abs(found.effect) == abs(np.minimum(sides[0], 20).mean() - np.minimum(sides[1], 20).mean())
    _, test = decide(*sides, 20, "direction: greater, magnitude: {difference: 3}")
    assert (test.verdict, test.why) == ("not testable", "1 of the 2 seeds that an interval needs")
    assert (test.seeds_needed, test.magnitude.holds) == (None, None)


def test_a_single_run_in_a_cell_without_weight_does_not_matter():
    assert find(METRICS[METRIC], cells_of([3, 4], [7], [8, 9]), [-1, 0, 1], 20).known
