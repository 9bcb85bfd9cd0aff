"""What a study is: the models of its file."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.recipes import (
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    augmentation_pattern,
    describe_augmentations,
    describe_options,
    parse_augmentation,
)
from ablation.study.mistakes import contradiction, wanted
from ablation.study.values import (
    MOST_BATCH,
    MOST_ENTRIES,
    MOST_EPOCHS,
    MOST_IMAGES,
    MOST_RATE,
    MOST_SEED,
    MOST_SIDE,
    Architectures,
    Equal,
    FilePath,
    Line,
    MetricName,
    Number,
    Seeds,
    Share,
    Text,
    as_tuple,
    number,
    offer,
    whole,
)
from ablation.support.wording import UserError

NAME = r"[A-Za-z0-9][A-Za-z0-9_]*"


class Strict(BaseModel):
    """A mapping in a study file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _know_augmentation(text: str, info: ValidationInfo) -> str:
    try:
        parse_augmentation(text, Catalogue.of(info.context).augmentations)
    except ValueError as error:
        raise wanted(str(error)) from None
    return text


class Data(Strict):
    """Which images, and how they are split."""

    name: str = Field(description=f"The data set: {', '.join(OURS.sources)}.", json_schema_extra=offer(OURS.sources))
    folder: FilePath | None = Field(
        None,
        description="Data set `folder`: where its images lie, as <folder>/<class>/… or <folder>/{train,test}/<class>/…; "
        "relative to the project.",
    )
    side: whole(8, MOST_SIDE) | None = Field(
        None, description="Resize every image to a square of so many pixels (bilinear). Without it, none is."
    )
    fraction: Number = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the training images, class by class, that the study uses. Of a smaller share, no validation "
        "image is a training image of a larger one, nor the other way round.",
    )
    per_class: whole(1, MOST_IMAGES) | None = Field(
        None, description="Instead of a fraction: how many training images of each class the study uses."
    )
    validation: Number = Field(
        0.2,
        ge=0,
        lt=1,
        description="Share of the training images in use, class by class, that choices are made on; 0: none, train on all.",
    )
    test: Number = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of the images, class by class, kept for the test: only for data sets without a test set.",
    )
    standardised: bool = Field(
        True,
        description="Whether pixels are standardised by each channel's mean and deviation over the training images; if "
        "not, the network sees shades from 0 to 1, and what crop, cutout and shifted_accuracy fill in is black instead of "
        "the mean colour.",
    )
    split_seed: whole(0, MOST_SEED) = Field(
        0, description="Names the draw of the split; the same for every seed of the study."
    )

    @model_validator(mode="after")
    def know_the_name(self, info: ValidationInfo) -> "Data":
        """Refuse a data set that nobody can read."""
        known = Catalogue.of(info.context).sources
        if self.name not in known:
            raise PydanticCustomError(
                "name", "unknown data set", {"key": "name", "found": self.name, "allowed": list(known)}
            )
        return self

    @model_validator(mode="after")
    def fit_together(self) -> "Data":
        """Refuse entries that contradict each other."""
        if self.name == "folder" and self.folder is None:
            raise contradiction("folder is missing: the data set 'folder' needs to know where it lies")
        if self.name != "folder" and self.folder is not None:
            raise contradiction(f"folder belongs to the data set 'folder', and the name is {self.name!r}")
        if self.per_class is not None and self.fraction < 1:
            raise contradiction("found fraction and per_class, expected one of them")
        return self


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


class StudyArchitecture(Strict):
    """An architecture of the study: a builder with its baseline."""

    builder: Annotated[str, Field(json_schema_extra=offer(OURS.architectures))] | None = Field(
        None,
        description=f"Name in the catalogue ({', '.join(OURS.architectures)}); without it, the architecture's own name.",
    )
    baseline: dict[str, Any] = Field(
        {}, description="Reference level of each factor; what is left out has the catalogue's reference level."
    )


