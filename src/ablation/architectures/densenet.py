"""DenseNet for small images (Huang, Liu, van der Maaten and Weinberger 2017, section 3): three dense blocks."""

from collections import OrderedDict

import torch
from torch import nn

from ablation.layers import Layers, Pooled

BLOCKS = 3
BOTTLENECK = 4  # section 3, "Bottleneck layers": the 1x1 convolution gives 4 x growth rate feature maps


class DenseLayer(nn.Module):
    """Compute `growth_rate` new feature maps from all earlier ones and append them."""

    def __init__(self, cin: int, growth_rate: int, bottleneck: bool, dropout: float, layers: Layers):
        super().__init__()
        inner = BOTTLENECK * growth_rate if bottleneck else cin
        reduce = layers.preactivation(cin, inner, kernel=1) if bottleneck else nn.Identity()
        self.branch = nn.Sequential(
            OrderedDict(
                reduce=reduce,
                expand=layers.preactivation(inner, growth_rate),
                dropout=nn.Dropout(dropout),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to (batch, cin + growth_rate, side, side)."""
        return torch.cat([x, self.branch(x)], dim=1)


def densenet_cifar(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    depth: int,
    growth_rate: int,
    compression: float,
    bottleneck: bool,
    dropout: float,
) -> nn.Module:
    """Build a CIFAR DenseNet; bottleneck and compression 0.5 make it a DenseNet-BC.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x32x32).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and the pooling of the transitions.
    depth : int
        Weighted layers: 3n + 4, with bottleneck 6n + 4 (published: 40 and 100).
    growth_rate : int
        New feature maps a layer (published: 12, 24, 40).
    compression : float
        Share of the feature maps that a transition keeps (published: 1 and 0.5).
    bottleneck : bool
        Whether a 1x1 convolution precedes each 3x3 one.
    dropout : float
        Share of the activations dropped after each convolution in training.
    """
    per_block = (depth - BLOCKS - 1) // (BLOCKS * (2 if bottleneck else 1))
    # Section 4.2: 16 channels enter the first block, twice the growth rate in a DenseNet-BC.
    channels = 2 * growth_rate if bottleneck and compression < 1 else 16
    stem = nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=layers.bias)
    body = OrderedDict(stem=stem)
    for block in range(1, BLOCKS + 1):
        for position in range(1, per_block + 1):
            body[f"dense{block}_{position}"] = DenseLayer(channels, growth_rate, bottleneck, dropout, layers)
            channels += growth_rate
        if block < BLOCKS:
            kept = int(channels * compression)
            body[f"transition{block}"] = nn.Sequential(
                OrderedDict(unit=layers.preactivation(channels, kept, kernel=1), pool=layers.pooling(2, 2))
            )
            channels = kept
    return nn.Sequential(
        body
        | OrderedDict(
            norm=layers.norm(channels),
            activation=layers.activation(),
            head=Pooled(channels, classes),
        )
    )
