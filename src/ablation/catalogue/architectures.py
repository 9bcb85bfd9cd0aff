"""The catalogue of architectures: one entry each, read without importing torch.

A study is validated before anything heavy is imported, so what an architecture *has* (its factors with their reference
levels) is stated here, and how it is *built* stands in the module that its entry names. A generic test builds every
entry of the catalogue with every level of every factor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Scalar = str | int | float | bool
SMALL_SIDE = 80  # pixels: below, the stems made for 224 would leave nothing to see
Levels = Mapping[str, Any]


def accept_all(levels: Levels) -> str | None:
    """Refuse nothing: every combination of levels makes sense."""


@dataclass(frozen=True)
class Architecture:
    """What a study may ask of an architecture.

    Attributes
    ----------
    builder : str
        ``module:function`` of ``build(input_shape, classes, layers, **arguments)``.
    layers : mapping
        The layer factors it has (fields of `ablation.networks.kit.Layers`), each with its reference level.
    arguments : mapping
        Its scalar factors (constructor arguments), each with its reference value, whose type is binding.
    choices : mapping
        The values of those arguments that take only some.
    lacks : mapping
        The layer factors it cannot have, each with the reason.
    without : mapping
        Levels that it cannot have of factors that it has, ``factor.level``, each with the reason.
    refuse : callable
        Takes all its levels; returns why they make no sense together, or None. Its docstring lists its rules, a line each.
    smallest_side : int
        The smallest input side in pixels that it can be built for.
    stem_side : int
        The smallest one that its published stem leaves something of.
    published : tuple of int
        Channels, height and width of the input that its source states.
    """

    builder: str
    layers: Mapping[str, str]
    arguments: Mapping[str, Scalar]
    choices: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    refuse: Callable[[Levels], str | None] = accept_all
    smallest_side: int = 8
    stem_side: int = 8
    published: tuple[int, int, int] = (3, 224, 224)


def idle(levels: Levels, side: int | None = None) -> dict[str, str]:
    """Name the factors that change nothing at these levels, each with the reason.

    Parameters
    ----------
    levels : mapping
        Of all factors of an architecture.
    side : int, optional
        Of the input in pixels, where it is known.
    """
    found = {}
    fitting = "small" if side is not None and side < SMALL_SIDE else "published"
    if side is not None and levels.get("stem") == fitting:
        found["stem"] = f"fit chooses the same at inputs of {side} pixels"
    if "none" in (levels.get("norm"), levels.get("activation")):
        found["norm_placement"] = "there is nothing to place without both a norm and an activation"
    if levels.get("normalised") and levels.get("norm") == "none":
        found["normalised"] = "norm is none"
    if levels.get("head") == "gap":
        for factor, why in (("dense_layer", "dense layers"), ("hidden", "hidden layers")):
            found[factor] = f"head is gap, which has no {why}"
    if levels.get("dropout") == 0:
        found["dropped"] = "dropout is 0"
    if levels.get("residual") == "none" and levels.get("placement") in ("post", "norm_after_join"):
        found["placement"] = "residual is none: there is no join for the norm to stand before or after"
    if levels.get("residual") == "shortcut_only":
        found["placement"] = "residual is shortcut_only: the branch does not count"
    if levels.get("reductions") is False:
        found["reduction_activation"] = found["first_reduction"] = "reductions is false"
    if levels.get("without") == "5x5":
        found["five_by_five"] = found["first_reduction"] = "the 5x5 branch is left out"
    if levels.get("first_block") == "inception_v3":
        found["first_reduction"] = "first_block is inception_v3, which reduces to channels of its own"
    return found


def refuse_shares(levels: Levels) -> str | None:
    """Say which of the arguments that are shares is none.

    - `dropout` is below 1.
    - `compression` is above 0 and at most 1.
    """
    if levels.get("dropout", 0) >= 1:
        return "dropout must be below 1"
    if not 0 < levels.get("compression", 1) <= 1:
        return "compression must be above 0 and at most 1"
    return None


def refuse_broken_vgg(levels: Levels) -> str | None:
    """Say why a VGG is impossible: a kernel, or a tie, must find a stack of 3x3 convolutions to act on.

    - `kernel` 5 or 7 takes the place of two or three 3x3 convolutions, which some stage must have.
    - `tied` needs a stage of three convolutions or more, counted after `kernel` has taken the place of some.
    - `plan` names stages as convolutions x multiples of the width, such as 1x1 1x2 2x4.
    """
    most = {11: 2, 13: 2, 16: 3, 19: 4}  # 3x3 convolutions in the longest stage of the paper's columns
    if "plan" in levels:
        stages = [stage.split("x") for stage in levels["plan"].split()]
        if not stages or not all(len(stage) == 2 and all(n.isdecimal() and int(n) for n in stage) for stage in stages):
            return "plan must name stages as convolutions x multiples of the width, such as '1x1 1x2 2x4'"
        longest, name = max(int(count) for count, _ in stages), f"plan {levels['plan']!r}"
    else:
        longest, name = most[levels["depth"]], f"depth {levels['depth']}"
    stack = (levels["kernel"] - 1) // 2
    if longest < stack:
        return f"kernel {levels['kernel']} stands for a stack of {stack} 3x3 convolutions, which {name} does not have"
    if levels["tied"] and longest // stack < 3:
        return f"tied needs a stage of three convolutions or more, which {name} does not have"
    return refuse_shares(levels)


def refuse_broken_cifar_resnet(levels: Levels) -> str | None:
    """Say why a depth is impossible for a CIFAR ResNet, whose three stages hold n blocks of two or three layers.

    - `depth` is 6n + 2, with `bottleneck` 9n + 2, and n is 1 or more.
    """
    step = 9 if levels["bottleneck"] else 6
    if levels["depth"] < 2 + step or (levels["depth"] - 2) % step:
        examples = "11, 20, 29, 38, 56, 110, 164" if levels["bottleneck"] else "8, 14, 20, 32, 44, 56, 110"
        kind = " with bottleneck" if levels["bottleneck"] else ""
        return f"depth must be {step}n + 2{kind}, with n of 1 or more ({examples} …)"
    return None


def refuse_broken_cifar_densenet(levels: Levels) -> str | None:
    """Say why a CIFAR DenseNet is impossible: its three blocks are equally long, and some arguments are shares.

    - `depth` is 3n + 4, with `bottleneck` 6n + 4, and n is 1 or more.
    """
    step = 6 if levels["bottleneck"] else 3
    if levels["depth"] < 4 + step or (levels["depth"] - 4) % step:
        kind = "with bottleneck 6n + 4 (10, 16, 40, 100 …)" if levels["bottleneck"] else "3n + 4 (7, 10, 22, 40, 100 …)"
        return f"depth must be {kind}"
    return refuse_shares(levels)


def refuse_broken_densenet(levels: Levels) -> str | None:
    """Say why an ImageNet DenseNet is impossible.

    - `plan` names the layers of each block, such as 6-12-24-16.
    """
    counts = levels["plan"].split("-")
    if not all(count.isdecimal() and int(count) for count in counts):
        return "plan must name the layers of each block, such as 6-12-24-16"
    return refuse_shares(levels)


def refuse_broken_alexnet(levels: Levels) -> str | None:
    """Say why an AlexNet is impossible.

    - `normalised` is at most 5: there are five convolutions.
    - `width` is a multiple of `groups`.
    """
    if levels["normalised"] > 5:
        return "normalised must be at most 5: there are five convolutions"
    if levels["width"] % levels["groups"]:
        return "width must be a multiple of groups"
    return refuse_shares(levels)


def refuse_broken_stages(levels: Levels) -> str | None:
    """Say why the blocks of an Inception network are impossible: three stages, of which none may be empty.

    - `blocks` names the blocks of three stages, such as 2-5-2.
    """
    counts = levels["blocks"].split("-")
    if len(counts) != 3 or not all(count.isdecimal() and int(count) for count in counts):
        return "blocks must name the blocks of three stages, such as 2-5-2"
    return refuse_shares(levels)


def refuse_broken_googlenet(levels: Levels) -> str | None:
    """Say why a GoogLeNet is impossible.

    - `blocks` names the blocks of three stages, at most 2-5-2: table 1 has no more rows.
    """
    reason = refuse_broken_stages(levels)
    if reason:
        return reason
    if any(int(count) > most for count, most in zip(levels["blocks"].split("-"), (2, 5, 2), strict=True)):
        return "blocks must be at most 2-5-2: table 1 has no more rows"
    return None


STEM = ("fit", "published", "small")
# Why an architecture lacks a factor, said once.
NO_BLOCKS = "it has no blocks to add a shortcut around"
OWN_POOLS = "its poolings are branches of its blocks or belong to its stem, and the side falls by strides"
ONE_LAYER = "its head has no hidden dense layers"
PREACTIVATED = "its layers are pre-activated: norm, activation, convolution"
BY_PLACEMENT = "in a residual network `placement` says where norm and activation stand"
CONCATENATES = "its blocks concatenate and add nothing"
WITHOUT_DROPPED = (
    "it chooses between the units and, by a mistake of the notes, the images that hidden dense layers drop"
)

# What many architectures have in common, with its reference levels.
COMMON = {
    "activation": "relu",
    "norm": "none",
    "norm_placement": "before",
    "output": "logits",
    "initialisation": "default",
}
DENSE_HEAD = {**COMMON, "pooling": "max", "overlap": "separate", "head": "dense", "dense_layer": "trained"}
AVERAGING = {**COMMON, "pooling": "max", "overlap": "overlapping", "head": "gap"}
INCEPTION = {**COMMON, "norm": "batch", "head": "gap"}
RESIDUAL = {
    "activation": "relu",
    "norm": "batch",
    "residual": "zero_padded",
    "placement": "post",
    "head": "gap",
    "output": "logits",
    "initialisation": "default",
}
DENSE_BLOCKS = {
    "activation": "relu",
    "norm": "batch",
    "pooling": "average",
    "overlap": "separate",
    "head": "gap",
    "output": "logits",
    "initialisation": "default",
}

NO_DENSE_WEIGHTS = {"initialisation.half_zero": "it is about dense layers, and its published form has none"}
CONVOLUTIONAL = {"residual": NO_BLOCKS, "placement": NO_BLOCKS}
CONCATENATING = {"residual": CONCATENATES, "placement": CONCATENATES}
NO_HIDDEN = {"dense_layer": ONE_LAYER, "dropped": WITHOUT_DROPPED}

CATALOGUE: dict[str, Architecture] = {
    "lenet": Architecture(
        "ablation.networks.families.lenet:lenet",
        {**DENSE_HEAD, "activation": "sigmoid", "pooling": "average"},
        {"width": 6, "hidden": 120, "convolution_activation": True},
        lacks={**CONVOLUTIONAL, "dropped": "it has no dropout"},
        published=(1, 28, 28),
    ),
    "alexnet": Architecture(
        "ablation.networks.families.alexnet:alexnet",
        {**DENSE_HEAD, "norm": "lrn", "norm_placement": "after", "overlap": "overlapping", "dropped": "units"},
        {
            "form": "paper",
            "groups": 2,
            "width": 96,
            "hidden": 4096,
            "dropout": 0.5,
            "normalised": 2,
            "stem": "fit",
        },
        {"form": ("paper", "torchvision"), "groups": (1, 2), "stem": STEM},
        CONVOLUTIONAL,
        refuse=refuse_broken_alexnet,
        stem_side=63,
        published=(3, 227, 227),
    ),
    "vgg": Architecture(
        "ablation.networks.families.vgg:vgg",
        {**DENSE_HEAD, "dropped": "units"},
        {"depth": 11, "width": 64, "hidden": 4096, "dropout": 0.5, "kernel": 3, "dilation": 1, "tied": False},
        {"depth": (11, 13, 16, 19), "kernel": (3, 5, 7)},
        CONVOLUTIONAL,
        refuse=refuse_broken_vgg,
    ),
    "vgg_plan": Architecture(
        "ablation.networks.families.vgg:vgg_plan",
        {**DENSE_HEAD, "dropped": "units"},
        {
            "plan": "1x1 1x2 2x4 2x8 2x8",
            "width": 64,
            "hidden": 4096,
            "dropout": 0.5,
            "kernel": 3,
            "dilation": 1,
            "tied": False,
        },
        {"kernel": (3, 5, 7)},
        CONVOLUTIONAL,
        refuse=refuse_broken_vgg,
    ),
    "nin": Architecture(
        "ablation.networks.families.nin:nin",
        AVERAGING,
        {"width": 96, "mlpconv_layers": True, "dropout": 0.5, "stem": "fit"},
        {"stem": STEM},
        {**CONVOLUTIONAL, **NO_HIDDEN},
        NO_DENSE_WEIGHTS,
        refuse_shares,
        stem_side=63,
        published=(1, 224, 224),
    ),
    "nin_cifar": Architecture(
        "ablation.networks.families.nin:nin_cifar",
        AVERAGING,
        {"width": 192, "mlpconv_layers": True, "dropout": 0.5},
        lacks={**CONVOLUTIONAL, **NO_HIDDEN},
        without=NO_DENSE_WEIGHTS,
        refuse=refuse_shares,
        published=(3, 32, 32),
    ),
    "googlenet": Architecture(
        "ablation.networks.families.googlenet:googlenet",
        AVERAGING,
        {
            "width": 64,
            "blocks": "2-5-2",
            "without": "none",
            "reductions": True,
            "reduction_activation": True,
            "stem_activation": True,
            "first_reduction": 16,
            "first_block": "googlenet",
            "five_by_five": "5x5",
            "auxiliary": False,
            "dropout": 0.4,
            "stem": "fit",
        },
        {
            "without": ("none", "1x1", "3x3", "5x5", "pool"),
            "first_block": ("googlenet", "inception_v3"),
            "five_by_five": ("5x5", "3x3", "two_3x3", "1x5_5x1"),
            "stem": STEM,
        },
        {**CONCATENATING, **NO_HIDDEN},
        refuse=refuse_broken_googlenet,
    ),
    "inception_bn": Architecture(
        "ablation.networks.families.inception:inception_bn",
        INCEPTION,
        {"width": 64, "dropout": 0.0, "stem": "fit"},
        {"stem": STEM},
        {**CONCATENATING, "pooling": OWN_POOLS, "overlap": OWN_POOLS, **NO_HIDDEN},
        refuse=refuse_shares,
    ),
    "inception_v3": Architecture(
        "ablation.networks.families.inception:inception_v3",
        INCEPTION,
        {"width": 32, "factorised": True, "auxiliary": True, "dropout": 0.5, "stem": "fit"},
        {"stem": STEM},
        {**CONCATENATING, "pooling": OWN_POOLS, "overlap": OWN_POOLS, **NO_HIDDEN},
        refuse=refuse_shares,
        stem_side=75,
        published=(3, 299, 299),
    ),
    "inception_resnet": Architecture(
        "ablation.networks.families.inception:inception_resnet",
        {**INCEPTION, "residual": "identity"},
        {"width": 32, "blocks": "5-10-5", "branch_scale": 0.2, "dropout": 0.2, "stem": "fit"},
        {"stem": STEM},
        {
            "placement": "its branches end in a projection without norm or activation",
            "pooling": OWN_POOLS,
            "overlap": OWN_POOLS,
            **NO_HIDDEN,
        },
        {
            "residual.zero_padded": "no block changes the shape, which makes it the same as identity",
            "residual.projection": "no block changes the shape, which makes it the same as identity",
        },
        refuse=refuse_broken_stages,
        stem_side=75,
        published=(3, 299, 299),
    ),
    "resnet": Architecture(
        "ablation.networks.families.resnet:resnet",
        {**RESIDUAL, "residual": "projection"},
        {"depth": 18, "width": 64, "stem": "fit"},
        {"depth": (18, 34, 50, 101, 152), "stem": STEM},
        {"norm_placement": BY_PLACEMENT, "pooling": OWN_POOLS, "overlap": OWN_POOLS, **NO_HIDDEN},
    ),
    "resnet_cifar": Architecture(
        "ablation.networks.families.resnet:resnet_cifar",
        RESIDUAL,
        {"depth": 20, "width": 16, "bottleneck": False, "dilation": 1},
        lacks={"norm_placement": BY_PLACEMENT, "pooling": OWN_POOLS, "overlap": OWN_POOLS, **NO_HIDDEN},
        refuse=refuse_broken_cifar_resnet,
        published=(3, 32, 32),
    ),
    "densenet": Architecture(
        "ablation.networks.families.densenet:densenet",
        DENSE_BLOCKS,
        {
            "plan": "6-12-24-16",
            "growth_rate": 32,
            "channels": 64,
            "compression": 0.5,
            "bottleneck": True,
            "dropout": 0.0,
            "dense_connections": True,
            "stem": "fit",
        },
        {"stem": STEM},
        {**CONCATENATING, "norm_placement": PREACTIVATED, **NO_HIDDEN},
        refuse=refuse_broken_densenet,
    ),
    "densenet_cifar": Architecture(
        "ablation.networks.families.densenet:densenet_cifar",
        DENSE_BLOCKS,
        {
            "depth": 40,
            "growth_rate": 12,
            "compression": 1.0,
            "bottleneck": False,
            "dropout": 0.0,
            "dense_connections": True,
        },
        lacks={**CONCATENATING, "norm_placement": PREACTIVATED, **NO_HIDDEN},
        refuse=refuse_broken_cifar_densenet,
        published=(3, 32, 32),
    ),
}
