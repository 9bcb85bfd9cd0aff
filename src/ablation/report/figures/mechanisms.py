"""Figures of the mechanism beside the effect: gradients over depth, saturation over time, weights by source."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ablation.report.figures.results import WIDTH, set_style, variant_colours, variant_label
from ablation.study.plan import Plan


def _epoch_text(epoch: int) -> str:
    return f"after epoch {epoch}" if epoch else "before training"


def _name(axis: Axes, architecture: str) -> None:
    """Write the architecture's name above the title of its first panel."""
    above = {"xycoords": "axes fraction", "xytext": (0, 16), "textcoords": "offset points"}
    axis.annotate(architecture, (0, 1), fontweight="bold", **above)


def _panels(plan: Plan, columns: int, title: str) -> tuple[Figure, dict[str, np.ndarray]]:
    """Make a row of panels an architecture, each row with its own scale."""
    set_style()
    names = list(plan.study.architectures)
    figure, axes = plt.subplots(
        len(names),
        columns,
        figsize=(WIDTH, 0.6 + 2.2 * len(names)),
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    for row, name in zip(axes, names, strict=True):
        _name(row[0], name)
        for axis in row:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    figure.suptitle(title, x=0.01, ha="left")
    return figure, dict(zip(names, axes, strict=True))


def _lines(plan: Plan, architecture: str, axis: Axes, rows: pd.DataFrame, along: str) -> bool:
    """Draw a line a variant: the mean over seeds against `along`, in a band from lowest to highest; say if there is any."""
    variants = [v.id for v in plan.variants.values() if v.architecture == architecture]
    rows = rows[rows["variant"].isin(variants)].dropna(subset="value")
    colours = variant_colours(plan, variants)
    for variant in variants:
        values = rows[rows["variant"] == variant].groupby(along)["value"]
        middle, baseline = values.mean(), variant == architecture
        axis.plot(
            middle.index,
            middle,
            color=colours[variant],
            lw=1.8 if baseline else 1.3,
            ls="-" if baseline else (0, (4, 1)),
            marker="o",
            ms=3,
            label=variant_label(plan, variant),
            zorder=3 if baseline else 2,
        )
        axis.fill_between(middle.index, values.min(), values.max(), color=colours[variant], alpha=0.15, lw=0)
    return not rows.empty


def _legend(axis: Axes) -> None:
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small", handlelength=2.4)


def gradient_flow(plan: Plan, rows: pd.DataFrame) -> Figure:
    """Draw the RMS gradient of each layer against its depth, at the first and at the last epoch that was diagnosed."""
    epochs = sorted({min(plan.study.diagnostics), max(plan.study.diagnostics)})
    figure, panels = _panels(plan, len(epochs), "Gradient of each layer's weights: mean and range over seeds")
    # A gradient that underflowed has no place on a logarithmic axis.
    flow = rows[(rows["quantity"] == "gradient_rms") & (rows["value"] > 0)]
    for architecture, axes in panels.items():
        for axis, epoch in zip(axes, epochs, strict=True):
            if _lines(plan, architecture, axis, flow[flow["epoch"] == epoch], "depth"):
                axis.set_yscale("log")
            axis.set_xlim(left=0.3)  # there is no layer 0
            axis.set_title(_epoch_text(epoch), loc="left", fontsize="medium")
        axes[0].set_ylabel("RMS gradient (nats)")
        _legend(axes[-1])
    for axis in axes:
        axis.set_xlabel("layer, from the input")
    return figure


def saturation(plan: Plan, rows: pd.DataFrame) -> Figure:
    """Draw the share of saturated outputs and of dead units by epoch, averaged over the layers of a network."""
    figure, panels = _panels(plan, 2, "Saturation: mean over layers; mean and range over seeds")
    titles = {"saturated": "saturated or inactive outputs", "dead": "dead units: so for every image"}
    mine = rows[rows["quantity"].isin(titles)]
    means = mine.groupby(["variant", "seed", "epoch", "quantity"], as_index=False)["value"].mean()
    means["value"] *= 100
    for architecture, axes in panels.items():
        for axis, (quantity, title) in zip(axes, titles.items(), strict=True):
            _lines(plan, architecture, axis, means[means["quantity"] == quantity], "epoch")
            axis.set_title(title, loc="left", fontsize="medium")
            axis.set_ylim(-4, 104)  # a line at zero is a line, too
        axes[0].set_ylabel("share (%)")
        _legend(axes[-1])
    for axis in axes:
        axis.set_xlabel("epoch")
    return figure


def _blocks(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Cut the layers of a DenseNet into its blocks: tables (source, layer); a block begins where few sources follow many."""
    table = rows.pivot_table(index="depth", columns="source", values="value", sort=True)
    counts = table.notna().sum(axis=1)
    block = (counts <= counts.shift(fill_value=counts.max())).cumsum()
    return [part.dropna(axis=1, how="all").T for _, part in table.groupby(block)]


def sources(plan: Plan, rows: pd.DataFrame) -> Figure:
    """Draw the mean magnitude of the weights between the layers of each DenseNet's baseline, block by block.

    As in Huang et al. 2017, figure 5: a column a layer, a row an earlier layer that it reads; the last column of a block
    is the transition that follows it.
    """
    set_style()
    rows = rows[(rows["kind"] == "source") & (rows["epoch"] == max(plan.study.diagnostics))]
    rows = rows.assign(source=rows["quantity"].str.removeprefix("source_").astype(int))
    found = {name: _blocks(rows[rows["variant"] == name]) for name in plan.study.architectures}
    found = {name: blocks for name, blocks in found.items() if blocks}
    count, columns = max(len(found), 1), max(map(len, found.values()), default=1)
    figure, axes = plt.subplots(count, columns, figsize=(WIDTH, 0.8 + 2.6 * count), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    if not found:
        axes[0, 0].text(0.5, 0.5, "no layer that names the sources of its input", ha="center")
    for row, (name, blocks) in zip(axes, found.items(), strict=False):
        top = max(float(block.max(axis=None)) for block in blocks)
        for axis, (number, block) in zip(row, enumerate(blocks, 1), strict=False):
            axis.set_axis_on()
            extent = (0.5, block.shape[1] + 0.5, block.shape[0] - 0.5, -0.5)  # targets from 1, sources from 0
            image = axis.imshow(block, cmap="viridis", vmin=0, vmax=top, extent=extent)
            for side in (axis.xaxis, axis.yaxis):
                side.set_major_locator(MaxNLocator(integer=True, nbins=6))
            axis.grid(visible=False)
            axis.set_title(f"block {number}", loc="left", fontsize="medium")
            axis.set_xlabel("target layer")
        row[0].set_ylabel("source layer")
        _name(row[0], name)
        figure.colorbar(image, ax=row.tolist(), label="mean |weight|", shrink=0.8)
    epoch = _epoch_text(max(plan.study.diagnostics))
    figure.suptitle(f"Weights by source layer, {epoch}: mean over seeds", x=0.01, ha="left")
    return figure


# What `ablation.study.plan.Plan.figures` lists of a study with diagnostics, drawn from the plan and `diagnostics.parquet`.
DRAW: dict[str, Callable[[Plan, pd.DataFrame], Figure]] = {
    "gradient_flow": gradient_flow,
    "saturation": saturation,
    "sources": sources,
}
