"""The builders of GoogLeNet's successors; `ablation.catalogue.families.inception` says sources, deviations and arguments."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ablation.catalogue.families.inception import parse_blocks
from ablation.networks.heads import GlobalAverage, Supervised
from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem, scaled
from ablation.networks.stack import Parallel, Stack

EPSILON = 1e-3  # of batch norm, in the authors' code
Row = tuple[
    Any, ...
]  # of a chain: (channels, kernel), which keeps the side, or (channels, kernel, 2), of stride 2 and unpadded


@dataclass(frozen=True)
class Branches:
    """Makes the branches of blocks: channels out are those that a source states, scaled with the width.

    Attributes
    ----------
    layers : Layers
    width : int
        Channels of the network's first convolution.
    published : int
        Those that the source states.
    """

    layers: Layers
    width: int
    published: int

    def channels(self, published: int) -> int:
        """Scale a number of channels of the source with the width."""
        return scaled(self.width, self.published, published)

    def conv_norm_activation(self, cin: int, cout: int, *geometry: Any, **options: Any) -> nn.Module:
        """Make a convolution with norm and activation; all but the scaled width is as in `Layers.conv_norm_activation`."""
        return self.layers.conv_norm_activation(cin, self.channels(cout), *geometry, **options)

    def chain(self, cin: int, *rows: Row) -> nn.Module:
        """Make convolutions one after another, each with norm and activation."""
        branch = OrderedDict()
        for position, (cout, kernel, *stride) in enumerate(rows, 1):
            options = {"stride": 2, "padding": 0} if stride else {}
            branch[f"conv{position}"] = self.conv_norm_activation(cin, cout, kernel, **options)
            cin = self.channels(cout)
        return nn.Sequential(branch)

    def fork(self, cin: int, *rows: Row, ends: int) -> nn.Module:
        """Make a chain that ends in a 1x3 and a 3x1 convolution side by side (Szegedy et al. 2016, figure 7)."""
        last = self.channels(rows[-1][0])
        forked = Parallel(
            OrderedDict(
                wide=self.conv_norm_activation(last, ends, (1, 3)), high=self.conv_norm_activation(last, ends, (3, 1))
            )
        )
        return nn.Sequential(OrderedDict(chain=self.chain(cin, *rows), ends=forked))

    def average(self, cin: int, cout: int) -> nn.Module:
        """Make the branch of a block that averages 3x3 pixels and projects them."""
        return nn.Sequential(
            OrderedDict(pool=nn.AvgPool2d(3, 1, padding=1), conv=self.conv_norm_activation(cin, cout, 1))
        )


# Inception-BN (Ioffe and Szegedy 2015, figure 5), one row per block: #1x1, (#3x3 reduce, #3x3), (double #3x3 reduce,
# double #3x3), pooling, pool proj. Blocks without a 1x1 branch have stride 2 and pass their pooled input on.
INCEPTION_BN = {
    "3a": (64, (64, 64), (64, 96), "average", 32),
    "3b": (64, (64, 96), (64, 96), "average", 64),
    "3c": (0, (128, 160), (64, 96), "max", 0),
    "4a": (224, (64, 96), (96, 128), "average", 128),
    "4b": (192, (96, 128), (96, 128), "average", 128),
    "4c": (160, (128, 160), (128, 160), "average", 96),
    "4d": (96, (128, 192), (160, 192), "average", 96),
    "4e": (0, (128, 192), (192, 256), "max", 0),
    "5a": (352, (192, 320), (160, 224), "average", 128),
    "5b": (352, (192, 320), (192, 224), "max", 128),
}
POOLINGS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


@dataclass(frozen=True)
class InceptionBNBlocks(Branches):
    """Makes the blocks of an Inception-BN."""

    def convolutions(self, cin: int, *channels: int, stride: int) -> nn.Module:
        """Make a 1x1 convolution and 3x3 ones after it; the last one has the stride."""
        made = []
        for position, cout in enumerate(channels, 1):
            kernel, last = 1 if position == 1 else 3, position == len(channels)
            made.append(self.conv_norm_activation(cin, cout, kernel, stride if last else 1))
            cin = self.channels(cout)
        return nn.Sequential(*made)

    def block(
        self, cin: int, one: int, three: tuple[int, int], double: tuple[int, int], kind: str, pool: int
    ) -> nn.Module:
        """Make the block of a row of the table."""
        stride = 1 if one else 2
        projection = self.conv_norm_activation(cin, pool, 1) if pool else nn.Identity()
        branches = OrderedDict([("1x1", self.conv_norm_activation(cin, one, 1))] if one else [])
        branches["3x3"] = self.convolutions(cin, *three, stride=stride)
        branches["doubled"] = self.convolutions(cin, *double, double[1], stride=stride)
        branches["pool"] = nn.Sequential(POOLINGS[kind](3, stride, padding=1), projection)
        return Parallel(branches)


def inception_bn(
    input_shape: tuple[int, int, int], classes: int, layers: Layers, *, width: int, dropout: float, stem: str
) -> nn.Module:
    """Build an Inception-BN (Ioffe and Szegedy 2015, figure 5)."""
    layers = replace(layers, epsilon=EPSILON)
    make, body = InceptionBNBlocks(layers, width, published=64), Stack(input_shape)
    small = has_small_stem(stem, body.side)
    body.add("conv1", make.conv_norm_activation(body.channels, 64, *((3, 1) if small else (7, 2))))
    if not small:
        body.add("pool1", nn.MaxPool2d(3, 2, padding=1))
    body.add("conv2", make.conv_norm_activation(body.channels, 64, 1))
    body.add("conv3", make.conv_norm_activation(body.channels, 192))
    if not small:
        body.add("pool2", nn.MaxPool2d(3, 2, padding=1))
    for name, row in INCEPTION_BN.items():
        body.add(f"inception{name}", make.block(body.channels, *row))
    body.add("head", layers.classify(body.shape, classes, dropout=dropout))
    return body.network()


# Inception-v3 (Szegedy et al. 2016, table 1, with torchvision's channels): the kind of each block, and the channels in
# which blocks of a kind differ.
INCEPTION_V3 = {
    "5b": ("a", 32),
    "5c": ("a", 64),
    "5d": ("a", 64),
    "6a": ("b",),
    "6b": ("c", 128),
    "6c": ("c", 160),
    "6d": ("c", 160),
    "6e": ("c", 192),
    "7a": ("d",),
    "7b": ("e",),
    "7c": ("e",),
}
AUXILIARY = "6e"


@dataclass(frozen=True)
class InceptionV3Blocks(Branches):
    """Makes the blocks of an Inception-v3; `factorised` is the argument of the builder."""

    factorised: bool

    def sevens(self, *channels: int, first: str) -> list[Row]:
        """List 1x7 and 7x1 convolutions in turn, or 7x7 ones for each two of them."""
        wide, high = (1, 7), (7, 1)
        kernels = [wide, high] if first == "wide" else [high, wide]
        rows = [(cout, kernels[place % 2]) for place, cout in enumerate(channels)]
        return rows if self.factorised else [(cout, 7) for cout, _ in rows[1::2]]

    def block(self, cin: int, kind: str, *channels: int) -> nn.Module:
        """Make the block of a row of the table."""
        makers = {"a": self.block_a, "b": self.block_b, "c": self.block_c, "d": self.block_d, "e": self.block_e}
        return Parallel(OrderedDict(makers[kind](cin, *channels)))

    def block_a(self, cin: int, pool: int) -> dict[str, nn.Module]:
        """Make the branches of a block for maps of side 35."""
        return {
            "one": self.conv_norm_activation(cin, 64, 1),
            "five": self.chain(cin, (48, 1), (64, 5)),
            "doubled": self.chain(cin, (64, 1), (96, 3), (96, 3)),
            "pool": self.average(cin, pool),
        }

    def block_b(self, cin: int) -> dict[str, nn.Module]:
        """Make the branches that reduce the side from 35 to 17 (figure 10)."""
        return {
            "three": self.chain(cin, (384, 3, 2)),
            "doubled": self.chain(cin, (64, 1), (96, 3), (96, 3, 2)),
            "pool": nn.MaxPool2d(3, 2),
        }

    def block_c(self, cin: int, seven: int) -> dict[str, nn.Module]:
        """Make the branches of a block for maps of side 17 (figure 6)."""
        return {
            "one": self.conv_norm_activation(cin, 192, 1),
            "seven": self.chain(cin, (seven, 1), *self.sevens(seven, 192, first="wide")),
            "doubled": self.chain(cin, (seven, 1), *self.sevens(seven, seven, seven, 192, first="high")),
            "pool": self.average(cin, 192),
        }

    def block_d(self, cin: int) -> dict[str, nn.Module]:
        """Make the branches that reduce the side from 17 to 8."""
        return {
            "three": self.chain(cin, (192, 1), (320, 3, 2)),
            "seven": self.chain(cin, (192, 1), *self.sevens(192, 192, first="wide"), (192, 3, 2)),
            "pool": nn.MaxPool2d(3, 2),
        }

    def block_e(self, cin: int) -> dict[str, nn.Module]:
        """Make the branches of a block for maps of side 8 (figure 7)."""
        return {
            "one": self.conv_norm_activation(cin, 320, 1),
            "three": self.fork(cin, (384, 1), ends=384),
            "doubled": self.fork(cin, (448, 1), (384, 3), ends=384),
            "pool": self.average(cin, 192),
        }

    def classifier(self, cin: int, side: int, classes: int) -> nn.Module:
        """Make the auxiliary classifier on maps of that side (section 4)."""
        return nn.Sequential(
            OrderedDict(
                pool=nn.AvgPool2d(5, 3) if side >= 17 else nn.AdaptiveAvgPool2d(5),
                conv1=self.conv_norm_activation(cin, 128, 1),
                conv2=self.conv_norm_activation(self.channels(128), 768, 5, padding=0),
                average=GlobalAverage(),
                classifier=nn.Linear(self.channels(768), classes),
                output=self.layers.output(),
            )
        )


def add_v3_stem(body: Stack, make: InceptionV3Blocks, small: bool) -> None:
    """Put the convolutions before the first block on the input (table 1)."""
    unpadded = {} if small else {"padding": 0}
    body.add("conv1", make.conv_norm_activation(body.channels, 32, 3, 1 if small else 2, **unpadded))
    body.add("conv2", make.conv_norm_activation(body.channels, 32, **unpadded))
    body.add("conv3", make.conv_norm_activation(body.channels, 64))
    if not small:
        body.add("pool1", nn.MaxPool2d(3, 2))
    body.add("conv4", make.conv_norm_activation(body.channels, 80, 1))
    body.add("conv5", make.conv_norm_activation(body.channels, 192, **unpadded))
    if not small:
        body.add("pool2", nn.MaxPool2d(3, 2))


def inception_v3(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    width: int,
    factorised: bool,
    auxiliary: bool,
    dropout: float,
    stem: str,
) -> nn.Module:
    """Build an Inception-v3 (Szegedy et al. 2016, "Rethinking the Inception architecture", table 1), as torchvision does."""
    layers = replace(layers, epsilon=EPSILON)
    make, body = InceptionV3Blocks(layers, width, published=32, factorised=factorised), Stack(input_shape)
    classifiers = {}
    add_v3_stem(body, make, has_small_stem(stem, body.side))
    for name, row in INCEPTION_V3.items():
        body.add(f"mixed{name}", make.block(body.channels, *row))
        if auxiliary and name == AUXILIARY:
            classifiers[f"mixed{name}"] = make.classifier(body.channels, body.side, classes)
    body.add("head", layers.classify(body.shape, classes, dropout=dropout))
    return Supervised(body.network(), classifiers)


# Inception-ResNet-v1 (Szegedy, Ioffe, Vanhoucke and Alemi 2017, figures 10 to 13): the branches of the three blocks.
RESIDUAL = {
    "a": (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (32, 3), (32, 3))),
    "b": (((128, 1),), ((128, 1), (128, (1, 7)), (128, (7, 1)))),
    "c": (((192, 1),), ((192, 1), (192, (1, 3)), (192, (3, 1)))),
}
# The reductions between them (figure 7 with table 1 for v1, and figure 12): besides, the input is pooled.
REDUCTIONS = {
    "a": (((384, 3, 2),), ((192, 1), (192, 3), (256, 3, 2))),
    "b": (((256, 1), (384, 3, 2)), ((256, 1), (256, 3, 2)), ((256, 1), (256, 3), (256, 3, 2))),
}


class ResidualInception(nn.Module):
    """Branches, projected to the input's channels without activation, scaled and joined with the input (section 3.3)."""

    def __init__(self, cin: int, branches: nn.Module, width: int, scale: float, layers: Layers):
        super().__init__()
        self.branches, self.scale = branches, scale
        self.projection = nn.Conv2d(width, cin, kernel_size=1)
        self.join = layers.residual(cin, cin, 1, layers)
        self.activation = layers.activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to the same shape."""
        return self.activation(self.join(self.scale * self.projection(self.branches(x)), x))


def add_resnet_stem(body: Stack, make: Branches, small: bool) -> None:
    """Put the convolutions before the first block on the input (figure 14)."""
    unpadded, stride = ({}, 1) if small else ({"padding": 0}, 2)
    body.add("conv1", make.conv_norm_activation(body.channels, 32, 3, stride, **unpadded))
    body.add("conv2", make.conv_norm_activation(body.channels, 32, **unpadded))
    body.add("conv3", make.conv_norm_activation(body.channels, 64))
    if not small:
        body.add("pool", nn.MaxPool2d(3, 2))
    body.add("conv4", make.conv_norm_activation(body.channels, 80, 1))
    body.add("conv5", make.conv_norm_activation(body.channels, 192, **unpadded))
    body.add("conv6", make.conv_norm_activation(body.channels, 256, 3, stride, **unpadded))


def inception_resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    width: int,
    blocks: str,
    branch_scale: float,
    dropout: float,
    stem: str,
) -> nn.Module:
    """Build an Inception-ResNet-v1 (Szegedy, Ioffe, Vanhoucke and Alemi 2017, "Inception-v4, …", section 3.2)."""
    layers = replace(layers, epsilon=EPSILON)
    make, body = Branches(layers, width, published=32), Stack(input_shape)
    add_resnet_stem(body, make, has_small_stem(stem, body.side))
    for (kind, branches), count in zip(RESIDUAL.items(), parse_blocks(blocks), strict=True):
        concatenated = sum(make.channels(rows[-1][0]) for rows in branches)
        for position in range(1, count + 1):
            chains = Parallel(*(make.chain(body.channels, *rows) for rows in branches))
            block = ResidualInception(body.channels, chains, concatenated, branch_scale, layers)
            body.add(f"block_{kind}{position}", block)
        if kind in REDUCTIONS:
            chains = [make.chain(body.channels, *rows) for rows in REDUCTIONS[kind]]
            body.add(f"reduction_{kind}", Parallel(*chains, nn.MaxPool2d(3, 2)))
    body.add("head", layers.classify(body.shape, classes, dropout=dropout))
    return body.network()
