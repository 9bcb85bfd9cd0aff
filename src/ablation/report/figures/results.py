"""Figures of a study. They draw what was estimated elsewhere and aggregate nothing but bands."""

import math
from collections.abc import Callable

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ablation.catalogue.metrics import METRICS
from ablation.study.levels import level_text
from ablation.study.plan import Plan
from ablation.support.formatting import count as count_text

WIDTH = 7.5  # inches: a page between its margins
MARKED = {"stuck": "X", "diverged": "v"}

mpl.rcParams["svg.fonttype"] = "path"  # the page must look alike where the font is missing
mpl.rcParams["svg.hashsalt"] = "ablation"  # the same data give the same file


def set_style() -> None:
    """Set the look that all figures share."""
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind", font_scale=0.95)


def variant_label(plan: Plan, variant: str) -> str:
    """Name a variant within its architecture: what it changes of the baseline."""
    changed, named = plan.variants[variant].changed, plan.variants[variant].named
    parts = [f"{factor} {level_text(level)}".replace("_", " ") for factor, level in changed.items()]
    reasons = [f" ({named[factor].replace('_of_', ' of ')})" if factor in named else "" for factor in changed]
    return ", ".join(part + reason for part, reason in zip(parts, reasons, strict=True)) or "baseline"


def _seeds(runs: pd.DataFrame) -> str:
    counts = runs.groupby("variant").size()
    low, high = counts.min(), counts.max()
    return f"n = {low} seeds" if low == high else f"n = {low} to {high} seeds"


def variant_colours(plan: Plan, variants: list[str]) -> dict[str, tuple]:
    """Give the baseline black, and each variant a colour of its own; the levels of a number go from light to dark."""
    changed = [variant for variant in variants if plan.variants[variant].changed]
    factors = {tuple(plan.variants[variant].changed) for variant in changed}
    numeric = (
        len(changed) > 2
        and len(factors) == 1
        and all(
            isinstance(level, int | float) and not isinstance(level, bool)
            for variant in changed
            for level in plan.variants[variant].changed.values()
        )
    )
    palette = sns.color_palette("viridis_r" if numeric else "colorblind", len(changed))
    return {
        **{variant: (0, 0, 0) for variant in variants if variant not in changed},
        **dict(zip(changed, palette, strict=True)),
    }


