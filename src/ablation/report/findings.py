"""What the tests of claims found, in sentences that ask for no statistics of their reader."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from ablation.analysis.outcomes import (
    EQUIVALENT,
    NOT_TESTABLE,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    VERDICTS,
    ClaimOutcome,
    ClaimTestOutcome,
    Outcomes,
)
from ablation.catalogue.metrics import Metric
from ablation.report.tables import MINUS, mean_cell, number_text
from ablation.report.verdicts import seeds_words, withdrawn_words
from ablation.study.plan import Plan
from ablation.support.formatting import count, plural, unit_of_differences

RATIO = Metric("ratio", "times", 1, 2)  # effects of tests about spread
MOST_MEANS = 3  # of baselines, in a sentence
MEANINGS = {
    SUPPORTED: "the runs show what the claim says",
    REFUTED: "the runs show the opposite of what the claim says",
    EQUIVALENT: "if there is a difference at all, it is too small to matter",
    UNDECIDED: "these runs cannot tell: the claim may be right or wrong",
    NOT_TESTABLE: "runs that the test needs are missing, which is no evidence either way",
}
CORRECTIONS = {
    "holm": "so that at most 5 in 100 such studies find any difference that is none (Holm's correction)",
    "fdr": "so that of all differences that such studies find, 5 in 100 are none (false discovery rate)",
}


def is_ratio(test: ClaimTestOutcome) -> bool:
    """Say whether the effect of a test is a ratio, so that 1 and not 0 is no effect."""
    return test.kind == "spread"


def metric_of(plan: Plan, claim: ClaimOutcome, test: ClaimTestOutcome) -> Metric:
    """Return how effects of a test are written."""
    return RATIO if is_ratio(test) else plan.metrics[claim.metric]


def amount(value: float | None, metric: Metric, sign: bool = True) -> str:
    """Write a value with its unit; what is counted, with a prefix."""
    if metric.exact and is_number(value):
        return f"{'+' if sign and value > 0 else MINUS if value < 0 else ''}{count(abs(value))}"
    return f"{number_text(value, metric, sign and metric is not RATIO)} {unit_of_differences(metric.unit)}".rstrip()


def between(low: float | None, high: float | None, metric: Metric) -> str:
    """Write the two ends of an interval: between −1.2 and +3.4 points; empty where there is none, or what is counted."""
    if low is None or high is None or low == high:
        return ""
    return f"between {number_text(low, metric, metric is not RATIO)} and {amount(high, metric)}"


def bracket(low: float | None, high: float | None, metric: Metric) -> str:
    """Write an interval as in a table: [−1.2, +3.4]; a dash where there is none."""
    if low is None or high is None:
        return "–"
    return f"[{', '.join(number_text(end, metric, metric is not RATIO) for end in (low, high))}]"


def change(claim: ClaimOutcome, test: ClaimTestOutcome, metric: Metric) -> str:
    """Say what the effect is: test accuracy is 4.65 points higher."""
    effect, label = test.effect, claim.label
    if effect is None:
        could_be = between(test.effect_least, test.effect_most, metric) or "unknown"
        return f"values are missing, and the effect on {label} is {could_be}"
    size, is_higher = amount(abs(effect), metric, sign=False), effect >= 0
    match test.kind:
        case "spread":
            return f"over seeds, {label} spreads {number_text(effect, metric)} times as far"
        case "interaction":
            return f"the difference in {label} is {size} {'greater' if is_higher else 'smaller'}"
        case "trend":
            return f"a {'rise' if is_higher else 'fall'} of {label} by {size} from the first level to the last"
        case kind:
            average = "on average " if kind == "main effect" else ""
            return f"{label} {average}{'higher' if is_higher else 'lower'} by {size}"


def finding(claim: ClaimOutcome, test: ClaimTestOutcome, metric: Metric) -> str:
    """Say in a sentence or two what a test found."""
    verdict = test.verdict
    if verdict == NOT_TESTABLE:
        return f"This cannot be tested here: {test.why or 'runs that it needs are missing'}."
    wide = between(test.low_adjusted, test.high_adjusted, metric)
    if verdict == UNDECIDED:
        may = f": the effect may be anything {wide}" if wide else ""
        return f"These runs do not tell{may}. {sentence(seeds_words(test))}".strip()
    found = change(claim, test, metric)
    near = between(test.equivalence_low, test.equivalence_high, metric)
    within = f"{near}, which is within ±{amount(claim.margin, metric, sign=False)}" if near else ""
    if verdict == EQUIVALENT or (verdict == SUPPORTED and claim.direction == EQUIVALENT):
        difference = (
            "There is a difference, but it is too small to matter" if test.differs else "No difference that matters"
        )
        return f"{difference}: {found}{f' ({within})' if within else ''}."
    start = "The runs agree" if verdict == SUPPORTED else "The runs say otherwise"
    return f"{start}: {found}{f' ({wide})' if wide else ''}."


def sentence(words: str) -> str:
    """Make a sentence of words that stand by themselves; nothing of none."""
    return f"{words[0].upper()}{words[1:]}." if words else ""


def counted(verdicts: Iterable[str]) -> dict[str, int]:
    """Count verdicts: those that occur, in the order of `VERDICTS`."""
    seen = list(verdicts)
    return {verdict: seen.count(verdict) for verdict in VERDICTS if verdict in seen}


def tested_text(found: Outcomes) -> str:
    """Say how many claims were tested, and how often, as the start of a sentence."""
    claims, tests = found.claims, sum(len(claim.tests) for claim in found.claims)
    what = plural(len(claims), "claim")
    return f"Of {what}:" if tests == len(claims) else f"Of {plural(tests, 'test')} of {what}:"


def sureness_text(found: Outcomes, seeds: Sequence[int], images: int) -> str:
    """Say how sure the findings are: over how many seeds, test images and tests.

    Parameters
    ----------
    found : Outcomes
    seeds : sequence of int
        Runs of each variant.
    images : int
        Of the test set.
    """
    low, high = min(seeds), max(seeds)
    trained = f"{low} times" if low == high else f"{low} to {high} times"
    parts = [f"Each variant was trained {trained}, with other random choices, and tested on {images:,} images."]
    if found.family > 1:
        corrected = CORRECTIONS[found.correction]
        parts.append(f"{found.family} tests count together: intervals are wider for it, {corrected}.")
    if found.withdrawn:
        parts.append(sentence(withdrawn_words(found)))
    count_of, exploratory = len(found.claims), sum(bool(claim.exploratory) for claim in found.claims)
    if exploratory:
        were = "was" if exploratory == 1 else "were"
        parts.append(
            f"{exploratory} of {plural(count_of, 'claim')} {were} stated after results were seen: exploration."
        )
    return " ".join(parts)


def means_text(plan: Plan, comparison: pd.DataFrame) -> str:
    """Say in a sentence what the baselines come to on the first metric; of many, the first."""
    name = plan.study.metrics[0]
    metric, rows = plan.metrics[name], comparison[comparison["variant"].isin(plan.study.architectures)]
    said = [
        f"{row['variant']} {mean_cell(row, name, metric)}, {plural(int(row['runs']), 'run')}"
        for _, row in rows[:MOST_MEANS].iterrows()
    ]
    return sentence(f"{metric.title}: {'; '.join(said)}")


def contrasts_text(plan: Plan, contrasts: pd.DataFrame) -> str:
    """Sum up the contrasts of a study without claims, in a sentence or two."""
    if contrasts.empty:
        return "No claim was stated, and there is one variant of each network: nothing was compared within the study."
    first = plan.study.metrics[0]
    own = contrasts[contrasts["metric"] == first]
    rows = own[own["low"].notna()]
    clear = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    untested = sum(bool(why) for why in own["not_testable"])
    known = f"{plural(len(rows), 'contrast')} on {plan.metrics[first].label}"
    text = f"No claim was stated. Of {known}, the 95 % interval lies clear of zero in {len(clear)}."
    return f"{text} {untested} more {'is' if untested == 1 else 'are'} {NOT_TESTABLE}." if untested else text


def is_number(value: Any) -> bool:
    """Say whether a number is there: neither null nor NaN."""
    return value is not None and not math.isnan(value)
