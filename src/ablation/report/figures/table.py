"""The table of figures: the function that draws each, which studies have it, and its caption.

The workflow reads the names of figures while it parses its rules, where neither matplotlib nor pandas need be installed:
functions are named as text and imported when they draw.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import matplotlib.figure

    from ablation.report.inputs import StudyTables
    from ablation.study.plan import Plan


def has_contrasts(plan: Plan) -> bool:
    """Say whether a variant is compared with another."""
    return bool(plan.contrasts)


def has_series(plan: Plan) -> bool:
    """Say whether a numeric factor has three or more levels."""
    return bool(plan.series)


def has_diagnostics(plan: Plan) -> bool:
    """Say whether the study measures what goes on inside its networks."""
    return bool(plan.study.diagnostics)


def has_source_diagnostics(plan: Plan) -> bool:
    """Say whether the diagnostics tell the sources of a layer's input apart, which those of DenseNets alone do."""
    dense = any(plan.catalogue.architectures[variant.builder].names_sources for variant in plan.variants.values())
    return has_diagnostics(plan) and dense


def has_variants(plan: Plan) -> bool:
    """Say whether there is more than one variant."""
    return len(plan.variants) > 1


def has_times(plan: Plan) -> bool:
    """Say whether the study asks how soon a threshold is reached."""
    return "epochs_to_threshold" in plan.asked and plan.can_have("epochs_to_threshold")


def has_interactions(plan: Plan) -> bool:
    """Say whether a claim is about an interaction."""
    return any(test.kind == "interaction" for _, test in plan.claims)


def has_trends(plan: Plan) -> bool:
    """Say whether a claim is about a trend over ordered levels."""
    return any(test.kind == "trend" for _, test in plan.claims)


@dataclass(frozen=True)
class Figure:
    """A figure that a study can have.

    Attributes
    ----------
    draw : str
        ``module:function`` of what draws it, from a `StudyTables` to a `matplotlib.figure.Figure`.
    caption : str
        In the report; ``{accuracy}`` stands for the accuracy that curves show.
    of_many : str
        The caption in the report of a study with many variants (`ablation.analysis.maineffects.MANY`), if it is another.
    needs : callable, optional
        Says of a plan whether the study has the figure; without it every study does.
    section : str
        Of the report (`ablation.report.page.SECTIONS`); ``results`` stand beside the comparison.
    """

    draw: str
    caption: str
    of_many: str = ""
    needs: Callable[[Plan], bool] | None = None
    section: Literal["results", "size", "designs", "times", "mechanisms", "networks"] = "results"