def curves(plan: Plan, runs: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    """Draw learning curves: a row an architecture, training loss and `Plan.watched_accuracy` against epochs."""
    set_style()
    accuracy = METRICS[plan.watched_accuracy]
    architectures = list(plan.study.architectures)
    figure, axes = plt.subplots(
        len(architectures), 2, figsize=(WIDTH, 0.6 + 2.1 * len(architectures)), squeeze=False, layout="constrained"
    )
    for (left, right), architecture in zip(axes, architectures, strict=True):
        variants = [v.id for v in plan.variants.values() if v.architecture == architecture]
        colours = variant_colours(plan, variants)
        mine = rows[rows["variant"].isin(variants)].assign(accuracy=accuracy.scale * rows[plan.watched_accuracy])
        for axis, column in ((left, "train_loss"), (right, "accuracy")):
            for variant in variants:
                one = mine[mine["variant"] == variant].groupby("epoch")[column]
                middle, low, high = one.mean(), one.min(), one.max()
                baseline = variant == architecture
                axis.plot(
                    middle.index,
                    middle,
                    color=colours[variant],
                    lw=1.8 if baseline else 1.3,
                    ls="-" if baseline else (0, (4, 1)),
                    label=variant_label(plan, variant),
                    zorder=3 if baseline else 2,
                )
                axis.fill_between(middle.index, low, high, color=colours[variant], alpha=0.15, lw=0)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
            axis.set_xlabel("epoch" if architecture == architectures[-1] else "")
        left.set_ylabel("training loss (nats)")
        left.set_ylim(bottom=0)
        right.set_ylabel(accuracy.title)
        left.set_title(architecture, loc="left", fontweight="bold")
        right.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small", handlelength=2.4)
    figure.suptitle(f"Learning curves: mean and range over seeds ({_seeds(runs)})", x=0.01, ha="left")
    return figure


def run_curves(title: str, rows: list[dict]) -> Figure:
    """Draw the curves of one run, without touching the figures of anybody else."""
    figure = Figure(figsize=(6, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    for part, colour in (("train", "#0173b2"), ("validation", "#de8f05")):
        if all(row[f"{part}_accuracy"] is None for row in rows):
            continue  # a study without validation images
        left.plot(
            epochs,
            [row[f"{part}_loss"] if row[f"{part}_loss"] is not None else math.nan for row in rows],
            color=colour,
            label=part,
        )
        right.plot(epochs, [100 * row[f"{part}_accuracy"] for row in rows], color=colour, label=part)
    left.set(xlabel="epoch", ylabel="loss (nats)")
    right.set(xlabel="epoch", ylabel="accuracy (%)")
    right.legend(frameon=False)
    for axis in (left, right):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    figure.suptitle(title, fontsize="medium")
    return figure


def _by_architecture(plan: Plan, rows: dict[str, list[str]], title: str) -> tuple[Figure, np.ndarray]:
    """Make a panel an architecture, as high as it has rows, each with its own scale: effects differ by powers of ten."""
    set_style()
    heights = [len(names) + 0.6 for names in rows.values()]
    figure, axes = plt.subplots(
        len(rows),
        1,
        figsize=(WIDTH, 0.9 + 0.27 * sum(heights) + 0.22 * len(rows)),
        squeeze=False,
        layout="constrained",
        gridspec_kw={"height_ratios": heights},
    )
    for axis, (architecture, names) in zip(axes[:, 0], rows.items(), strict=True):
        axis.set_yticks(range(len(names)), [variant_label(plan, name) for name in names])
        axis.set_ylim(len(names) - 0.4, -0.6)
        axis.set_title(architecture, loc="left", fontweight="bold", pad=3)
        axis.grid(axis="y", visible=False)
    figure.suptitle(title, x=0.01, ha="left")
    return figure, axes[:, 0]


def final_runs(plan: Plan, runs: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw every run's final value of the first metric by variant, with the mean; failed runs have marks of their own."""
    name = plan.study.metrics[0]
    metric = METRICS[name]
    rows = {a: [v.id for v in plan.variants.values() if v.architecture == a] for a in plan.study.architectures}
    figure, axes = _by_architecture(
        plan, rows, f"Every run's {metric.label} ({_seeds(runs)}; bar: mean; scales differ)"
    )
    seen = set()
    for axis, variants in zip(axes, rows.values(), strict=True):
        colours = variant_colours(plan, variants)
        for place, variant in enumerate(variants):
            mine = runs[runs["variant"] == variant].sort_values("seed")
            offsets = np.linspace(-0.22, 0.22, len(mine)) if len(mine) > 1 else np.zeros(len(mine))
            values = metric.scale * mine[name].to_numpy(dtype=float)
            for value, offset, status in zip(values, offsets, mine["status"], strict=True):
                seen.add(status)
                if math.isnan(value):
                    axis.plot(
                        0.01,
                        place + offset,
                        MARKED["diverged"],
                        color=colours[variant],
                        ms=5,
                        clip_on=False,
                        transform=axis.get_yaxis_transform(),
                    )
                else:
                    axis.plot(
                        value,
                        place + offset,
                        MARKED.get(status, "o"),
                        color=colours[variant],
                        ms=4.5,
                        mec="white",
                        mew=0.4,
                    )
            if np.isfinite(values).any():
                axis.plot([np.nanmean(values)] * 2, [place - 0.36, place + 0.36], color=colours[variant], lw=1.6)
    axes[-1].set_xlabel(metric.title)
    marks = {"completed": "o", **MARKED}
    names = {"completed": "completed", "stuck": "stuck at chance", "diverged": "diverged (no value)"}
    if seen - {"completed"}:
        handles = [
            mpl.lines.Line2D([], [], ls="", marker=marks[s], color="0.35", label=names[s]) for s in marks if s in seen
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False, fontsize="small")
    return figure


def effects(plan: Plan, runs: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw each variant's effect on the first metric against its baseline, with the 95 % interval over seeds."""
    name = plan.study.metrics[0]
    metric = METRICS[name]
    rows = {
        a: [v.id for v in plan.variants.values() if v.architecture == a and v.changed] for a in plan.study.architectures
    }
    rows = {architecture: variants for architecture, variants in rows.items() if variants}
    unit = "points" if metric.unit == "%" else metric.unit
    figure, axes = _by_architecture(
        plan, rows, f"Effect on {metric.label} against the baseline ({_seeds(runs)}; scales differ)"
    )
    by_variant = table.set_index("variant")
    margin = metric.scale * plan.study.smallest_effect
    for axis, (architecture, variants) in zip(axes, rows.items(), strict=True):
        colours = variant_colours(plan, [architecture, *variants])
        axis.axvspan(-margin, margin, color="0.9", zorder=0)
        axis.axvline(0, color="0.3", lw=0.9, zorder=1)
        for place, variant in enumerate(variants):
            effect, low, high = (
                metric.scale * by_variant.loc[variant, f"{name}_{p}"] for p in ("effect", "low", "high")
            )
            axis.plot(effect, place, "o", color=colours[variant], ms=4.5)
            if not math.isnan(low):
                axis.plot([low, high], [place, place], color=colours[variant], lw=1.8)
    axes[-1].set_xlabel(
        f"effect ({unit}) with 95 % interval over seeds\ngrey: within the smallest effect of interest (±{margin:g})"
    )
    return figure


def series(plan: Plan, runs: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw the first metric against parameters along each numeric factor: every run, the means and their line."""
    set_style()
    name = plan.study.metrics[0]
    metric = METRICS[name]
    found = plan.series
    figure, axes = plt.subplots(1, len(found), figsize=(WIDTH, 3.2), squeeze=False, layout="constrained")
    by_variant = table.set_index("variant")
    for axis, (architecture, factor, variants) in zip(axes[0], found, strict=True):
        parameters = by_variant.loc[variants, "parameters"].to_numpy(dtype=float)
        means = metric.scale * by_variant.loc[variants, f"{name}_mean"].to_numpy(dtype=float)
        for variant, count in zip(variants, parameters, strict=True):
            values = metric.scale * runs.loc[runs["variant"] == variant, name].astype(float)
            axis.plot([count] * len(values), values, "o", color="#0173b2", alpha=0.45, ms=4, mew=0)
        axis.plot(parameters, means, "-D", color="#de8f05", ms=5, lw=1.4, label="mean")
        for variant, count, mean in zip(variants, parameters, means, strict=True):
            level = plan.variants[variant].levels[factor]
            axis.annotate(f"{level:g}", (count, mean), xytext=(6, -11), textcoords="offset points", fontsize="small")
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count_text(value)))
        axis.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
        axis.margins(x=0.12)
        axis.set_xticks(parameters, minor=False)
        axis.minorticks_off()
        axis.set(xlabel="parameters", ylabel=metric.title)
        axis.set_title(f"{architecture}: {factor.replace('_', ' ')} (figures at the means)", loc="left")
    figure.suptitle(f"Against parameters ({_seeds(runs)}; dots: runs, diamonds: means)", x=0.01, ha="left")
    return figure


# What `ablation.study.plan.Plan.figures` lists, and who draws it from the plan, the runs and the comparison.
DRAW: dict[str, Callable[[Plan, pd.DataFrame, pd.DataFrame], Figure]] = {
    "runs": final_runs,
    "effects": effects,
    "series": series,
}
