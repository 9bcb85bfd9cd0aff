"""Claims with their verdicts for the first screen of the page; of many, the counts and a table to search."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablation.analysis.maineffects import MANY
from ablation.analysis.outcomes import NOT_TESTABLE, VERDICTS, ClaimOutcome, ClaimTestOutcome, Outcomes
from ablation.report.findings import MEANINGS, amount, bracket, counted, finding, metric_of, sentence
from ablation.report.htmltables import searchable_table
from ablation.report.intervals import Interval, draw, limits
from ablation.report.verdicts import attempt_words, magnitude_words, remark
from ablation.study.plan import Plan
from ablation.support.formatting import plural

KINDS = {
    "difference": "",
    "interaction": "interaction",
    "main effect": "average over other factors",
    "trend": "trend over ordered levels",
    "spread": "spread over seeds",
}
TEXT_COLUMNS = {"claim", "statement", "source", "network", "compared", "on", "verdict", "finding"}


def css_of(verdict: str) -> str:
    """Return the class by which the page styles a verdict; its shape has the same name."""
    return verdict.replace(" ", "-")


def runs_text(test: ClaimTestOutcome) -> str:
    """Write of how many runs a test is, cell by cell, and how many of them diverged or were stuck."""
    joined = {name: " + ".join(str(getattr(cell, name)) for cell in test.cells) for name in ("n", "diverged", "stuck")}
    some = [name for name in ("diverged", "stuck") if any(getattr(cell, name) for cell in test.cells)]
    return f"n = {joined['n']}" + "".join(f", {joined[name]} {name}" for name in some)


def drawings(plan: Plan, found: Outcomes) -> dict[tuple[str, int], str]:
    """Draw every test, those of one metric on as few scales as show all of them; by claim and place of the test."""
    places: dict[tuple, list] = {}
    for claim in found.claims:
        for place, test in enumerate(claim.tests):
            metric = metric_of(plan, claim, test)
            places.setdefault((metric.label, metric.unit), []).append((claim, place, test, metric))
    pictures = {}
    for (_, unit), rows in places.items():
        intervals = [Interval.of(claim, test, metric) for claim, _, test, metric in rows]
        for (claim, place, test, metric), limit in zip(rows, limits(intervals, unit), strict=True):
            pictures[claim.claim, place] = "" if _is_empty(test) else draw(claim, test, metric, limit)
    return pictures


def _is_empty(test: ClaimTestOutcome) -> bool:
    return test.verdict == NOT_TESTABLE or (test.effect is None and test.effect_least is None)


def same_runs(claims: Sequence[ClaimOutcome]) -> list[list[ClaimOutcome]]:
    """Group claims that are tested on the same metric of the same cells, in the order of the first of each group."""
    groups: list[tuple[set, list]] = []
    for claim in claims:
        keys = {_cells_key(claim, test) for test in claim.tests}
        near = [group for group in groups if group[0] & keys]
        for group in near[1:]:
            near[0][0].update(group[0])
            near[0][1].extend(group[1])
            groups.remove(group)
        if near:
            near[0][0].update(keys)
            near[0][1].append(claim)
        else:
            groups.append((keys, [claim]))
    return [group for _, group in groups]


def _cells_key(claim: ClaimOutcome, test: ClaimTestOutcome) -> tuple:
    cells = frozenset((cell.variant, round(abs(cell.weight), 9)) for cell in test.cells)
    return claim.metric, test.kind == "spread", cells


def contradict(claims: Sequence[ClaimOutcome]) -> bool:
    """Say whether claims about the same runs cannot all be right: they name different directions."""
    said = set()
    for claim in claims:
        cells = claim.tests[0].cells if claim.tests else []
        first = min(cells, key=lambda cell: cell.variant, default=None)
        turned = {"greater": "less", "less": "greater"} if first and first.weight < 0 else {}
        said.add(turned.get(claim.direction, claim.direction))
    return len(said) > 1


def claim_view(plan: Plan, claim: ClaimOutcome, pictures: Mapping[tuple[str, int], str]) -> dict[str, Any]:
    """Write a claim with its tests for the page."""
    tests = []
    for place, test in enumerate(claim.tests):
        metric = metric_of(plan, claim, test)
        tests.append(
            {
                "architecture": test.architecture,
                "kind": KINDS[test.kind],
                "compared": test.compared,
                "verdict": test.verdict,
                "css": css_of(test.verdict),
                "finding": finding(claim, test, metric),
                "magnitude": sentence(magnitude_words(claim, test)),
                "runs": runs_text(test),
                "drawing": pictures[claim.claim, place],
            }
        )
    return {
        **{name: getattr(claim, name) for name in ("statement", "source", "label", "exploratory")},
        "name": claim.claim,
        "attempt": attempt_words(claim),
        "tests": tests,
    }


def claim_groups(plan: Plan, found: Outcomes) -> list[dict[str, Any]]:
    """Write all claims for the page: those about the same runs side by side."""
    pictures = drawings(plan, found)
    return [
        {
            "title": "" if len(group) == 1 else f"{len(group)} claims about the same runs",
            "contradict": contradict(group),
            "claims": [claim_view(plan, claim, pictures) for claim in group],
        }
        for group in same_runs(found.claims)
    ]


def has_many_tests(found: Outcomes) -> bool:
    """Say whether a study has more tests of claims than a page can draw."""
    return sum(len(claim.tests) for claim in found.claims) > MANY


def claim_tables(plan: Plan, found: Outcomes) -> dict[str, Any]:
    """Write many claims as two tables to search: their counts, and all their tests."""
    counts, tests = [], []
    for claim in found.claims:
        seen = counted(test.verdict for test in claim.tests)
        stated = {"claim": claim.claim, "statement": claim.statement, "source": claim.source}
        exploratory = {"exploratory": "yes" if claim.exploratory else "no"}
        counts.append({**stated, **exploratory, **{verdict: seen.get(verdict, 0) for verdict in VERDICTS}})
        tests += [_test_row(plan, claim, test) for test in claim.tests]
    return {
        "counts": searchable_table(pd.DataFrame(counts), TEXT_COLUMNS, "claims.csv", name="Claims"),
        "tests": searchable_table(pd.DataFrame(tests), TEXT_COLUMNS, "claims.csv", name="Tests of claims"),
        "count": plural(len(tests), "test"),
    }


def _test_row(plan: Plan, claim: ClaimOutcome, test: ClaimTestOutcome) -> dict[str, str]:
    metric = metric_of(plan, claim, test)
    return {
        "claim": claim.claim,
        "network": test.architecture,
        "compared": test.compared,
        "on": claim.label,
        "effect": amount(test.effect, metric),
        "95 %": bracket(test.low, test.high, metric),
        "adjusted": bracket(test.low_adjusted, test.high_adjusted, metric),
        "n": " + ".join(str(cell.n) for cell in test.cells),
        "diverged": " + ".join(str(cell.diverged) for cell in test.cells),
        "stuck": " + ".join(str(cell.stuck) for cell in test.cells),
        "verdict": test.verdict,
        "finding": remark(claim, test),
    }


def tally(found: Outcomes) -> list[dict[str, Any]]:
    """Count the verdicts of all tests, in the order of `VERDICTS`."""
    counts = counted(test.verdict for claim in found.claims for test in claim.tests)
    return [{"verdict": verdict, "css": css_of(verdict), "count": number} for verdict, number in counts.items()]


def meanings() -> list[dict[str, str]]:
    """Say what each verdict means."""
    return [{"verdict": verdict, "css": css_of(verdict), "meaning": text} for verdict, text in MEANINGS.items()]
