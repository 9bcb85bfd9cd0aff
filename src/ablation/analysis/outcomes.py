"""What `verdicts.json` holds: the claims of a study, their tests, and the verdicts."""

import json
import math
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from ablation.support.wording import UserError

FORMAT = 1
SUPPORTED, REFUTED, EQUIVALENT, UNDECIDED, NOT_TESTABLE = VERDICTS = (
    "supported",
    "refuted",
    "equivalent",
    "undecided",
    "not testable",
)
Verdict = Literal["supported", "refuted", "equivalent", "undecided", "not testable"]
STRICT = ConfigDict(extra="forbid", frozen=True)
dataclass = dataclass(config=STRICT, kw_only=True)


@dataclass
class CellOutcome:
    """A variant of a test.

    Attributes
    ----------
    weight : float
        Of its mean in the effect.
    n, diverged, stuck : int
        Its runs with a value of the metric, measured or stated, and how many of all diverged or were stuck at chance.
    mean, sd : float or None
        Of the metric over those runs; a run that diverged has what it is worth, a time is cut at the last epoch.
    """

    variant: str
    weight: float
    n: int
    diverged: int
    stuck: int
    mean: float | None
    sd: float | None


@dataclass
class MagnitudeOutcome:
    """What came of the size that a claim states.

    Attributes
    ----------
    claimed : float
    measured_as : str
        Whether it is a ``difference`` or a ``ratio``; positive, in the claimed direction.
    value, low, high : float or None
        What was found, with the interval of the claim's level; one end alone is None where it is open: runs that never
        reached their threshold may be any time away from it.
    holds : bool or None
        Whether the interval contains what is claimed; None without interval.
    """

    claimed: float
    measured_as: Literal["difference", "ratio"]
    value: float | None
    low: float | None
    high: float | None
    holds: bool | None


@dataclass
class SeedsNeeded:
    """How many seeds per variant would probably decide: a range, or what keeps more seeds from deciding.

    Attributes
    ----------
    low, high : int or None
        As `ablation.statistics.power.Seeds`.
    limit : str or None
        ``images``, the test images limit it; ``effect``, it may be too close to zero or to the margin; ``spread``, no two
        runs differ.
    """

    low: int | None
    high: int | None
    limit: Literal["images", "effect", "spread"] | None


@dataclass
class ClaimTestOutcome:
    """A test of a claim, in the recorded unit of its metric; null what is not known.

    Attributes
    ----------
    effect : float or None
        The weighted sum of means or, of a spread, the ratio of two standard deviations.
    effect_least, effect_most : float or None
        What it could be where values are missing.
    low, high : float or None
        Interval of 95 % by itself, over seeds and, where the metric is known image by image, test images.
    p, p_adjusted : float or None
        Of no difference: by itself, and corrected for all tests of the study. Of a claim of no difference, that the effect
        lies within ±margin, whose rejection refutes the claim.
    low_adjusted, high_adjusted, confidence : float or None
        The interval at the confidence that the correction gives this test: it excludes no difference (or lies beyond the
        margin) exactly where ``p_adjusted`` is at most the significance level.
    equivalence_p, equivalence_p_adjusted, equivalence_low, equivalence_high : float or None
        Of two one-sided tests that the effect lies within ±margin, with the interval that lies within it where they reject.
    seeds_effect_low, seeds_effect_high : float or None
        Interval of 95 % over seeds alone, on these very test images.
    image_share : float or None
        Share of the variance that is due to the choice of the test images.
    permutation_p, permutation_p_smallest : float or None
        A test that assumes no distribution: of a difference, permutations of Welch's t or, of times, of the log-rank
        statistic; of a trend, a monotone one (Jonckheere). Of a difference, also the smallest p that these seeds can reach.
    failures_effect, failures_low, failures_high : float or None
        Of a difference: how the shares of runs that diverged or were stuck differ, with an exact interval.
    completed_effect, completed_low, completed_high : float or None
        The effect among runs that completed: a description, for they are chosen by their outcome.
    differs : bool
        Whether no difference is rejected: of what is equivalent, that it is different, too little to matter.
    why : str
        Why it is not testable; empty if it is.
    """

    architecture: str
    kind: Literal["difference", "interaction", "main effect", "trend", "spread"]
    compared: str
    cells: tuple[CellOutcome, ...]
    effect: float | None
    effect_least: float | None
    effect_most: float | None
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    low_adjusted: float | None
    high_adjusted: float | None
    confidence: float | None
    equivalence_p: float | None
    equivalence_p_adjusted: float | None
    equivalence_low: float | None
    equivalence_high: float | None
    seeds_effect_low: float | None
    seeds_effect_high: float | None
    image_share: float | None
    permutation_p: float | None
    permutation_p_smallest: float | None
    failures_effect: float | None
    failures_low: float | None
    failures_high: float | None
    completed_effect: float | None
    completed_low: float | None
    completed_high: float | None
    magnitude: MagnitudeOutcome | None
    seeds_needed: SeedsNeeded | None
    verdict: Verdict
    differs: bool
    why: str


