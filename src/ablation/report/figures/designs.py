"""Figures of the claims that compare more than two variants: interactions, and trends over ordered levels."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.analysis.failures import counts, restricted
from ablation.analysis.outcomes import ClaimOutcome, ClaimTestOutcome
from ablation.report.figures.style import labelled, make_panels, seeds_text
from ablation.report.inputs import StudyTables
from ablation.statistics.external import mean_interval
from ablation.study.levels import level_text
from ablation.study.plan import Plan

BESIDE, MOST = 2, 12  # panels in a line, and in a figure
COLOURS = ("#0173b2", "#de8f05")
Tested = tuple[ClaimOutcome, ClaimTestOutcome]  # a claim and one of its tests


def tests_of(tables: StudyTables, kind: str) -> list[Tested]:
    """List the tests of a kind, each with its claim."""
    return [(claim, test) for claim in tables.verdicts.claims for test in claim.tests if test.kind == kind]


def values_of(tables: StudyTables, claim: ClaimOutcome, variant: str) -> np.ndarray:
    """Return a variant's values of a claim's metric that are there, in the unit they are shown in."""
    own = tables.runs[tables.runs["variant"] == variant]
    values = tables.plan.metrics[claim.metric].scale * restricted(tables.plan, own, claim.metric).to_numpy()
    return values[np.isfinite(values)]


def _panels(tables: StudyTables, found: Sequence[Tested], title: str) -> tuple[Figure, list[Axes]]:
    columns = min(max(len(found), 1), BESIDE)
    rows = -(-max(len(found), 1) // columns)
    figure, axes = make_panels(rows, columns, 0.5 + 3.0 * rows, f"{title} ({seeds_text(tables.runs)})")
    for axis in axes.flat[len(found) :]:
        axis.set_axis_off()
    for axis, (claim, test) in zip(axes.flat, found, strict=False):
        several = len(claim.tests) > 1
        name = f"{claim.claim}, {test.architecture}" if several else claim.claim
        axis.set_title(f"{name}: {test.verdict}", loc="left", fontweight="bold", fontsize="medium", parse_math=False)
        axis.set_ylabel(tables.plan.metrics[claim.metric].title)
    if not found:
        axes[0, 0].text(0, 0.5, "no claim is tested so", color="0.4")
    return figure, list(axes.flat)


def _setting(plan: Plan, variant: str) -> dict[str, str]:
    one = plan.variants[variant]
    levels = {factor.replace("_", " "): level_text(level).replace("_", " ") for factor, level in one.levels.items()}
    return {"architecture": one.architecture, **levels}


def _differs(plan: Plan, first: str, second: str) -> tuple[str, str, str]:
    """Return the factor in which two variants differ, and its level in each; of several, their names and levels joined."""
    one, other = _setting(plan, first), _setting(plan, second)
    factors = [name for name in one if one[name] != other.get(name)]
    factors = ["architecture"] if "architecture" in factors else factors
    if len(factors) == 1:
        return factors[0], one[factors[0]], other[factors[0]]
    joined = (", ".join(f"{name} {side.get(name, 'none')}" for name in factors) for side in (one, other))
    return "", *joined


def _plot_mean(axis: Axes, x: float, values: np.ndarray, colour: str, offset: float = 0.0) -> None:
    """Plot runs as pale dots, their mean and its 95 % interval."""
    axis.plot([x + offset] * len(values), values, "o", color=colour, alpha=0.35, ms=3.5, mew=0)
    if not len(values):
        return
    known = mean_interval(values)
    if np.isfinite([known.low, known.high]).all():
        axis.plot([x + offset] * 2, [known.low, known.high], color=colour, lw=1.4)
    axis.plot(x + offset, known.mean, "D", color=colour, ms=5, mec="white", mew=0.6)


def _counted(tables: StudyTables, label: str, *variants: str, gap: str = " ") -> str:
    """Add to a label how many runs of its variants failed, diverged or were stuck."""
    return labelled(label, counts(tables.runs[tables.runs["variant"].isin(variants)]), gap)


def _bound(axis: Axes, claim: ClaimOutcome) -> None:
    """Keep a wide interval from stretching a scale of percentages beyond what a percentage can be."""
    if claim.unit == "%":
        low, high = axis.get_ylim()
        axis.set_ylim(max(low, -104), min(high, 104))


def interactions(tables: StudyTables) -> Figure:
    """Draw each interaction that a claim is about: the effect of one factor at both levels of another."""
    found = tests_of(tables, "interaction")[:MOST]
    figure, axes = _panels(tables, found, "Interactions: how far one effect depends on another factor")
    for axis, (claim, test) in zip(axes, found, strict=False):
        both, without, plain, neither = (cell.variant for cell in test.cells)
        factor, level, against = _differs(tables.plan, both, without)
        other, *others = _differs(tables.plan, both, plain)
        for colour, name, (left, right), offset in zip(
            COLOURS, others, ((without, both), (neither, plain)), (-0.03, 0.03), strict=True
        ):
            sides = [values_of(tables, claim, variant) for variant in (left, right)]
            means = [side.mean() if len(side) else np.nan for side in sides]
            label = _counted(tables, f"{other} {name}".strip(), left, right)
            axis.plot([offset, 1 + offset], means, color=colour, lw=1.5, label=label)
            for x, side in enumerate(sides):
                _plot_mean(axis, x, side, colour, offset)
        axis.set_xticks([0, 1], [against, level])
        axis.set_xlim(-0.35, 1.35)
        axis.set_xlabel(factor)
        _bound(axis, claim)
        axis.legend(fontsize="small", frameon=True, loc="best")
    return figure


def trends(tables: StudyTables) -> Figure:
    """Draw each trend that a claim is about: runs, means with 95 % intervals, and the line that is tested."""
    found = tests_of(tables, "trend")[:MOST]
    figure, axes = _panels(tables, found, "Trends over ordered levels")
    for axis, (claim, test) in zip(axes, found, strict=False):
        cells = sorted(test.cells, key=lambda cell: cell.weight)
        weights = np.array([cell.weight for cell in cells])
        sides = [values_of(tables, claim, cell.variant) for cell in cells]
        # Weights of a line's rise are its levels, in what it is straight in, around their mean: so they are its places, too.
        for x, side in zip(weights, sides, strict=True):
            _plot_mean(axis, x, side, COLOURS[0])
        means = np.array([side.mean() if len(side) else np.nan for side in sides])
        if test.effect is not None and np.isfinite(means).all():
            rise = tables.plan.metrics[claim.metric].scale * test.effect
            axis.plot(
                weights, means.mean() + rise * weights / (weights[-1] - weights[0]), color=COLOURS[1], lw=1.5, zorder=1
            )
        factor, *_ = _differs(tables.plan, cells[0].variant, cells[-1].variant)
        levels = []
        for cell in cells:
            level = _setting(tables.plan, cell.variant).get(factor, cell.variant)
            levels.append(_counted(tables, level, cell.variant, gap="\n"))
        axis.set_xticks(weights, levels)
        axis.margins(x=0.08)
        axis.set_xlabel(factor)
        _bound(axis, claim)
    return figure
