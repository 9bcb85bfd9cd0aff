"""What an entry of the ledger states: a published number with its architecture, data, protocol and source."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ablation.catalogue.catalogue import OURS
from ablation.study.mistakes import contradiction
from ablation.study.values import (
    MOST_IMAGES,
    MOST_SIDE,
    Line,
    MetricName,
    Number,
    Strict,
    as_tuple,
    number,
    offer,
    whole,
)

ELSEWHERE = {"imagenet": "ImageNet (ILSVRC 2012)"}  # data sets of published numbers that no study can name
MOST_RUNS = 1_000_000
NAME = r"[a-z0-9][a-z0-9_.-]*"  # of an entry


@dataclass(frozen=True)
class Unit:
    """How a printed number becomes a value of the metric: start + factor x number."""

    factor: float
    text: str
    start: float = 0.0


UNITS: dict[str, Unit] = {
    "fraction": Unit(1, "a fraction, or the metric's own unit"),
    "percent": Unit(0.01, "per cent of the images classified rightly"),
    "error_percent": Unit(-0.01, "per cent of the images classified wrongly", 1.0),
    "count": Unit(1, "a number"),
    "millions": Unit(1e6, "millions"),
}
# What the words of an entry rest on. An entry never claims more than its source was looked at for.
SURE: dict[str, str] = {
    "read": "read in a full-text copy of the paper",
    "official": "read in the authors' repository, package or notebook",
    "third_party": "read in a third party's repository",
    "quoted": "read in a text that quotes the paper",
    "computed": "computed from the network",
    "unverified": "from memory, not verified",
}
STATISTICS: dict[str, str] = {
    "run": "one run",
    "mean": "the mean of the runs",
    "median": "the median of the runs",
    "best": "the best of the runs",
    "unstated": "the source does not say",
}
EPOCHS: dict[str, str] = {
    "last": "last epoch",
    "best_on_test": "best epoch, chosen on the test images",
    "best_on_validation": "best epoch, chosen on validation images",
}
SPREADS: dict[str, str] = {
    "sd": "standard deviation over runs",
    "se": "standard error of the mean",
    "range": "smallest and largest run",
    "unstated": "the source does not say of what",
}
# What a study can only say in words; `ablation.analysis.published.protocol` says what ours does instead.
OTHERS = ("network", "schedule", "warm-up", "augmentation", "preprocessing", "evaluation")


def _described(meaning: dict[str, str]) -> str:
    return "; ".join(f"{name}: {text}" for name, text in meaning.items())


class Network(Strict):
    """The architecture: as the source calls it, and as our catalogue builds it."""

    name: Line = Field(description="What the source calls it.")
    builder: Annotated[str, Field(json_schema_extra=offer(OURS.architectures))] | None = Field(
        None, description="Name in the catalogue; without it, no study has this architecture."
    )
    levels: dict[str, Any] = Field(
        {},
        description="Levels that differ from the builder's references; `initialisation` stands in the protocol.",
    )


class Protocol(Strict):
    """How the number came about, as far as the source says; what is left out is not known."""

    recipe: dict[str, Any] = Field({}, description="Entries of a study's recipe.")
    steps: whole(1, 10**9) | None = Field(None, description="Steps of training, where the source counts these.")
    train_images: whole(1, MOST_IMAGES) | None = Field(None, description="Images that were trained on.")
    side: whole(1, MOST_SIDE) | None = Field(None, description="Side of the images in pixels, where they were resized.")
    standardised: bool | None = Field(None, description="Whether each channel was given mean 0 and deviation 1.")
    initialisation: str | None = Field(
        None, description=f"A level of that factor: {', '.join(OURS.factors['initialisation'].levels)}."
    )
    epoch: Literal[*EPOCHS] | None = Field(None, description=f"Which epoch counts. {_described(EPOCHS)}.")
    others: dict[Literal[*OTHERS], Line] = Field(
        {}, description=f"What else there is to know, in words, of: {', '.join(OTHERS)}."
    )


class Spread(Strict):
    """The spread that the source prints, in the unit of the value."""

    of: Literal[*SPREADS] = Field(description=f"What it is. {_described(SPREADS)}.")
    printed: number(ge=0) | None = Field(None, description="As printed; of a range, `low` and `high` instead.")
    low: Number | None = Field(None, description="The smallest run, as printed.")
    high: Number | None = Field(None, description="The largest run, as printed.")

    @model_validator(mode="after")
    def fit_together(self) -> "Spread":
        """Refuse a range without its ends, and another spread with them."""
        expected = ("low", "high") if self.of == "range" else ("printed",)
        given = tuple(name for name in ("printed", "low", "high") if getattr(self, name) is not None)
        if set(given) != set(expected):
            raise contradiction(
                f"found {' and '.join(given) or 'no number'} of {self.of}, expected {' and '.join(expected)}"
            )
        return self


class Table(Strict):
    """Printed runs in a file beside the ledger."""

    file: Line = Field(description="A CSV file with one row per run, beside the file of the entry.")
    column: Line = Field(description="The column of the values.")
    rows: dict[str, str | int | float] = Field(min_length=1, description="Which rows: column and its value.")


class Entry(Strict):
    """A published number."""

    architecture: Network = Field(description="What was trained.")
    data: str = Field(
        description=f"The data set: {', '.join([*OURS.sources, *ELSEWHERE])}.",
        json_schema_extra={"enum": [*OURS.sources, *ELSEWHERE]},
    )
    metric: MetricName = Field(description="The metric of ours that it is a value of.")
    unit: Literal[*UNITS] = Field(
        description="The unit of the printed numbers. " + _described({n: u.text for n, u in UNITS.items()}) + "."
    )
    printed: Number | None = Field(None, description="The number as printed.")
    each: Annotated[tuple[Number, ...], BeforeValidator(as_tuple)] = Field(
        (), max_length=1000, description="Instead: the number of each run, as printed."
    )
    table: Table | None = Field(None, description="Instead: where the printed runs stand.")
    statistic: Literal[*STATISTICS] = Field("run", description=f"What the number is. {_described(STATISTICS)}.")
    runs: whole(1, MOST_RUNS) | None = Field(None, description="Of how many runs, where the source says so.")
    spread: Spread | None = Field(None, description="The spread over runs.")
    protocol: Protocol = Field(Protocol(), description="How it came about.")
    source: Line = Field(description="Who printed it: paper, repository or book.")
    place: Line = Field(description="Where it stands there: table, figure, section or file.")
    sure: Annotated[tuple[Literal[*SURE], ...], BeforeValidator(as_tuple)] = Field(
        min_length=1, description=f"How the number was come by. {_described(SURE)}."
    )
    note: Line | None = Field(None, description="What else a reader should know.")

    @model_validator(mode="after")
    def fit_together(self) -> "Entry":
        """Refuse entries that contradict each other."""
        given = [name for name in ("printed", "each", "table") if getattr(self, name) not in (None, ())]
        if len(given) > 1:
            raise contradiction(f"found {' and '.join(given)}, expected one of them")
        if not given and self.spread is None:
            raise contradiction("found no number, expected printed, each, table or, at least, a spread")
        if (self.each or self.table) and (self.runs or self.spread or self.statistic != "run"):
            raise contradiction("runs, spread and statistic follow from the printed runs, expected none of them")
        if self.statistic == "run" and (self.runs or 1) > 1 and given:
            raise contradiction(
                f"found the number of one run and {self.runs} runs, expected what it is of them (statistic)"
            )
        if self.statistic != "run" and self.runs == 1:
            raise contradiction(f"found the {self.statistic} of 1 run, expected 2 or more")
        return self

    def value_of(self, printed: float) -> float:
        """Return a printed number in the recorded unit of the metric."""
        unit = UNITS[self.unit]
        return unit.start + unit.factor * printed
