"""The catalogue's entry of AlexNet; `ablation.networks.families.alexnet` builds it."""

from ablation.catalogue.entry import (
    CONVOLUTIONAL,
    DENSE_HEAD,
    DROPOUT_SHARE,
    Architecture,
    Argument,
    Family,
    Ineffective,
    Levels,
    Rule,
    stem,
)


def refuse_normalised(levels: Levels) -> str | None:
    """Refuse more normalised convolutions than there are."""
    return "normalised must be at most 5: there are five convolutions" if levels["normalised"] > 5 else None


def refuse_width(levels: Levels) -> str | None:
    """Refuse a width that does not divide into groups."""
    return "width must be a multiple of groups" if levels["width"] % levels["groups"] else None


FAMILY = Family(
    """AlexNet (Krizhevsky, Sutskever and Hinton 2012, section 3.5): five convolutions and three dense layers.

    The paper states inputs of 224 pixels, and its shapes follow from 227. Its convolutions 2, 4 and 5 see only the half
    of the channels that lies on their own GPU, here as two groups. torchvision's network is that of "One weird trick for
    parallelizing convolutional neural networks" (Krizhevsky 2014), without groups, with a padded first convolution and with
    dropout before the two hidden dense layers, where the paper has it after them.
    """,
    {
        "alexnet": Architecture(
            "ablation.networks.families.alexnet:alexnet",
            "An AlexNet.",
            {**DENSE_HEAD, "norm": "lrn", "norm_placement": "after", "overlap": "overlapping", "dropped": "units"},
            {
                "form": Argument("paper", "`paper`, or `torchvision`.", ("paper", "torchvision")),
                "groups": Argument(
                    2, "Of convolutions 2, 4 and 5 (published: 2; torchvision and the study notes: 1).", (1, 2)
                ),
                "width": Argument(
                    96,
                    "Channels of the first convolution if it were the paper's (96); all others scale along. The half of "
                    "the network that lies on one GPU, which the notes (001) print, has 48, a hidden width of 2048 and "
                    "one group.",
                    scales=True,
                ),
                "hidden": Argument(4096, "Units of the two hidden dense layers (published: 4096).", scales=True),
                "dropout": Argument(0.5, "Share of the dense units dropped in training (published: 0.5)."),
                "normalised": Argument(
                    2,
                    "How many convolutions, from the first, have a norm (published: 2, with local response "
                    "normalisation).",
                ),
                "stem": stem("an 11x11 convolution of stride 4"),
            },
            CONVOLUTIONAL,
            rules=(
                Rule("`normalised` is at most 5: there are five convolutions.", refuse_normalised),
                Rule("`width` is a multiple of `groups`.", refuse_width),
                DROPOUT_SHARE,
            ),
            no_effect=(Ineffective("normalised", {"norm": "none"}, "norm is none"),),
            stem_side=63,
            published=(3, 227, 227),
        )
    },
)
