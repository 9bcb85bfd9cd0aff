"""ResNet for small images (He, Zhang, Ren and Sun 2015, section 4.2): three stages of n basic blocks, 6n + 2 layers."""

from collections import OrderedDict

import torch
from torch import nn

from ablation.layers import Layers, Pooled

# Section 4.2: feature maps of side 32, 16 and 8 with 16, 32 and 64 filters: (width factor, stride of the first block).
STAGES = ((1, 1), (2, 2), (4, 2))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the join with the input; the activation follows the join."""

    def __init__(self, cin: int, cout: int, stride: int, layers: Layers):
        super().__init__()
        self.branch = nn.Sequential(
            OrderedDict(unit=layers.unit(cin, cout, stride=stride), conv=layers.conv(cout, cout)),
        )
        self.join = layers.residual(cin, cout, stride, layers)
        self.activation = layers.activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to (batch, cout, side / stride, side / stride)."""
        return self.activation(self.join(self.branch(x), x))


def resnet_cifar(
    input_shape: tuple[int, int, int], classes: int, layers: Layers, *, depth: int, width: int
) -> nn.Module:
    """Build a CIFAR ResNet; with `residual: none` it is the paper's plain network.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x32x32).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and residual.
    depth : int
        Weighted layers, 6n + 2 (published: 20, 32, 44, 56, 110).
    width : int
        Channels of the first stage (published: 16).
    """
    body = OrderedDict(stem=layers.unit(input_shape[0], width))
    channels = width
    for stage, (factor, stride) in enumerate(STAGES, 1):
        for position in range(1, (depth - 2) // 6 + 1):
            body[f"block{stage}_{position}"] = BasicBlock(
                channels, factor * width, stride if position == 1 else 1, layers
            )
            channels = factor * width
    return nn.Sequential(body | OrderedDict(head=Pooled(channels, classes)))
