"""LeNet (LeCun, Bottou, Bengio and Haffner 1998, figure 2), in the form that textbooks train.

The textbook form connects every map of the second convolution to every map of the first (the paper's table I leaves
some out), averages without trainable coefficients and ends in a dense layer instead of radial basis functions: at
1x28x28 and ten classes 61,706 parameters.
"""

from torch import nn

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
) -> nn.Module:
    """Build a LeNet of two convolutions and three dense layers.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels. At 32 pixels the first convolution is unpadded as in the paper; below, it
        keeps the side. Where the second convolution would leave nothing, it keeps the side too.
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and its placement, pooling, overlap and output.
    width : int
        Channels of the first convolution (published: 6); the second has 8/3 as many (16).
    hidden : int
        Units of the first dense layer (published: 120); the second has 7/10 as many (84).
    convolution_activation : bool
        Whether the convolutions have activations; in the study notes (002) they have none.
    """
    second, last = round(width * 16 / 6), round(hidden * 84 / 120)
    convolutions = layers if convolution_activation else layers.without_activation()
    body = Stack(input_shape)
    body.add("conv1", convolutions.unit(body.channels, width, KERNEL, padding=0 if body.side >= 32 else KERNEL // 2))
    body.add("pool1", layers.pool(width))
    padding = 0 if body.side > KERNEL else KERNEL // 2
    body.add("conv2", convolutions.unit(width, second, KERNEL, padding=padding))
    body.add("pool2", layers.pool(second))
    body.add("head", layers.classify(body.shape, classes, (hidden, last)))
    return body.network()
