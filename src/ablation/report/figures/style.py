"""What figures share: their width and look, the names and colours of variants."""

import textwrap
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.analysis.failures import Counts, counts
from ablation.study.levels import level_text
from ablation.study.plan import Plan

WIDTH = 7.5  # inches: a page between its margins
TITLE = 90  # characters of a title that fit into it

mpl.rcParams["svg.fonttype"] = "path"  # the page must look alike where the font is missing
mpl.rcParams["svg.hashsalt"] = "ablation"  # the same data give the same file


def set_style() -> None:
    """Set the look that all figures share."""
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind", font_scale=0.95)


def make_panels(rows: int, columns: int, height: float, title: str, **options: Any) -> tuple[Figure, np.ndarray]:
    """Make a figure of panels, `height` inches high.

    Other arguments are passed to `matplotlib.figure.Figure.subplots`. Figures are made without pyplot, which would keep
    every one of them open.
    """
    set_style()
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, **options)
    figure.suptitle(textwrap.fill(title, TITLE), x=0.01, ha="left")
    return figure, panels


def variants_of(plan: Plan, architecture: str) -> list[str]:
    """List the variants of an architecture, its baseline first."""
    return [variant.id for variant in plan.variants.values() if variant.architecture == architecture]


def variant_label(plan: Plan, variant: str) -> str:
    """Name a variant within its architecture: what it changes of the baseline."""
    changed, named = plan.variants[variant].changed, plan.variants[variant].named
    parts = [f"{factor} {level_text(level)}".replace("_", " ") for factor, level in changed.items()]
    reasons = [f" ({named[factor].replace('_of_', ' of ')})" if factor in named else "" for factor in changed]
    return ", ".join(part + reason for part, reason in zip(parts, reasons, strict=True)) or "baseline"


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


def seeds_text(runs: pd.DataFrame) -> str:
    """Say how many seeds the variants have, and how many of all runs failed, diverged or were stuck."""
    sizes = runs.groupby("variant").size()
    low, high = sizes.min(), sizes.max()
    seeds = f"n = {low} seeds" if low == high else f"n = {low} to {high} seeds"
    return f"{seeds}; {failed_text(counts(runs)) or 'no run diverged or was stuck'}"


def failed_text(found: Counts) -> str:
    """Say how many of some runs failed, diverged or were stuck; empty if none."""
    some = {status: number for status, number in found._asdict().items() if status != "runs" and number}
    texts = [f"{number} {status}" for status, number in some.items()]
    return f"{', '.join(texts)} of {found.runs}" if texts else ""


def labelled(label: str, found: Counts, gap: str = " ") -> str:
    """Add to a label how many of its runs failed, diverged or were stuck, if some did."""
    text = failed_text(found)
    return f"{label}{gap}({text})" if text else label


def add_legend(axis: Axes) -> None:
    """Put the legend of a row of panels beside its last one."""
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small", handlelength=2.4)
