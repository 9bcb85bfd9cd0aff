"""The layer factors with their levels: what makes each, what it is in a sentence, and what follows from it.

A level is one row here and nowhere else. What makes it is named, not imported: a study is validated without torch.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ablation.catalogue.strict import STRICT

SHORTCUTS = "ablation.networks.shortcuts"
INITIALISATION = "ablation.networks.initialisation"


@dataclass(frozen=True)
class Saturation:
    """Which values of an activation count as saturated: those at or beyond the bounds, where its slope is small.

    Attributes
    ----------
    low, high : float or None
        Bounds; None for none.
    of : str
        Whether the bounds are of its ``output`` or of its ``input``.
    """

    __pydantic_config__ = STRICT

    low: float | None = None
    high: float | None = None
    of: Literal["output", "input"] = "output"


@dataclass(frozen=True)
class Level:
    """One level of a layer factor.

    Attributes
    ----------
    make : str
        Reference to what makes the layer, ``module:name``: what the field of `ablation.networks.kit.Layers` calls.
    text : str
        What it is, in a sentence with its source.
    arguments : mapping
        Keyword arguments that are bound to `make`.
    shifts : bool
        Of a norm: whether it adds a shift of its own, so that the layers before it need no bias.
    saturation : Saturation or None
        Of an activation: which values count as saturated; None where none do.
    """

    __pydantic_config__ = STRICT

    make: str
    text: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shifts: bool = True
    saturation: Saturation | None = None

    def spec(self) -> dict[str, Any]:
        """State all that the network depends on, in plain data."""
        return {"make": self.make, "arguments": dict(self.arguments), "shifts": self.shifts}

    def saturation_spec(self) -> dict[str, Any] | None:
        """State which values count as saturated, in plain data."""
        return asdict(self.saturation) if self.saturation else None


@dataclass(frozen=True)
class Factor:
    """A layer factor: what it varies, in a sentence, and its levels by name."""

    text: str
    levels: Mapping[str, Level]


# Sigmoid and tanh: within a fiftieth of the range from a bound, where the slope is below 8 % of its largest. ReLU: zero,
# which is called inactive; leaky ReLU: on its small slope. GELU and SiLU come back to zero as x falls, but slowly: below
# -3 and -6 their slopes are smaller than 0.0125 in magnitude.
ACTIVATION = Factor(
    "The nonlinearity of every hidden layer.",
    {
        "relu": Level("torch.nn:ReLU", "max(0, x) (Nair and Hinton 2010).", saturation=Saturation(low=0.0)),
        "leaky_relu": Level(
            "torch.nn:LeakyReLU",
            "x above zero, x / 100 below (Maas, Hannun and Ng 2013).",
            saturation=Saturation(low=0.0),
        ),
        "gelu": Level(
            "torch.nn:GELU",
            "x times the normal distribution function of x (Hendrycks and Gimpel 2016).",
            saturation=Saturation(low=-3.0, of="input"),
        ),
        "silu": Level(
            "torch.nn:SiLU",
            "x times the sigmoid of x (Hendrycks and Gimpel 2016, section 4).",
            saturation=Saturation(low=-6.0, of="input"),
        ),
        "tanh": Level("torch.nn:Tanh", "The hyperbolic tangent of x.", saturation=Saturation(-0.96, 0.96)),
        "sigmoid": Level("torch.nn:Sigmoid", "1 / (1 + exp(−x)).", saturation=Saturation(0.02, 0.98)),
        "none": Level("torch.nn:Identity", "Nothing: layers are linear but for norm and pooling."),
    },
)
NORM = Factor(
    "What normalises the feature maps. Where nothing shifts them, the convolutions have biases.",
    {
        "batch": Level(
            "ablation.networks.norms:batch_norm",
            "Normalise each channel over the batch (Ioffe and Szegedy 2015, algorithm 1).",
        ),
        "layer": Level(
            "ablation.networks.norms:layer_norm",
            "Normalise each image over all its channels and pixels (Ba, Kiros and Hinton 2016).",
        ),
        "group": Level(
            "ablation.networks.norms:group_norm",
            "Normalise each image within eight groups of channels (Wu and He 2018): four groups, two or one where eight "
            "would not be equal, or smaller than four channels. One group is layer norm.",
        ),
        "lrn": Level(
            "ablation.networks.norms:local_response_norm",
            "Let neighbouring channels compete (Krizhevsky et al. 2012, section 3.3).",
            shifts=False,
        ),
        "none": Level(
            "ablation.networks.norms:no_norm",
            "Leave the place of the norm empty; all other layers keep their names.",
            shifts=False,
        ),
    },
)
NORM_PLACEMENT = Factor(
    "Which of norm and activation comes first after a convolution.",
    {
        "before": Level(
            "ablation.networks.norms:before",
            "Normalise what the activation gets (Ioffe and Szegedy 2015, section 3.2).",
        ),
        "after": Level(
            "ablation.networks.norms:after",
            "Normalise what the activation gives (Krizhevsky et al. 2012, section 3.3, for local response normalisation).",
        ),
    },
)
BIAS = Factor(
    "Whether convolutions and hidden dense layers beside a norm have a bias, which a norm with a shift makes redundant.",
    {
        "by_norm": Level(
            "ablation.networks.norms:by_norm",
            "Only where no norm shifts what comes out (Ioffe and Szegedy 2015, section 3.2).",
        ),
        "kept": Level(
            "ablation.networks.norms:kept",
            "Always, as in torchvision's VGG and in the networks of Dive into Deep Learning.",
        ),
    },
)
RESIDUAL = Factor(
    "How a block joins its branch with its input.",
    {
        "identity": Level(
            f"{SHORTCUTS}:identity",
            "Add the input as it is where shapes agree; a block that changes the shape has no shortcut.",
        ),
        "zero_padded": Level(
            f"{SHORTCUTS}:ZeroPadded",
            "Add the input to the branch: strided, with zeros for the new channels (He et al. 2015, section 4.2, option A).",
        ),
        "projection": Level(
            f"{SHORTCUTS}:Projection",
            "Add the input to the branch, projected by a 1x1 convolution where shapes differ (He et al. 2015, option B).",
        ),
        "projection_always": Level(
            f"{SHORTCUTS}:ProjectionAlways",
            "Add the input to the branch, projected by a 1x1 convolution in every block (He et al. 2015, option C).",
        ),
        "bare_projection": Level(
            f"{SHORTCUTS}:BareProjection",
            "Project where shapes differ, with a bias and without a norm (Dive into Deep Learning, section 8.6).",
        ),
        "scaled": Level(
            f"{SHORTCUTS}:Scaled",
            'Halve both the branch and the shortcut (He et al. 2016, section 3.1, table 1, "constant scaling").',
        ),
        "none": Level(
            f"{SHORTCUTS}:Plain",
            "Pass the branch on alone: the plain network that residual ones are compared with (He et al. 2015, section "
            "3.3).",
        ),
        "shortcut_only": Level(
            f"{SHORTCUTS}:ShortcutOnly",
            "Return the shortcut alone. A mistake of the study notes (000): the branch never counts and never learns.",
        ),
    },
)
PLACEMENT = Factor(
    "Where norm and activation stand around the join of a residual block.",
    {
        "post": Level(
            f"{SHORTCUTS}:POST",
            "Norm after each convolution, activation between them and after the join (He et al. 2016, figure 4a).",
        ),
        "norm_after_join": Level(
            f"{SHORTCUTS}:NORM_AFTER_JOIN", "The same with the last norm after the join (figure 4b)."
        ),
        "activation_before_join": Level(
            f"{SHORTCUTS}:ACTIVATION_BEFORE_JOIN", "The same with the last activation before the join (figure 4c)."
        ),
        "activation_first": Level(
            f"{SHORTCUTS}:ACTIVATION_FIRST",
            "An activation before each convolution, a norm after it (figure 4d). Where a block changes the shape, its "
            "shortcut starts from the activation, too, and a projection has no norm.",
        ),
        "pre": Level(
            f"{SHORTCUTS}:PRE",
            "Norm and activation before each convolution (figure 4e, full pre-activation). Where a block changes the shape, "
            "its shortcut starts from the first norm and activation, too, and a projection has no norm (authors' code).",
        ),
    },
)
POOLING = Factor(
    "What takes the place of a window of pixels.",
    {
        "max": Level("ablation.networks.pooling:maximum", "Take the largest value of each window."),
        "average": Level("ablation.networks.pooling:average", "Take the mean of each window."),
        "strided": Level(
            "ablation.networks.pooling:strided",
            'Put a strided convolution in the place of the pooling (Springenberg et al. 2015, section 2, "All-CNN").',
        ),
    },
)
OVERLAP = Factor(
    "How wide the windows of poolings are; the side of the output stays.",
    {
        "separate": Level("ablation.networks.pooling:separate", "Lay windows side by side: as wide as they are apart."),
        "overlapping": Level(
            "ablation.networks.pooling:overlapping",
            "Let windows overlap by a pixel (Krizhevsky et al. 2012, section 3.4: 3 wide, 2 apart).",
        ),
    },
)
HEAD = Factor(
    "What comes between the last feature maps and the logits.",
    {
        "gap": Level(
            "ablation.networks.heads:gap",
            "Average the maps and classify the averages; no hidden layers (Lin, Chen and Yan 2014, section 3.2).",
        ),
        "dense": Level(
            "ablation.networks.heads:dense",
            "Flatten the maps and pass them through dense layers, each with its dropout.",
        ),
    },
)
OUTPUT = Factor(
    "What comes after the classifier.",
    {
        "logits": Level("torch.nn:Identity", "Nothing: the loss takes logits."),
        "softmax": Level(
            "torch.nn:Softmax",
            "A softmax. A mistake of the study notes (002): the loss takes the softmax, too.",
            arguments={"dim": 1},
        ),
    },
)
DENSE_LAYER = Factor(
    "What the hidden dense layers are.",
    {
        "trained": Level("torch.nn:Linear", "A dense layer like any."),
        "detached": Level(
            "ablation.networks.heads:Detached",
            "Compute with weights that never learn. A mistake of the study notes (001), whose layer reads `weight.data`.",
        ),
    },
)
DROPPED = Factor(
    "What the dropout of dense layers drops.",
    {
        "units": Level("torch.nn:Dropout", "Each unit by itself (Krizhevsky et al. 2012, section 4.2)."),
        "images": Level(
            "torch.nn:Dropout1d",
            "Whole images. A mistake of the study notes (002): `Dropout1d` on (batch, units) drops rows.",
        ),
    },
)
GAUSSIAN = (
    "Krizhevsky, Sutskever and Hinton 2012, section 5: normal weights of a fixed standard deviation, no bias; std {}."
)
INITIAL = Factor(
    "How weights and biases start. Norms start as the identity.",
    {
        "default": Level(
            f"{INITIALISATION}:default",
            "Initialise as torch does: weights and bias uniform within one over the root of the fan-in.",
        ),
        "xavier": Level(
            f"{INITIALISATION}:xavier",
            "Glorot and Bengio 2010, equation 16: uniform weights; the bias stays torch's, as in the d2l protocol.",
        ),
        "kaiming": Level(
            f"{INITIALISATION}:kaiming",
            'He, Zhang, Ren and Sun 2015 ("Delving deep into rectifiers"), equation 10: normal weights by fan-in, no bias.',
        ),
        "kaiming_out": Level(
            f"{INITIALISATION}:kaiming_out",
            "Initialise as the study notes' AlexNet does (001): He's normal by fan-out, dense layers normal of 0.01, no "
            "bias.",
        ),
        "orthogonal": Level(
            f"{INITIALISATION}:orthogonal",
            "Saxe, McClelland and Ganguli 2014, section 3: orthonormal rows (or columns) over the flattened kernel, no "
            "bias.",
        ),
        "gaussian0.001": Level(f"{INITIALISATION}:gaussian", GAUSSIAN.format(0.001), {"std": 0.001}),
        "gaussian0.01": Level(f"{INITIALISATION}:gaussian", GAUSSIAN.format(0.01), {"std": 0.01}),
        "gaussian0.1": Level(
            f"{INITIALISATION}:gaussian",
            "The same with 0.1. A mistake of the study notes (001), which take 0.01 for a variance.",
            {"std": 0.1},
        ),
        "half_zero": Level(
            f"{INITIALISATION}:half_zero",
            "Initialise as the study notes' example does (001): dense weights within ±10, those within ±5 set to zero.",
        ),
    },
)

# By name of the field of `ablation.networks.kit.Layers`; `initialisation` is applied to the network once it is built.
FACTORS: dict[str, Factor] = {
    "activation": ACTIVATION,
    "norm": NORM,
    "norm_placement": NORM_PLACEMENT,
    "bias": BIAS,
    "residual": RESIDUAL,
    "placement": PLACEMENT,
    "pooling": POOLING,
    "overlap": OVERLAP,
    "head": HEAD,
    "output": OUTPUT,
    "dense_layer": DENSE_LAYER,
    "dropped": DROPPED,
    "initialisation": INITIAL,
}
