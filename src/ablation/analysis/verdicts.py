"""Verdicts: what the runs say of each claim, corrected for all tests of the study.

Every test has two p-values: for no difference, and for a difference of the margin or more (two one-sided tests). Each kind
is corrected by itself over the family: the chance that anything is called different that is not, and the chance that
anything is called equivalent that is not, are each held at the level of the family. In one test only one of these errors is
possible, whatever the truth. The tests of registered claims are the family, those of claims that were withdrawn included, as
tests without p-value; one of an exploratory claim is corrected for all tests of the study, registered or not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.contrasts import cells_of, completed_alone, estimate, horizon_of, why_not_testable
from ablation.analysis.correction import Level, levels_of
from ablation.analysis.inference import Finding, find, find_spread
from ablation.analysis.outcomes import (
    EQUIVALENT,
    NOT_TESTABLE,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    CellOutcome,
    ClaimOutcome,
    ClaimTestOutcome,
    Outcomes,
    WithdrawnClaim,
    or_none,
)
from ablation.analysis.sizes import magnitude_outcome, seeds_needed
from ablation.catalogue.metrics import FAILURE_RATES
from ablation.jobs import registration
from ablation.jobs.registration import Standing, Withdrawn
from ablation.statistics.estimates import CONFIDENCE, summarise
from ablation.statistics.families import ALPHA
from ablation.statistics.linear import monotone
from ablation.statistics.permutation import permutation_p, smallest_p
from ablation.statistics.survival import log_rank
from ablation.statistics.survival import until as censored
from ablation.study.claims import ClaimTest, compared_text
from ablation.study.plan import Plan


def standings(plan: Plan, runs: pd.DataFrame, folder: Path) -> dict[str, Standing]:
    """Say of every claim how it was registered, given the runs and the folder of the study's results."""
    return registration.standings(plan, folder, _began(runs))


def withdrawn(plan: Plan, runs: pd.DataFrame, folder: Path) -> list[Withdrawn]:
    """List the claims that were registered for these runs and are gone from the study, or say something else now."""
    return registration.withdrawn(plan, folder, _began(runs))


def _began(runs: pd.DataFrame) -> dict[str, list[float | None]]:
    known = {variant: own.tolist() for variant, own in runs.groupby("variant")["began"]}
    return {variant: [None if math.isnan(time) else time for time in own] for variant, own in known.items()}


def judge(direction: str, margin: float | None, finding: Finding, level: Level) -> tuple[str, bool]:
    """Return the verdict on a claim, and whether no difference is rejected.

    Equivalence comes first: an effect within the margin is too small to matter, also where it is not zero. A claim of no
    difference is refuted by an effect that is shown to be larger than the margin, not by one shown not to be zero.

    Parameters
    ----------
    direction : {"greater", "less", "equivalent"}
    margin : float or None
    finding : Finding
        With an interval.
    level : Level
    """
    if finding.counted:
        return _judge_counted(direction, margin or 0.0, finding.effect), finding.effect != 0
    differs = finding.p <= level.alpha
    low, high = (bound - finding.null for bound in finding.interval(1 - level.alpha))
    equivalent = bool(margin) and finding.equivalence_p(margin) <= level.equivalence_alpha
    if direction == "equivalent":
        beyond = low > margin or high < -margin
        return SUPPORTED if equivalent else REFUTED if beyond else UNDECIDED, differs
    if equivalent:
        return EQUIVALENT, differs
    if not differs:
        return UNDECIDED, False
    return SUPPORTED if (low > 0) == (direction == "greater") else REFUTED, True


def _judge_counted(direction: str, margin: float, effect: float) -> str:
    if direction == "equivalent":
        return SUPPORTED if abs(effect) <= margin else REFUTED
    if abs(effect) <= margin:
        return EQUIVALENT
    return SUPPORTED if (effect > 0) == (direction == "greater") else REFUTED


