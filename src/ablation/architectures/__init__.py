"""The catalogue of architectures: one line each, read without importing torch.

A study is validated before anything heavy is imported, so what an architecture *has* (its factors with their reference
levels) is stated here, and how it is *built* stands in the module that its line names. A generic test builds every
line of the catalogue with every level of every factor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Scalar = str | int | float | bool


def accept_all(arguments: Mapping[str, Scalar]) -> None:
    """Refuse nothing: every combination of arguments makes sense."""


def refuse_broken_vgg(arguments: Mapping[str, Scalar]) -> str | None:
    """Say why a VGG is impossible: the paper's table has four columns, and dropout is a share."""
    if arguments["dropout"] >= 1:
        return "dropout must be below 1"
    if arguments["depth"] not in (11, 13, 16, 19):
        return "depth must be 11, 13, 16 or 19 (Simonyan and Zisserman 2015, table 1)"
    return None


def refuse_broken_resnet(arguments: Mapping[str, Scalar]) -> str | None:
    """Say why a depth is impossible for a CIFAR ResNet, whose three stages hold n blocks of two layers."""
    if arguments["depth"] < 8 or (arguments["depth"] - 2) % 6:
        return "depth must be 6n + 2 with n of 1 or more (8, 14, 20, 32, 44, 56, 110 …)"
    return None


def refuse_broken_densenet(arguments: Mapping[str, Scalar]) -> str | None:
    """Say why a CIFAR DenseNet is impossible: its three blocks are equally long, and some arguments are shares."""
    if arguments["dropout"] >= 1:
        return "dropout must be below 1"
    if not 0 < arguments["compression"] <= 1:
        return "compression must be above 0 and at most 1"
    step = 6 if arguments["bottleneck"] else 3
    if arguments["depth"] < 4 + step or (arguments["depth"] - 4) % step:
        kind = "with bottleneck 6n + 4 (16, 40, 100 …)" if arguments["bottleneck"] else "3n + 4 (10, 22, 40, 100 …)"
        return f"depth must be {kind}"
    return None


@dataclass(frozen=True)
class Architecture:
    """What a study may ask of an architecture.

    Attributes
    ----------
    builder : str
        ``module:function`` of ``build(input_shape, classes, layers, **arguments)``.
    layers : mapping
        The layer factors it has (fields of `ablation.layers.Layers`), each with its reference level.
    arguments : mapping
        Its scalar factors (constructor arguments), each with its reference value, whose type is binding.
    refuse : callable
        Takes the arguments; returns why they make no sense, or None.
    smallest_side : int
        The smallest input side in pixels that it can be built for.
    """

    builder: str
    layers: Mapping[str, str]
    arguments: Mapping[str, Scalar]
    refuse: Callable[[Mapping[str, Scalar]], str | None] = accept_all
    smallest_side: int = 8


CATALOGUE: dict[str, Architecture] = {
    "lenet": Architecture(
        "ablation.architectures.lenet:lenet",
        {"activation": "sigmoid", "norm": "none", "pooling": "average", "initialisation": "default"},
        {"width": 6, "hidden": 120},
    ),
    "vgg": Architecture(
        "ablation.architectures.vgg:vgg",
        {"activation": "relu", "norm": "none", "pooling": "max", "initialisation": "default"},
        {"depth": 11, "width": 64, "hidden": 4096, "dropout": 0.5},
        refuse_broken_vgg,
    ),
    "resnet_cifar": Architecture(
        "ablation.architectures.resnet:resnet_cifar",
        {"activation": "relu", "norm": "batch", "residual": "zero_padded", "initialisation": "default"},
        {"depth": 20, "width": 16},
        refuse_broken_resnet,
    ),
    "densenet_cifar": Architecture(
        "ablation.architectures.densenet:densenet_cifar",
        {"activation": "relu", "norm": "batch", "pooling": "average", "initialisation": "default"},
        {"depth": 40, "growth_rate": 12, "compression": 1.0, "bottleneck": False, "dropout": 0.0},
        refuse_broken_densenet,
    ),
}
