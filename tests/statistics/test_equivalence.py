import math

import numpy as np
import pytest

from ablation.statistics.equivalence import (
    BETTER,
    EQUIVALENT,
    NO_INTERVAL,
    UNDECIDED,
    WORSE,
    Decision,
    decide,
    equivalence_p,
)
from ablation.statistics.estimates import Estimate, over_seeds


@pytest.mark.parametrize(
    ("effect", "standard_error", "margin", "expected"),
    [
        (0.001, 0.001, 0.01, Decision(EQUIVALENT, False)),
        (0.004, 0.001, 0.01, Decision(EQUIVALENT, True)),  # different, too little to matter
        (-0.004, 0.001, 0.01, Decision(EQUIVALENT, True)),
        (0.02, 0.001, 0.01, Decision(BETTER, True)),
        (-0.02, 0.001, 0.01, Decision(WORSE, True)),
        (0.009, 0.001, 0.01, Decision(BETTER, True)),  # a part of the interval is beyond the margin
        (0.001, 0.02, 0.01, Decision(UNDECIDED, False)),
        (0.001, 0.001, 0.0, Decision(UNDECIDED, False)),  # without a margin nothing is equivalent
        (0.0, math.nan, 0.01, Decision(NO_INTERVAL, False)),
    ],
)
def test_equivalence_comes_first(effect, standard_error, margin, expected):
    df = math.nan if math.isnan(standard_error) else 8.0
    assert decide(Estimate(effect, standard_error, df), margin) == expected


def test_less_may_be_better():
    assert decide(Estimate(-3.0, 0.1, 8.0), 1.0, higher_is_better=False).outcome == BETTER


@pytest.mark.parametrize("seed", range(40))
def test_the_decision_is_that_of_the_intervals(seed):
    rng = np.random.default_rng(seed)
    estimate = Estimate(rng.normal(), 0.5 * rng.random(), 2 + 6 * rng.random())
    alpha, margin = 0.05 / rng.integers(1, 5), 2 * rng.random()
    inner, outer = estimate.interval(1 - 2 * alpha), estimate.interval(1 - alpha)
    decision = decide(estimate, margin, alpha)
    assert (decision.outcome == EQUIVALENT) == (-margin < inner[0] and inner[1] < margin)
    assert decision.differs == (outer[0] > 0 or outer[1] < 0)


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_a_margin_is_a_number(margin):
    with pytest.raises(ValueError, match="found a margin of"):
        equivalence_p(Estimate(0.0, 1.0, 5.0), margin)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_what_differs_by_the_margin_is_called_equivalent_in_5_percent_of_the_cases_at_most(seeds):
    rng = np.random.default_rng(seeds)
    values = rng.normal(0, 1, (2000, 2, seeds))
    values[:, 0] += 2
    called = [decide(over_seeds(*sides), 2.0).outcome == EQUIVALENT for sides in values]
    assert 0.02 < np.mean(called) <= 0.06
