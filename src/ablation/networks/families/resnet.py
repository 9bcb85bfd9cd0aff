"""The builders of ResNet; `ablation.catalogue.families.resnet` says sources, deviations and arguments."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem
from ablation.networks.stack import Stack

# Section 4.2: feature maps of side 32, 16 and 8 with 16, 32 and 64 filters: (width factor, stride of the first block).
CIFAR = ((1, 1), (2, 2), (4, 2))
# Table 1: blocks per stage (basic up to 34 layers, bottleneck above); filters double from 64, and sides halve.
IMAGENET = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
BOTTLENECK_FROM = 50
EXPANSION = 4  # a bottleneck block gives four times as many channels as its 3x3 convolution has


def basic_block(cin: int, width: int, stride: int) -> list[tuple[int, int, int, int]]:
    """List the convolutions of a basic block (figure 5, left): channels in, channels out, kernel, stride."""
    return [(cin, width, 3, stride), (width, width, 3, 1)]


def bottleneck_block(cin: int, width: int, stride: int) -> list[tuple[int, int, int, int]]:
    """List the convolutions of a bottleneck block (figure 5, right)."""
    return [(cin, width, 1, 1), (width, width, 3, stride), (width, EXPANSION * width, 1, 1)]


class ResidualBlock(nn.Module):
    """Convolutions and the join with the input; norm and activation stand where `Layers.placement` says.

    Where a block changes the shape, branch and shortcut share what comes before the first convolution (He et al. 2016,
    in the authors' code): the input as it is goes on only where shapes agree.
    """

    def __init__(self, convolutions: Sequence[tuple[int, int, int, int]], dilation: int, layers: Layers):
        super().__init__()
        place, branch = layers.placement, OrderedDict()
        cin, cout = convolutions[0][0], convolutions[-1][1]
        stride = max(stride for *_, stride in convolutions)
        before, nothing = nn.Sequential(layers.norms_and_activations(place.before, cin)), nn.Sequential()
        changes_shape = cin != cout or stride > 1
        self.shared, branch["before"] = (before, nothing) if changes_shape else (nothing, before)
        for position, (fan_in, fan_out, kernel, step) in enumerate(convolutions, 1):
            spread = dilation if kernel > 1 else 1
            conv = layers.conv2d(fan_in, fan_out, kernel, step, dilation=spread, bias=layers.bias)
            signs = place.last if position == len(convolutions) else place.between
            branch[f"unit{position}"] = nn.Sequential(
                OrderedDict(conv=conv) | layers.norms_and_activations(signs, fan_out)
            )
        self.branch = nn.Sequential(branch)
        self.join = layers.residual(cin, cout, stride, layers)
        self.joined = nn.Sequential(layers.norms_and_activations(place.joined, cout))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to (batch, cout, side / stride, side / stride)."""
        x = self.shared(x)
        return self.joined(self.join(self.branch(x), x))


def resnet_cifar(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    depth: int,
    width: int,
    bottleneck: bool,
    dilation: int,
) -> nn.Module:
    """Build a CIFAR ResNet; with `residual: none` it is the paper's plain network."""
    convolutions, per_block = (bottleneck_block, 9) if bottleneck else (basic_block, 6)
    body = Stack(input_shape)
    first = layers.conv2d(body.channels, width, bias=layers.bias)
    body.add(
        "stem", nn.Sequential(OrderedDict(conv=first) | layers.norms_and_activations(layers.placement.stem, width))
    )
    for stage, (factor, stride) in enumerate(CIFAR, 1):
        for position in range(1, (depth - 2) // per_block + 1):
            plan = convolutions(body.channels, factor * width, stride if position == 1 else 1)
            body.add(f"block{stage}_{position}", ResidualBlock(plan, dilation, layers))
    body.add("close", nn.Sequential(layers.norms_and_activations(layers.placement.close, body.channels)))
    body.add("head", layers.classify(body.shape, classes))
    return body.network()


def resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    depth: int,
    width: int,
    stem: str,
) -> nn.Module:
    """Build an ImageNet ResNet: the network of torchvision."""
    convolutions = bottleneck_block if depth >= BOTTLENECK_FROM else basic_block
    body = Stack(input_shape)
    small = has_small_stem(stem, body.side)
    first = layers.conv2d(body.channels, width, *((3, 1) if small else (7, 2)), bias=layers.bias)
    body.add(
        "stem", nn.Sequential(OrderedDict(conv=first) | layers.norms_and_activations(layers.placement.stem, width))
    )
    if not small:
        body.add("stem_pool", nn.MaxPool2d(3, 2, padding=1))
    for stage, count in enumerate(IMAGENET[depth], 1):
        for position in range(1, count + 1):
            stride = 2 if position == 1 and stage > 1 else 1
            plan = convolutions(body.channels, 2 ** (stage - 1) * width, stride)
            body.add(f"block{stage}_{position}", ResidualBlock(plan, 1, layers))
    body.add("close", nn.Sequential(layers.norms_and_activations(layers.placement.close, body.channels)))
    body.add("head", layers.classify(body.shape, classes))
    return body.network()
