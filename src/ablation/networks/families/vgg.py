"""The builders of VGG; `ablation.catalogue.families.vgg` says source, deviations and arguments."""

from typing import Any

from torch import nn

from ablation.catalogue.families.vgg import COLUMNS, parse_plan
from ablation.networks.kit import Layers
from ablation.networks.stack import Stack


def replaced_stack(count: int, kernel: int) -> list[int]:
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
    """Build a VGG of any plan; on small inputs the last stages keep the side of one pixel."""
    body, shared = Stack(input_shape), {}
    for stage, (count, multiple) in enumerate(parse_plan(plan), 1):
        for position, side in enumerate(replaced_stack(count, kernel), 1):
            layer = layers.conv_norm_activation(body.channels, multiple * width, side, dilation=dilation)
            if tied and position > 1:
                layer.conv = shared.setdefault((stage, side), layer.conv)
            body.add(f"conv{stage}_{position}", layer)
        if body.side > 1:
            body.add(f"pool{stage}", layers.pool(body.channels))
    body.add("head", layers.without_norm().classify(body.shape, classes, (hidden, hidden), dropout))
    return body.network()


def vgg(input_shape: tuple[int, int, int], classes: int, layers: Layers, *, depth: int, **others: Any) -> nn.Module:
    """Build a VGG of the paper's table; all arguments but the depth are those of `vgg_plan`."""
    return vgg_plan(input_shape, classes, layers, plan=COLUMNS[depth], **others)
