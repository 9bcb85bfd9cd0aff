"""Figures of the mechanism beside the effect: gradients over depth, saturation over time, weights by source."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from ablation.report.figures.panels import MOST_PAIRS, MOST_PANELS, Panel, panels_of, plot_means
from ablation.report.figures.style import add_legend, make_panels, seeds_text
from ablation.report.inputs import StudyTables


def _epoch_text(epoch: int) -> str:
    return f"after epoch {epoch}" if epoch else "before training"


def _write_title(axis: Axes, title: str) -> None:
    """Write what a row of panels compares above the title of its first panel."""
    above = {"xycoords": "axes fraction", "xytext": (0, 16), "textcoords": "offset points"}
    axis.annotate(" ", (0, 1), fontweight="bold", **above)  # has the height; a long title must not widen the panel
    axis.annotate(title, (0, 1), fontweight="bold", **above).set_in_layout(False)


def _rows_of_panels(tables: StudyTables, columns: int, title: str) -> tuple[Figure, list[tuple[Panel, np.ndarray]]]:
    """Make a row of panels per architecture, or factor of one, each row with its own scale."""
    panels = panels_of(tables, MOST_PAIRS)
    figure, axes = make_panels(len(panels), columns, 0.6 + 2.2 * len(panels), title, sharey="row")
    for row, panel in zip(axes, panels, strict=True):
        _write_title(row[0], panel.title)
        for axis in row:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    return figure, list(zip(panels, axes, strict=True))


def gradient_flow(tables: StudyTables) -> Figure:
    """Draw the RMS gradient of each layer against its depth, at the first and at the last epoch that was diagnosed."""
    plan, rows = tables.plan, tables.diagnostics
    epochs = sorted({min(plan.study.diagnostics), max(plan.study.diagnostics)})
    title = f"Gradient of each layer's weights: mean and range over seeds ({seeds_text(tables.runs)})"
    figure, panels = _rows_of_panels(tables, len(epochs), title)
    # A gradient that underflowed has no place on a logarithmic axis.
    gradients = rows[(rows["quantity"] == "gradient_rms") & (rows["value"] > 0)]
    for panel, axes in panels:
        for axis, epoch in zip(axes, epochs, strict=True):
            plot_means(axis, panel, gradients[gradients["epoch"] == epoch], "depth", "value", marker="o", ms=3)
            if any(len(line.get_xdata()) for line in axis.lines):
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
    title = f"Saturation: mean over layers; mean and range over seeds ({seeds_text(tables.runs)})"
    figure, panels = _rows_of_panels(tables, 2, title)
    titles = {"saturated": "saturated or inactive outputs", "dead": "dead units: so for every image"}
    shares = rows[rows["quantity"].isin(titles)].groupby(["variant", "seed", "epoch", "quantity"], as_index=False)
    percent = shares["value"].mean().dropna(subset="value")
    percent["value"] *= 100
    for panel, axes in panels:
        for axis, (quantity, title) in zip(axes, titles.items(), strict=True):
            plot_means(axis, panel, percent[percent["quantity"] == quantity], "epoch", "value", marker="o", ms=3)
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
    found = dict([(name, blocks) for name, blocks in found.items() if blocks][:MOST_PANELS])
    height, width = max(len(found), 1), max(map(len, found.values()), default=1)
    runs = tables.runs[tables.runs["variant"].isin(list(found))]
    title = f"Weights by source layer, {_epoch_text(epoch)}: mean over seeds" + f" ({seeds_text(runs)})" * bool(found)
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
        _write_title(row[0], name)
        figure.colorbar(image, ax=row.tolist(), label="mean |weight|", shrink=0.8)
    return figure
