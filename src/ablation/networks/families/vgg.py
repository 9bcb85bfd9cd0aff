"""VGG (Simonyan and Zisserman 2015, table 1): stages of 3x3 convolutions, each closed by a pooling that halves the side.

With batch norm it is torchvision's network: the norm follows the convolutions, which keep their biases, and not the
dense layers. The paper's A-LRN, which normalises the first convolution alone, is not offered.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from ablation.networks.kit import Layers
from ablation.networks.stack import Stack

# Columns A, B, D and E of table 1: 3x3 convolutions a stage. Channels double from 64 and stop at 512.
STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
WIDTHS = (1, 2, 4, 8, 8)


def kernels(count: int, kernel: int) -> list[int]:
    """List the kernels that take the place of a stack of 3x3 ones with the same receptive field (section 2.3).

    Two 3x3 see as far as one 5x5, three as far as one 7x7; what does not come out even stays 3x3.

    Parameters
    ----------
    count : int
        3x3 convolutions of the stage.
    kernel : int
        3, 5 or 7.
    """
    replaced = (kernel - 1) // 2
    return [kernel] * (count // replaced) + [3] * (count % replaced)


def stages_of(plan: str) -> list[tuple[int, int]]:
    """Read a plan such as ``1x1 1x2 2x4``: for each stage the number of convolutions and the multiple of the width.

    Raises
    ------
    ValueError
        If it is written otherwise, or a number is below one.
    """
    stages = [tuple(int(number) for number in stage.split("x")) for stage in plan.split()]
    if not stages or any(len(stage) != 2 or min(stage) < 1 for stage in stages):
        raise ValueError(plan)
    return stages


def build_vgg(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    stages: Sequence[tuple[int, int]],
    width: int,
    hidden: int,
    dropout: float,
    kernel: int,
    dilation: int,
    tied: bool,
) -> nn.Module:
    """Build a VGG of any stages; on small inputs the last ones keep the side of one pixel."""
    layers = replace(layers, keep_bias=True)
    body, shared = Stack(input_shape), {}
    for stage, (count, multiple) in enumerate(stages, 1):
        for position, side in enumerate(kernels(count, kernel), 1):
            unit = layers.unit(body.channels, multiple * width, side, dilation=dilation)
            if tied and position > 1:
                unit.conv = shared.setdefault((stage, side), unit.conv)
            body.add(f"conv{stage}_{position}", unit)
        if body.side > 1:
            body.add(f"pool{stage}", layers.pool(body.channels))
    bare = layers.without_norm()
    body.add("head", bare.classify(body.shape, classes, (hidden, hidden), dropout))
    return body.network()


def vgg(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    depth: int,
    width: int,
    hidden: int,
    dropout: float,
    kernel: int,
    dilation: int,
    tied: bool,
) -> nn.Module:
    """Build a VGG of the paper's table.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x224x224).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and its placement, pooling, overlap, head, output, dense layers and what is dropped.
    depth : int
        Weighted layers: 11, 13, 16 or 19.
    width : int
        Channels of the first stage (published: 64).
    hidden : int
        Units of the two dense layers (published: 4096).
    dropout : float
        Share of the dense units dropped in training (published: 0.5).
    kernel : int
        3 as published; 5 or 7 in place of stacks of 3x3 with the same receptive field.
    dilation : int
        Pixels between the taps of a kernel (published: 1).
    tied : bool
        Whether the convolutions of a stage, from its second on, are one and the same (study notes, 001: gradients of
        tied layers add up).
    """
    stages = tuple(zip(STAGES[depth], WIDTHS, strict=True))
    return build_vgg(input_shape, classes, layers, stages, width, hidden, dropout, kernel, dilation, tied)


def vgg_plan(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    plan: str,
    width: int,
    hidden: int,
    dropout: float,
    kernel: int,
    dilation: int,
    tied: bool,
) -> nn.Module:
    """Build a VGG of any plan.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x224x224).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and its placement, pooling, overlap, head, output, dense layers and what is dropped.
    plan : str
        For each stage its convolutions x the multiple of the width: ``1x1 1x2 2x4 2x8 2x8`` is VGG-11.
    width : int
        Channels of a stage of multiple 1 (published: 64).
    hidden : int
        Units of the two dense layers (published: 4096).
    dropout : float
        Share of the dense units dropped in training (published: 0.5).
    kernel : int
        3 as published; 5 or 7 in place of stacks of 3x3 with the same receptive field.
    dilation : int
        Pixels between the taps of a kernel (published: 1).
    tied : bool
        Whether the convolutions of a stage, from its second on, are one and the same.
    """
    return build_vgg(input_shape, classes, layers, stages_of(plan), width, hidden, dropout, kernel, dilation, tied)
