"""Verdicts in words, as the page, pages of published studies and the terminal write them."""

import math
from collections import Counter

from tabulate import tabulate

from ablation.analysis.outcomes import (
    EQUIVALENT,
    SUPPORTED,
    UNDECIDED,
    VERDICTS,
    ClaimOutcome,
    ClaimTestOutcome,
    Outcomes,
)
from ablation.support.formatting import plural, unit_of_differences
from ablation.support.wording import listed

ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
MOST_SHOWN = 25  # tests at the end of a start
LIMITS = {
    "images": "the test images limit it, however many the seeds",
    "effect": "the effect is too near to tell with any number of seeds",
    "spread": "no two runs differ, so that nothing says how many seeds would decide",
}


def number(value: float, claim: ClaimOutcome) -> str:
    """Write a difference on a claim's metric in the unit for people, with its sign."""
    text = f"{value * claim.scale:+.{claim.digits}f}"
    return text.replace("-", "−")


def is_by_equivalence(claim: ClaimOutcome, test: ClaimTestOutcome) -> bool:
    """Say whether a verdict was reached by showing equivalence."""
    return test.verdict == EQUIVALENT or (test.verdict == SUPPORTED and claim.direction == EQUIVALENT)


def deciding_interval(claim: ClaimOutcome, test: ClaimTestOutcome) -> tuple[float | None, float | None]:
    """Return the interval that a verdict rests on: that of the test of equivalence, where this is what was shown."""
    if is_by_equivalence(claim, test) and test.equivalence_low is not None:
        return test.equivalence_low, test.equivalence_high
    return test.low_adjusted, test.high_adjusted


def effect_words(claim: ClaimOutcome, test: ClaimTestOutcome) -> str:
    """Write the effect of a test with the interval that decides; a dash where there is none."""
    if test.effect is None and test.effect_least is None:
        return "–"
    low, high = deciding_interval(claim, test)
    if test.kind == "spread":
        return f"× {test.effect:.2f} [{low:.2f}, {high:.2f}]"
    if test.effect is None:
        text = f"{number(test.effect_least, claim)} to {number(test.effect_most, claim)}"
    else:
        text = number(test.effect, claim)
    bounds = "" if low is None or low == high else f" [{number(low, claim)}, {number(high, claim)}]"
    return f"{text}{bounds} {unit_of_differences(claim.unit)}".rstrip()


def seeds_words(test: ClaimTestOutcome) -> str:
    """Say how many seeds would probably decide; empty where a test is decided, or nothing says it."""
    needed = test.seeds_needed
    if needed is None:
        return ""
    if needed.low is None:
        return LIMITS[needed.limit]
    if needed.high is None:
        return f"{needed.low} seeds may decide, or {LIMITS[needed.limit]}"
    if needed.low == needed.high:
        return f"{needed.low} seeds would probably decide"
    return f"{needed.low} to {needed.high} seeds would probably decide"


def magnitude_words(claim: ClaimOutcome, test: ClaimTestOutcome) -> str:
    """Say whether the interval holds the size that is claimed; empty where none is."""
    size = test.magnitude
    if size is None:
        return ""
    if size.measured_as == "ratio":
        claimed = f"{size.claimed:g} times"
        found = "" if size.value is None else f"{size.value:.1f} times"
        low, high = (None if end is None else f"{end:.1f}" for end in (size.low, size.high))
    else:
        claimed = f"{number(size.claimed, claim)} {unit_of_differences(claim.unit)}"
        found = "" if size.value is None else f"{number(size.value, claim)} {unit_of_differences(claim.unit)}"
        low, high = (None if end is None else number(end, claim) for end in (size.low, size.high))
    bounds = f" [{low or '−∞'}, {high or '∞'}]" if low or high else ""
    held = {True: ", which holds it", False: ", which excludes it", None: ""}[size.holds]
    return f"claimed {claimed}, found {found or 'nothing'}{bounds}{held}"


