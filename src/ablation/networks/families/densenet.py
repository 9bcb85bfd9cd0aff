"""The builders of DenseNet; `ablation.catalogue.families.densenet` says sources and arguments."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ablation.catalogue.families.densenet import parse_plan
from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem
from ablation.networks.stack import Stack

BLOCKS = 3
BOTTLENECK = 4  # section 3, "Bottleneck layers": the 1x1 convolution gives 4 x growth rate feature maps


class DenseLayer(nn.Module):
    """Compute `growth_rate` new feature maps from all earlier ones and append them.

    Attributes
    ----------
    sources : tuple of int
        Channels that come from each earlier layer, the first that from before the block.
    """

    def __init__(self, sources: tuple[int, ...], growth_rate: int, bottleneck: bool, dropout: float, layers: Layers):
        super().__init__()
        self.sources, cin = sources, sum(sources)
        inner = BOTTLENECK * growth_rate if bottleneck else cin
        reduction = OrderedDict()
        if bottleneck:
            reduction["reduce"] = layers.norm_activation_conv(cin, inner, kernel=1)
            reduction["reduce_dropout"] = nn.Dropout(dropout)
        expansion = OrderedDict(expand=layers.norm_activation_conv(inner, growth_rate), dropout=nn.Dropout(dropout))
        self.branch = nn.Sequential(reduction | expansion)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to (batch, cin + growth_rate, side, side)."""
        return torch.cat([x, self.branch(x)], dim=1)


class ChainLayer(DenseLayer):
    """Compute `growth_rate` feature maps from those of the layer before, and pass on these alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to (batch, growth_rate, side, side)."""
        return self.branch(x)


class Transition(nn.Module):
    """Between two blocks: keep a share of the channels and halve the side (section 3, "Pooling layers")."""

    def __init__(self, sources: tuple[int, ...], cout: int, pool: nn.Module, dropout: float, layers: Layers):
        super().__init__()
        self.sources = sources
        self.unit = layers.norm_activation_conv(sum(sources), cout, kernel=1)
        self.dropout, self.pool = nn.Dropout(dropout), pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to (batch, cout, side / 2, side / 2)."""
        return self.pool(self.dropout(self.unit(x)))


@dataclass(frozen=True)
class Blocks:
    """Makes the dense blocks and the transitions between them; the fields are arguments of the builders."""

    layers: Layers
    growth_rate: int
    compression: float
    bottleneck: bool
    dropout: float
    dense_connections: bool

    def add(self, body: Stack, counts: Sequence[int]) -> None:
        """Put blocks of so many layers on a stem, and the last norm and activation on top."""
        kind = DenseLayer if self.dense_connections else ChainLayer
        for block, count in enumerate(counts, 1):
            sources = (body.channels,)
            for position in range(1, count + 1):
                layer = kind(sources, self.growth_rate, self.bottleneck, self.dropout, self.layers)
                body.add(f"dense{block}_{position}", layer)
                sources = (*sources, self.growth_rate) if self.dense_connections else (self.growth_rate,)
            if block < len(counts):
                kept = max(1, int(body.channels * self.compression))
                pool = self.layers.pool(kept) if body.side > 1 else nn.Identity()
                body.add(f"transition{block}", Transition(sources, kept, pool, self.dropout, self.layers))
        body.add("close", nn.Sequential(self.layers.norms_and_activations("na", body.channels)))


def densenet_cifar(
    input_shape: tuple[int, int, int], classes: int, layers: Layers, *, depth: int, **block_arguments: Any
) -> nn.Module:
    """Build a CIFAR DenseNet; `block_arguments` are those that are fields of `Blocks`."""
    blocks = Blocks(layers, **block_arguments)
    per_block = (depth - BLOCKS - 1) // (BLOCKS * (2 if blocks.bottleneck else 1))
    # Section 4.2: 16 channels enter the first block, twice the growth rate in a DenseNet-BC.
    channels = 2 * blocks.growth_rate if blocks.bottleneck and blocks.compression < 1 else 16
    body = Stack(input_shape)
    body.add("stem", layers.conv2d(body.channels, channels, bias=layers.bias))
    blocks.add(body, [per_block] * BLOCKS)
    body.add("head", layers.classify(body.shape, classes))
    return body.network()


def densenet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    plan: str,
    channels: int,
    stem: str,
    **block_arguments: Any,
) -> nn.Module:
    """Build an ImageNet DenseNet: the network of torchvision; `block_arguments` are those that are fields of `Blocks`."""
    body = Stack(input_shape)
    if has_small_stem(stem, body.side):
        body.add("stem", layers.conv_norm_activation(body.channels, channels))
    else:
        body.add("stem", layers.conv_norm_activation(body.channels, channels, 7, stride=2))
        body.add("stem_pool", nn.MaxPool2d(3, 2, padding=1))
    Blocks(layers, **block_arguments).add(body, parse_plan(plan))
    body.add("head", layers.classify(body.shape, classes))
    return body.network()
