"""LeNet (LeCun, Bottou, Bengio and Haffner 1998, figure 2), in the form that textbooks train.

The textbook form connects every map of the second convolution to every map of the first (the paper's table I leaves
some out), averages without trainable coefficients and ends in a dense layer instead of radial basis functions: at
1x28x28 and ten classes 61,706 parameters.
"""

from collections import OrderedDict

from torch import nn

from ablation.layers import Layers

KERNEL = 5


def lenet(input_shape: tuple[int, int, int], classes: int, layers: Layers, *, width: int, hidden: int) -> nn.Module:
    """Build a LeNet of two convolutions and three dense layers.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels. At 32 pixels the first convolution is unpadded as in the paper; below, it
        keeps the side. Where the second convolution would leave nothing, it keeps the side too.
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and pooling.
    width : int
        Channels of the first convolution (published: 6); the second has 8/3 as many (16).
    hidden : int
        Units of the first dense layer (published: 120); the second has 7/10 as many (84).
    """
    channels, side, _ = input_shape
    second, last = round(width * 16 / 6), round(hidden * 84 / 120)
    first_padding = 0 if side >= 32 else KERNEL // 2
    side = (side + 2 * first_padding - KERNEL + 1) // 2
    second_padding = 0 if side > KERNEL else KERNEL // 2
    side = (side + 2 * second_padding - KERNEL + 1) // 2
    return nn.Sequential(
        OrderedDict(
            conv1=layers.unit(channels, width, KERNEL, padding=first_padding),
            pool1=layers.pooling(2, 2),
            conv2=layers.unit(width, second, KERNEL, padding=second_padding),
            pool2=layers.pooling(2, 2),
            flatten=nn.Flatten(),
            dense1=layers.dense(second * side * side, hidden),
            dense2=layers.dense(hidden, last),
            classifier=nn.Linear(last, classes),
        )
    )
