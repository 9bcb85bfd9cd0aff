"""Figures of a study with many variants: the mean at each level of a factor, and the largest differences by factor."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.analysis.failures import restricted
from ablation.report.figures.panels import Panel, average, first_of_each, panels_of
from ablation.report.figures.style import make_panels, seeds_text
from ablation.report.inputs import StudyTables
from ablation.report.tables import varied_over
from ablation.study.levels import level_text
from ablation.study.plan import Plan
from ablation.support.formatting import unit_of_differences

LARGEST = 3  # differences of each factor
SETTING = 105  # characters of the setting of the other factors


def _rows_of_panels(heights: Sequence[int], row: float, title: str) -> tuple[Figure, np.ndarray]:
    """Make panels below each other, of as many rows each, a row as many inches high."""
    figure, axes = make_panels(
        max(len(heights), 1),
        1,
        1.0 + sum(row * height + 0.42 for height in heights),
        title,
        height_ratios=[row * height + 0.2 for height in heights] or [1],
    )
    for axis, height in zip(axes[:, 0], heights, strict=False):
        axis.set_ylim(height - 0.4, -0.6)
        axis.grid(axis="y", visible=False)
    return figure, axes[:, 0]


def _share_limits(panels: Sequence[Panel], axes: Sequence[Axes]) -> None:
    """Give the panels of an architecture one scale, so that its factors can be compared."""
    for architecture in {panel.architecture for panel in panels}:
        own = [axis for panel, axis in zip(panels, axes, strict=True) if panel.architecture == architecture]
        limits = np.array([axis.get_xlim() for axis in own])
        for axis in own:
            axis.set_xlim(limits[:, 0].min(), limits[:, 1].max())


def level_means(tables: StudyTables) -> Figure:
    """Draw the first metric at each level of each factor: a dot per seed, which is a mean over variants, and their mean."""
    plan, panels = tables.plan, panels_of(tables)
    name = plan.study.metrics[0]
    metric = plan.metrics[name]
    title = f"Mean {metric.label} at each level ({seeds_text(tables.runs)}; dots: seeds, bar: mean)"
    figure, axes = _rows_of_panels([len(panel.groups) for panel in panels], 0.25, title)
    for panel, axis in zip(panels, axes, strict=True):
        ends = metric.scale * restricted(plan, tables.runs, name)
        values = average(panel, tables.runs.assign(all=0, value=ends), "all", "value")
        for row, group in enumerate(panel.groups):
            own = values.loc[values["group"] == row, "value"].dropna()
            offsets = np.linspace(-0.22, 0.22, len(own)) if len(own) > 1 else np.zeros(len(own))
            axis.plot(own, row + offsets, "o", color=group.colour, ms=4, mec="white", mew=0.4)
            axis.plot([own.mean()] * 2, [row - 0.36, row + 0.36], color=group.colour, lw=1.6)
        axis.set_yticks(range(len(panel.groups)), [group.label for group in panel.groups])
        axis.set_title(panel.title, loc="left", fontweight="bold", fontsize="medium", pad=3)
    _share_limits(panels, axes)
    axes[-1].set_xlabel(metric.title)
    return figure


def differences_by_factor(plan: Plan, contrasts: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Choose the contrasts of a single factor with the largest effects on the first metric, of those with an interval.

    Returns
    -------
    list of (str, str, pandas.DataFrame)
        Architecture, factor and rows of `contrasts`, the largest effect first; factors in the order of their largest.
    """
    rows = contrasts[(contrasts["metric"] == plan.study.metrics[0]) & contrasts["low"].notna()]
    # A change of one factor alone, and not against a control of another size.
    rows = rows[~rows["factors"].str.contains(" ") & (rows["matched"] == "")]
    rows = rows.assign(
        size=rows["effect"].abs(), architecture=[plan.variants[variant].architecture for variant in rows["variant"]]
    ).sort_values("size", ascending=False, kind="stable")
    found = []
    for architecture in plan.study.architectures:
        for factor, own in rows[rows["architecture"] == architecture].groupby("factors", sort=False):
            found.append((architecture, factor, own.head(LARGEST)))
    return found


def largest_differences(tables: StudyTables) -> Figure:
    """Draw for each factor the largest effects that a change of it alone has, with the setting in which it has them."""
    plan = tables.plan
    metric = plan.metrics[plan.study.metrics[0]]
    found = differences_by_factor(plan, tables.contrasts)
    found = [found[place] for place in first_of_each([architecture for architecture, *_ in found])]
    title = f"The largest differences in {metric.label} by a change of one factor ({seeds_text(tables.runs)})"
    figure, axes = _rows_of_panels([len(rows) for *_, rows in found], 0.42, title)
    margin = metric.scale * plan.smallest_effect
    for (architecture, factor, rows), axis in zip(found, axes, strict=False):
        axis.axvspan(-margin, margin, color="0.9", zorder=0)
        axis.axvline(0, color="0.3", lw=0.9, zorder=1)
        labels = [_draw_difference(axis, plan, place, row) for place, row in enumerate(rows.itertuples())]
        axis.set_yticks(range(len(labels)), labels)
        title = f"{architecture}: {factor.replace('_', ' ')}"
        axis.set_title(title, loc="left", fontweight="bold", fontsize="medium", pad=3)
    if not found:
        axes[0].set_axis_off()
        axes[0].text(0, 0, "no two variants differ in one factor alone", color="0.4")
    points = unit_of_differences(metric.unit)
    effect = f"effect ({points}) with 95 % interval over {varied_over(metric)}"
    axes[-1].set_xlabel(f"{effect}\ngrey: within the smallest effect of interest (±{margin:g})")
    return figure


def _draw_difference(axis: Axes, plan: Plan, place: int, row: Any) -> str:
    """Draw an effect with its interval and, above them, the setting of the other factors; return the two levels."""
    scale = plan.metrics[plan.study.metrics[0]].scale
    colour = "#0173b2" if row.effect > 0 else "#de8f05"
    axis.plot(scale * row.effect, place, "o", color=colour, ms=4.5)
    axis.plot([scale * row.low, scale * row.high], [place, place], color=colour, lw=1.8)
    variant, reference = plan.variants[row.variant], plan.variants[row.reference]
    others = {name: level for name, level in variant.changed.items() if name != row.factors}
    setting = ", ".join(f"{name} {level_text(level)}".replace("_", " ") for name, level in others.items())
    failed = [f"{row.diverged_variant} + {row.diverged_reference} diverged"] * bool(
        row.diverged_variant + row.diverged_reference
    )
    failed += [f"{row.stuck_variant} + {row.stuck_reference} stuck"] * bool(row.stuck_variant + row.stuck_reference)
    counts = f"n = {row.n_variant} + {row.n_reference}" + "".join(f", {text}" for text in failed)
    where = textwrap.shorten(f"at {setting}" if setting else "at the baseline", SETTING - len(counts), placeholder=" …")
    text = f"{where} ({counts})"
    at = {"transform": axis.get_yaxis_transform(), "fontsize": 6.5, "color": "0.35", "va": "bottom"}
    axis.text(0.005, place - 0.17, text, parse_math=False, **at)
    return " − ".join(level_text(one.levels[row.factors]).replace("_", " ") for one in (variant, reference))
