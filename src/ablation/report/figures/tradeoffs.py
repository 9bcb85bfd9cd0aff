"""What accuracy costs: the first metric against parameters and multiply-adds, with the Pareto front."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator

from ablation.analysis.failures import NO_RUNS, Counts, counts_by_variant, restricted
from ablation.analysis.maineffects import has_many
from ablation.report.figures.style import labelled, make_panels, seeds_text, variant_label
from ablation.report.inputs import StudyTables
from ablation.study.plan import Plan
from ablation.support.formatting import count

LETTERS, LABEL = 7, 46  # points, and characters of a label
MOST_LABELLED = 24  # variants beside those of the front
# Where a label may stand, seen from its point: steps to the right and up in points, nearest first.
PLACES = tuple(
    (round(distance * x, 1), round(distance * y, 1))
    for distance in (7, 14, 24, 36)
    for x, y in ((-0.7, 0.9), (1, 0), (-1, 0), (0.7, 0.9), (0.7, -0.9), (-0.7, -0.9), (0, 1.2), (0, -1.2))
)


STEPS = 150  # in each direction, by which points of many variants are told apart
NEAR = 8  # of these, the ones for points that are worth no line to their label


class Box(NamedTuple):
    """A rectangle of the drawing, in points."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        """Say whether two rectangles share more than an edge."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.top <= other.bottom or other.top <= self.bottom)

    def holds(self, other: "Box") -> bool:
        """Say whether another rectangle lies within."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.bottom <= other.bottom and other.top <= self.top


def shown_metric(plan: Plan) -> str:
    """Return the metric that is held against sizes: the test accuracy if the study has it, or its first measured one."""
    measured = [name for name in plan.study.metrics if not plan.metrics[name].exact]
    return "test_accuracy" if "test_accuracy" in measured else (measured or plan.study.metrics)[0]


def pareto_front(sizes: Sequence[float], values: Sequence[float], higher_is_better: bool = True) -> list[int]:
    """Return the places of the points that no other one beats: none is as small and better, or as good and smaller.

    Parameters
    ----------
    sizes, values : sequence of float
        NaN where not known.
    higher_is_better : bool
        Of the values; of sizes, less is.

    Returns
    -------
    list of int
        By size, the smallest first.
    """
    sign, best, front = 1 if higher_is_better else -1, -np.inf, []
    known = [place for place in range(len(sizes)) if np.isfinite(sizes[place]) and np.isfinite(values[place])]
    for place in sorted(known, key=lambda one: (sizes[one], -sign * values[one])):
        if sign * values[place] > best:
            best = sign * values[place]
            front.append(place)
    return front


def means_of(tables: StudyTables, name: str) -> pd.DataFrame:
    """Return mean and standard deviation over seeds of each variant that has a value, with its sizes."""
    plan, metric = tables.plan, tables.plan.metrics[name]
    sizes = tables.runs[["parameters", "multiply_adds"]].astype(float)
    values = sizes.assign(variant=tables.runs["variant"], value=metric.scale * restricted(plan, tables.runs, name))
    grouped = values.groupby("variant", sort=False)
    found = grouped[["parameters", "multiply_adds"]].first()
    found["mean"], found["sd"] = grouped["value"].mean(), grouped["value"].std().fillna(0)
    found = found.reindex([variant for variant in plan.variants if variant in found.index])
    return found[np.isfinite(found["mean"])]


def accuracy_against_size(tables: StudyTables) -> Figure:
    """Draw each variant's mean against its parameters and its multiply-adds, with the front of those that none beats."""
    plan, name = tables.plan, shown_metric(tables.plan)
    metric, means = plan.metrics[name], means_of(tables, name)
    text = f"{metric.label} against size".capitalize()
    title = f"{text} ({seeds_text(tables.runs)}; point: mean, whisker: standard deviation, line: Pareto front)"
    figure, axes = make_panels(2, 1, 7.4, title, sharey=True)
    colours = dict(
        zip(plan.study.architectures, sns.color_palette("colorblind", len(plan.study.architectures)), strict=True)
    )
    fronts = []
    for axis, size, label in zip(
        axes[:, 0], ("parameters", "multiply_adds"), ("parameters", "multiply-adds"), strict=True
    ):
        own = means[means[size] > 0]
        front = pareto_front(list(own[size]), list(own["mean"]), metric.higher_is_better)
        fronts.append((axis, own, size, front))
        _draw_points(axis, plan, own, size, colours, front)
        axis.set(xlabel=label, ylabel=metric.title, xscale="log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
        axis.minorticks_off()
        axis.margins(x=0.14, y=0.12)
    if metric.unit == "%":
        axes[0, 0].set_ylim(top=min(axes[0, 0].get_ylim()[1], 104))
    if len(colours) > 1:
        axes[0, 0].legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small")
    figure.draw_without_rendering()  # where points lie is known once the layout is
    for axis, own, size, front in fronts:
        place_labels(axis, tables, own, size, front)
    return figure


def _draw_points(axis: Axes, plan: Plan, means: pd.DataFrame, size: str, colours: dict, front: Sequence[int]) -> None:
    many = has_many(plan)
    architectures = [plan.variants[variant].architecture for variant in means.index]
    for architecture, colour in colours.items():
        own = means[np.array([one == architecture for one in architectures], dtype=bool)]
        if not many:
            axis.errorbar(
                own[size], own["mean"], own["sd"], fmt="none", ecolor=colour, elinewidth=1, capsize=2, alpha=0.7
            )
        own = own[_distinct(own[size], own["mean"])] if many else own
        style = {"ms": 3, "alpha": 0.4, "mew": 0} if many else {"ms": 6, "mec": "white", "mew": 0.6}
        axis.plot(own[size], own["mean"], "o", color=colour, label=architecture, **style)
    best = means.iloc[list(front)]
    if many:
        axis.errorbar(best[size], best["mean"], best["sd"], fmt="none", ecolor="0.2", elinewidth=1, capsize=2)
    axis.plot(best[size], best["mean"], "-", color="0.25", lw=1.1, zorder=1.5, drawstyle="steps-post")
    axis.plot(best[size], best["mean"], "o", mfc="none", mec="0.15", ms=9, mew=1.1)


def _distinct(sizes: pd.Series, values: pd.Series) -> np.ndarray:
    """Mark one point of all those that a drawing would put onto each other: thousands make a file large."""
    places = np.column_stack([np.log10(sizes), values])
    spans = np.maximum(np.ptp(places, axis=0), 1e-9) if len(places) else 1
    first = np.unique(np.round(STEPS * places / spans), axis=0, return_index=True)[1]
    return np.isin(np.arange(len(places)), first)


def place_labels(axis: Axes, tables: StudyTables, means: pd.DataFrame, size: str, front: Sequence[int]) -> list[Box]:
    """Name the points of the front, then the baselines and the others, each where it covers no point and no other label.

    One for which there is no place stays without; the limits of the axes are those of the drawing by now.
    """
    plan, counted = tables.plan, counts_by_variant(tables.runs)
    points = axis.transData.transform(means[[size, "mean"]].to_numpy()) * 72 / axis.figure.dpi
    frame = Box(*axis.bbox.extents * 72 / axis.figure.dpi)
    taken = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    names, on_front = list(means.index), set(front)
    order = sorted(
        range(len(names)), key=lambda place: (place not in on_front, names[place] not in plan.study.architectures)
    )
    if len(names) > MOST_LABELLED:
        order = [place for place in order if place in on_front or names[place] in plan.study.architectures]
    placed = []
    for place in order:
        text = _label(plan, names[place], counted.get(names[place], NO_RUNS))
        width = TextPath((0, 0), text, size=LETTERS).get_extents().width + 2
        prominent = place in on_front or names[place] in plan.study.architectures
        for right, up in PLACES if prominent else PLACES[:NEAR]:
            x, y = points[place] + (right, up)
            left = x if right > 0 else x - width if right < 0 else x - width / 2
            box = Box(left, y - LETTERS * 0.6, left + width, y + LETTERS * 0.6)
            if frame.holds(box) and not any(box.overlaps(other) for other in taken):
                _write(axis, text, tuple(means.iloc[place][[size, "mean"]]), (right, up), place in on_front)
                taken.append(box)
                placed.append(box)
                break
    return placed


def _write(axis: Axes, text: str, point: tuple[float, float], step: tuple[float, float], is_best: bool) -> None:
    """Write a label beside its point, with a line to it where it stands further away."""
    side = "left" if step[0] > 0 else "right" if step[0] < 0 else "center"
    arrow = (
        {"arrowstyle": "-", "color": "0.6", "lw": 0.6, "shrinkA": 0, "shrinkB": 4} if max(map(abs, step)) > 10 else None
    )
    axis.annotate(
        text, point, xytext=step, textcoords="offset points", ha=side, va="center", fontsize=LETTERS,
        color="0.1" if is_best else "0.4", arrowprops=arrow, parse_math=False, annotation_clip=False,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )  # fmt: skip


def _label(plan: Plan, variant: str, counted: Counts) -> str:
    architecture, changed = plan.variants[variant].architecture, plan.variants[variant].changed
    several = len(plan.study.architectures) > 1
    text = variant_label(plan, variant)
    if several:
        text = f"{architecture}, {text}" if changed else architecture
    return labelled(textwrap.shorten(text, LABEL, placeholder=" …"), counted)
