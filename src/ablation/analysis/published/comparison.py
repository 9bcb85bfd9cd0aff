"""A study held against the ledger: which published numbers its variants have, and where these fall among our runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.analysis.failures import Counts, counts
from ablation.analysis.published.bestepoch import BestEpoch, best_epoch, gains_of_runs
from ablation.analysis.published.numbers import Published
from ablation.analysis.published.protocol import Difference, protocol_diff, unstated
from ablation.catalogue.catalogue import OURS
from ablation.statistics.estimates import Effect, Summary, summarise, welch_of_summaries
from ablation.statistics.external import MEDIAN, Placement, place, place_best
from ablation.study.plan import Plan


@dataclass(frozen=True)
class Match:
    """A variant of a study and a published number of the same architecture, levels, data set and metric.

    Attributes
    ----------
    variant : str
        Its id.
    published : Published
    differences : tuple of Difference
        Why the numbers may differ: what the source trained otherwise.
    unstated : tuple of str
        What the source does not say of its training.
    """

    variant: str
    published: Published
    differences: tuple[Difference, ...]
    unstated: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A match with the numbers of both sides, in the recorded unit of the metric.

    Attributes
    ----------
    match : Match
    ours : Summary
        Our runs that have a value of the metric; one that diverged has what it is worth.
    counts : Counts
        All our runs, with those that failed, diverged or were stuck.
    placement : Placement or None
        Where the published value falls among our runs; None where only a spread is published, or the metric is counted.
    effect : Effect or None
        Ours minus theirs with its interval (Welch), where both spreads are known; of what is counted, the difference.
    best_epoch : BestEpoch or None
        Where the source chose its best epoch: what that gains on our validation images.
    """

    match: Match
    ours: Summary
    counts: Counts
    placement: Placement | None
    effect: Effect | None
    best_epoch: BestEpoch | None


def find_matches(plan: Plan, ledger: Mapping[str, Published]) -> list[Match]:
    """Return every published number that a variant of a study has, in the order of variants and of the ledger.

    The levels of all factors of the architecture agree but for the initialisation, which is part of how a network is
    trained: it stands among the differences.
    """
    return [
        Match(variant, published, protocol_diff(plan, variant, published), unstated(published))
        for variant in plan.variants
        for published in ledger.values()
        if matches(plan, variant, published)
    ]


def matches(plan: Plan, variant: str, published: Published) -> bool:
    """Say whether a published number is of a variant's architecture and levels, and of the study's data set."""
    ours, builder = plan.variants[variant], published.entry.architecture.builder
    return (
        plan.source == OURS.sources.get(published.entry.data)
        and plan.study.data.name == published.entry.data
        and builder == ours.builder
        and plan.catalogue.architectures[builder] == OURS.architectures[builder]
        and all(ours.levels[factor] == level for factor, level in published.levels.items())
    )


def compare_published(
    plan: Plan, runs: pd.DataFrame, curves: pd.DataFrame, ledger: Mapping[str, Published]
) -> list[Comparison]:
    """Hold the runs of a study against every published number that its variants have.

    Parameters
    ----------
    plan : Plan
    runs : pandas.DataFrame
        One row per run (`runs.parquet`).
    curves : pandas.DataFrame
        One row per run and epoch (`curves.parquet`).
    ledger : mapping of str to Published
        `ablation.analysis.published.ledger.read_ledger` reads ours.
    """
    by_variant, epochs = dict(tuple(runs.groupby("variant"))), dict(tuple(curves.groupby("variant")))
    return [
        compare(match, by_variant[match.variant], epochs.get(match.variant, curves[:0]))
        for match in find_matches(plan, ledger)
        if match.variant in by_variant and match.published.entry.metric in runs
    ]


def compare(match: Match, runs: pd.DataFrame, curves: pd.DataFrame) -> Comparison:
    """Hold the runs of one variant against one published number."""
    published = match.published
    values = runs[published.entry.metric].to_numpy(dtype=float)
    ours, theirs = summarise(values), Summary(published.runs or 0, published.value, published.sd)
    if OURS.metrics[published.entry.metric].exact:
        difference = ours.mean - theirs.mean  # of what is counted, so the interval is the difference itself
        return Comparison(match, ours, counts(runs), None, Effect(difference, difference, difference, math.nan), None)
    two = not math.isnan(theirs.sd) and not math.isnan(theirs.mean) and min(ours.n, theirs.n) > 1
    return Comparison(
        match,
        ours,
        counts(runs),
        place_published(published, values),
        welch_of_summaries(ours, theirs) if two else None,
        best_epoch(gains_of_runs(runs, curves), values, published) if published.of_best_epoch else None,
    )


def place_published(published: Published, values: np.ndarray) -> Placement | None:
    """Say where a published value falls among runs, (n,), as what it is of its own; None where only a spread is published.

    A median of m runs varies like a mean of about m / `MEDIAN`. Of a value that may be of any runs, one is supposed.
    """
    if math.isnan(published.value):
        return None
    runs = published.runs or 1
    if published.statistic == "best":
        return place_best(published.value, values, runs, OURS.metrics[published.entry.metric].higher_is_better)
    count = {"mean": runs, "median": max(1, runs / MEDIAN)}.get(published.statistic, 1)
    return place(published.value, values, count)
