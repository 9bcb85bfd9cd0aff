"""AlexNet (Krizhevsky, Sutskever and Hinton 2012, section 3.5): five convolutions and three dense layers.

The paper states inputs of 224 pixels, and its shapes follow from 227. Its convolutions 2, 4 and 5 see only the half of
the channels that lies on their own GPU, here as two groups. torchvision's network is that of "One weird trick for
parallelizing convolutional neural networks" (Krizhevsky 2014), without groups and with a padded first convolution.
"""

from torch import nn

from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem, scaled
from ablation.networks.stack import Stack

# Form: channels of the five convolutions, padding of the first.
FORMS = {
    "paper": ((96, 256, 384, 384, 256), 0),
    "torchvision": ((64, 192, 384, 256, 256), 2),
}
KERNELS = (11, 5, 3, 3, 3)
GROUPED = (2, 4, 5)  # the convolutions that see one half of the channels
POOLED = (1, 2, 5)  # the convolutions that a pooling follows


def alexnet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    form: str,
    groups: int,
    width: int,
    hidden: int,
    dropout: float,
    normalised: int,
    stem: str,
) -> nn.Module:
    """Build an AlexNet.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x227x227).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and its placement, pooling, overlap, head, output, dense layers and what is dropped.
    form : str
        ``paper``, or ``torchvision``.
    groups : int
        Of convolutions 2, 4 and 5 (published: 2; torchvision and the study notes: 1).
    width : int
        Channels of the first convolution if it were the paper's (96); all others scale along. The half of the
        network that lies on one GPU, which the notes (001) print, has 48, a hidden width of 2048 and one group.
    hidden : int
        Units of the two hidden dense layers (published: 4096).
    dropout : float
        Share of the dense units dropped in training (published: 0.5).
    normalised : int
        How many convolutions, from the first, have a norm (published: 2, with local response normalisation).
    stem : str
        ``published``: an 11x11 convolution of stride 4; ``small``: 3x3 of stride 1; ``fit``: by the input.
    """
    published, padding = FORMS[form]
    bare = layers.without_norm()
    body = Stack(input_shape)
    for position, (channels, kernel) in enumerate(zip(published, KERNELS, strict=True), 1):
        kit = layers if position <= normalised else bare
        # Both halves are scaled, so that the channels divide into groups.
        channels = groups * scaled(width, groups * 96, channels)
        shared = groups if position in GROUPED else 1
        if position == 1 and has_small_stem(stem, body.side):
            unit = kit.unit(body.channels, channels)
        elif position == 1:
            unit = kit.unit(body.channels, channels, kernel, stride=4, padding=padding)
        else:
            unit = kit.unit(body.channels, channels, kernel, groups=shared)
        body.add(f"conv{position}", unit)
        if position in POOLED and body.side > 2:
            body.add(f"pool{position}", layers.pool(body.channels, 3, 2))
    body.add("head", bare.classify(body.shape, classes, (hidden, hidden), dropout))
    return body.network()
