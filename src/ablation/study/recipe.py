"""How the runs of a study are trained: the model of its part `recipe`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.recipes import (
    ENGINES,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    augmentation_pattern,
    describe_augmentations,
    describe_options,
    parse_augmentation,
)
from ablation.study.mistakes import contradiction, wanted
from ablation.study.values import MOST_BATCH, MOST_EPOCHS, MOST_RATE, Number, Share, Strict, as_tuple, whole


def _know_augmentation(text: str, info: ValidationInfo) -> str:
    try:
        parse_augmentation(text, Catalogue.of(info.context).augmentations)
    except ValueError as error:
        raise wanted(str(error)) from None
    return text


class Recipe(Strict):
    """How every variant is trained, unless one of these entries is a factor."""

    epochs: whole(1, MOST_EPOCHS) = Field(description="Passes over the training images.")
    batch_size: whole(1, MOST_BATCH) = Field(
        description="Images a step; the last step of an epoch may have fewer. A single image left over joins the step "
        "before it, for one image has no batch statistics.",
    )
    optimizer: Literal[*OPTIMIZERS] = Field("sgd", description="The optimiser.")
    lr: Number = Field(gt=0, le=MOST_RATE, description="Learning rate at its highest.")
    momentum: Number = Field(0.0, ge=0, lt=1, description="Momentum of SGD.")
    nesterov: bool = Field(False, description="Whether the momentum of SGD is Nesterov's.")
    betas: Annotated[tuple[Share, Share], BeforeValidator(as_tuple)] = Field(
        (0.9, 0.999), description="Decay rates of Adam's two moments."
    )
    weight_decay: Number = Field(
        0.0, ge=0, le=MOST_RATE, description="L2 penalty on all parameters (adamw: decoupled decay)."
    )
    label_smoothing: Number = Field(0.0, ge=0, lt=1, description="Share of the target spread over all classes.")
    schedule: Literal[*SCHEDULES] = Field(
        "constant", description="How the learning rate falls, step by step, after the warm-up."
    )
    milestones: Annotated[tuple[Number, ...], BeforeValidator(as_tuple)] = Field(
        (0.5, 0.75),
        max_length=100,
        description="Schedule `step`: where the rate falls, as shares of all epochs: from the first step on before which so "
        "much is done.",
    )
    gamma: Number = Field(0.1, gt=0, lt=1, description="Schedule `step`: what the rate is multiplied with there.")
    warm_start: str = Field(
        "none",
        description="Variant of this study whose trained weights, of the same seed, the run starts from wherever names "
        "and shapes agree. Or: none.",
    )
    warmup_epochs: Number = Field(
        0.0, ge=0, le=MOST_EPOCHS, description="Epochs in which the rate rises linearly from zero."
    )
    augmentation: Annotated[str, AfterValidator(_know_augmentation)] = Field(
        "none",
        description="What happens to each training image, joined by +: "
        f"{describe_augmentations(OURS.augmentations)}. Or: none.",
        json_schema_extra={"pattern": augmentation_pattern()},
    )
    precision: Literal[*PRECISIONS] = Field(
        "float32", description=f"Arithmetic of the steps, but not of evaluation: {describe_options(PRECISIONS)}."
    )
    engine: Literal[*ENGINES] = Field("eager", description=f"How the steps are computed: {describe_options(ENGINES)}.")
    stop_stuck_after: whole(0, MOST_EPOCHS) = Field(
        0,
        description="Epochs in a row at chance (training accuracy no better than naming the commonest class) after which a "
        "run is stopped as hopeless: it ends as stuck, with the values that it has reached. 0: never.",
    )

    @model_validator(mode="after")
    def fit_together(self) -> "Recipe":
        """Refuse entries that contradict each other."""
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise contradiction("nesterov needs the optimizer sgd with a momentum above 0")
        if self.warmup_epochs > self.epochs:
            raise contradiction("warmup_epochs must not exceed epochs")
        if any(not 0 < milestone < 1 for milestone in self.milestones):
            raise contradiction("milestones are shares of all epochs, between 0 and 1")
        return self

    def without_effect(self) -> dict[str, str]:
        """Name the entries that change nothing under this recipe, each with the reason."""
        ineffective = {}
        if self.optimizer == "sgd":
            ineffective["betas"] = "betas belong to adam and adamw, and the optimizer is sgd"
        else:
            ineffective["momentum"] = f"momentum belongs to sgd, and the optimizer is {self.optimizer}"
        if self.schedule != "step":
            for entry in ("milestones", "gamma"):
                ineffective[entry] = f"{entry} belongs to the schedule step, and the schedule is {self.schedule}"
        return ineffective
