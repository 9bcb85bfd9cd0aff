"""VGG (Simonyan and Zisserman 2015, table 1): stages of 3x3 convolutions, each closed by a pooling that halves the side."""

from collections import OrderedDict

from torch import nn

from ablation.layers import Layers

# Columns A, B, D and E of table 1: 3x3 convolutions a stage. Channels double from 64 and stop at 512.
STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
WIDTHS = (1, 2, 4, 8, 8)


def vgg(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    depth: int,
    width: int,
    hidden: int,
    dropout: float,
) -> nn.Module:
    """Build a VGG; on inputs too small for five poolings the last stages keep the side of one pixel.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x224x224).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and pooling.
    depth : int
        Weighted layers: 11, 13, 16 or 19.
    width : int
        Channels of the first stage (published: 64).
    hidden : int
        Units of the two dense layers (published: 4096).
    dropout : float
        Share of the dense units dropped in training.
    """
    channels, side, _ = input_shape
    body = OrderedDict()
    for stage, (count, factor) in enumerate(zip(STAGES[depth], WIDTHS, strict=True), 1):
        for position in range(1, count + 1):
            body[f"conv{stage}_{position}"] = layers.unit(channels, factor * width)
            channels = factor * width
        if side > 1:
            body[f"pool{stage}"] = layers.pooling(2, 2)
            side //= 2
    return nn.Sequential(
        body
        | OrderedDict(
            flatten=nn.Flatten(),
            dense1=layers.dense(channels * side * side, hidden),
            dropout1=nn.Dropout(dropout),
            dense2=layers.dense(hidden, hidden),
            dropout2=nn.Dropout(dropout),
            classifier=nn.Linear(hidden, classes),
        )
    )
