"""Agreement with R on fixed data: `r/reference.R` wrote `r/reference.txt`."""

from pathlib import Path

import numpy as np
import pytest

from ablation.statistics.crossed import over_seeds_and_images
from ablation.statistics.equivalence import equivalence_p
from ablation.statistics.estimates import over_seeds
from ablation.statistics.families import benjamini_hochberg, holm
from ablation.statistics.permutation import permutation_p

FOLDER = Path(__file__).parent / "r"
LINES = (FOLDER / "reference.txt").read_text(encoding="utf-8").splitlines()
EXPECTED = {name: float(value) for name, value in (line.split() for line in LINES if not line.startswith("#"))}
ROWS = [line.split(",") for line in (FOLDER / "scores.csv").read_text(encoding="utf-8").splitlines()[1:]]
VARIANT, REFERENCE = (np.array([row[2:] for row in ROWS if row[0] == side], float) for side in ("variant", "reference"))
SEEDS = VARIANT.mean(axis=1), REFERENCE.mean(axis=1)
FAMILIES = {
    "plain": [0.001, 0.02, 0.03, 0.008, 0.4, 0.012, 0.049],
    "tied": [0.01, 0.01, 0.9, 0.03],
    "one": [0.04],
}


def as_in_r(name):
    return pytest.approx(EXPECTED[name], rel=1e-8, abs=1e-8)


def parts(prefix):
    return [name.removeprefix(prefix) for name in EXPECTED if name.startswith(prefix)]


@pytest.mark.parametrize(
    ("prefix", "estimate"), [("welch", over_seeds(*SEEDS)), ("crossed", over_seeds_and_images(VARIANT, REFERENCE))]
)
def test_estimates(prefix, estimate):
    numbers = [name for name in parts(f"{prefix}.") if not name.startswith(("low.", "high."))]
    assert numbers
    for name in numbers:
        assert getattr(estimate, name) == as_in_r(f"{prefix}.{name}"), name


@pytest.mark.parametrize("confidence", parts("welch.low."))
def test_intervals_of_welch(confidence):
    low, high = over_seeds(*SEEDS).interval(float(confidence))
    assert low == as_in_r(f"welch.low.{confidence}")
    assert high == as_in_r(f"welch.high.{confidence}")


@pytest.mark.parametrize("margin", parts("equivalence."))
def test_equivalence(margin):
    assert equivalence_p(over_seeds(*SEEDS), float(margin)) == as_in_r(f"equivalence.{margin}")


def test_permutations():
    assert permutation_p(*SEEDS) == as_in_r("permutation.p")
    y = SEEDS[1]
    assert permutation_p(y[:3] + np.array([0.9, -0.2, 0.05]), y[1:5]) == as_in_r("permutation.second")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("prefix", "adjust"), [("holm", holm), ("bh", benjamini_hochberg)])
def test_adjusted_p(prefix, adjust, family):
    adjusted = adjust(FAMILIES[family]).adjusted
    assert len(adjusted) == len(parts(f"{prefix}.{family}."))
    for position, value in enumerate(adjusted, 1):
        assert value == as_in_r(f"{prefix}.{family}.{position}")