class Block(Strict):
    """A part of the grid: factors with their levels, or variants listed one by one."""

    architectures: Architectures | None = Field(None, description="Which architectures; without it, all.")
    factors: dict[str, list[Any]] = Field({}, description="Factor: its levels. The baseline's level may be among them.")
    design: Literal["one_at_a_time", "full_factorial"] = Field(
        "one_at_a_time", description="Change one factor of the baseline at a time, or combine all levels."
    )
    exclude: list[dict[str, Any]] = Field(
        [],
        max_length=MOST_ENTRIES,
        description="Combinations to leave out: each mapping names levels; a variant with all of them is dropped.",
    )
    variants: list[dict[str, Any]] = Field(
        [], description="Instead of factors: one mapping per variant, naming the levels that differ from the baseline."
    )
    match: Equal | None = Field(
        None,
        description="Give each variant a control of equal size: its baseline, with `by` scaled until they agree.",
    )
    by: str = Field(
        "width", description="The argument that is scaled for `match`: one in which the network grows, such as width."
    )

    @model_validator(mode="after")
    def ask_for_something(self) -> "Block":
        """Refuse a block that states neither factors nor variants, or both."""
        if bool(self.factors) == bool(self.variants):
            raise contradiction("a part of the grid states either factors or variants")
        return self


class Claim(Strict):
    """A statement from a source, as a contrast, a metric and a direction."""

    statement: Text = Field(description="What the source says.")
    source: Text = Field(description="Who says it: paper and section, or notes.")
    architectures: Architectures | None = Field(
        None, description="Where it is tested; without it, wherever the study has the contrast."
    )
    factor: str = Field(
        description="The factor that the statement is about; `architecture`, if it compares two architectures of the study."
    )
    level: Any = Field(description="The level that is said to differ …")
    against: Any = Field(description="… from this level.")
    given: dict[str, Any] = Field({}, description="Levels of other factors, on both sides.")
    metric: MetricName = Field(description="The metric that it is said to change.")
    match: Equal | None = Field(None, description="Scale the side `against` until it is as large as that of `level`.")
    by: str = Field(
        "width", description="The argument that is scaled for `match`: one in which the network grows, such as width."
    )
    direction: Literal["greater", "less"] = Field(description="Which way, for `level` minus `against`.")


class Study(Strict):
    """A study: a question with its grid."""

    title: Line = Field(description="The study's name for people.")
    question: Text = Field(description="What it asks, in a sentence or two.")
    parts: list[FilePath] = Field(
        [],
        max_length=MOST_ENTRIES,
        description="Files with parts of one's own (architectures, levels, metrics, data sets, augmentations), relative to "
        "the study file.",
    )
    data: Data = Field(description="The data set and its split.")
    recipe: Recipe = Field(description="How the variants are trained.")
    architectures: dict[str, StudyArchitecture] = Field(
        min_length=1,
        max_length=MOST_ENTRIES,
        description="The architectures by name; a name is the first part of its variants' ids.",
    )
    grid: list[Block] = Field(
        [],
        max_length=MOST_ENTRIES,
        description="What is varied. The baseline of every architecture is always part of the study.",
    )
    seeds: Seeds = Field(description="The replicates of every variant: how many, or a list of numbers.")
    metrics: list[MetricName] = Field(
        ["test_accuracy"],
        min_length=1,
        max_length=MOST_ENTRIES,
        description=f"What is compared, the most important first: {', '.join(OURS.metrics)}.",
    )
    diagnostics: Annotated[tuple[whole(0, MOST_EPOCHS), ...], BeforeValidator(as_tuple)] = Field(
        (),
        max_length=MOST_ENTRIES,
        description="The epochs after which gradients, saturation, updates and drift are measured layer by layer; "
        "0 is before training. Without it, none.",
    )
    logits: bool = Field(
        False,
        description="Keep all logits of the test images where they are more than 4,000,000, too; fewer are kept anyway. "
        "Runs that were trained before keep what they have.",
    )
    smallest_effect: number(gt=0, le=1e12) | None = Field(
        None,
        description="Smallest effect of interest on the first metric, in its own unit (0.01 accuracy is a point). Without "
        f"it: {', '.join(f'{m.smallest_effect:g} {name}' for name, m in OURS.metrics.items() if m.smallest_effect)}; "
        "other metrics need it.",
    )
    threshold: number(gt=0, lt=1) | None = Field(
        None, description="Training accuracy that the metric epochs_to_threshold waits for."
    )
    claims: dict[str, Claim] = Field({}, max_length=MOST_ENTRIES, description="The statements to test, by name.")


class Problem(Exception):
    """One mistake in a study.

    Attributes
    ----------
    key : tuple
        Where: keys and positions from the top of the file.
    message : str
        What was found and what was expected.
    """

    def __init__(self, key: tuple, message: str):
        super().__init__(message)
        self.key, self.message = tuple(key), message


class StudyError(UserError, ValueError):
    """All mistakes found in a study; `problems` lists them."""

    def __init__(self, problems: list[Problem]):
        super().__init__("; ".join(f"{'.'.join(map(str, p.key))}: {p.message}" for p in problems))
        self.problems = problems
