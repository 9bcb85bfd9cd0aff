"""The builder of AlexNet; `ablation.catalogue.families.alexnet` says source, deviations and arguments."""

from dataclasses import replace

from torch import nn

from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem, scaled
from ablation.networks.stack import Stack

# Form: channels of the five convolutions, padding of the first, and whether dropout comes before the hidden dense layers.
FORMS = {
    "paper": ((96, 256, 384, 384, 256), 0, False),
    "torchvision": ((64, 192, 384, 256, 256), 2, True),
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
    """Build an AlexNet."""
    published, padding, dropout_first = FORMS[form]
    body = Stack(input_shape)
    for position, (channels, kernel) in enumerate(zip(published, KERNELS, strict=True), 1):
        kit = layers if position <= normalised else layers.without_norm()
        # Both halves are scaled, so that the channels divide into groups.
        channels = groups * scaled(width, groups * 96, channels)
        if position > 1:
            layer = kit.conv_norm_activation(
                body.channels, channels, kernel, groups=groups if position in GROUPED else 1
            )
        elif has_small_stem(stem, body.side):
            layer = kit.conv_norm_activation(body.channels, channels)
        else:
            layer = kit.conv_norm_activation(body.channels, channels, kernel, stride=4, padding=padding)
        body.add(f"conv{position}", layer)
        if position in POOLED and body.side > 2:
            body.add(f"pool{position}", layers.pool(body.channels, 3, 2))
    head = replace(layers.without_norm(), dropout_first=dropout_first)
    body.add("head", head.classify(body.shape, classes, (hidden, hidden), dropout))
    return body.network()
