"""Main effects of a study with many variants: the mean at each level of a factor, over the levels of the others.

They describe and test nothing. The levels of a factor are compared over the same settings of all other factors: those that
the study has with every level. So a factor's means differ by the factor alone, also where the grid is no full factorial.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ablation.analysis.failures import NO_RUNS, Counts, counts_by_variant, restricted
from ablation.study.levels import level_text
from ablation.study.plan import Plan
from ablation.study.resolution import Variant

MANY = 40  # variants beyond which tables and figures show main effects, for nobody reads so many lines


def has_many(plan: Plan) -> bool:
    """Say whether a study has too many variants to show each in every table and figure."""
    return len(plan.variants) > MANY


@dataclass(frozen=True)
class Comparison:
    """The levels of a factor of an architecture that can be compared over the same settings of the other factors.

    Attributes
    ----------
    architecture, factor : str
    reference : str
        The baseline's level.
    levels : dict of str to list of str
        The variants of each level, the reference first, else in the order of numbers or of the study; at the same place
        of each list stands the same setting of the other factors.
    left_out : list of str
        Levels that share no setting with the others.
    """

    architecture: str
    factor: str
    reference: str
    levels: dict[str, list[str]]
    left_out: list[str]

    @property
    def settings(self) -> int:
        """How many settings of the other factors each level is averaged over."""
        return len(self.levels[self.reference])


class LevelMean(NamedTuple):
    """A row of the table of main effects; its fields are the columns.

    ``mean`` is over seeds, of the means over a level's variants; ``sd`` is their standard deviation over seeds;
    ``difference`` is the mean minus that of the reference level; ``runs`` are all runs at the level, and ``n`` those with
    a value; ``failed``, ``diverged`` and ``stuck`` count those that did.
    """

    architecture: str
    factor: str
    level: str
    reference: bool
    settings: int
    runs: int
    failed: int
    diverged: int
    stuck: int
    n: int
    mean: float
    sd: float
    difference: float


def comparisons(plan: Plan) -> list[Comparison]:
    """List for each architecture its factors whose levels can be compared, in the study's order."""
    found = []
    for architecture in plan.study.architectures:
        variants = [v for v in plan.variants.values() if v.architecture == architecture and not v.control]
        for factor in dict.fromkeys(factor for variant in variants for factor in variant.changed):
            comparison = _compare(variants, architecture, factor)
            if comparison:
                found.append(comparison)
    return found


def _compare(variants: list[Variant], architecture: str, factor: str) -> Comparison | None:
    """Compare the levels of a factor; None if no two of them share a setting of the other factors."""
    by_level: dict[str, dict[tuple, str]] = {}
    values = {}
    for variant in variants:
        setting = tuple((name, level_text(level)) for name, level in variant.changed.items() if name != factor)
        level = level_text(variant.levels[factor])
        by_level.setdefault(level, {})[setting] = variant.id
        values[level] = variant.levels[factor]
    reference = level_text(next(v for v in variants if not v.changed).levels[factor])
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values())
    names = sorted(by_level, key=values.__getitem__) if numeric else list(by_level)
    kept = [reference, *(name for name in names if name != reference)]
    shared = _shared(by_level, kept)
    while not shared and len(kept) > 2:  # without the level that is there with the fewest settings
        kept.remove(min(kept[1:], key=lambda name: len(by_level[name])))
        shared = _shared(by_level, kept)
    if not shared or len(kept) < 2:
        return None
    settings = [setting for setting in by_level[reference] if setting in shared]
    levels = {name: [by_level[name][setting] for setting in settings] for name in kept}
    return Comparison(architecture, factor, reference, levels, [name for name in names if name not in kept])


def _shared(by_level: Mapping[str, Mapping[tuple, str]], names: list[str]) -> set[tuple]:
    return set.intersection(*(set(by_level[name]) for name in names))


def main_effects(plan: Plan, runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Average a metric at each level of each factor.

    Parameters
    ----------
    plan : Plan
    runs : pandas.DataFrame
        One row per run (`runs.parquet`).
    metric : str

    Returns
    -------
    pandas.DataFrame
        One `LevelMean` per level, in recorded units; of each architecture, the factor whose levels differ most comes first.
        Runs that diverged count with what they are worth; runs without a value are left out of the means and counted.
    """
    values = runs.assign(value=restricted(plan, runs, metric)).pivot_table("value", "variant", "seed", dropna=False)
    values = values.reindex(list(plan.variants)).astype(float)
    places = {variant: place for place, variant in enumerate(values.index)}
    table, counted = values.to_numpy(), counts_by_variant(runs)
    rows = []
    for one in comparisons(plan):
        own_rows = []
        for level, variants in one.levels.items():
            own = table[[places[variant] for variant in variants]]
            seeds = pd.DataFrame(own).mean()  # over variants, by seed, of those with a value
            mean = float(seeds.mean())
            own_counts = [counted.get(variant, NO_RUNS) for variant in variants]
            own_rows.append(
                LevelMean(
                    *(one.architecture, one.factor, level, level == one.reference, one.settings),
                    **dict(zip(Counts._fields, map(sum, zip(*own_counts, strict=True)), strict=True)),
                    n=int(np.isfinite(own).sum()),
                    mean=mean,
                    sd=float(seeds.std()),
                    difference=mean - (own_rows[0].mean if own_rows else mean),
                )
            )
        rows.append(own_rows)
    order = {name: place for place, name in enumerate(plan.study.architectures)}
    rows.sort(key=lambda own_rows: (order[own_rows[0].architecture], -_spread(own_rows)))
    return pd.DataFrame([row for own_rows in rows for row in own_rows], columns=LevelMean._fields)


def _spread(rows: list[LevelMean]) -> float:
    """Return how far the means of levels lie apart; nothing where none has a value."""
    means = [row.mean for row in rows if np.isfinite(row.mean)]
    return max(means) - min(means) if means else 0.0


def ranked(plan: Plan, effects: pd.DataFrame) -> list[Comparison]:
    """Return the comparisons in the order of a table of main effects."""
    places = {pair: place for place, pair in enumerate(zip(effects["architecture"], effects["factor"], strict=True))}
    return sorted(comparisons(plan), key=lambda one: places[one.architecture, one.factor])
