"""The catalogue's entries of GoogLeNet's successors, and the parser of blocks.

`ablation.networks.families.inception` builds them.
"""

from dataclasses import replace

from ablation.catalogue.entry import (
    COMMON,
    CONCATENATING,
    DROPOUT_SHARE,
    FIXED_POOLS,
    INEFFECTIVE,
    NO_BIAS_AFTER,
    NO_HIDDEN,
    Architecture,
    Argument,
    Family,
    Rule,
    parse_counts,
    refuse_unreadable,
    stem,
)

LAYERS = {**COMMON, "norm": "batch", "head": "gap"}
SAME_AS_IDENTITY = "no block changes the shape, which makes it the same as identity"


def parse_blocks(blocks: str) -> tuple[int, ...]:
    """Read the residual blocks of the three kinds, such as ``5-10-5``.

    Raises
    ------
    ValueError
        If it is written otherwise, or a number is below one.
    """
    return parse_counts(blocks, "blocks must name the blocks of three stages, such as 2-5-2", length=3)


INCEPTION_BN = Architecture(
    "ablation.networks.families.inception:inception_bn",
    "An Inception-BN (Ioffe and Szegedy 2015, figure 5): normalised, two 3x3 convolutions in place of each 5x5.",
    LAYERS,
    {
        "width": Argument(
            64, "Channels of the first convolution (published: 64); all others scale along.", scales=True
        ),
        "dropout": Argument(
            0.0, "Share of the features dropped before the classifier in training (published: 0, section 4.2.1)."
        ),
        "stem": stem("7x7 of stride 2 and poolings", small="3x3 of stride 1 without"),
    },
    {**CONCATENATING, **FIXED_POOLS, **NO_HIDDEN},
    rules=(DROPOUT_SHARE,),
)

INCEPTION_V3 = Architecture(
    "ablation.networks.families.inception:inception_v3",
    'An Inception-v3 (Szegedy et al. 2016, "Rethinking the Inception architecture", table 1), as torchvision does.',
    LAYERS,
    {
        "width": Argument(
            32, "Channels of the first convolution (published: 32); all others scale along.", scales=True
        ),
        "factorised": Argument(
            True, "Whether 7x7 convolutions are 1x7 and 7x1 ones, one after the other (section 3.2)."
        ),
        "auxiliary": Argument(True, "Whether an auxiliary classifier joins in the training (section 4)."),
        "dropout": Argument(0.5, "Share of the features dropped before the classifier in training (torchvision: 0.5)."),
        "stem": stem("strides, unpadded convolutions and poolings", small="the same ones, each keeping the side"),
    },
    {**CONCATENATING, **FIXED_POOLS, **NO_HIDDEN},
    rules=(DROPOUT_SHARE,),
    stem_side=75,
    published=(3, 299, 299),
)

INCEPTION_RESNET = Architecture(
    "ablation.networks.families.inception:inception_resnet",
    'An Inception-ResNet-v1 (Szegedy, Ioffe, Vanhoucke and Alemi 2017, "Inception-v4, …", section 3.2).',
    {**LAYERS, "residual": "identity"},
    {
        "width": Argument(
            32, "Channels of the first convolution (published: 32); all others scale along.", scales=True
        ),
        "blocks": Argument("5-10-5", "Residual blocks of each kind (published: 5-10-5)."),
        "branch_scale": Argument(
            0.2, "What the branches are multiplied with before they are added (section 3.3: between 0.1 and 0.3)."
        ),
        "dropout": Argument(0.2, "Share of the features dropped before the classifier in training (published: 0.2)."),
        "stem": stem("strides, unpadded convolutions and a pooling", small="the same ones, each keeping the side"),
    },
    {"placement": "its branches end in a projection without norm or activation", **FIXED_POOLS, **NO_HIDDEN},
    excluded={
        "residual.zero_padded": SAME_AS_IDENTITY,
        "residual.projection": SAME_AS_IDENTITY,
        "residual.bare_projection": SAME_AS_IDENTITY,
    },
    # Its projections have a norm and no activation beside them: placed after or before, the norm is the same.
    common=tuple(row for row in INEFFECTIVE if row is not NO_BIAS_AFTER),
    no_effect=tuple(
        replace(NO_BIAS_AFTER, when={**NO_BIAS_AFTER.when, "residual": residual})
        for residual in ("identity", "scaled", "none", "shortcut_only")
    ),
    rules=(
        Rule("`blocks` names the blocks of three stages, such as 2-5-2.", refuse_unreadable("blocks", parse_blocks)),
        DROPOUT_SHARE,
    ),
    stem_side=75,
    published=(3, 299, 299),
)

FAMILY = Family(
    """GoogLeNet's successors: Inception-BN, Inception-v3 and the residual Inception-ResNet-v1.

    For rows 4c and 4d of Inception-BN the paper states 128 pool projections and 576 outputs, which contradict each other;
    96 give the stated outputs. Inception-v3 is torchvision's network, which has one auxiliary classifier.
    """,
    {"inception_bn": INCEPTION_BN, "inception_v3": INCEPTION_V3, "inception_resnet": INCEPTION_RESNET},
)
