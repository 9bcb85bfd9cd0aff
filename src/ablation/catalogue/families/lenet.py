"""The catalogue's entry of LeNet; `ablation.networks.families.lenet` builds it."""

from ablation.catalogue.entry import CONVOLUTIONAL, DENSE_HEAD, Architecture, Argument, Family, Ineffective

PUBLISHED_SIDE = 32  # pixels

FAMILY = Family(
    """LeNet (LeCun, Bottou, Bengio and Haffner 1998, figure 2), in the form that textbooks train.

    The textbook form connects every map of the second convolution to every map of the first (the paper's table I leaves
    some out), averages without trainable coefficients and ends in a dense layer instead of radial basis functions: at
    1x28x28 and ten classes 61,706 parameters.
    """,
    {
        "lenet": Architecture(
            "ablation.networks.families.lenet:lenet",
            "A LeNet of two convolutions and three dense layers.",
            {**DENSE_HEAD, "activation": "sigmoid", "pooling": "average"},
            {
                "width": Argument(
                    6, "Channels of the first convolution (published: 6); the second has 8/3 as many (16).", scales=True
                ),
                "hidden": Argument(
                    120,
                    "Units of the first dense layer (published: 120); the second has 7/10 as many (84).",
                    scales=True,
                ),
                "convolution_activation": Argument(
                    True, "Whether the convolutions have activations; in the study notes (002) they have none."
                ),
                "padding": Argument(
                    "fit",
                    "Of the first convolution. `fit`: below 32 pixels, where the paper's network starts, it keeps the side; "
                    "`none`: it is unpadded at any side, as in the batch-norm LeNet of Dive into Deep Learning.",
                    choices=("fit", "none"),
                ),
            },
            lacks={**CONVOLUTIONAL, "dropped": "it has no dropout"},
            no_effect=(
                Ineffective(
                    "padding",
                    {"padding": "none"},
                    f"fit is without padding, too, for inputs of {PUBLISHED_SIDE} pixels or more",
                    (PUBLISHED_SIDE, float("inf")),
                ),
            ),
            published=(1, 28, 28),
        )
    },
)