@dataclass
class _Prepared:
    """A test before it is decided: what was found, or why there is nothing."""

    claim: str
    test: ClaimTest
    finding: Finding
    direction: str
    metric: str
    margin: float | None
    why: str

    @cached_property
    def p(self) -> float:
        """For no difference; of a claim of no difference, for one within the margin, whose rejection refutes it."""
        return self.finding.beyond_p(self.margin) if self.direction == "equivalent" else self.finding.p

    @cached_property
    def equivalence_p(self) -> float:
        """For a difference of the margin or more."""
        return self.finding.equivalence_p(self.margin) if self.margin else math.nan

    @property
    def question(self) -> tuple:
        """What claims that are decided by the same numbers share: they are one test of the family."""
        sign = 1 if min(self.test.cells)[1] > 0 else -1
        return self.metric, self.test.kind, tuple(sorted((one, sign * weight) for one, weight in self.test.cells))


def _prepare(plan: Plan, runs: RunsByVariant, claim: str, test: ClaimTest) -> _Prepared:
    name = plan.study.claims[claim].metric
    metric, cells = plan.metrics[name], cells_of(runs, plan.metrics[name], name, test.variants)
    claimed, bounded = plan.study.claims[claim], len(test.cells) == 2 and test.kind != "spread"
    why = why_not_testable(plan, runs, test.variants, name, bounded)
    until = horizon_of(plan, metric, test.variants)
    if why:
        finding = Finding(math.nan, lambda _: (math.nan, math.nan))
    elif test.kind == "spread":
        finding = find_spread(*(np.minimum(cell.values, until) for cell in cells))
    else:
        finding = find(metric, cells, [weight for _, weight in test.cells], until)
    few, needed = min(len(cell.values) for cell in cells), 3 if test.kind == "spread" else 2
    if not why and not few:
        why = "a variant has no runs"
    elif not why and not finding.known:
        why = f"{few} of the {needed} seeds that an interval needs" if few < needed else ALIKE
        if few >= needed and any(any(runs.counts(one)[2:]) for one in test.variants):
            why += "; claims on the rates of runs that diverged or were stuck can be tested"
    return _Prepared(claim, test, finding, claimed.direction, name, plan.margin_of(claim), why)


ALIKE = "no run differs from another with the same network: how much they vary is not known"


def outcomes(
    plan: Plan, runs: RunsByVariant, standings: Mapping[str, Standing], withdrawn: Sequence[Withdrawn] = ()
) -> Outcomes:
    """Decide on every claim of a study.

    Parameters
    ----------
    plan : Plan
    runs : RunsByVariant
    standings : mapping of str to Standing
        By claim.
    withdrawn : sequence of Withdrawn
        Claims whose tests count in the family without being there.
    """
    prepared = [_prepare(plan, runs, claim, test) for claim, test in plan.claims]
    uncertain = [one for one in prepared if not one.finding.counted]
    registered = [one for one in uncertain if not standings[one.claim].exploratory]
    gone = sum(one.tests for one in withdrawn)
    changed = sum(one.tests for one in withdrawn if one.claim in plan.study.claims)  # among the tests as they stand
    correction = plan.study.correction
    levels = {**levels_of(correction, uncertain, gone - changed), **levels_of(correction, registered, gone)}
    claims = []
    for name, claim in plan.study.claims.items():
        metric, standing = plan.metrics[claim.metric], standings[name]
        tests = [_outcome(plan, runs, one, levels.get(id(one))) for one in prepared if one.claim == name]
        claims.append(
            ClaimOutcome(
                claim=name,
                statement=claim.statement,
                source=claim.source,
                metric=claim.metric,
                label=metric.label,
                unit=metric.unit,
                scale=metric.scale,
                digits=metric.digits,
                direction=claim.direction,
                margin=plan.margin_of(name),
                registered=None if standing.time is None else _written(standing.time),
                exploratory=standing.exploratory,
                attempt=standing.attempt,
                tests=tuple(tests),
            )
        )
    return Outcomes(
        study=plan.name,
        title=plan.study.title,
        question=plan.study.question,
        correction=plan.study.correction,
        alpha=ALPHA,
        family=len(registered) + gone,
        claims=tuple(claims),
        withdrawn=tuple(
            WithdrawnClaim(claim=one.claim, registered=_written(one.time), tests=one.tests) for one in withdrawn
        ),
    )


