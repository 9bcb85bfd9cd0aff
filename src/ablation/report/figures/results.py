"""Figures of results. They draw what was estimated elsewhere and aggregate nothing but means and ranges over seeds."""

import math
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ablation.analysis.contrasts import NOT_TESTABLE
from ablation.analysis.failures import NO_RUNS, counts_by_variant, restricted, whole_curves
from ablation.analysis.maineffects import has_many
from ablation.report.figures.panels import MOST_PAIRS, MOST_PANELS, panels_of, plot_means
from ablation.report.figures.style import (
    add_legend,
    labelled,
    make_panels,
    seeds_text,
    variant_colours,
    variant_label,
    variants_of,
)
from ablation.report.figures.summaries import largest_differences, level_means
from ablation.report.inputs import StudyTables
from ablation.report.tables import EFFECT, varied_over
from ablation.support.formatting import count, unit_of_differences

MARKERS = {"completed": "o", "stuck": "X", "diverged": "v", "failed": "x"}  # by status of a run
STATUS_TEXTS = {
    "completed": "completed",
    "stuck": "stuck at chance",
    "diverged": "diverged (at what it is worth)",
    "failed": "failed (no evidence)",
}
BESIDE = 3  # panels of a series in a line
MOST_NAMED = 12  # levels of a series
REASON_WIDTH = 80  # characters of a reason in a figure; the report has all of it


def curves(tables: StudyTables) -> Figure:
    """Draw learning curves, one row per architecture: training loss and `Plan.watched_accuracy` against epochs."""
    plan, panels = tables.plan, panels_of(tables, MOST_PAIRS)
    accuracy = plan.metrics[plan.watched_accuracy]
    rows = whole_curves(plan, tables.curves, tables.runs)
    rows = rows.assign(accuracy=accuracy.scale * rows[plan.watched_accuracy])
    title = f"Learning curves: mean and range over seeds ({seeds_text(tables.runs)})"
    figure, axes = make_panels(len(panels), 2, 0.6 + 2.1 * len(panels), title)
    for (left, right), panel in zip(axes, panels, strict=True):
        for axis, column in ((left, "train_loss"), (right, "accuracy")):
            plot_means(axis, panel, rows, "epoch", column)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
            axis.set_xlabel("epoch" if panel is panels[-1] else "")
        left.set_ylabel("training loss (nats)")
        left.set_ylim(bottom=0)
        right.set_ylabel(accuracy.title)
        left.set_title(panel.title, loc="left", fontweight="bold")
        add_legend(right)
    return figure


def _variant_panels(tables: StudyTables, rows: Mapping[str, Sequence[str]], title: str) -> tuple[Figure, np.ndarray]:
    """Make one panel per architecture with one row per variant, each panel with its own scale.

    Effects on different architectures differ by powers of ten.
    """
    plan, counted = tables.plan, counts_by_variant(tables.runs)
    heights = [len(variants) + 0.6 for variants in rows.values()]
    height = 0.9 + 0.27 * sum(heights) + 0.22 * len(rows)
    figure, axes = make_panels(len(rows), 1, height, title, height_ratios=heights)
    for axis, (architecture, variants) in zip(axes[:, 0], rows.items(), strict=True):
        labels = [labelled(variant_label(plan, one), counted.get(one, NO_RUNS), "\n") for one in variants]
        axis.set_yticks(range(len(variants)), labels)
        axis.set_ylim(len(variants) - 0.4, -0.6)
        axis.set_title(architecture, loc="left", fontweight="bold", pad=3)
        axis.grid(axis="y", visible=False)
    return figure, axes[:, 0]


def _plot_runs(axis: Axes, row: int, values: np.ndarray, statuses: Sequence[str], colour: tuple) -> None:
    """Plot the final values of a variant's runs around a row, with their mean; runs without one stand at the left edge."""
    offsets = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(len(values))
    for value, offset, status in zip(values, offsets, statuses, strict=True):
        if math.isnan(value):
            left_edge = {"clip_on": False, "transform": axis.get_yaxis_transform()}
            axis.plot(0.01, row + offset, MARKERS[status], color=colour, ms=5, **left_edge)
        else:
            axis.plot(value, row + offset, MARKERS[status], color=colour, ms=4.5, mec="white", mew=0.4)
    if np.isfinite(values).any():
        axis.plot([np.nanmean(values)] * 2, [row - 0.36, row + 0.36], color=colour, lw=1.6)


def _scales(panels: Mapping[str, Sequence[str]]) -> str:
    """Say for a title that the scales differ, where there are several."""
    return "; scales differ" if len(panels) > 1 else ""


def final_runs(tables: StudyTables) -> Figure:
    """Draw every run's final value of the first metric by variant, with the mean; failed runs have markers of their own."""
    if has_many(tables.plan):
        return level_means(tables)
    plan, runs = tables.plan, tables.runs
    name = plan.study.metrics[0]
    metric = plan.metrics[name]
    rows = {architecture: variants_of(plan, architecture) for architecture in plan.study.architectures}
    title = f"Every run's {metric.label} ({seeds_text(runs)}; bar: mean{_scales(rows)})"
    figure, axes = _variant_panels(tables, rows, title)
    for axis, variants in zip(axes, rows.values(), strict=True):
        colours = variant_colours(plan, variants)
        for row, variant in enumerate(variants):
            own_runs = runs[runs["variant"] == variant].sort_values("seed")
            values = metric.scale * restricted(plan, own_runs, name).to_numpy()
            _plot_runs(axis, row, values, list(own_runs["status"]), colours[variant])
    axes[-1].set_xlabel(metric.title)
    statuses = set(runs["status"])
    if statuses - {"completed"}:
        handles = [
            mpl.lines.Line2D([], [], ls="", marker=marker, color="0.35", label=STATUS_TEXTS[status])
            for status, marker in MARKERS.items()
            if status in statuses
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=4, frameon=False, fontsize="small")
    return figure


