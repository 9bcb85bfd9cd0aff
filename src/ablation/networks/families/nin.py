"""The builders of Network in Network; `ablation.catalogue.families.nin` says sources and arguments."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from ablation.networks.heads import GlobalAverage, gap
from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem, scaled
from ablation.networks.stack import Stack

# The authors' network for CIFAR-10, one row per block: kernel, channels of the convolution and of the two 1x1 ones. The
# last number of the last row stands for the number of classes.
CIFAR = (
    (5, (192, 160, 96)),
    (5, (192, 192, 192)),
    (3, (192, 192, 0)),
)
# The form for 224 pixels of the study notes (002) and of Dive into Deep Learning, section 8.3: the kernels of AlexNet.
NOTES = (
    (11, (96, 96, 96)),
    (5, (256, 256, 256)),
    (3, (384, 384, 384)),
    (3, (0, 0, 0)),
)


def mlpconv(cin: int, widths: Sequence[int], layers: Layers, deep: bool, **options) -> nn.Module:
    """Make a convolution and its 1x1 convolutions (section 3.1); not `deep`, the convolution alone gives the maps."""
    first, *others = widths if deep else widths[-1:]
    block = OrderedDict(conv=layers.conv_norm_activation(cin, first, **options))
    for position, width in enumerate(others, 1):
        block[f"mlp{position}"] = layers.conv_norm_activation(first, width, kernel=1)
        first = width
    return nn.Sequential(block)


def classify(shape: tuple[int, int, int], classes: int, layers: Layers) -> nn.Module:
    """Make the head on one map per class: their averages are the logits; other heads see maps like any."""
    if layers.head is not gap:
        return layers.classify(shape, classes)
    return nn.Sequential(OrderedDict(average=GlobalAverage(), output=layers.output()))


def nin(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    width: int,
    mlpconv_layers: bool,
    dropout: float,
    stem: str,
) -> nn.Module:
    """Build the network of the study notes (002) and of Dive into Deep Learning, section 8.3: AlexNet's kernels."""
    body = Stack(input_shape)
    for position, (kernel, widths) in enumerate(NOTES, 1):
        widths = [scaled(width, 96, channels) if channels else classes for channels in widths]
        options = {"kernel": kernel}
        if position == 1:
            options = (
                {"kernel": 3} if has_small_stem(stem, body.side) else {"kernel": kernel, "stride": 4, "padding": 0}
            )
        if position == len(NOTES):
            body.add("dropout", nn.Dropout(dropout))
        body.add(f"block{position}", mlpconv(body.channels, widths, layers, mlpconv_layers, **options))
        if position < len(NOTES) and body.side > 2:
            body.add(f"pool{position}", layers.pool(body.channels, 3, 2))
    body.add("head", classify(body.shape, classes, layers))
    return body.network()


def nin_cifar(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    width: int,
    mlpconv_layers: bool,
    dropout: float,
) -> nn.Module:
    """Build the authors' network for CIFAR-10: three blocks, poolings that let a last window hang over the edge."""
    body = Stack(input_shape)
    for position, (kernel, widths) in enumerate(CIFAR, 1):
        widths = [scaled(width, 192, channels) if channels else classes for channels in widths]
        body.add(f"block{position}", mlpconv(body.channels, widths, layers, mlpconv_layers, kernel=kernel))
        if position < len(CIFAR):
            body.add(f"pool{position}", layers.pool(body.channels, 3, 2, ceil=True))
            body.add(f"dropout{position}", nn.Dropout(dropout))
    body.add("head", classify(body.shape, classes, layers))
    return body.network()