def remark(claim: ClaimOutcome, test: ClaimTestOutcome) -> str:
    """Say what belongs to a verdict: why there is none, how many seeds are needed, that what differs does not matter."""
    words = [test.why]
    if test.verdict == UNDECIDED:
        words.append(seeds_words(test))
        if claim.direction == "equivalent" and test.differs:
            words.append("it differs, but perhaps by too little to matter")
    if test.verdict == EQUIVALENT and test.differs:
        words.append("it differs, by too little to matter")
    return "; ".join(filter(None, [*words, magnitude_words(claim, test), attempt_words(claim)]))


def counts_words(found: Outcomes) -> str:
    """Count the verdicts, such as ``9 supported, 1 refuted``; empty without claims."""
    seen = Counter(test.verdict for claim in found.claims for test in claim.tests)
    return ", ".join(f"{seen[verdict]} {verdict}" for verdict in VERDICTS if seen[verdict])


def correction_words(found: Outcomes) -> str:
    """Say how the tests are corrected."""
    how = {"holm": "Holm", "fdr": "Benjamini and Hochberg"}[found.correction]
    said = f"corrected for {plural(found.family, 'test')} ({how}, {math.ceil(100 * found.alpha)} %)"
    return "; ".join(
        filter(None, [said if found.family else "no test of a registered claim to correct", withdrawn_words(found)])
    )


def withdrawn_words(found: Outcomes) -> str:
    """Say which registered claims are gone since; empty if none is."""
    if not found.withdrawn:
        return ""
    names, tests = dict.fromkeys(one.claim for one in found.withdrawn), sum(one.tests for one in found.withdrawn)
    were, whose = ("was", "its") if len(names) == 1 else ("were", "their")
    counted = f"; {whose} {plural(tests, 'test')} still {'counts' if tests == 1 else 'count'}" if tests else ""
    return f"{plural(len(names), 'registered claim')} {were} withdrawn or changed: {listed(names)}{counted}"


def attempt_words(claim: ClaimOutcome) -> str:
    """Say of a claim that had results with other seeds that it is tried again; empty of a first attempt."""
    if claim.attempt == 1:
        return ""
    ordinal = ORDINALS.get(claim.attempt, f"{claim.attempt}th")
    return f"{ordinal} attempt with fresh seeds"


def verdict_table(found: Outcomes) -> str:
    """Write verdicts as a table for the end of a start, of many claims the first; without claims, what was withdrawn."""
    rows = [
        (_marked(claim, test), claim.claim, test.architecture, claim.label, effect_words(claim, test))
        for claim in found.claims
        for test in claim.tests
    ]
    if not rows:
        return withdrawn_words(found)
    head = ["verdict", "claim", "network", "metric", "effect [corrected interval]"]
    text = tabulate(rows[:MOST_SHOWN], head, tablefmt="simple", disable_numparse=True)
    more = f"\n… and {len(rows) - MOST_SHOWN} more" if len(rows) > MOST_SHOWN else ""
    return f"{text}{more}\n\n{counts_words(found)}; {correction_words(found)}; ./do ablation verdict {found.study} says more"


def _marked(claim: ClaimOutcome, test: ClaimTestOutcome) -> str:
    return f"{test.verdict} (exploratory)" if claim.exploratory else test.verdict


def verdict_lines(found: Outcomes) -> list[str]:
    """Write the verdicts for the terminal: a line per test, below its claim."""
    if not found.claims:
        return ["; ".join(filter(None, [f"{found.study}: no claims", withdrawn_words(found)]))]
    lines = [f"{found.title}: {counts_words(found)}; {correction_words(found)}"]
    for claim in found.claims:
        lines += ["", f"{claim.claim}: {claim.statement}"]
        lines += [f"  exploratory: {claim.exploratory}"] if claim.exploratory else []
        for test in claim.tests:
            lines.append(f"  {test.verdict.upper()}  {test.architecture}  {claim.label}  {effect_words(claim, test)}")
            lines.append(f"    {test.compared}")
            if more := remark(claim, test):
                lines.append(f"    {more}")
    return lines