FIGURES: dict[str, Figure] = {
    "blocks": Figure(
        draw="ablation.report.figures.drawings:baseline_blocks",
        caption="What is compared: the blocks of each baseline along the depth. The height of a box shows the side, its "
        "width the channels, both by their logarithms. Repeated blocks are folded; below stands what the last of them "
        "gives.",
        section="networks",
    ),
    "curves": Figure(
        draw="ablation.report.figures.results:curves",
        caption="Training loss (the mean cross-entropy over an epoch's steps, without label smoothing and auxiliary losses) "
        "and {accuracy} by epoch: the mean over seeds, and the range from lowest to highest. A run that diverged goes on at "
        "what it is worth, that of a guess, and one that was stopped at chance where it was.",
        of_many="Training loss (the mean cross-entropy over an epoch's steps, without label smoothing and auxiliary losses) "
        "and {accuracy} by epoch, at each level of a factor: the mean over the settings of the other factors that all its "
        "levels have, then over seeds, and the range over seeds. Of many factors, those whose levels differ most "
        "in the final value.",
    ),
    "runs": Figure(
        draw="ablation.report.figures.results:final_runs",
        caption="Every run's final value, or what it is worth if it diverged; the bar is the mean of the variant.",
        of_many="Main effects: the mean at each level of a factor, over the settings of the other factors that all its "
        "levels have. A dot is a seed, the bar the mean of the seeds. The panels of a network have one scale. Runs without "
        "a value are left out; the table above counts them.",
    ),
    "effects": Figure(
        draw="ablation.report.figures.results:effects",
        caption="Difference of each variant's mean from its baseline's, with its 95 % interval. Runs "
        "that diverged count with what they are worth, and those that were stuck with their value.",
        of_many="The contrasts of each factor with the largest effects, by a change of this factor alone. They were chosen "
        "from many for being large, and so are larger than they would be found again; the intervals do not "
        "cover that choice.",
        needs=has_contrasts,
    ),
    "accuracy_against_size": Figure(
        draw="ablation.report.figures.tradeoffs:accuracy_against_size",
        caption="What accuracy costs: means over seeds with their standard deviation, against the parameters and the "
        "multiply-adds of one forward pass. Circled and joined are the variants that no other one beats, being as small and "
        "better or as good and smaller (the Pareto front). It is chosen by means: where whiskers overlap, other seeds may "
        "choose otherwise. Points are named where there is room.",
        of_many="What accuracy costs: the mean over seeds of each variant, against the parameters and the multiply-adds of "
        "one forward pass. Circled, joined and named are the variants that no other one beats (the Pareto front). Chosen "
        "from many for being high, these means are larger than they would be found again.",
        needs=has_variants,
        section="size",
    ),
    "series": Figure(
        draw="ablation.report.figures.results:series",
        caption="The levels of a numeric factor against the parameters that they cost.",
        needs=has_series,
        section="size",
    ),
    "interactions": Figure(
        draw="ablation.report.figures.designs:interactions",
        caption="The claims about interactions. Parallel lines would say that a change brings as much at both levels of the "
        "other factor. Dots are runs, diamonds means with their 95 % intervals over seeds.",
        needs=has_interactions,
        section="designs",
    ),
    "trends": Figure(
        draw="ablation.report.figures.designs:trends",
        caption="The claims about trends. Dots are runs, diamonds means with their 95 % intervals over seeds; the line is "
        "the one whose rise from the lowest level to the highest is tested. Levels stand so that the line is straight.",
        needs=has_trends,
        section="designs",
    ),
    "epochs_to_threshold": Figure(
        draw="ablation.report.figures.times:epochs_to_threshold",
        caption="The share of runs that have not yet come so far, by epoch (Kaplan and Meier). A run that diverged or was "
        "stopped never comes so far, and stays. Where a panel has few curves, bands are exact 95 % intervals; curves that "
        "would cover each other are set a hair apart.",
        of_many="The share of runs that have not yet come so far, by epoch (Kaplan and Meier), over all settings of the "
        "other factors that the levels share. A run that diverged or was stopped never comes so far, and stays. Curves that "
        "would cover each other are set a hair apart.",
        needs=has_times,
        section="times",
    ),
    "gradient_flow": Figure(
        draw="ablation.report.figures.mechanisms:gradient_flow",
        caption="Root mean square of the gradient of the training loss by each layer's weights, on a fixed batch of "
        "training images; layers in order of execution. Where a line falls to the left, the gradient vanishes.",
        of_many="Root mean square of the gradient of the training loss by each layer's weights, on a fixed batch of "
        "training images; layers in order of execution. At each level of a factor: the mean over the settings of the other "
        "factors that all its levels have. Of many factors, those whose levels differ most in the final value.",
        needs=has_diagnostics,
        section="mechanisms",
    ),
    "saturation": Figure(
        draw="ablation.report.figures.mechanisms:saturation",
        caption="Share of the outputs of activations that are saturated (sigmoid: within 0.02 of 0 or 1; tanh: beyond "
        "±0.96; GELU below -3, SiLU below -6) or inactive (ReLU: zero; leaky ReLU: negative), and share of the units that "
        "are so for every image and position of the fixed batch.",
        of_many="Share of the outputs of activations that are saturated or inactive, and share of the units that are so for "
        "every image and position of the fixed batch, at each level of a factor: the mean over the settings of the other "
        "factors that all its levels have. Of many factors, those whose levels differ most in the final value.",
        needs=has_diagnostics,
        section="mechanisms",
    ),
    "sources": Figure(
        draw="ablation.report.figures.mechanisms:sources",
        caption="Mean magnitude of the weights by which each layer of a dense block reads each earlier one, as in Huang "
        "et al. 2017, figure 5: source 0 is what enters the block, the last column the transition after it. Baselines "
        "only.",
        needs=has_source_diagnostics,
        section="mechanisms",
    ),
}


def figures_of(plan: Plan) -> list[str]:
    """List the names of the figures that a study has."""
    return [name for name, figure in FIGURES.items() if figure.needs is None or figure.needs(plan)]


def draw(name: str, tables: StudyTables) -> matplotlib.figure.Figure:
    """Draw a figure of a study."""
    return pkgutil.resolve_name(FIGURES[name].draw)(tables)
