"""Figures of times: how many runs have not reached the threshold yet, by epoch."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ablation.analysis.failures import horizon
from ablation.records.store import FAILED
from ablation.report.figures.panels import MOST_PANELS, Group, panels_of
from ablation.report.figures.style import add_legend, make_panels, seeds_text
from ablation.report.inputs import StudyTables
from ablation.statistics.survival import Curve, kaplan_meier, until

METRIC = "epochs_to_threshold"
APART = 4.0  # percent, over which curves that would cover each other are spread
MOST_BANDS = 3  # groups of a panel whose intervals can be told apart


def curve_of(tables: StudyTables, group: Group) -> Curve | None:
    """Estimate the curve of a group's runs; None if all of them failed by an error, which are no evidence."""
    runs = tables.runs
    own = runs[runs["variant"].isin(group.variants) & (runs["status"] != FAILED)]
    if own.empty:
        return None
    times = own[METRIC].to_numpy(dtype=float)
    return kaplan_meier(until(np.where(np.isnan(times), np.inf, times), horizon(tables.plan, *group.variants)))


def _draw(axis: Axes, curve: Curve, group: Group, last: float, lower: float, has_band: bool) -> None:
    """Draw a curve to the last epoch as steps, a little lower, so that those with the same values can be told apart."""
    times, share, low, high = (
        np.append(column, column[-1]) for column in (curve.times, curve.share, curve.low, curve.high)
    )
    times[-1] = last
    style = {"lw": 2.0, "ls": "-"} if group.reference else {"lw": 1.5, "ls": (0, (4, 1))}
    axis.step(times, 100 * share - lower, where="post", color=group.colour, label=group.label, **style)
    if has_band:
        axis.fill_between(times, 100 * low, 100 * high, step="post", color=group.colour, alpha=0.12, lw=0)


def epochs_to_threshold(tables: StudyTables) -> Figure:
    """Draw, by epoch, the share of runs that have not reached the threshold of training accuracy (Kaplan and Meier)."""
    plan, panels = tables.plan, panels_of(tables, MOST_PANELS)
    threshold = f"{100 * plan.study.threshold:g} % training accuracy"
    title = f"Runs that have not reached {threshold} ({seeds_text(tables.runs)})"
    figure, axes = make_panels(len(panels), 1, 0.6 + 2.2 * len(panels), title)
    for axis, panel in zip(axes[:, 0], panels, strict=True):
        last = max(horizon(plan, *group.variants) for group in panel.groups)
        for place, group in enumerate(panel.groups):
            curve = curve_of(tables, group)
            if curve is not None:
                _draw(axis, curve, group, last, APART * place / len(panel.groups), len(panel.groups) <= MOST_BANDS)
        axis.set_ylim(-4 - APART, 104)
        axis.set_xlim(0, last)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axis.set_ylabel("not yet (%)")
        axis.set_title(panel.title, loc="left", fontweight="bold", fontsize="medium")
        if axis.lines:
            add_legend(axis)
    axes[-1, 0].set_xlabel("epoch")
    return figure
