"""DenseNet (Huang, Liu, van der Maaten and Weinberger 2017): for small images (section 3) and for ImageNet (table 1)."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

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


class ChainLayer(DenseLayer):
    """Compute `growth_rate` feature maps from those of the layer before, and pass on these alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to (batch, growth_rate, side, side)."""
        return self.branch(x)


class Transition(nn.Module):
    """Between two blocks: keep a share of the channels and halve the side (section 3, "Pooling layers")."""

    def __init__(self, sources: tuple[int, ...], cout: int, pool: nn.Module, layers: Layers):
        super().__init__()
        self.sources = sources
        self.unit, self.pool = layers.preactivation(sum(sources), cout, kernel=1), pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to (batch, cout, side / 2, side / 2)."""
        return self.pool(self.unit(x))


def add_blocks(
    body: Stack,
    layers: Layers,
    counts: Sequence[int],
    growth_rate: int,
    compression: float,
    bottleneck: bool,
    dropout: float,
    dense: bool,
) -> None:
    """Put the dense blocks and the transitions between them on a stem, and the last norm and activation on top."""
    kind = DenseLayer if dense else ChainLayer
    for block, count in enumerate(counts, 1):
        sources = (body.channels,)
        for position in range(1, count + 1):
            body.add(f"dense{block}_{position}", kind(sources, growth_rate, bottleneck, dropout, layers))
            sources = (*sources, growth_rate) if dense else (growth_rate,)
        if block < len(counts):
            kept = max(1, int(body.channels * compression))
            pool = layers.pool(kept) if body.side > 1 else nn.Identity()
            body.add(f"transition{block}", Transition(sources, kept, pool, layers))
    body.add("close", nn.Sequential(layers.placed("na", body.channels)))


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
    dense_connections: bool,
) -> nn.Module:
    """Build a CIFAR DenseNet; bottleneck and compression 0.5 make it a DenseNet-BC.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x32x32).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm, the pooling of the transitions and its overlap, head and output.
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
    dense_connections : bool
        Whether a layer sees all earlier ones of its block; if not, the one before it alone.
    """
    per_block = (depth - BLOCKS - 1) // (BLOCKS * (2 if bottleneck else 1))
    # Section 4.2: 16 channels enter the first block, twice the growth rate in a DenseNet-BC.
    channels = 2 * growth_rate if bottleneck and compression < 1 else 16
    body = Stack(input_shape)
    body.add("stem", layers.conv2d(body.channels, channels, bias=layers.bias))
    counts = [per_block] * BLOCKS
    add_blocks(body, layers, counts, growth_rate, compression, bottleneck, dropout, dense_connections)
    body.add("head", layers.classify(body.shape, classes))
    return body.network()


def blocks_of(plan: str) -> list[int]:
    """Read a plan such as ``6-12-24-16``: layers a block.

    Raises
    ------
    ValueError
        If it is written otherwise, or a number is below one.
    """
    counts = [int(count) for count in plan.split("-")]
    if min(counts) < 1:
        raise ValueError(plan)
    return counts


def densenet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    plan: str,
    growth_rate: int,
    channels: int,
    compression: float,
    bottleneck: bool,
    dropout: float,
    dense_connections: bool,
    stem: str,
) -> nn.Module:
    """Build an ImageNet DenseNet: the network of torchvision.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x224x224).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm, the pooling of the transitions and its overlap, head and output.
    plan : str
        Layers a block: 6-12-24-16 (DenseNet-121), 6-12-32-32 (169), 6-12-48-32 (201); 4-4-4-4 without bottleneck is
        the form of the study notes (002).
    growth_rate : int
        New feature maps a layer (published: 32).
    channels : int
        Of the stem (published: 64, twice the growth rate).
    compression : float
        Share of the feature maps that a transition keeps (published: 0.5).
    bottleneck : bool
        Whether a 1x1 convolution precedes each 3x3 one.
    dropout : float
        Share of the activations dropped after each convolution in training.
    dense_connections : bool
        Whether a layer sees all earlier ones of its block; if not, the one before it alone.
    stem : str
        ``published``: a 7x7 convolution of stride 2 and a pooling; ``small``: 3x3 of stride 1; ``fit``: by the input.
    """
    body = Stack(input_shape)
    if has_small_stem(stem, body.side):
        body.add("stem", layers.unit(body.channels, channels))
    else:
        body.add("stem", layers.unit(body.channels, channels, 7, stride=2))
        body.add("stem_pool", nn.MaxPool2d(3, 2, padding=1))
    counts = blocks_of(plan)
    add_blocks(body, layers, counts, growth_rate, compression, bottleneck, dropout, dense_connections)
    body.add("head", layers.classify(body.shape, classes))
    return body.network()
