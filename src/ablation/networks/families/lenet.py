"""The builder of LeNet; `ablation.catalogue.families.lenet` says source, deviations and arguments."""

from torch import nn

from ablation.catalogue.families.lenet import PUBLISHED_SIDE
from ablation.networks.kit import Layers
from ablation.networks.stack import Stack

KERNEL = 5


def lenet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    width: int,
    hidden: int,
    convolution_activation: bool,
    padding: str,
) -> nn.Module:
    """Build a LeNet of two convolutions and three dense layers.

    At 32 pixels the first convolution is unpadded as in the paper; below, it keeps the side, unless `padding` is none.
    Where the second convolution would leave nothing, it keeps the side too.
    """
    second, last = round(width * 16 / 6), round(hidden * 84 / 120)
    convolutions = layers if convolution_activation else layers.without_activation()
    body = Stack(input_shape)
    unpadded = padding == "none" or body.side >= PUBLISHED_SIDE
    first = convolutions.conv_norm_activation(body.channels, width, KERNEL, padding=0 if unpadded else KERNEL // 2)
    body.add("conv1", first)
    body.add("pool1", layers.pool(width))
    margin = 0 if body.side > KERNEL else KERNEL // 2
    body.add("conv2", convolutions.conv_norm_activation(width, second, KERNEL, padding=margin))
    body.add("pool2", layers.pool(second))
    body.add("head", layers.classify(body.shape, classes, (hidden, last)))
    return body.network()
