"""How large an effect is against what a claim states, and how many seeds would decide."""

import math
from decimal import Decimal
from typing import Protocol

import numpy as np

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.contrasts import cells_of, horizon_of
from ablation.analysis.inference import NONE, Finding, Interval
from ablation.analysis.outcomes import MagnitudeOutcome, SeedsNeeded, or_none
from ablation.statistics import crossed, linear
from ablation.statistics.estimates import CONFIDENCE, Estimate, summarise
from ablation.statistics.power import Design, Seeds, seeds_for_difference, seeds_for_equivalence
from ablation.statistics.ratios import ratio_interval
from ablation.statistics.survival import restricted_means, until
from ablation.study.claims import ClaimTest
from ablation.study.plan import Plan

STEP = 1.0  # epoch, in which times are counted


class Levels(Protocol):
    """The levels at which a test is decided."""

    alpha: float
    equivalence_alpha: float


def magnitude_outcome(
    plan: Plan, runs: RunsByVariant, claim: str, test: ClaimTest, finding: Finding, alpha: float
) -> MagnitudeOutcome | None:
    """Say whether the interval of the effect holds the size that a claim states; None if it states none."""
    entry = plan.study.claims[claim]
    stated, sign = entry.magnitude, 1 if entry.direction == "greater" else -1
    if stated is None:
        return None
    confidence = CONFIDENCE if math.isnan(alpha) else 1 - alpha
    if finding.counted:
        return _counted_magnitude(plan, runs, claim, test, sign * finding.effect)
    if stated.ratio is None:
        claimed, kind = stated.difference, "difference"
        low, high = sorted(sign * bound for bound in finding.interval(confidence))
        value = sign * finding.effect
    else:
        claimed, kind = stated.ratio, "ratio"
        value, low, high = _ratio(plan, runs, claim, test, sign, confidence) if finding.known else (math.nan,) * 3
    low, high = _uncut(low, high, kind, _never_there(plan, runs, entry.metric, test, sign))
    return MagnitudeOutcome(
        claimed=claimed,
        measured_as=kind,
        value=or_none(value),
        low=or_none(low),
        high=or_none(high),
        holds=None if math.isnan(low) else bool(low <= claimed <= high),
    )


def _never_there(plan: Plan, runs: RunsByVariant, metric: str, test: ClaimTest, sign: int) -> tuple[bool, bool]:
    """Say whether runs on the side that is added, and on that which is taken off, never reached their threshold."""
    until = horizon_of(plan, plan.metrics[metric], test.variants)
    late = [weight * sign for variant, weight in test.cells if (runs.values(variant, metric) > until).any()]
    return any(weight > 0 for weight in late), any(weight < 0 for weight in late)


def _uncut(low: float, high: float, kind: str, never_there: tuple[bool, bool]) -> Interval:
    """Open the interval of cut times towards where times could lie without a horizon; NaN if that is everywhere."""
    slower, faster = never_there
    if math.isnan(low) or math.isnan(high) or (slower and faster):
        return NONE
    lowest = 0.0 if kind == "ratio" else -math.inf
    return (lowest if faster else low), (math.inf if slower else high)


def _ratio(
    plan: Plan, runs: RunsByVariant, claim: str, test: ClaimTest, sign: int, confidence: float
) -> tuple[float, float, float]:
    """Return the ratio of the mean that is said to be larger to the other one, with its interval."""
    name = plan.study.claims[claim].metric
    metric, sides = plan.metrics[name], test.variants[::sign]  # the larger one first
    values, horizon = [runs.values(side, name) for side in sides], horizon_of(plan, plan.metrics[name], sides)
    if metric.diverged == "never":
        found = restricted_means(*(until(side, horizon) for side in values), confidence)
        return found.ratio, found.ratio_low, found.ratio_high
    ratio = float(values[0].mean() / values[1].mean())  # NaN where a value is missing
    if not min(values[0].mean(), values[1].mean()) > 0:
        return ratio, math.nan, math.nan
    cells = cells_of(runs, metric, name, sides)
    scores = [cell.scores for cell in cells]

    def difference(by: float) -> Estimate:
        if None in scores:
            return linear.contrast(values, [1, -by])
        return crossed.contrast(scores, [1, -by])

    return ratio, *ratio_interval(difference, ratio, confidence)


