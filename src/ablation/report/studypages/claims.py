"""The claims of a page: each test as a sentence, with the numbers that decide."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ablation.analysis.outcomes import (
    NOT_TESTABLE,
    VERDICTS,
    CellOutcome,
    ClaimOutcome,
    ClaimTestOutcome,
    Outcomes,
)
from ablation.report.verdicts import counts_words, effect_words, is_by_equivalence, number, remark
from ablation.support.formatting import unit_of_differences

MOST_LISTED = 4  # variants whose runs are counted one by one
NUMBERS = ("effect", "low_adjusted", "high_adjusted")


def claims_content(found: Outcomes) -> list[dict[str, Any]]:
    """State each claim with its tests: the numbers that decide, in the recorded unit, and the test in words."""
    stated = ("claim", "statement", "source", "metric", "direction", "margin", "registered", "exploratory")
    return [
        {
            **{name: getattr(claim, name) for name in stated},
            "tests": [
                {
                    "architecture": test.architecture,
                    "verdict": test.verdict,
                    **{name: getattr(test, name) for name in NUMBERS},
                    "text": sentence(claim, test),
                }
                for test in claim.tests
            ],
        }
        for claim in found.claims
    ]


def counts(found: Outcomes) -> dict[str, int]:
    """Count the verdicts that occur, in their order."""
    seen = Counter(test.verdict for claim in found.claims for test in claim.tests)
    return {verdict: seen[verdict] for verdict in VERDICTS if seen[verdict]}


def phrase(found: Outcomes) -> str:
    """Say in a phrase what the claims came to, for tables of studies; empty without claims."""
    tests = [claim.exploratory for claim in found.claims for _ in claim.tests]
    exploratory = sum(map(bool, tests))
    many = "all" if exploratory == len(tests) else exploratory
    return counts_words(found) + (f" ({many} exploratory)" if exploratory else "")


def sentence(claim: ClaimOutcome, test: ClaimTestOutcome) -> str:
    """Write a test without its verdict: what was compared, what came out, of how many runs, and what belongs to it."""
    spread = "spread of " if test.kind == "spread" else ""
    first = f"{test.architecture}, {test.compared}: {spread}{claim.label}"
    if test.verdict != NOT_TESTABLE:
        first += f" {effect_words(claim, test)}, {runs_words(test.cells)}"
    within = equivalence_words(claim, test)
    first += f", {within}" if within else ""
    return "; ".join(filter(None, [first, remark(claim, test)])) + "."


def runs_words(cells: Sequence[CellOutcome]) -> str:
    """Write of how many runs of each side: 5 + 5 runs (3 + 0 diverged)."""
    failed = [
        f"{_each(getattr(cell, name) for cell in cells)} {name}"
        for name in ("diverged", "stuck")
        if any(getattr(cell, name) for cell in cells)
    ]
    return f"{_each(cell.n for cell in cells)} runs" + (f" ({', '.join(failed)})" if failed else "")


def _each(numbers: Iterable[int]) -> str:
    numbers = list(numbers)
    if len(numbers) > MOST_LISTED and len(set(numbers)) == 1:
        return f"{len(numbers)} × {numbers[0]}"
    return " + ".join(map(str, numbers))


def equivalence_words(claim: ClaimOutcome, test: ClaimTestOutcome) -> str:
    """Say within which region the interval lies, where the verdict rests on that; else empty."""
    if not is_by_equivalence(claim, test) or claim.margin is None:
        return ""
    return f"which lies within ±{number(claim.margin, claim).lstrip('+')} {unit_of_differences(claim.unit)}".rstrip()
