"""What a study is: the models of its file."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.study.mistakes import contradiction
from ablation.study.recipe import Recipe
from ablation.study.values import (
    MOST_ENTRIES,
    MOST_EPOCHS,
    MOST_IMAGES,
    MOST_SEED,
    MOST_SIDE,
    Architectures,
    Equal,
    FilePath,
    Line,
    MetricName,
    Number,
    Seeds,
    Strict,
    Text,
    as_tuple,
    number,
    offer,
    whole,
)
from ablation.support.wording import UserError

NAME = r"[A-Za-z0-9][A-Za-z0-9_]*"


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


class Interaction(Strict):
    """Between what a claim about an interaction compares an effect."""

    level: dict[str, Any] = Field(min_length=1, description="Levels of other factors: the effect where these hold …")
    against: dict[str, Any] = Field(
        {}, description="… less the effect where these hold; without them, at the baseline's levels."
    )


class Magnitude(Strict):
    """How large an effect is said to be."""

    difference: number(gt=0) | None = Field(
        None, description="The size of the effect, in the metric's own unit (0.006 accuracy are 0.6 points)."
    )
    ratio: number(gt=1) | None = Field(
        None, description="How many times the larger mean is the smaller one, such as 6 for six times faster."
    )

    @model_validator(mode="after")
    def state_one(self) -> "Magnitude":
        """Refuse a magnitude that states nothing, or two."""
        if (self.difference is None) == (self.ratio is None):
            raise contradiction("a magnitude states either a difference or a ratio")
        return self


class Claim(Strict):
    """A statement from a source, as a contrast, a metric and a direction."""

    statement: Text = Field(description="What the source says.")
    source: Text = Field(description="Who says it: paper and section, or notes.")
    architectures: Architectures | None = Field(
        None, description="Where it is tested; without it, wherever the study has the variants."
    )
    factor: str = Field(
        description="The factor that the statement is about; `architecture`, if it compares two architectures of the study."
    )
    level: Any = Field(None, description="The level that is said to differ …")
    against: Any = Field(None, description="… from this level.")
    levels: list[Any] | None = Field(
        None,
        min_length=2,
        max_length=MOST_ENTRIES,
        description="Instead of level and against: a trend over these levels in their order. The effect is the change from "
        "the lowest to the highest one along the fitted line.",
    )
    scale: Literal["level", "log", "rank"] = Field(
        "level",
        description="Of a trend: in what the line is straight: the level, its logarithm, or its rank.",
    )
    given: dict[str, Any] = Field({}, description="Levels of other factors, on all sides.")
    interaction: Interaction | None = Field(
        None, description="Makes it a claim about how the effect differs between levels of other factors."
    )
    over: dict[str, list[Any]] = Field(
        {},
        description="Other factors with levels: the effect is averaged over all of their combinations (a main effect).",
    )
    metric: MetricName = Field(description="The metric that it is said to change.")
    outcome: Literal["mean", "spread"] = Field(
        "mean",
        description="Whether means over seeds are compared, or how much seeds differ: the ratio of standard deviations.",
    )
    match: Equal | None = Field(None, description="Scale the side `against` until it is as large as that of `level`.")
    by: str = Field(
        "width", description="The argument that is scaled for `match`: one in which the network grows, such as width."
    )
    direction: Literal["greater", "less", "equivalent"] = Field(
        description="Which way, for `level` minus `against`; `equivalent`, if it is said to make no difference that matters."
    )
    margin: number(gt=0) | None = Field(
        None,
        description="The smallest effect that matters, in the metric's own unit; else the study's or the metric's.",
    )
    magnitude: Magnitude | None = Field(None, description="How large the effect is said to be, if it is.")

    @model_validator(mode="after")
    def fit_together(self) -> "Claim":
        """Refuse entries that contradict each other."""
        sides = [name for name in ("level", "against") if getattr(self, name) is not None]
        if self.levels is not None and sides:
            raise contradiction("found levels and level or against, expected the levels of a trend or two sides")
        if self.levels is None and len(sides) < 2:
            raise contradiction("expected level and against, or the levels of a trend")
        shapes = {
            "levels": self.levels is not None,
            "interaction": self.interaction is not None,
            "over": bool(self.over),
            "outcome": self.outcome == "spread",
            "match": self.match is not None,
        }
        stated = [name for name, is_stated in shapes.items() if is_stated]
        if len(stated) > 1 and stated != ["outcome", "match"]:
            raise contradiction(f"found {' and '.join(stated)}, expected one of them")
        if self.factor == "architecture" and (self.levels is not None or self.over):
            raise contradiction("two architectures are compared by level and against")
        if self.magnitude is not None and self.outcome == "spread":
            raise contradiction("a magnitude is one of means")
        if self.direction == "equivalent" and (self.outcome == "spread" or self.magnitude is not None):
            raise contradiction("a claim of no difference is about means, and has no magnitude")
        if self.magnitude is not None and self.magnitude.ratio is not None and stated not in ([], ["match"]):
            raise contradiction("a ratio is one of two means")
        return self


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
    correction: Literal["holm", "fdr"] = Field(
        "holm",
        description="How the tests of all claims are corrected: that any is false (holm), or which share is (fdr).",
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
