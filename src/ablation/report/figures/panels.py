"""What the panels of a figure compare: variants one by one or, of a study with many, the levels of factors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from ablation.analysis.failures import NO_RUNS, Counts, counts_by_variant
from ablation.analysis.maineffects import Comparison, has_many, main_effects, ranked
from ablation.report.figures.style import labelled, variant_colours, variant_label, variants_of
from ablation.report.inputs import StudyTables
from ablation.study.plan import Plan
from ablation.support.formatting import plural

# Factors that a figure of a study with many variants shows; the report has a table of them all.
MOST_PANELS, MOST_PAIRS = 12, 6  # in one column, in two
MOST_LEVELS = 10  # of a factor


@dataclass(frozen=True)
class Group:
    """A line of a panel: one variant, or all those at a level that are averaged.

    Attributes
    ----------
    label : str
    variants : tuple of str
    colour : tuple
    reference : bool
        Whether it is the baseline, or its level.
    """

    label: str
    variants: tuple[str, ...]
    colour: tuple
    reference: bool


@dataclass(frozen=True)
class Panel:
    """What one panel, or row of panels, compares.

    Attributes
    ----------
    title, architecture : str
    groups : list of Group
    """

    title: str
    architecture: str
    groups: list[Group]


def panels_of(tables: StudyTables, most: int = MOST_PANELS) -> list[Panel]:
    """Return a panel per architecture with its variants; of a study with many, one per factor with its levels.

    Of many factors, those are taken whose levels differ most, of each architecture as many; of many levels, every n-th.
    """
    plan = tables.plan
    counted = counts_by_variant(tables.runs)
    if not has_many(plan):
        panels = [_of_variants(plan, name, variants_of(plan, name)) for name in plan.study.architectures]
        return [_with_counts(panel, counted) for panel in panels]
    found = ranked(plan, main_effects(plan, tables.runs, plan.study.metrics[0]))
    if found:
        places = first_of_each([one.architecture for one in found], most)
        return [_with_counts(_of_levels(found[place]), counted) for place in places]
    means = tables.comparison.set_index("variant")[f"{plan.study.metrics[0]}_mean"]
    return [_with_counts(_of_extremes(plan, means), counted)]


def _with_counts(panel: Panel, counted: Mapping[str, Counts]) -> Panel:
    """Add to the label of each group how many of its runs failed, diverged or were stuck."""
    totals = [
        Counts(*map(sum, zip(*(counted.get(name, NO_RUNS) for name in group.variants), strict=True)))
        for group in panel.groups
    ]
    groups = [replace(one, label=labelled(one.label, total)) for one, total in zip(panel.groups, totals, strict=True)]
    return replace(panel, groups=groups)


def _of_extremes(plan: Plan, means: pd.Series) -> Panel:
    """Compare the highest and the lowest variants, where no levels of a factor can be compared."""
    order, half = list(means.sort_values(ascending=False).index), MOST_LEVELS // 2
    extremes = [*order[:half], *order[-half:]]
    colours = sns.color_palette("colorblind", len(extremes))
    groups = [Group(name, (name,), colour, False) for name, colour in zip(extremes, colours, strict=True)]
    title = f"the {half} highest and the {half} lowest variants"
    return Panel(title, plan.variants[extremes[0]].architecture, groups)


def first_of_each(architectures: Sequence[str], most: int = MOST_PANELS) -> list[int]:
    """Return the places of the first entries of each architecture, of each as many, as long as there is room."""
    ranks: Counter[str] = Counter()
    places = []
    for place, architecture in enumerate(architectures):
        ranks[architecture] += 1
        places.append((ranks[architecture], place))
    return sorted(place for _, place in sorted(places)[:most])


def _of_variants(plan: Plan, architecture: str, variants: list[str]) -> Panel:
    colours = variant_colours(plan, variants)
    groups = [
        Group(variant_label(plan, variant), (variant,), colours[variant], variant == architecture)
        for variant in variants
    ]
    return Panel(architecture, architecture, groups)


def _of_levels(one: Comparison) -> Panel:
    others = [name for name in one.levels if name != one.reference]
    step = -(-len(others) // (MOST_LEVELS - 1))
    chosen = others[::step] if step > 1 else others
    left_out = len(one.left_out) + len(others) - len(chosen)
    numeric = len(chosen) > 2 and all(_is_number(name) for name in chosen)
    palette = sns.color_palette("viridis_r" if numeric else "colorblind", len(chosen))
    groups = [Group(one.reference.replace("_", " "), tuple(one.levels[one.reference]), (0, 0, 0), True)]
    for colour, name in zip(palette, chosen, strict=True):
        groups.append(Group(name.replace("_", " "), tuple(one.levels[name]), colour, False))
    title = f"{one.architecture}: {one.factor.replace('_', ' ')}, over {plural(one.settings, 'setting')} of the others"
    title += f" (without {plural(left_out, 'level')})" if left_out else ""
    return Panel(title, one.architecture, groups)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def average(panel: Panel, rows: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Average the column `y` of `rows` over the variants of each group, by seed and by `x`.

    Returns
    -------
    pandas.DataFrame
        Columns ``group`` (its place in the panel), ``seed``, `x` and `y`.
    """
    groups = {variant: place for place, group in enumerate(panel.groups) for variant in group.variants}
    own_rows = rows[rows["variant"].isin(list(groups))]
    group = own_rows["variant"].map(groups).astype(int).rename("group")
    return own_rows.groupby([group, "seed", x])[y].mean().reset_index()


def plot_means(axis: Axes, panel: Panel, rows: pd.DataFrame, x: str, y: str, **markers: Any) -> None:
    """Plot the columns `x` and `y` of `rows`, one line per group: the mean over seeds, in a band from lowest to highest.

    Other arguments are passed to `matplotlib.axes.Axes.plot`.
    """
    averages = average(panel, rows, x, y)
    for place, group in enumerate(panel.groups):
        values = averages[averages["group"] == place].groupby(x)[y]
        means = values.mean()
        axis.plot(
            means.index,
            means,
            color=group.colour,
            lw=1.8 if group.reference else 1.3,
            ls="-" if group.reference else (0, (4, 1)),
            label=group.label,
            zorder=3 if group.reference else 2,
            **markers,
        )
        axis.fill_between(means.index, values.min(), values.max(), color=group.colour, alpha=0.15, lw=0)
