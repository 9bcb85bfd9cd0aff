"""The catalogue's entries of ResNet; `ablation.networks.families.resnet` builds them."""

from ablation.catalogue.entry import (
    FIXED_POOLS,
    NO_HIDDEN,
    Architecture,
    Argument,
    Family,
    Ineffective,
    Levels,
    Rule,
    stem,
)

LAYERS = {
    "activation": "relu",
    "norm": "batch",
    "bias": "by_norm",
    "residual": "zero_padded",
    "placement": "post",
    "head": "gap",
    "output": "logits",
    "initialisation": "default",
}
LACKS = {
    "norm_placement": "in a residual network `placement` says where norm and activation stand",
    **FIXED_POOLS,
    **NO_HIDDEN,
}
NO_JOIN = "residual is none: there is no join for the norm to stand before or after"
NO_EFFECT = (
    Ineffective("placement", {"residual": "none", "placement": "post"}, NO_JOIN),
    Ineffective("placement", {"residual": "none", "placement": "norm_after_join"}, NO_JOIN),
)


def refuse_bare_projection(levels: Levels) -> str | None:
    """Refuse a projection without norm where none has one."""
    if levels["residual"] == "bare_projection" and levels["placement"] in ("pre", "activation_first"):
        where = f"with placement {levels['placement']}"
        return f"residual bare_projection is the same as projection {where}, where no projection has a norm"
    return None


BARE_PROJECTION = Rule(
    "`residual` is not `bare_projection` where `placement` is `pre` or `activation_first`: there no projection has a norm.",
    refuse_bare_projection,
)


def refuse_depth(levels: Levels) -> str | None:
    """Refuse a depth that leaves no whole number of blocks to the three stages, of two or three layers per block."""
    step = 9 if levels["bottleneck"] else 6
    if levels["depth"] < 2 + step or (levels["depth"] - 2) % step:
        examples = "11, 20, 29, 38, 56, 110, 164" if levels["bottleneck"] else "8, 14, 20, 32, 44, 56, 110"
        kind = " with bottleneck" if levels["bottleneck"] else ""
        return f"depth must be {step}n + 2{kind}, with n of 1 or more ({examples} …)"
    return None


FAMILY = Family(
    """ResNet: for small images (He, Zhang, Ren and Sun 2015, section 4.2) and for ImageNet (the same, table 1).

    In a bottleneck the 3x3 convolution has the stride, as in torchvision and in the authors' later code; in the paper the
    first 1x1 convolution has it. Pre-activated networks (He, Zhang, Ren and Sun 2016) share the first activation of a unit
    between branch and shortcut where the unit changes the shape, as in the authors' code for bottlenecks; the paper's
    appendix says so of the first unit of the network, too, where it is no bottleneck. They end in a norm and an activation.
    """,
    {
        "resnet": Architecture(
            "ablation.networks.families.resnet:resnet",
            "An ImageNet ResNet: the network of torchvision.",
            {**LAYERS, "residual": "projection"},
            {
                "depth": Argument(18, "Weighted layers: 18, 34, 50, 101 or 152.", choices=(18, 34, 50, 101, 152)),
                "width": Argument(64, "Channels of the first stage (published: 64).", scales=True),
                "stem": stem("a 7x7 convolution of stride 2 and a pooling"),
            },
            LACKS,
            rules=(BARE_PROJECTION,),
            no_effect=NO_EFFECT,
        ),
        "resnet_cifar": Architecture(
            "ablation.networks.families.resnet:resnet_cifar",
            "A CIFAR ResNet; with `residual: none` it is the paper's plain network.",
            LAYERS,
            {
                "depth": Argument(
                    20,
                    "Weighted layers, 6n + 2 (published: 20, 32, 44, 56, 110); 9n + 2 with bottlenecks (He et al. 2016: "
                    "164).",
                ),
                "width": Argument(16, "Channels of the first stage (published: 16).", scales=True),
                "bottleneck": Argument(False, "Whether the blocks are bottlenecks, which give four times the width."),
                "dilation": Argument(1, "Pixels between the taps of the blocks' 3x3 kernels (published: 1)."),
            },
            LACKS,
            rules=(
                Rule("`depth` is 6n + 2, with `bottleneck` 9n + 2, and n is 1 or more.", refuse_depth),
                BARE_PROJECTION,
            ),
            no_effect=NO_EFFECT,
            published=(3, 32, 32),
        ),
    },
)
