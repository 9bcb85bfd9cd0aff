"""The catalogue's entries of Network in Network; `ablation.networks.families.nin` builds them."""

from ablation.catalogue.entry import (
    AVERAGING,
    CONVOLUTIONAL,
    DROPOUT_SHARE,
    NO_HIDDEN,
    Architecture,
    Argument,
    Family,
    stem,
)

NO_DENSE_WEIGHTS = {"initialisation.half_zero": "it is about dense layers, and its published form has none"}
MLPCONV_LAYERS = Argument(True, "Whether the 1x1 convolutions are there.")

FAMILY = Family(
    """Network in Network (Lin, Chen and Yan 2014): convolutions followed by 1x1 ones, and an average instead of dense
    layers.
    """,
    {
        "nin": Architecture(
            "ablation.networks.families.nin:nin",
            "The network of the study notes (002) and of Dive into Deep Learning, section 8.3: AlexNet's kernels.",
            AVERAGING,
            {
                "width": Argument(
                    96, "Channels of the first block (published: 96); the others scale along.", scales=True
                ),
                "mlpconv_layers": MLPCONV_LAYERS,
                "dropout": Argument(
                    0.5, "Share of the activations dropped in training before the last block (published: 0.5)."
                ),
                "stem": stem("an 11x11 convolution of stride 4"),
            },
            lacks={**CONVOLUTIONAL, **NO_HIDDEN},
            excluded=NO_DENSE_WEIGHTS,
            rules=(DROPOUT_SHARE,),
            stem_side=63,
            published=(1, 224, 224),
        ),
        "nin_cifar": Architecture(
            "ablation.networks.families.nin:nin_cifar",
            "The authors' network for CIFAR-10: three blocks, poolings that let a last window hang over the edge.",
            AVERAGING,
            {
                "width": Argument(
                    192, "Channels of the first convolution (published: 192); the others scale along.", scales=True
                ),
                "mlpconv_layers": MLPCONV_LAYERS,
                "dropout": Argument(
                    0.5, "Share of the activations dropped in training after each pooling (published: 0.5)."
                ),
            },
            lacks={**CONVOLUTIONAL, **NO_HIDDEN},
            excluded=NO_DENSE_WEIGHTS,
            rules=(DROPOUT_SHARE,),
            published=(3, 32, 32),
        ),
    },
)
