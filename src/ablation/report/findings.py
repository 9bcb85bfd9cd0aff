"""What the tests of claims found, in sentences that ask for no statistics of their reader."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ablation.analysis.verdicts import EQUIVALENT, NOT_TESTABLE, REFUTED, SUPPORTED, UNDECIDED, VERDICTS
from ablation.catalogue.metrics import Metric
from ablation.report.tables import MINUS, number_text
from ablation.study.plan import Plan
from ablation.support.formatting import count, plural

RATIO = Metric("ratio", "times", 1, 2)  # effects of tests about spread
MEANINGS = {
    SUPPORTED: "the runs show what the claim says",
    REFUTED: "the runs show the opposite of what the claim says",
    EQUIVALENT: "if there is a difference at all, it is too small to matter",
    UNDECIDED: "these runs cannot tell: the claim may be right or wrong",
    NOT_TESTABLE: "runs that the test needs are missing, which is no evidence either way",
}
CORRECTIONS = {
    "holm": "so that all verdicts of a study are right together 95 times in 100 (Holm's correction)",
    "fdr": "so that of the effects that a study finds, 5 in 100 are none (false discovery rate)",
}
LIMITS = {
    "images": "More seeds would not decide it: the test images limit it.",
    "spread": "How many seeds would decide cannot be said, for no two runs differ.",
    "effect": "No number of seeds that anyone can run would be sure to decide: the effect may lie too close to the limit.",
}


def is_ratio(test: Mapping[str, Any]) -> bool:
    """Say whether the effect of a test is a ratio, so that 1 and not 0 is no effect."""
    return test["kind"] == "spread"


def metric_of(plan: Plan, claim: Mapping[str, Any], test: Mapping[str, Any]) -> Metric:
    """Return how effects of a test are written."""
    return RATIO if is_ratio(test) else plan.metrics[claim["metric"]]


def unit_of(metric: Metric) -> str:
    """Return the unit of differences of a metric: those of percentages are points."""
    return "points" if metric.unit == "%" else metric.unit


def amount(value: float | None, metric: Metric, sign: bool = True) -> str:
    """Write a value with its unit; what is counted, with a prefix."""
    if metric.exact and is_number(value):
        return f"{'+' if sign and value > 0 else MINUS if value < 0 else ''}{count(abs(value))}"
    return f"{number_text(value, metric, sign and metric is not RATIO)} {unit_of(metric)}".rstrip()


def between(low: float | None, high: float | None, metric: Metric) -> str:
    """Write the two ends of an interval: between −1.2 and +3.4 points; empty where there are none."""
    if low is None or high is None:
        return ""
    return f"between {number_text(low, metric, metric is not RATIO)} and {amount(high, metric)}"


def bracket(low: float | None, high: float | None, metric: Metric) -> str:
    """Write an interval as in a table: [−1.2, +3.4]; a dash where there is none."""
    if low is None or high is None:
        return "–"
    return f"[{', '.join(number_text(end, metric, metric is not RATIO) for end in (low, high))}]"


def change(claim: Mapping[str, Any], test: Mapping[str, Any], metric: Metric) -> str:
    """Say what the effect is: test accuracy is 4.65 points higher."""
    effect, label = test["effect"], claim["label"]
    if effect is None:
        return f"the difference in {label} is not known exactly"
    size, is_higher = amount(abs(effect), metric, sign=False), effect >= 0
    match test["kind"]:
        case "spread":
            return f"over seeds, {label} spreads {number_text(effect, metric)} times as far"
        case "interaction":
            return f"the difference in {label} is {size} {'greater' if is_higher else 'smaller'}"
        case "trend":
            return f"{label} {'higher' if is_higher else 'lower'} by {size} at the end than at the start"
        case kind:
            average = "on average " if kind == "main effect" else ""
            return f"{label} {average}{'higher' if is_higher else 'lower'} by {size}"


def finding(claim: Mapping[str, Any], test: Mapping[str, Any], metric: Metric) -> str:
    """Say in a sentence or two what a test found."""
    verdict = test["verdict"]
    if verdict == NOT_TESTABLE:
        return f"This cannot be tested here: {test['why'] or 'runs that it needs are missing'}."
    wide = between(test["low_adjusted"], test["high_adjusted"], metric)
    if verdict == UNDECIDED:
        may = f": it may be {wide}" if wide else ""
        return " ".join(
            filter(None, [f"These runs do not tell{may}.", seeds_text(test["seeds_needed"]), _why(test)])
        ).strip()
    found = change(claim, test, metric)
    near = between(test["equivalence_low"], test["equivalence_high"], metric)
    within = f"{near}, which is within ±{amount(claim['margin'], metric, sign=False)}" if near else ""
    if verdict == EQUIVALENT or (verdict == SUPPORTED and claim["direction"] == EQUIVALENT):
        difference = (
            "There is a difference, but it is too small to matter" if test["differs"] else "No difference that matters"
        )
        return f"{difference}: {found}{f' ({within})' if within else ''}."
    start = "The runs agree" if verdict == SUPPORTED else "The runs say otherwise"
    return f"{start}: {found}{f' ({wide})' if wide else ''}."


def _why(test: Mapping[str, Any]) -> str:
    return f"{test['why'][0].upper()}{test['why'][1:]}." if test["why"] else ""


def seeds_text(needed: Mapping[str, Any] | None) -> str:
    """Say how many seeds would probably decide, or what keeps them from it; empty where nothing is known."""
    if not needed:
        return ""
    low, high = needed["low"], needed["high"]
    if low is None:
        return LIMITS.get(needed["limit"] or "effect", "")
    if high is None:
        return f"{low:,} seeds or more might decide. {LIMITS.get(needed['limit'], '')}".strip()
    seeds = plural(low, "seed") if low == high else f"{low:,} to {high:,} seeds"
    return f"{seeds} for each variant would probably decide."


def magnitude_text(magnitude: Mapping[str, Any] | None, metric: Metric) -> str:
    """Say whether the interval holds the size that a source claims; empty where it claims none."""
    if not magnitude:
        return ""
    metric = RATIO if magnitude["as"] == "ratio" else metric
    claimed = f"{magnitude['claimed']:g} times" if metric is RATIO else amount(magnitude["claimed"], metric, sign=False)
    if magnitude["value"] is None:
        return f"The claimed size, {claimed}, cannot be held against these runs."
    found = f"{amount(magnitude['value'], metric, sign=False)} {bracket(magnitude['low'], magnitude['high'], metric)}"
    holds = "the interval holds it" if magnitude["holds"] == "yes" else "the interval does not hold it"
    return f"Claimed is a size of {claimed}; found are {found}: {holds}."


def counted(verdicts: Iterable[str]) -> dict[str, int]:
    """Count verdicts: those that occur, in the order of `VERDICTS`."""
    seen = list(verdicts)
    return {verdict: seen.count(verdict) for verdict in VERDICTS if verdict in seen}


def tested_text(document: Mapping[str, Any]) -> str:
    """Say how many claims were tested, and how often, as the start of a sentence."""
    claims, tests = document["claims"], sum(len(claim["tests"]) for claim in document["claims"])
    what = plural(len(claims), "claim")
    return f"Of {what}:" if tests == len(claims) else f"Of {plural(tests, 'test')} of {what}:"


def sureness_text(document: Mapping[str, Any], seeds: Sequence[int], images: int) -> str:
    """Say how sure the findings are: over how many seeds, test images and tests.

    Parameters
    ----------
    document : mapping
        `verdicts.json`.
    seeds : sequence of int
        Runs of each variant.
    images : int
        Of the test set.
    """
    low, high = min(seeds), max(seeds)
    trained = f"{low} times" if low == high else f"{low} to {high} times"
    parts = [f"each variant was trained {trained}, with other random choices, and tested on {images:,} images."]
    if document["family"] > 1:
        corrected = CORRECTIONS[document["correction"]]
        parts.append(f"{document['family']} tests count together: intervals are wider for it, {corrected}.")
    count_of, exploratory = len(document["claims"]), sum(bool(claim["exploratory"]) for claim in document["claims"])
    if exploratory:
        were = "was" if exploratory == 1 else "were"
        parts.append(
            f"{exploratory} of {plural(count_of, 'claim')} {were} stated after results were seen: exploration."
        )
    return " ".join(parts)


def contrasts_text(plan: Plan, contrasts: pd.DataFrame) -> str:
    """Sum up the contrasts of a study without claims, in a sentence or two."""
    first = plan.study.metrics[0]
    own = contrasts[contrasts["metric"] == first]
    rows = own[own["low"].notna()]
    clear = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    untested = sum(bool(why) for why in own["not_testable"])
    known = f"{plural(len(rows), 'contrast')} on {plan.metrics[first].label}"
    text = f"no claim was stated. Of {known}, the 95 % interval lies clear of zero in {len(clear)}."
    return f"{text} {untested} more {'is' if untested == 1 else 'are'} {NOT_TESTABLE}." if untested else text


def is_number(value: Any) -> bool:
    """Say whether a number is there: neither null nor NaN."""
    return value is not None and not math.isnan(value)
