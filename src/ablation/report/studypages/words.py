"""Verdicts as sentences: what was compared, what came out with its interval, of how many runs, what would decide it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ablation.support.formatting import plural

MINUS = "\N{MINUS SIGN}"
SUPPORTED, REFUTED, EQUIVALENT, UNDECIDED, NOT_TESTABLE = VERDICTS = (
    "supported",
    "refuted",
    "equivalent",
    "undecided",
    "not testable",
)
LIMITS = {  # why more seeds would not decide
    "images": "More seeds would not decide it: the test images limit what can be told.",
    "spread": "How many seeds would decide it is not known: the runs have no spread to go by.",
    "effect": "More seeds would hardly decide it: the effect lies too close to the border.",
}


def counted(verdicts: Iterable[str]) -> str:
    """Count verdicts in their order: 9 supported, 1 refuted, 1 not testable."""
    found = Counter(verdicts)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def all_tests(claims: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """List the tests of all claims."""
    return [test for claim in claims for test in claim["tests"]]


def value_text(value: float | None, claim: Mapping[str, Any], sign: bool = True) -> str:
    """Write a value of a claim's metric in its unit; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{claim['scale'] * value:{'+' if sign else ''}.{claim['digits']}f}".replace("-", MINUS)


def interval_text(low: float | None, high: float | None, claim: Mapping[str, Any], sign: bool = True) -> str:
    """Write an interval in brackets; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"[{value_text(low, claim, sign)}, {value_text(high, claim, sign)}]"


def unit_text(claim: Mapping[str, Any]) -> str:
    """Return the unit of differences of a claim's metric."""
    return "points" if claim["unit"] == "%" else claim["unit"]


def effect_text(test: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    """Write what came out: the effect with the interval that decides, adjusted for the family of claims."""
    interval = interval_text(test["low_adjusted"], test["high_adjusted"], claim)
    return " ".join(filter(None, [value_text(test["effect"], claim), unit_text(claim), interval]))


def runs_text(cells: Iterable[Mapping[str, Any]]) -> str:
    """Write of how many runs of each side: 5 + 5 runs (3 + 0 diverged)."""
    cells = list(cells)

    def each(name: str) -> str:
        numbers = [cell[name] for cell in cells]
        many = len(numbers) > 4 and len(set(numbers)) == 1
        return f"{len(numbers)} × {numbers[0]}" if many else " + ".join(map(str, numbers))

    failed = [f"{each(name)} {name}" for name in ("diverged", "stuck") if any(cell[name] for cell in cells)]
    return f"{each('n')} runs" + (f" ({', '.join(failed)})" if failed else "")


def seeds_text(needed: Mapping[str, Any] | None) -> str:
    """Say with how many seeds an undecided claim would probably be decided; empty where nothing is said of it."""
    if not needed:
        return ""
    if needed["limit"]:
        return LIMITS.get(needed["limit"], f"More seeds would not decide it: {needed['limit']}.")
    seeds = f"{needed['low']} seeds or more" if needed["high"] is None else f"{needed['low']} to {needed['high']} seeds"
    if needed["low"] == needed["high"]:
        seeds = plural(needed["low"], "seed")
    return f"{seeds} of each would probably decide it."


def magnitude_text(found: Mapping[str, Any] | None, claim: Mapping[str, Any]) -> str:
    """Say whether a claimed magnitude holds; empty where none is claimed."""
    if not found:
        return ""
    holds = {"yes": "holds", "no": "does not hold"}.get(found["holds"], found["holds"])
    if found["as"] == "ratio":
        claimed = f"{found['claimed']:g} times"
        value, low, high = ("–" if x is None else f"{x:.3g}" for x in (found["value"], found["low"], found["high"]))
        measured = f"{value} [{low}, {high}]"
    else:
        claimed = f"{value_text(found['claimed'], claim)} {unit_text(claim)}".rstrip()
        measured = f"{value_text(found['value'], claim)} {interval_text(found['low'], found['high'], claim)}".rstrip()
    return f"Claimed: {claimed}; found {measured}: the magnitude {holds}."


def equivalence_text(test: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    """Say how the region of equivalence and its interval lie, where the verdict rests on them."""
    ends = interval_text(test["equivalence_low"], test["equivalence_high"], claim)
    asked = claim["direction"] == EQUIVALENT or test["verdict"] == EQUIVALENT
    if not (asked and ends and claim["margin"]):
        return ""
    margin = value_text(claim["margin"], claim, sign=False)
    return f"The interval of the equivalence test is {ends}, the region of equivalence ±{margin}."


def test_text(test: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    """Write a test as a sentence or some, without its verdict."""
    first = f"{test['architecture']}, {test['compared']}: {claim['label']}"
    if test["verdict"] == NOT_TESTABLE:
        return f"{first}. {test['why'] or 'No reason is stated'}."
    sentences = [
        f"{first} {effect_text(test, claim)}, {runs_text(test['cells'])}.",
        equivalence_text(test, claim),
        magnitude_text(test["magnitude"], claim),
        seeds_text(test["seeds_needed"]) if test["verdict"] == UNDECIDED else "",
    ]
    return " ".join(filter(None, sentences))
