"""The catalogue's entries of DenseNet, and the parser of plans; `ablation.networks.families.densenet` builds them."""

from ablation.catalogue.entry import (
    COMPRESSION_SHARE,
    CONCATENATING,
    DROPOUT_SHARE,
    NO_HIDDEN,
    Architecture,
    Argument,
    Family,
    Levels,
    Rule,
    parse_counts,
    refuse_unreadable,
    stem,
)

LAYERS = {
    "activation": "relu",
    "norm": "batch",
    "bias": "by_norm",
    "pooling": "average",
    "overlap": "separate",
    "head": "gap",
    "output": "logits",
    "initialisation": "default",
}
LACKS = {
    **CONCATENATING,
    "norm_placement": "its layers are pre-activated: norm, activation, convolution",
    **NO_HIDDEN,
}
BOTTLENECK = "Whether a 1x1 convolution precedes each 3x3 one."
DROPOUT = Argument(
    0.0,
    "Share of the activations dropped in training after every convolution but the stem: the 1x1 ones of bottlenecks and "
    "transitions, too (section 3, as the authors' code has it; published: 0.2 without augmentation).",
)
DENSE_CONNECTIONS = Argument(
    True, "Whether a layer sees all earlier ones of its block; if not, the one before it alone."
)


def parse_plan(plan: str) -> tuple[int, ...]:
    """Read a plan such as ``6-12-24-16``: the layers of each block.

    Raises
    ------
    ValueError
        If it is written otherwise, or a number is below one.
    """
    return parse_counts(plan, "plan must name the layers of each block, such as 6-12-24-16")


def refuse_depth(levels: Levels) -> str | None:
    """Refuse a depth that does not make three blocks of equal length."""
    step = 6 if levels["bottleneck"] else 3
    if levels["depth"] < 4 + step or (levels["depth"] - 4) % step:
        kind = "with bottleneck 6n + 4 (10, 16, 40, 100 …)" if levels["bottleneck"] else "3n + 4 (7, 10, 22, 40, 100 …)"
        return f"depth must be {kind}"
    return None


FAMILY = Family(
    """DenseNet (Huang, Liu, van der Maaten and Weinberger 2017): for small images (section 3) and for ImageNet (table
    1).
    """,
    {
        "densenet": Architecture(
            "ablation.networks.families.densenet:densenet",
            "An ImageNet DenseNet: the network of torchvision.",
            LAYERS,
            {
                "plan": Argument(
                    "6-12-24-16",
                    "Layers a block: 6-12-24-16 (DenseNet-121), 6-12-32-32 (169), 6-12-48-32 (201); 4-4-4-4 without "
                    "bottleneck is the form of the study notes (002).",
                ),
                "growth_rate": Argument(32, "New feature maps a layer (published: 32).", scales=True),
                "channels": Argument(64, "Of the stem (published: 64, twice the growth rate).", scales=True),
                "compression": Argument(0.5, "Share of the feature maps that a transition keeps (published: 0.5)."),
                "bottleneck": Argument(True, BOTTLENECK),
                "dropout": DROPOUT,
                "dense_connections": DENSE_CONNECTIONS,
                "stem": stem("a 7x7 convolution of stride 2 and a pooling"),
            },
            LACKS,
            rules=(
                Rule(
                    "`plan` names the layers of each block, such as 6-12-24-16.", refuse_unreadable("plan", parse_plan)
                ),
                DROPOUT_SHARE,
                COMPRESSION_SHARE,
            ),
            names_sources=True,
        ),
        "densenet_cifar": Architecture(
            "ablation.networks.families.densenet:densenet_cifar",
            "A CIFAR DenseNet; bottleneck and compression 0.5 make it a DenseNet-BC.",
            LAYERS,
            {
                "depth": Argument(40, "Weighted layers: 3n + 4, with bottleneck 6n + 4 (published: 40 and 100)."),
                "growth_rate": Argument(12, "New feature maps a layer (published: 12, 24, 40).", scales=True),
                "compression": Argument(
                    1.0, "Share of the feature maps that a transition keeps (published: 1 and 0.5)."
                ),
                "bottleneck": Argument(False, BOTTLENECK),
                "dropout": DROPOUT,
                "dense_connections": DENSE_CONNECTIONS,
            },
            LACKS,
            rules=(
                Rule("`depth` is 3n + 4, with `bottleneck` 6n + 4, and n is 1 or more.", refuse_depth),
                DROPOUT_SHARE,
                COMPRESSION_SHARE,
            ),
            published=(3, 32, 32),
            names_sources=True,
        ),
    },
)
