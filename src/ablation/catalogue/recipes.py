"""The options of a recipe: optimisers, schedules and augmentations, each with what makes it and what it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ablation.catalogue.strict import STRICT


@dataclass(frozen=True)
class Option:
    """One choice of an entry of the recipe: a reference to what makes it, ``module:name``, and what it is."""

    make: str
    text: str


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a training image.

    Attributes
    ----------
    make : str
        Reference to a function of a batch of normalised images (n, channels, height, width), the amount and a generator
        on their device; it returns images of the same shape, with a draw of its own for each.
    text : str
        What it does with the amount `example`.
    example : int or None
        An amount (pixels or per cent), written behind the name; None where there is none to choose.
    most : int or None
        The largest amount; None for any.
    below_side : bool
        Whether the amount must be less than the side of an image.
    """

    __pydantic_config__ = STRICT

    make: str
    text: str
    example: int | None = None
    most: int | None = None
    below_side: bool = False


OPTIMIZERS: dict[str, Option] = {
    "sgd": Option("ablation.training.optimisation:sgd", "stochastic gradient descent, with momentum if stated"),
    "adam": Option("ablation.training.optimisation:adam", "Adam (Kingma and Ba 2015)"),
    "adamw": Option("ablation.training.optimisation:adamw", "Adam with decoupled decay (Loshchilov and Hutter 2019)"),
}
SCHEDULES: dict[str, Option] = {
    "constant": Option("ablation.training.optimisation:constant", "stays"),
    "step": Option("ablation.training.optimisation:step", "is multiplied by gamma at each milestone"),
    "cosine": Option(
        "ablation.training.optimisation:cosine", "falls to zero along half a cosine (Loshchilov and Hutter 2017)"
    ),
    "linear": Option("ablation.training.optimisation:linear", "falls to zero in a line"),
}
PRECISIONS: dict[str, str] = {
    "float32": "all in single precision",
    "tf32": "factors of products rounded to TF32 on a GPU that can; on a CPU the same as float32",
    "bf16": "layers in bfloat16 as autocast chooses, parameters and their updates in single precision",
}
ENGINES: dict[str, str] = {
    "eager": "operation by operation, or the same operations as a CUDA graph, with the same bits",
    "compiled": "by torch.compile, which merges operations and rounds otherwise; needs a C++ compiler, or Triton for a GPU",
}
MOST_STEPS = 20  # augmentations of a recipe
MOST_PIXELS = 1024  # of an amount, where the side of the images is not known yet
AUGMENTATIONS: dict[str, Augmentation] = {
    "crop": Augmentation(
        "ablation.training.augmentation:crop",
        "pad by 4 pixels of the mean colour (black if `standardised` is false), crop at random, which shifts it by up to 4",
        example=4,
        most=MOST_PIXELS,
        below_side=True,
    ),
    "translate": Augmentation(
        "ablation.training.augmentation:translate",
        "the same, padded with the image's mirror",
        example=4,
        most=MOST_PIXELS,
        below_side=True,
    ),
    "flip": Augmentation("ablation.training.augmentation:flip", "mirror every other one"),
    "cutout": Augmentation(
        "ablation.training.augmentation:cutout",
        "fill a square of 8 pixels with the mean colour (black if `standardised` is false)",
        example=8,
        most=MOST_PIXELS,
        below_side=True,
    ),
    "colour": Augmentation(
        "ablation.training.augmentation:colour",
        "change brightness, contrast and saturation by up to 20 per cent",
        example=20,
        most=100,
    ),
}


def parse_augmentation(text: str, known: Mapping[str, Augmentation]) -> list[tuple[str, int]]:
    """Read what a recipe says of augmentation, such as ``crop4+flip``.

    Parameters
    ----------
    text : str
    known : mapping of str to Augmentation

    Returns
    -------
    list of (str, int)
        Name and amount (0 where there is none to choose) of each, in their order; empty for ``none``.

    Raises
    ------
    ValueError
        If it is written otherwise, names what is not known, or an amount is none or too large; the message says what
        was expected.
    """
    found, parts = [], [] if text == "none" else text.split("+")
    if len(parts) > MOST_STEPS:
        raise ValueError(f"at most {MOST_STEPS} parts joined by +")
    for part in parts:
        match = re.fullmatch(r"([a-z_]+)([0-9]{0,6})", part)
        entry = known.get(match[1]) if match else None
        amount = int(match[2] or 0) if entry else 0
        takes_amount = entry is not None and entry.example is not None
        if entry is None or takes_amount != bool(match[2]) or takes_amount != (amount > 0):
            raise ValueError(f"none, or parts joined by +, each like {examples(known)}, with any pixels or per cent")
        if entry.most is not None and amount > entry.most:
            raise ValueError(f"at most {match[1]}{entry.most}")
        found.append((match[1], amount))
    return found


def examples(known: Mapping[str, Augmentation]) -> str:
    """List augmentations as a study writes them: crop4, flip."""
    return ", ".join(f"{name}{'' if entry.example is None else entry.example}" for name, entry in known.items())


def describe_augmentations(known: Mapping[str, Augmentation]) -> str:
    """Say what each augmentation does: crop4 (…), flip (…)."""
    named = zip(examples(known).split(", "), known.values(), strict=True)
    return ", ".join(f"{name} ({entry.text})" for name, entry in named)


def describe_options(known: Mapping[str, str]) -> str:
    """Say what each option is: float32 (…), tf32 (…)."""
    return ", ".join(f"{name} ({text})" for name, text in known.items())


def augmentation_pattern() -> str:
    """Return a regular expression of how augmentations are written, for editors, which know no author's own."""
    return r"^(none|[a-z_]+[0-9]*(\+[a-z_]+[0-9]*)*)$"
