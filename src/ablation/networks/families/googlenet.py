"""The builder of GoogLeNet; `ablation.catalogue.families.googlenet` says source, deviations and arguments."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from torch import nn

from ablation.catalogue.families.googlenet import parse_blocks
from ablation.networks.heads import Supervised
from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem, scaled
from ablation.networks.stack import Parallel, Stack


class Widths(NamedTuple):
    """Channels of the branches of a block, as the paper's table states them: reduce and convolve, where there are two."""

    one: int
    three: tuple[int, int]
    five: tuple[int, int]
    pool: int


# Table 1, one row per block, by stage: #1x1, (#3x3 reduce, #3x3), (#5x5 reduce, #5x5), pool proj.
STAGES = {
    3: {
        "3a": Widths(64, (96, 128), (16, 32), 32),
        "3b": Widths(128, (128, 192), (32, 96), 64),
    },
    4: {
        "4a": Widths(192, (96, 208), (16, 48), 64),
        "4b": Widths(160, (112, 224), (24, 64), 64),
        "4c": Widths(128, (128, 256), (24, 64), 64),
        "4d": Widths(112, (144, 288), (32, 64), 64),
        "4e": Widths(256, (160, 320), (32, 128), 128),
    },
    5: {
        "5a": Widths(256, (160, 320), (32, 128), 128),
        "5b": Widths(384, (192, 384), (48, 128), 128),
    },
}
FIRST, LAST_STAGE = "3a", 5
AUXILIARY = ("4a", "4d")  # section 5: on the output of these blocks
EPSILON = 1e-3  # of batch norm, as in torchvision
# What may stand in the place of the 5x5 convolution (Szegedy et al. 2016, sections 3.1 and 3.2).
FIVE_BY_FIVE = {"5x5": (5,), "3x3": (3,), "two_3x3": (3, 3), "1x5_5x1": ((1, 5), (5, 1))}


@dataclass(frozen=True)
class Blocks:
    """Makes the blocks of a GoogLeNet, and what else scales with its width; the fields are arguments of `googlenet`."""

    layers: Layers
    width: int
    without: str
    reductions: bool
    reduction_activation: bool
    first_reduction: int
    first_block: str
    five_by_five: str

    def channels(self, published: int) -> int:
        """Scale a number of channels of the paper with the width."""
        return scaled(self.width, 64, published)

    def chain(self, cin: int, reduce: int, cout: int, *kernels: int | tuple[int, int]) -> nn.Module:
        """Make a branch: a 1x1 convolution that reduces the channels, if there are any, and convolutions."""
        branch = OrderedDict()
        if self.reductions:
            layers = self.layers if self.reduction_activation else self.layers.without_activation()
            branch["reduce"] = layers.conv_norm_activation(cin, self.channels(reduce), kernel=1)
            cin = self.channels(reduce)
        for position, kernel in enumerate(kernels, 1):
            branch[f"conv{position}"] = self.layers.conv_norm_activation(cin, self.channels(cout), kernel)
            cin = self.channels(cout)
        return nn.Sequential(branch)

    def inception(self, cin: int, widths: Widths) -> nn.Module:
        """Make an Inception block (figure 2b), without the branch that all blocks lack."""
        projection = self.layers.conv_norm_activation(cin, self.channels(widths.pool), kernel=1)
        branches = {
            "1x1": self.layers.conv_norm_activation(cin, self.channels(widths.one), kernel=1),
            "3x3": self.chain(cin, *widths.three, 3),
            "5x5": self.chain(cin, *widths.five, *FIVE_BY_FIVE[self.five_by_five]),
            "pool": nn.Sequential(nn.MaxPool2d(3, 1, padding=1), projection),
        }
        return Parallel(OrderedDict((name, branch) for name, branch in branches.items() if name != self.without))

    def inception_v3(self, cin: int) -> nn.Module:
        """Make the first block of Inception-v3, which the study notes (004) show as GoogLeNet's."""

        def convolution(cin: int, cout: int, kernel: int = 3) -> nn.Module:
            return self.layers.conv_norm_activation(cin, self.channels(cout), kernel)

        return Parallel(
            OrderedDict(
                one=convolution(cin, 64, 1),
                five=nn.Sequential(convolution(cin, 48, 1), convolution(self.channels(48), 64, 5)),
                three=nn.Sequential(
                    convolution(cin, 64, 1), convolution(self.channels(64), 96), convolution(self.channels(96), 96)
                ),
                pool=nn.Sequential(nn.AvgPool2d(3, 1, padding=1), convolution(cin, 32, 1)),
            )
        )

    def block(self, cin: int, name: str, widths: Widths) -> nn.Module:
        """Make the block of a row of the table; two arguments change the first one."""
        if name == FIRST and self.first_block == "inception_v3":
            return self.inception_v3(cin)
        if name == FIRST:
            widths = widths._replace(five=(self.first_reduction, widths.five[1]))
        return self.inception(cin, widths)

    def classifier(self, cin: int, classes: int) -> nn.Module:
        """Make an auxiliary classifier (section 5)."""
        convolved, hidden = self.channels(128), self.channels(1024)
        return nn.Sequential(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(4),
                conv=self.layers.conv_norm_activation(cin, convolved, kernel=1),
                flatten=nn.Flatten(),
                dense=self.layers.without_norm().dense(16 * convolved, hidden),
                dropout=nn.Dropout(0.7),
                classifier=nn.Linear(hidden, classes),
                output=self.layers.output(),
            )
        )


def add_stem(body: Stack, make: Blocks, small: bool, activation: bool) -> None:
    """Put the convolutions before the first block on the input; `activation` is that of the last one."""
    layers, width = make.layers, make.channels(64)
    body.add("conv1", layers.conv_norm_activation(body.channels, width, *((3, 1) if small else (7, 2))))
    if not small:
        body.add("pool1", layers.pool(width, 3, 2, ceil=True))
    body.add("conv2", layers.conv_norm_activation(width, width, kernel=1))
    body.add(
        "conv3", (layers if activation else layers.without_activation()).conv_norm_activation(width, make.channels(192))
    )
    if not small:
        body.add("pool2", layers.pool(body.channels, 3, 2, ceil=True))


def googlenet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    blocks: str,
    stem_activation: bool,
    auxiliary: bool,
    dropout: float,
    stem: str,
    **block_arguments: Any,
) -> nn.Module:
    """Build a GoogLeNet; `block_arguments` are those that are fields of `Blocks`."""
    layers = replace(layers, epsilon=EPSILON)
    make = Blocks(layers, **block_arguments)
    body, classifiers = Stack(input_shape), {}
    add_stem(body, make, has_small_stem(stem, body.side), stem_activation)
    for (stage, rows), count in zip(STAGES.items(), parse_blocks(blocks), strict=True):
        for name, widths in list(rows.items())[:count]:
            body.add(f"inception{name}", make.block(body.channels, name, widths))
            if auxiliary and name in AUXILIARY:
                classifiers[f"inception{name}"] = make.classifier(body.channels, classes)
        if stage != LAST_STAGE and body.side > 1:
            body.add(f"pool{stage}", layers.pool(body.channels, 3, 2, ceil=True))
    body.add("head", layers.classify(body.shape, classes, dropout=dropout))
    return Supervised(body.network(), classifiers)
