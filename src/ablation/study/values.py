"""The kinds of values that a study states, with their bounds."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ablation.catalogue.catalogue import OURS
from ablation.study.mistakes import wanted

# What nobody means, or no machine holds, is refused; far above all that was ever published.
MOST_SEED = 2**63 - 1  # what tables hold
MOST_SEEDS = 10_000
MOST_SIDE = 4096  # pixels
MOST_IMAGES = 10_000_000  # of a class
MOST_EPOCHS = 100_000
MOST_BATCH = 1_000_000
MOST_RATE = 100_000  # what a rate of 10,000 does is worth showing
MOST_ENTRIES = 1000  # architectures, parts of the grid, exclusions of each, claims, epochs to diagnose


class Strict(BaseModel):
    """A mapping in a study file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise wanted("a number")
    return value


def as_tuple(value: Any) -> Any:
    """Return a list as the tuple that the models hold."""
    return tuple(value) if isinstance(value, list) else value


def _as_line(text: Any) -> Any:
    if isinstance(text, str) and "\n" in text.strip():
        raise wanted("one line")
    return text.strip() if isinstance(text, str) else text


def offer(names: Iterable[str]) -> dict[str, Any]:
    """Let editors complete names, and take others: parts of one's own add theirs."""
    return {"anyOf": [{"enum": list(names)}, {"type": "string"}]}


def whole(least: int, most: int) -> Any:
    """Return the type of a whole number within bounds."""
    # The bounds stand before the validator: pydantic writes them into the schema only then, where None is another choice.
    return Annotated[int, Field(ge=least, le=most), BeforeValidator(_refuse_bool)]


def number(**bounds: float) -> Any:
    """Return the type of a number within bounds, which are `pydantic.Field`'s."""
    return Annotated[float, Field(**bounds), BeforeValidator(_refuse_bool)]


Number = number()
Share = number(ge=0, lt=1)
Text = Annotated[str, Field(min_length=1, max_length=5000, pattern=r"\S")]
Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S"), BeforeValidator(_as_line)]
FilePath = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"\S")]
Architectures = Annotated[list[str], Field(min_length=1, max_length=MOST_ENTRIES)]
MetricName = Annotated[str, Field(json_schema_extra=offer(OURS.metrics))]
Equal = Literal["parameters", "multiply_adds"]


def _as_seeds(seeds: Any) -> Any:
    if type(seeds) is int and 0 < seeds <= MOST_SEEDS:
        return tuple(range(seeds))
    if isinstance(seeds, list) and 0 < len(seeds) <= MOST_SEEDS:
        return tuple(seeds)
    raise wanted(f"a whole number from 1 to {MOST_SEEDS:,}, or a list of so many whole numbers")


SEED = {"type": "integer", "minimum": 0, "maximum": MOST_SEED}
Seeds = Annotated[
    tuple[whole(0, MOST_SEED), ...],
    BeforeValidator(_as_seeds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_SEEDS},
                {"type": "array", "items": SEED, "minItems": 1, "maxItems": MOST_SEEDS, "uniqueItems": True},
            ]
        }
    ),
]