@dataclass
class ClaimOutcome:
    """A claim with its tests, one per architecture.

    Attributes
    ----------
    label, unit, scale, digits
        How the metric is shown: recorded values times ``scale``, with so many decimals, are in ``unit``.
    margin : float or None
        The smallest effect that matters.
    registered : str or None
        When it was registered as it stands (ISO 8601, UTC).
    exploratory : str
        Why it is no test of what was said before; empty if it is one.
    attempt : int
        How many sets of seeds it was registered with, this one included, of which the earlier ones had results.
    """

    claim: str
    statement: str
    source: str
    metric: str
    label: str
    unit: str
    scale: float
    digits: int
    direction: Literal["greater", "less", "equivalent"]
    margin: float | None
    registered: str | None
    exploratory: str
    attempt: int = 1
    tests: tuple[ClaimTestOutcome, ...]


@dataclass
class WithdrawnClaim:
    """A claim that was registered for these runs and that is gone, or says something else since.

    Attributes
    ----------
    registered : str
        When (ISO 8601, UTC).
    tests : int
        Its tests that still count in the family; none where its metric is counted.
    """

    claim: str
    registered: str
    tests: int


@dataclass
class Outcomes:
    """The verdicts of a study.

    Attributes
    ----------
    correction : str
        ``holm`` or ``fdr``, at the level ``alpha``.
    family : int
        Number of tests of registered claims, withdrawn ones included, for which each of them is corrected. One that is
        exploratory is corrected for all tests of the study.
    """

    format: Literal[1] = FORMAT
    study: str
    title: str
    question: str
    correction: Literal["holm", "fdr"]
    alpha: float
    family: int
    claims: tuple[ClaimOutcome, ...]
    withdrawn: tuple[WithdrawnClaim, ...] = ()


ADAPTER = TypeAdapter(Outcomes)


def outcomes_schema() -> dict[str, Any]:
    """Return the JSON schema of `verdicts.json`."""
    schema = ADAPTER.json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def outcomes_text(outcomes: Outcomes) -> str:
    """Write `verdicts.json`."""
    return json.dumps(ADAPTER.dump_python(outcomes, mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_outcomes(path: Path) -> Outcomes:
    """Read `verdicts.json`; raises UserError if it is missing or not what was written."""
    try:
        return ADAPTER.validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is none; the study has not been run to its end") from None
    except ValueError as error:
        raise UserError(f"{path}: found what no study has written ({str(error).splitlines()[0]})") from None


def or_none(value: float) -> float | None:
    """Return a number that is known; None for NaN and infinity, which JSON does not have."""
    return float(value) if math.isfinite(value) else None


def claim_rows(found: Outcomes) -> pd.DataFrame:
    """Return the verdicts as `claims.csv`: one row per claim and test, its cells and what is nested written as texts."""
    rows = []
    for claim in found.claims:
        own = {name: getattr(claim, name) for name in CLAIM_COLUMNS}
        for test in claim.tests:
            flat = {name: getattr(test, name) for name in ClaimTestOutcome.__dataclass_fields__ if name not in NESTED}
            cells = " ".join(f"{cell.weight:+g}×{cell.variant}" for cell in test.cells)
            rows.append({**own, **flat, "cells": cells, **_nested(test)})
    columns = [
        *CLAIM_COLUMNS,
        *(name for name in ClaimTestOutcome.__dataclass_fields__ if name not in NESTED),
        *NESTED_COLUMNS,
    ]
    return pd.DataFrame(rows, columns=columns)


# Without the time of registration: of the same records the table is the same, whenever a study was started.
CLAIM_COLUMNS = ("claim", "metric", "direction", "margin", "exploratory", "attempt")
NESTED = ("cells", "magnitude", "seeds_needed")
NESTED_COLUMNS = (
    "cells",
    "magnitude",
    "magnitude_low",
    "magnitude_high",
    "magnitude_holds",
    "seeds_low",
    "seeds_high",
    "seeds_limit",
)


def _nested(test: ClaimTestOutcome) -> dict[str, float | str | None]:
    size, seeds = test.magnitude, test.seeds_needed
    found = {}
    if size:
        found |= {
            "magnitude": size.value,
            "magnitude_low": size.low,
            "magnitude_high": size.high,
            "magnitude_holds": size.holds,
        }
    if seeds:
        found |= {"seeds_low": seeds.low, "seeds_high": seeds.high, "seeds_limit": seeds.limit}
    return found
