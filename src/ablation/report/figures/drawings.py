"""Drawings of architectures: their blocks along the depth, from layer tables alone."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import ceil, log2, prod

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

from ablation.networks.layertable import LayerRow, blocks
from ablation.networks.layertext import shorten
from ablation.report.figures.style import WIDTH
from ablation.report.inputs import StudyTables

SLOTS = 12  # boxes per line; a longer network continues on the next line
MOST_DRAWN = 24  # architectures: the picture would grow without end
NOTHING = ("", [], 1.0, 1.0)  # a line without boxes
COLOURS = dict(
    zip(
        ("convolutions", "pooling or transition", "dense layers or head"), sns.color_palette("colorblind"), strict=False
    )
)
CONVOLUTIONS, POOLING, DENSE = COLOURS


@dataclass(frozen=True)
class Box:
    """Equal blocks in a row: their names, their kind, and the output of the last of them."""

    names: tuple[str, ...]
    kind: str
    signature: tuple
    output: tuple[int, ...]

    @property
    def label(self) -> str:
        """What the names share: block1 for block1_1 and block1_2, inception3 for body.inception3a and body.inception3b."""
        shared = self.names[0]
        if len(self.names) > 1:
            columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*self.names, strict=False))
            shared = "".join(letters[0] for letters in columns)
            if all(name[len(shared) :][:1].isdigit() for name in self.names):
                shared = shared.rstrip("0123456789")  # 12 and 13 share no 1
            shared = shared.rstrip("_.") or self.names[0]
        *_, last = shared.split(".")
        return shared if last.isdigit() else last

    @property
    def shape(self) -> str:
        """Channels and side, or features, of what the last of the blocks gives."""
        channels, *sides = self.output
        return f"{channels} × {max(sides)}" if sides else f"{channels}"


def kind_of_block(layers: Sequence[LayerRow]) -> str:
    """Say what a block is: dense, if it ends in a vector; a pooling, if nothing but 1x1 convolutions goes with one."""
    if len(layers[-1].output) == 1:
        return DENSE
    kinds = {layer.kind.split("/")[0].split(",")[0] for layer in layers}
    pools = any("Pool" in kind for kind in kinds)
    convolves = any(layer.multiply_adds for layer in layers if not layer.kind.startswith("Conv 1x1"))
    return POOLING if pools and not convolves else CONVOLUTIONS


def boxes(table: Sequence[LayerRow]) -> list[Box]:
    """Make the boxes of a network: one box per block, repeated blocks folded into one.

    Blocks that only pass on as many values (flattening, dropout) and those that run in training alone have none.
    """
    found: list[Box] = []
    for name, layers in blocks(table):
        output = layers[-1].output
        computes = any(layer.multiply_adds for layer in layers)
        passes_on = found and not computes and prod(output) == prod(found[-1].output)
        if layers[-1].training_only or passes_on:
            continue
        kind = kind_of_block(layers)
        # Equal blocks have the same layers but for their strides, and the same side (or the same number of features).
        signature = (kind, output[1:] or output, tuple(re.sub(r"/\d+", "", layer.kind) for layer in layers))
        if found and found[-1].signature == signature and kind != POOLING:
            last = found.pop()
            found.append(Box((*last.names, name), kind, signature, output))
        else:
            found.append(Box((name,), kind, signature, output))
    return found


def baseline_blocks(tables: StudyTables) -> Figure:
    """Draw the blocks of each architecture's baseline, as far as it can be built; of many, the first `MOST_DRAWN`."""
    architectures = list(tables.plan.study.architectures)[:MOST_DRAWN]
    return draw_blocks({name: tables.layers[name] for name in architectures if name in tables.layers})


def _draw_line(axis: Axes, line: Sequence[Box], height: float, width: float) -> None:
    """Draw boxes from left to right; a side of 2**height pixels is as high, 2**width channels as wide as may be."""
    axis.plot([0.5, len(line) - 0.5], [0, 0], color="0.6", lw=0.8, zorder=0)
    for place, box in enumerate(line):
        high, wide = 0.55, 0.16
        if box.kind != DENSE:
            high = 0.15 + 0.85 * log2(max(box.output[1:])) / max(height, 1)
            wide = 0.18 + 0.62 * log2(box.output[0]) / max(width, 1)
        corner = (place + 0.5 - wide / 2, -high / 2)
        patch = FancyBboxPatch(
            corner, wide, high, boxstyle="round,pad=0,rounding_size=0.04", fc=COLOURS[box.kind], ec="white", lw=0.8
        )
        axis.add_patch(patch)
        if len(box.names) > 1:
            axis.text(place + 0.5, high / 2 + 0.03, f"{len(box.names)} ×", ha="center", va="bottom", fontsize=7)
        axis.text(place + 0.5, -0.58, box.shape, ha="center", va="top", fontsize=7)
        axis.text(place + 0.5, -0.76, shorten(box.label, 11), ha="center", va="top", fontsize=6, color="0.4")


def draw_blocks(tables: Mapping[str, Sequence[LayerRow]]) -> Figure:
    """Draw each architecture's blocks along the depth.

    Parameters
    ----------
    tables : mapping of str to sequence of LayerRow
        The layer table of each architecture's baseline.

    Returns
    -------
    matplotlib.figure.Figure
        One line of boxes per architecture (or more, if it is long): the height of a box shows the side and the width
        the channels, both by their logarithms and each relative to the largest of that architecture.
    """
    lines = []
    for name, table in tables.items():
        found = boxes(table)
        maps = [box.output for box in found if box.kind != DENSE]
        height = log2(max((max(output[1:]) for output in maps), default=1))
        width = log2(max((output[0] for output in maps), default=1))
        length = ceil(len(found) / ceil(len(found) / SLOTS))  # lines of about the same length
        for start in range(0, len(found), length):
            lines.append((name if start == 0 else "", found[start : start + length], height, width))
    slots = max((len(line) for _, line, *_ in lines), default=0)
    figure = Figure(figsize=(WIDTH, 0.75 + 1.25 * max(len(lines), 1)), layout="constrained")
    for axis, (name, line, height, width) in zip(
        figure.subplots(max(len(lines), 1), 1, squeeze=False)[:, 0], lines or [NOTHING], strict=True
    ):
        _draw_line(axis, line, height, width)
        axis.set(xlim=(0, max(slots, 8)), ylim=(-0.95, 0.78))
        axis.axis("off")
        if not line:
            axis.text(0, 0, "no baseline can be built", fontsize=9, color="0.4")
        if name:
            axis.set_title(name, loc="left", fontweight="bold", fontsize=9, pad=2)
    figure.legend(
        handles=[Patch(color=colour, label=kind) for kind, colour in COLOURS.items()],
        loc="outside lower left",
        ncols=3,
        frameon=False,
        fontsize=8,
    )
    figure.suptitle("Blocks of each baseline: channels × side, or features", x=0.01, ha="left", fontsize=10)
    return figure