def _written(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")


def _outcome(plan: Plan, runs: RunsByVariant, one: _Prepared, level: Level | None) -> ClaimTestOutcome:
    """Say of a test all that is known."""
    claim, name = plan.study.claims[one.claim], plan.study.claims[one.claim].metric
    finding, until = one.finding, horizon_of(plan, plan.metrics[name], one.test.variants)
    level = level or Level(math.nan, math.nan, math.nan, math.nan)  # of what is counted
    verdict, differs = (NOT_TESTABLE, False) if one.why else judge(claim.direction, one.margin, finding, level)
    adjusted = finding.interval(CONFIDENCE if math.isnan(level.alpha) else 1 - level.alpha)
    tests_equivalence = one.margin and finding.known and not finding.counted
    within = finding.equivalence_interval(level.equivalence_alpha) if tests_equivalence else (math.nan, math.nan)
    numbers = {
        **{"effect": finding.effect, "effect_least": finding.least, "effect_most": finding.most},
        **dict(zip(("low", "high"), finding.interval(CONFIDENCE), strict=True)),
        **{"p": one.p, "p_adjusted": level.p, "confidence": 1 - level.alpha},
        **dict(zip(("low_adjusted", "high_adjusted"), adjusted, strict=True)),
        **{"equivalence_p": one.equivalence_p, "equivalence_p_adjusted": level.equivalence_p},
        **dict(zip(("equivalence_low", "equivalence_high"), within, strict=True)),
        **_beside(plan, runs, one, name, until),
    }
    return ClaimTestOutcome(
        architecture=one.test.architecture,
        kind=one.test.kind,
        compared=compared_text(claim, one.test),
        cells=tuple(_cell(runs, variant, weight, name, until) for variant, weight in one.test.cells),
        **{key: or_none(value) for key, value in numbers.items()},
        magnitude=magnitude_outcome(plan, runs, one.claim, one.test, finding, level.alpha),
        seeds_needed=seeds_needed(plan, runs, one.claim, one.test, finding, level) if verdict == UNDECIDED else None,
        verdict=verdict,
        differs=differs,
        why=one.why,
    )


def _cell(runs: RunsByVariant, variant: str, weight: float, metric: str, until: float) -> CellOutcome:
    values, counts = np.minimum(runs.values(variant, metric), until), runs.counts(variant)
    known = summarise(values)
    return CellOutcome(
        variant=variant,
        weight=weight,
        n=known.n,
        diverged=counts.diverged,
        stuck=counts.stuck,
        mean=or_none(known.mean),
        sd=or_none(known.sd),
    )


def _beside(plan: Plan, runs: RunsByVariant, one: _Prepared, name: str, until: float) -> dict[str, float]:
    """Return what stands beside what decides: over seeds alone, by permutations, of failures, among completed runs."""
    finding, test, metric = one.finding, one.test, plan.metrics[name]
    seeds, pair = finding.over_seeds, test.contrast if test.kind == "difference" and not finding.counted else None
    found = dict.fromkeys(BESIDE, math.nan)
    if finding.estimate:
        found["image_share"] = finding.estimate.image_share
    if seeds:
        found |= {"seeds_effect_low": seeds.low, "seeds_effect_high": seeds.high}
    if one.why or finding.counted or test.kind == "spread":
        return found
    among = completed_alone(runs, metric, name, test, until)
    found |= {"completed_effect": among.effect, "completed_low": among.low, "completed_high": among.high}
    sides = [runs.values(variant, name) for variant in test.variants]
    if test.kind == "trend":
        found["permutation_p"] = monotone([weight for _, weight in test.cells], sides).p
    if pair:
        is_time = metric.diverged == "never"
        p = log_rank(*(censored(side, until) for side in sides)).p if is_time else permutation_p(*sides)
        found |= {"permutation_p": p, "permutation_p_smallest": smallest_p(*map(len, sides))}
        rates = estimate(plan, runs, pair, FAILURE_RATES[-1])
        found |= {"failures_effect": rates.effect, "failures_low": rates.low, "failures_high": rates.high}
    return found


BESIDE = (
    *("seeds_effect_low", "seeds_effect_high", "image_share", "permutation_p", "permutation_p_smallest"),
    *("failures_effect", "failures_low", "failures_high", "completed_effect", "completed_low", "completed_high"),
)
