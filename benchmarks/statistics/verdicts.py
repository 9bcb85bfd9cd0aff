"""Whether the verdicts of whole studies are as right as they say. Writes `verdicts.md` beside it.

python benchmarks/statistics/verdicts.py [--studies 1000] [--workers 2]

Runs of eight variants are drawn on the same test images (`populations.py`), each with harder images of its own and a true
effect that is known, and go through what a study's runs go through: estimates over seeds and images, corrections, verdicts.
"""

import argparse
import math
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import populations
from populations import Side
from scipy import optimize, special

from ablation.analysis import verdicts
from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.outcomes import EQUIVALENT, REFUTED, SUPPORTED
from ablation.catalogue.metrics import FAILURE_RATES
from ablation.records.environment import processor
from ablation.study.plan import Plan
from ablation.study.studyfile import read_study

# What stands beside a verdict and decides nothing, but takes most of the time.
verdicts.permutation_p = lambda *sides: math.nan
verdicts.seeds_needed = lambda *test: None
MARGIN, SPREAD, OWN = 0.01, 0.2, 0.5  # of abilities over seeds, and of a variant's own difficulty of images, in logits
# By width of the variant: its true effect in margins, and the direction that is claimed.
EFFECTS = {
    3: (0, "greater"),
    5: (0, "less"),
    6: (0, "equivalent"),
    7: (-1, "less"),
    9: (1, "equivalent"),
    10: (-1, "greater"),
    12: (-5, "less"),
}
STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 1, batch_size: 64, lr: 0.1}
architectures: {resnet: {builder: resnet_cifar, baseline: {depth: 8, width: 8}}}
grid: [{factors: {width: [WIDTHS]}}]
seeds: SEEDS
smallest_effect: MARGIN
claims:
"""
CLAIM = "  w{0}: {{statement: s, source: s, factor: width, level: {0}, against: 8, metric: test_accuracy, direction: {1}}}\n"
CASES = [(3, 359), (5, 359), (10, 359), (3, 10_000), (5, 10_000), (10, 10_000)]


@cache
def plan_of(seeds: int) -> Plan:
    """Return the plan of the study."""
    text = STUDY.replace("WIDTHS", ", ".join(map(str, EFFECTS))).replace("SEEDS", str(seeds))
    text = text.replace("MARGIN", str(MARGIN))
    text += "".join(CLAIM.format(width, direction) for width, (_, direction) in EFFECTS.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(text)
        return read_study(path)


@cache
def shift(effect: float) -> float:
    """Return what changes the true accuracy by an effect, in logits."""
    spread = math.hypot(SPREAD, OWN)
    at = populations.LOGITS["resnet14"] + spread * populations.NODES[:, None]

    def mean(by: float) -> float:
        return float(populations.WEIGHTS @ special.expit(at + by).mean(axis=1) / populations.WEIGHTS.sum())

    return optimize.brentq(lambda by: mean(by) - mean(0) - effect, -5, 5) if effect else 0.0


def study(seeds: int, images: int, number: int) -> dict[str, str]:
    """Draw the runs of a study, and return the verdict on each claim."""
    rng, plan = np.random.default_rng([seeds, images, number]), plan_of(seeds)
    base, side = populations.LOGITS["resnet14"][rng.integers(0, 359, images)], Side("resnet14", SPREAD)
    effects = {f"resnet-width.{width}": effect * MARGIN for width, (effect, _) in EFFECTS.items()}
    logits = {one: base + OWN * rng.standard_normal(images) + shift(effects.get(one, 0.0)) for one in plan.variants}
    examples = np.concatenate([populations.scores(rng, side, logits[one], seeds) for one in plan.variants])
    rows = [(variant, seed, "completed", None, None) for variant in plan.variants for seed in range(seeds)]
    runs = pd.DataFrame(rows, columns=["variant", "seed", "status", "metric_errors", "error"])
    runs = runs.assign(test_accuracy=examples.mean(axis=1), **dict.fromkeys(FAILURE_RATES, 0.0))
    found = verdicts.outcomes(
        plan, RunsByVariant(runs, examples), dict.fromkeys(plan.study.claims, verdicts.Standing(0.0, ""))
    )
    return {claim.claim: claim.tests[0].verdict for claim in found.claims}


def called(verdict: str, direction: str) -> str:
    """Return what a verdict says of the effect: different, equivalent, or nothing."""
    if verdict == EQUIVALENT or (direction == "equivalent" and verdict == SUPPORTED):
        return "equivalent"
    return "different" if verdict in (SUPPORTED, REFUTED) else ""


def row(seeds: int, images: int, studies: int) -> dict[str, float]:
    """Return how often a study errs, and how often it decides rightly, in shares."""
    counts = dict.fromkeys(("different", "equivalent", "direction", "large", "none"), 0.0)
    for number in range(studies):
        found = study(seeds, images, number)
        said = {width: called(found[f"w{width}"], direction) for width, (_, direction) in EFFECTS.items()}
        counts["different"] += any(said[width] == "different" for width, (effect, _) in EFFECTS.items() if not effect)
        counts["equivalent"] += any(said[width] == "equivalent" for width, (effect, _) in EFFECTS.items() if effect)
        counts["direction"] += found["w7"] == REFUTED or found["w10"] == SUPPORTED
        counts["large"] += found["w12"] == SUPPORTED
        counts["none"] += found["w6"] == SUPPORTED
    return {name: count / studies for name, count in counts.items()}


def main(arguments: argparse.Namespace) -> None:
    """Simulate all cases and write the page."""
    began = time.time()
    asked = [(seeds, images, arguments.studies if images < 1000 else arguments.studies // 4) for seeds, images in CASES]
    with ProcessPoolExecutor(arguments.workers) as pool:
        found = list(pool.map(row, *zip(*asked, strict=True)))
    lines = [
        f"| {seeds} + {seeds} | {images:,} | {studies:,} | "
        + " | ".join(f"{100 * one[name]:.1f}" for name in ("different", "equivalent", "direction", "large", "none"))
        + " |"
        for (seeds, images, studies), one in zip(asked, found, strict=True)
    ]
    worst = [max(100 * one[name] for one in found) for name in ("different", "equivalent", "direction")]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "scipy"))
    rows, minutes = "\n".join(lines), (time.time() - began) / 60
    text = f"""# Whether verdicts are as right as they say

Studies of seven claims on test accuracy, of which three are of variants that do not differ from the reference, three of
variants that differ by exactly the smallest effect of interest (1 point), and one of a variant that is 5 points worse. Each
variant finds other images harder; the images are those of the study digits, drawn with replacement. Everything is as in a
study: intervals over seeds and images, each kind of error corrected over the family by Holm's method at 5 %.

At most {worst[0]:.1f} % of the studies call anything different that is not (asked for: 5.5), {worst[1]:.1f} % call anything
equivalent that differs by the margin (5), and {worst[2]:.1f} % get a direction wrong.

| seeds | images | studies | false difference | false equivalence | wrong direction | 5 points found | none shown |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

In %. False difference and false equivalence: studies with any, among their seven claims. 5 points found: the claim that the
variant is worse is supported. None shown: the claim that a variant that does not differ does not is supported.
Measured by `benchmarks/statistics/verdicts.py --studies {arguments.studies}` in {minutes:.1f} minutes with
{arguments.workers} processes on {processor()}, Python {platform.python_version()}, {versions}.
"""
    Path(__file__).with_name("verdicts.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--studies", type=int, default=1000, help="simulated studies with 359 images; a quarter with more"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes")
    main(parser.parse_args())
