"""Figures of the mechanism beside the effect: gradients over depth, saturation over time, weights by source."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from ablation.report.figures.style import add_legend, make_panels, plot_means, variants_of
from ablation.report.inputs import StudyTables
from ablation.study.plan import Plan


def _epoch_text(epoch: int) -> str:
    return f"after epoch {epoch}" if epoch else "before training"


def _write_architecture(axis: Axes, architecture: str) -> None:
    """Write an architecture's name above the title of its first panel."""
    above = {"xycoords": "axes fraction", "xytext": (0, 16), "textcoords": "offset points"}
    axis.annotate(architecture, (0, 1), fontweight="bold", **above)


def _panels(plan: Plan, columns: int, title: str) -> tuple[Figure, dict[str, np.ndarray]]:
    """Make one row of panels per architecture, each row with its own scale."""
    names = list(plan.study.architectures)
    figure, axes = make_panels(len(names), columns, 0.6 + 2.2 * len(names), title, sharey="row")
    for row, name in zip(axes, names, strict=True):
        _write_architecture(row[0], name)
        for axis in row:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    return figure, dict(zip(names, axes, strict=True))


def gradient_flow(tables: StudyTables) -> Figure:
    """Draw the RMS gradient of each layer against its depth, at the first and at the last epoch that was diagnosed."""
    plan, rows = tables.plan, tables.diagnostics
    epochs = sorted({min(plan.study.diagnostics), max(plan.study.diagnostics)})
    figure, panels = _panels(plan, len(epochs), "Gradient of each layer's weights: mean and range over seeds")
    # A gradient that underflowed has no place on a logarithmic axis.
    gradients = rows[(rows["quantity"] == "gradient_rms") & (rows["value"] > 0)]
    for architecture, axes in panels.items():
        for axis, epoch in zip(axes, epochs, strict=True):
            own_rows = gradients[
                (gradients["epoch"] == epoch) & gradients["variant"].isin(variants_of(plan, architecture))
            ]
            plot_means(axis, plan, architecture, own_rows, "depth", "value", marker="o", ms=3)
            if len(own_rows):
                axis.set_yscale("log")
            axis.set_xlim(left=0.3)  # there is no layer 0
            axis.set_title(_epoch_text(epoch), loc="left", fontsize="medium")
        axes[0].set_ylabel("RMS gradient (nats)")
        add_legend(axes[-1])
    for axis in axes:
        axis.set_xlabel("layer, from the input")
    return figure


def saturation(tables: StudyTables) -> Figure:
    """Draw the shares of saturated outputs and of dead units by epoch, averaged over the layers of a network."""
    rows = tables.diagnostics
    figure, panels = _panels(tables.plan, 2, "Saturation: mean over layers; mean and range over seeds")
    titles = {"saturated": "saturated or inactive outputs", "dead": "dead units: so for every image"}
    shares = rows[rows["quantity"].isin(titles)].groupby(["variant", "seed", "epoch", "quantity"], as_index=False)
    percent = shares["value"].mean().dropna(subset="value")
    percent["value"] *= 100
    for architecture, axes in panels.items():
        for axis, (quantity, title) in zip(axes, titles.items(), strict=True):
            own_rows = percent[percent["quantity"] == quantity]
            plot_means(axis, tables.plan, architecture, own_rows, "epoch", "value", marker="o", ms=3)
            axis.set_title(title, loc="left", fontsize="medium")
            axis.set_ylim(-4, 104)  # a line at zero is a line, too
        axes[0].set_ylabel("share (%)")
        add_legend(axes[-1])
    for axis in axes:
        axis.set_xlabel("epoch")
    return figure


def _cut_blocks(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Cut the layers of a DenseNet into tables (source, layer), one per dense block.

    Within a block each layer has one source more than the layer before it, so a block begins where the number does not grow.
    """
    table = rows.pivot_table(index="depth", columns="source", values="value", sort=True)
    counts = table.notna().sum(axis=1)
    block = (counts <= counts.shift(fill_value=counts.max())).cumsum()
    return [part.dropna(axis=1, how="all").T for _, part in table.groupby(block)]


def _draw_block(axis: Axes, number: int, block: pd.DataFrame, highest: float) -> AxesImage:
    """Draw a table (source, layer) of weights as an image with colours from zero to the highest weight."""
    axis.set_axis_on()
    extent = (0.5, block.shape[1] + 0.5, block.shape[0] - 0.5, -0.5)  # targets from 1, sources from 0
    image = axis.imshow(block, cmap="viridis", vmin=0, vmax=highest, extent=extent)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.grid(visible=False)
    axis.set_title(f"block {number}", loc="left", fontsize="medium")
    axis.set_xlabel("target layer")
    return image


def sources(tables: StudyTables) -> Figure:
    """Draw the mean magnitude of the weights between the layers of each DenseNet's baseline, block by block.

    As in Huang et al. 2017, figure 5: one column per layer, one row per earlier layer that it reads; the last column of a
    block is the transition that follows it.
    """
    rows, epoch = tables.diagnostics, max(tables.plan.study.diagnostics)
    rows = rows[(rows["kind"] == "source") & (rows["epoch"] == epoch)]
    rows = rows.assign(source=rows["quantity"].str.removeprefix("source_").astype(int))
    found = {name: _cut_blocks(rows[rows["variant"] == name]) for name in tables.plan.study.architectures}
    found = {name: blocks for name, blocks in found.items() if blocks}
    height, width = max(len(found), 1), max(map(len, found.values()), default=1)
    title = f"Weights by source layer, {_epoch_text(epoch)}: mean over seeds"
    figure, axes = make_panels(height, width, 0.8 + 2.6 * height, title)
    for axis in axes.flat:
        axis.set_axis_off()
    if not found:
        axes[0, 0].text(0.5, 0.5, "no layer that names the sources of its input", ha="center")
    for row, (name, blocks) in zip(axes, found.items(), strict=False):
        highest = max(float(block.max(axis=None)) for block in blocks)
        for axis, (number, block) in zip(row, enumerate(blocks, 1), strict=False):
            image = _draw_block(axis, number, block, highest)
        row[0].set_ylabel("source layer")
        _write_architecture(row[0], name)
        figure.colorbar(image, ax=row.tolist(), label="mean |weight|", shrink=0.8)
    return figure