def effects(tables: StudyTables) -> Figure:
    """Draw each variant's effect on the first metric against its baseline, with its 95 % interval.

    One that is not testable leaves a gap that says so, and why.
    """
    if has_many(tables.plan):
        return largest_differences(tables)
    plan = tables.plan
    name = plan.study.metrics[0]
    metric = plan.metrics[name]
    rows = {
        architecture: [variant for variant in variants_of(plan, architecture) if plan.variants[variant].changed]
        for architecture in plan.study.architectures
    }
    rows = {architecture: variants for architecture, variants in rows.items() if variants}
    title = f"Effect on {metric.label} against the baseline ({seeds_text(tables.runs)}{_scales(rows)})"
    figure, axes = _variant_panels(tables, rows, title)
    estimates = metric.scale * tables.comparison.set_index("variant")[[f"{name}_{part}" for part in EFFECT]]
    first = tables.contrasts[tables.contrasts["metric"] == name].set_index(["variant", "reference"])["not_testable"]
    margin = metric.scale * plan.smallest_effect
    for axis, (architecture, variants) in zip(axes, rows.items(), strict=True):
        colours = variant_colours(plan, [architecture, *variants])
        axis.axvspan(-margin, margin, color="0.9", zorder=0)
        axis.axvline(0, color="0.3", lw=0.9, zorder=1)
        for row, variant in enumerate(variants):
            effect, low, high, *ends = estimates.loc[variant]
            if why := first.get((variant, architecture)):
                place = {"transform": axis.get_yaxis_transform(), "va": "center", "fontsize": "small", "color": "0.4"}
                text = textwrap.shorten(f"{NOT_TESTABLE}: {why}", REASON_WIDTH, placeholder=" …")
                axis.text(0.01, row, text, parse_math=False, **place)
            if math.isnan(effect):  # known within bounds alone
                axis.plot(ends, [row, row], "|-", color=colours[variant], lw=4, ms=8)
            axis.plot(effect, row, "o", color=colours[variant], ms=4.5)
            if not math.isnan(low):
                axis.plot([low, high], [row, row], color=colours[variant], lw=1.8)
    points = unit_of_differences(metric.unit)
    axes[-1].set_xlabel(
        f"effect ({points}) with 95 % interval over {varied_over(metric)}\n"
        f"grey: within the smallest effect of interest (±{margin:g})"
    )
    return figure


def series(tables: StudyTables) -> Figure:
    """Draw the first metric against parameters along each numeric factor: every run, the means and their line."""
    plan, runs, comparison = tables.plan, tables.runs, tables.comparison.set_index("variant")
    name = plan.study.metrics[0]
    metric = plan.metrics[name]
    title = f"Against parameters ({seeds_text(runs)}; dots: runs, diamonds: means)"
    chosen = plan.series[:MOST_PANELS]
    columns = min(len(chosen), BESIDE)
    lines = -(-len(chosen) // columns)
    figure, axes = make_panels(lines, columns, 0.2 + 3.0 * lines, title)
    for axis in axes.flat[len(chosen) :]:
        axis.set_axis_off()
    for axis, (architecture, factor, variants) in zip(axes.flat, chosen, strict=False):
        variants = [variant for variant in variants if not math.isnan(comparison.loc[variant, "parameters"])]
        parameters = comparison.loc[variants, "parameters"].to_numpy(dtype=float)
        means = metric.scale * comparison.loc[variants, f"{name}_mean"].to_numpy(dtype=float)
        for variant, size in zip(variants, parameters, strict=True):
            values = metric.scale * restricted(plan, runs[runs["variant"] == variant], name)
            axis.plot([size] * len(values), values, "o", color="#0173b2", alpha=0.45, ms=4, mew=0)
        axis.plot(parameters, means, "-D", color="#de8f05", ms=5, lw=1.4, label="mean")
        step = max(1, -(-len(variants) // MOST_NAMED))
        for variant, size, mean in list(zip(variants, parameters, means, strict=True))[::step]:
            level = plan.variants[variant].levels[factor]
            if math.isnan(mean):  # none of its runs has a value: a gap in the line, named at the edge
                edge = {"xycoords": axis.get_xaxis_transform(), "rotation": 90, "ha": "center", "va": "bottom"}
                axis.annotate(f"{level:g}: no value", (size, 0.02), fontsize="small", color="0.4", **edge)
            else:
                axis.annotate(f"{level:g}", (size, mean), xytext=(6, -11), textcoords="offset points", fontsize="small")
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
        axis.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
        axis.margins(x=0.12)
        axis.set_xticks(parameters[::step], minor=False)
        axis.minorticks_off()
        axis.set(xlabel="parameters", ylabel=metric.title)
        axis.set_title(f"{architecture}: {factor.replace('_', ' ')} (figures at the means)", loc="left")
    return figure
