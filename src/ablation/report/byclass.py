"""How well each variant knows each class: the mean accuracy over seeds, variants by classes."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

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
    """

    classes: list[str]
    rows: dict[str, list[Cell]]
    left_out: int


def class_table(plan: Plan, classes: pd.DataFrame) -> ClassTable | None:
    """Average `classes.parquet` over seeds; None where no run has predictions, or nothing to show."""
    if classes.empty:
        return None
    names = list(dict.fromkeys(classes["class"]))
    means = classes.pivot_table("accuracy", "variant", "class", "mean").reindex(list(plan.variants), columns=names)
    shown = names if len(names) <= COLUMNS else list(means.mean().sort_values(kind="stable").index[:COLUMNS])
    if has_many(plan):
        means = _by_level(plan, means)
        if means.empty:
            return None
    values = dict(zip(means.index, means[shown].to_numpy(), strict=True))
    return ClassTable(
        shown, {name: [cell(plan, value) for value in row] for name, row in values.items()}, len(names) - len(shown)
    )


def _by_level(plan: Plan, means: pd.DataFrame) -> pd.DataFrame:
    """Average the rows of variants at each level of each factor, over the settings that the levels have in common."""
    rows = {
        f"{one.architecture}: {one.factor} {level}".replace("_", " "): means.loc[variants].mean()
        for one in comparisons(plan)
        for level, variants in one.levels.items()
    }
    return pd.DataFrame(rows).T.reindex(columns=means.columns)


def cell(plan: Plan, accuracy: float) -> Cell:
    """Write a mean accuracy with its shade; a dash where no run has a value."""
    shade = 0.0 if math.isnan(accuracy) else DARKEST * (1 - accuracy)
    return Cell(number_text(accuracy, plan.metrics["test_accuracy"]), round(shade, 3))
