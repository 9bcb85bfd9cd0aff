"""Runs of two variants on a test set, drawn from a population whose true effect is known.

Image difficulty is that of the study digits: `difficulty.csv` counts how many runs classified each test image correctly. A
run classifies an image correctly with the probability expit(difficulty + ability of its seed). The same runs say how far
abilities spread, once the part of single images is subtracted (R / N of `ablation.statistics.crossed`): 0 to 0.3 logits for
most variants of that study, 0.4 for LeNet with tanh, 0.6 for VGG with the sigmoid.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import optimize, special

COUNTS = Path(__file__).with_name("difficulty.csv")
CHANCE = 0.1
RUNS, SEEDS = 69, 5  # that were counted: of all variants, and of each


@dataclass(frozen=True)
class Side:
    """A variant: its column of `difficulty.csv`, and how its runs differ.

    Attributes
    ----------
    variant : str
    spread : float
        Standard deviation of the abilities of seeds, in logits.
    shift : float
        What is added to the logit of every image.
    deterministic : bool
        Whether all seeds come to the same predictions.
    failures : float
        Share of runs that diverge; one is a row of chance.
    """

    variant: str
    spread: float = 0.2
    shift: float = 0.0
    deterministic: bool = False
    failures: float = 0.0


@dataclass(frozen=True)
class Scenario:
    words: str
    sides: tuple[Side, Side]
    promised: bool = True  # whether 93 to 97 % are asked for

    def shifted(self, by: float) -> "Scenario":
        """Make the variant worse or better by some logits."""
        return replace(self, sides=(replace(self.sides[0], shift=self.sides[0].shift + by), self.sides[1]))

    def worse_by(self, margin: float) -> "Scenario":
        """Make the true effect minus the margin."""
        return self.shifted(optimize.brentq(lambda by: true_effect(self.shifted(by)) + margin, -5, 5))


RESIDUAL, PLAIN = "resnet14", "resnet14-residual.none"
SCENARIOS = {
    "equal": Scenario("equal spreads", (Side(RESIDUAL), Side(PLAIN))),
    "images": Scenario("seeds differ in single images only", (Side(RESIDUAL, 0), Side(PLAIN, 0))),
    "unequal": Scenario("spreads of 1 to 4", (Side("densenet", 0.1), Side("lenet", 0.4))),
    "rough": Scenario("a variant that trains unreliably", (Side("vgg-activation.sigmoid", 0.6), Side("vgg", 0.2))),
    "ceiling": Scenario("near 100 %", (Side("densenet", shift=2), Side(RESIDUAL, shift=2))),
    "zero": Scenario("no spread on one side", (Side(RESIDUAL, deterministic=True), Side("lenet"))),
    "failures": Scenario(
        "1 run of 10 diverges", (Side(RESIDUAL, failures=0.1), Side(PLAIN, failures=0.1)), promised=False
    ),
    "skewed": Scenario("spreads of 1 to 8, skewed", (Side("densenet", 0.1), Side("lenet", 0.8)), promised=False),
    "summit": Scenario(
        "nearer 100 %: ties of few runs", (Side("densenet", shift=3), Side(RESIDUAL, shift=3)), promised=False
    ),
    "zero-ceiling": Scenario(
        "near 100 %, no spread on one side",
        (Side(RESIDUAL, shift=2, deterministic=True), Side("lenet", shift=2)),
        promised=False,
    ),
}


def difficulties() -> dict[str, np.ndarray]:
    """Return by variant the logit of each image (images,): the share of its runs that were right, drawn to that of all."""
    lines = [line for line in COUNTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    names, counts = lines[0].split(","), np.array([line.split(",") for line in lines[1:]], float)
    everyone = (counts[:, 0] + 0.5) / (RUNS + 1)
    return {
        name: special.logit((counts[:, column] + SEEDS * everyone) / (2 * SEEDS))
        for column, name in enumerate(names)
        if column
    }


LOGITS = difficulties()
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


def true_mean(side: Side) -> float:
    """Return the mean accuracy over all seeds and images there could be."""
    at = LOGITS[side.variant] + side.shift
    # All seeds of a deterministic side come to one draw of each image's prediction: its mean is that without spread.
    spread = 0 if side.deterministic else side.spread
    mean = float(WEIGHTS @ special.expit(at + spread * NODES[:, None]).mean(axis=1) / WEIGHTS.sum())
    return (1 - side.failures) * mean + side.failures * CHANCE


def true_effect(scenario: Scenario) -> float:
    return true_mean(scenario.sides[0]) - true_mean(scenario.sides[1])


def draw(rng: np.random.Generator, scenario: Scenario, seeds: tuple[int, int], images: int) -> list[np.ndarray]:
    """Draw test images and runs; return the correctness of each side, (seeds, images)."""
    chosen = rng.integers(0, len(LOGITS["lenet"]), images)
    return [
        scores(rng, side, LOGITS[side.variant][chosen], count)
        for side, count in zip(scenario.sides, seeds, strict=True)
    ]


def scores(rng: np.random.Generator, side: Side, logits: np.ndarray, seeds: int) -> np.ndarray:
    """Draw the correctness of runs of a side on images of these logits, (seeds, images)."""
    if side.deterministic:
        right = rng.random(len(logits), np.float32) < special.expit(logits + side.shift).astype(np.float32)
        return np.tile(right, (seeds, 1))
    ability = side.shift + side.spread * rng.standard_normal(seeds)
    chances = special.expit((logits + ability[:, None]).astype(np.float32))
    right = rng.random(chances.shape, np.float32) < chances
    if side.failures:
        right = np.where(rng.random((seeds, 1)) < side.failures, CHANCE, right)
    return right
