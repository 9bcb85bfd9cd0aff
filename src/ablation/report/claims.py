"""What the data say of the claims, as texts for the page; of many, the counts and a table to search."""

from typing import Any

import pandas as pd

from ablation.analysis.maineffects import MANY
from ablation.analysis.outcomes import NOT_TESTABLE, VERDICTS, ClaimOutcome, ClaimTestOutcome, Outcomes
from ablation.catalogue.metrics import FAILURE_RATES
from ablation.report.contrasttables import points
from ablation.report.htmltables import searchable_table
from ablation.report.tables import interval_text
from ablation.report.verdicts import correction_words, counts_words, effect_words, remark
from ablation.study.plan import Plan
from ablation.support.formatting import plural

# Columns of the table of all tests, and what they have of a row of a section.
CELLS = {"network": "architecture", "compared": "compared", "on": "metric", "effect": "effect"}
CELLS |= {name: name for name in ("n", "diverged", "stuck", "verdict")}
TEXT_COLUMNS = {"claim", "statement", "source", "network", "compared", "on", "verdict"}


def nan(value: float | None) -> float:
    """Return a number of `verdicts.json`; NaN where it is null."""
    return float("nan") if value is None else value


def _row(plan: Plan, claim: ClaimOutcome, test: ClaimTestOutcome) -> dict[str, Any]:
    metric, rate = plan.metrics[claim.metric], plan.metrics[FAILURE_RATES[-1]]
    failed = sum(cell.diverged + cell.stuck for cell in test.cells)
    rates = completed = ""
    if failed and not test.why and not metric.binary:
        if test.failures_effect is not None:
            rates = (
                f"{interval_text(test.failures_effect, nan(test.failures_low), nan(test.failures_high), rate)} points"
            )
        if test.completed_effect is not None:
            among = (test.completed_effect, nan(test.completed_low), nan(test.completed_high))
            completed = f"{interval_text(*among, metric)} {points(metric)}"
    return {
        "architecture": test.architecture,
        "compared": test.compared,
        "metric": metric.label,
        "effect": effect_words(claim, test),
        **{name: " + ".join(str(getattr(cell, name)) for cell in test.cells) for name in ("n", "diverged", "stuck")},
        **{"rates": rates, "completed": completed},
        "verdict": test.verdict,
        "why": remark(claim, test),
        "css": test.verdict.split()[0],
    }


def claim_sections(plan: Plan, found: Outcomes) -> list[dict[str, Any]]:
    """Group the tests by claim, as texts."""
    return [
        {
            "name": claim.claim,
            "statement": claim.statement,
            "source": claim.source,
            "exploratory": claim.exploratory,
            "rows": [_row(plan, claim, test) for test in claim.tests],
        }
        for claim in found.claims
    ]


def claim_tables(sections: list[dict[str, Any]]) -> dict[str, Any]:
    """Write many claims as two tables to search, their counts and all their tests; nothing of few."""
    if sum(len(section["rows"]) for section in sections) <= MANY:
        return {}
    counts, tests = [], []
    for section in sections:
        seen = [row["verdict"] for row in section["rows"]]
        claim = {"claim": section["name"], "statement": section["statement"], "source": section["source"]}
        counts.append({**claim, "tests": len(seen), **{kind: seen.count(kind) for kind in VERDICTS}})
        tests += [
            {"claim": section["name"], **{title: row[name] for title, name in CELLS.items()}} for row in section["rows"]
        ]
    return {
        "counts": searchable_table(pd.DataFrame(counts), TEXT_COLUMNS, "claims.csv"),
        "contrasts": searchable_table(pd.DataFrame(tests), TEXT_COLUMNS, "claims.csv"),
        "count": plural(len(tests), "test"),
    }


def verdict(plan: Plan, found: Outcomes, contrasts: pd.DataFrame) -> str:
    """Sum the claims up in one sentence, or the contrasts of a study without claims."""
    if found.claims:
        tests = sum(len(claim.tests) for claim in found.claims)
        counted = f"{plural(len(found.claims), 'claim')}, {plural(tests, 'test')}"
        return f"{counted}: {counts_words(found)}; {correction_words(found)}."
    first = plan.study.metrics[0]
    rows = contrasts[(contrasts["metric"] == first) & contrasts["low"].notna()]
    clear = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    reasons = [why for why in contrasts.loc[contrasts["metric"] == first, "not_testable"] if why]
    text = (
        f"{len(rows)} contrasts on {plan.metrics[first].label}; in {len(clear)} the 95 % interval lies clear of zero."
    )
    return f"{text} {len(reasons)} more {'is' if len(reasons) == 1 else 'are'} {NOT_TESTABLE}." if reasons else text