def _counted_magnitude(plan: Plan, runs: RunsByVariant, claim: str, test: ClaimTest, effect: float) -> MagnitudeOutcome:
    """Say of what is counted whether it is the size that is claimed, as far as that is stated."""
    stated = plan.study.claims[claim]
    claimed, value, kind = stated.magnitude.difference, effect, "difference"
    if claimed is None:
        sizes = [runs.values(one, stated.metric)[0] for one in test.variants]
        claimed, kind = stated.magnitude.ratio, "ratio"
        value = float(sizes[0] / sizes[1]) ** (1 if stated.direction == "greater" else -1)
    digits = -Decimal(format(claimed, ".12g")).as_tuple().exponent
    holds = abs(value - claimed) <= 0.5 * 10.0**-digits
    return MagnitudeOutcome(claimed=claimed, measured_as=kind, value=value, low=value, high=value, holds=holds)


def seeds_needed(
    plan: Plan, runs: RunsByVariant, claim: str, test: ClaimTest, finding: Finding, levels: Levels
) -> SeedsNeeded | None:
    """Return how many seeds per variant would probably decide an undecided test; None where no method says it.

    By a difference from zero or by equivalence, whichever needs fewer; of a claim of no difference, by equivalence or by an
    effect beyond the margin.
    """
    stated = plan.study.claims[claim]
    metric, margin = plan.metrics[stated.metric], plan.margin_of(claim)
    if test.kind == "spread" or metric.binary or math.isnan(finding.effect):
        return None
    horizon = horizon_of(plan, metric, test.variants)
    if any((runs.values(variant, stated.metric) >= horizon).any() for variant, weight in test.cells if weight):
        return None  # such runs hide the spread on which the number would rest
    design = design_of(plan, runs, stated.metric, test, finding)
    effect = abs(finding.effect)
    away = effect if stated.direction != "equivalent" else effect - margin
    ways = [seeds_for_difference(away, design, levels.alpha)] if away > 0 else []
    if margin and effect < margin:
        ways.append(seeds_for_equivalence(effect, margin, design, levels.equivalence_alpha))
    if not ways:
        return None
    best, more = min(ways, key=_hardest), len(plan.study.seeds) + 1  # as many as there are have not decided
    low, high = (seeds and max(seeds, more) for seeds in (best.low, best.high))
    return SeedsNeeded(low=low, high=high, limit=best.limit)


def _hardest(seeds: Seeds) -> tuple[float, float]:
    return seeds.high or math.inf, seeds.low or math.inf


def design_of(plan: Plan, runs: RunsByVariant, metric: str, test: ClaimTest, finding: Finding) -> Design:
    """Return the seeds and spreads of a test as those of two sides: the variants that are added, and those taken off.

    The variances of a side are those of its cells, each weighted by its square; its seeds are as many as the side's variance
    says, so that of two variants both are their own.
    """
    horizon, sides = horizon_of(plan, plan.metrics[metric], test.variants), []
    least = 0.0 if math.isinf(horizon) else STEP / 2  # as `restricted_means` supposes of times that are equal
    for sign in (1, -1):
        used = [(variant, weight**2) for variant, weight in test.cells if weight * sign > 0]
        known = [(square, summarise(np.minimum(runs.values(variant, metric), horizon))) for variant, square in used]
        parts = [(square * max(one.sd, least) ** 2, one.n) for square, one in known]
        variance, of_mean = sum(part for part, _ in parts), sum(part / n for part, n in parts)
        seeds = round(variance / of_mean) if of_mean else min(n for _, n in parts)
        sides += [math.sqrt(variance), seeds]
    estimate = finding.estimate
    images = estimate.image_share * estimate.standard_error**2 if estimate else 0.0
    return Design(*sides, 0.0 if math.isnan(images) else images)
