"""How well each variant knows each class: the mean accuracy over seeds, variants by classes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from ablation.analysis.failures import NO_RUNS, counts_by_variant
from ablation.analysis.maineffects import comparisons, has_many
from ablation.report.tables import number_text
from ablation.study.plan import Plan

COLUMNS = 12  # classes that a page has room for
DARKEST = 0.55  # opacity of the shade of an accuracy of zero


class Cell(NamedTuple):
    """An accuracy as text, and the opacity of its shade: the lower, the darker."""

    text: str
    shade: float


@dataclass(frozen=True)
class ClassTable:
    """The table of accuracies by class.

    Attributes
    ----------
    classes : list of str
        The headings: all classes, or the `COLUMNS` with the lowest mean over the variants, the lowest first.
    rows : dict of str to list of Cell
        By variant, in the study's order; of a study with many, by level of each factor.
    left_out : int
        How many classes are not shown.
    counts : dict of str to tuple
        By the same keys as `rows`: how many runs have predictions, how many diverged, and how many were stuck.
    """

    classes: list[str]
    rows: dict[str, list[Cell]]
    left_out: int
    counts: dict[str, tuple[int, int, int]]


def class_table(plan: Plan, classes: pd.DataFrame, runs: pd.DataFrame) -> ClassTable | None:
    """Average `classes.parquet` over seeds, given `runs.parquet`; None where no run has predictions, or nothing to show."""
    if classes.empty:
        return None
    names = list(dict.fromkeys(classes["class"]))
    means = classes.pivot_table("accuracy", "variant", "class", "mean").reindex(list(plan.variants), columns=names)
    shown = names if len(names) <= COLUMNS else list(means.mean().sort_values(kind="stable").index[:COLUMNS])
    variants = {variant: [variant] for variant in plan.variants}
    if has_many(plan):
        variants = _levels(plan)
        means = pd.DataFrame({level: means.loc[own].mean() for level, own in variants.items()}).T.reindex(columns=names)
        if means.empty:
            return None
    values = dict(zip(means.index, means[shown].to_numpy(), strict=True))
    rows = {name: [cell(plan, value) for value in row] for name, row in values.items()}
    return ClassTable(shown, rows, len(names) - len(shown), _counts(classes, runs, variants))


def _levels(plan: Plan) -> dict[str, list[str]]:
    """Name the variants at each level of each factor, over the settings that the levels have in common."""
    return {
        f"{one.architecture}: {one.factor} {level}".replace("_", " "): variants
        for one in comparisons(plan)
        for level, variants in one.levels.items()
    }


def _counts(
    classes: pd.DataFrame, runs: pd.DataFrame, variants: Mapping[str, Sequence[str]]
) -> dict[str, tuple[int, int, int]]:
    """Count for each row, given its variants, the runs with predictions, and those that diverged or were stuck."""
    predicted, counted = classes.groupby("variant")["seed"].nunique(), counts_by_variant(runs)
    found = {}
    for name, own in variants.items():
        known = [counted.get(variant, NO_RUNS) for variant in own]
        n = int(predicted.reindex(own, fill_value=0).sum())
        found[name] = (n, sum(one.diverged for one in known), sum(one.stuck for one in known))
    return found


def cell(plan: Plan, accuracy: float) -> Cell:
    """Write a mean accuracy with its shade; a dash where no run has a value."""
    shade = 0.0 if math.isnan(accuracy) else DARKEST * (1 - accuracy)
    return Cell(number_text(accuracy, plan.metrics["test_accuracy"]), round(shade, 3))
