"""What the data say of the claims, as texts for the page; of many, the counts and a table to search."""

from typing import Any

import pandas as pd

from ablation.analysis.contrasts import AS_CLAIMED, NO_INTERVAL, NOT_TESTABLE, OPEN, OPPOSITE, Estimate
from ablation.analysis.maineffects import MANY
from ablation.catalogue.metrics import FAILURE_RATES
from ablation.report.contrasttables import completed_text, matched_text, pair, points, sides_of
from ablation.report.htmltables import searchable_table
from ablation.report.tables import effect_text
from ablation.study.plan import Plan
from ablation.support.formatting import plural

OBSERVED = (AS_CLAIMED, OPPOSITE, OPEN, NO_INTERVAL, NOT_TESTABLE)
# Columns of the table of all contrasts, and what they have of a row of a section.
CELLS = {"network": "architecture", "compared": "compared", "on": "metric", "effect [95 %]": "effect"}
CELLS |= {name: name for name in ("n", "diverged", "stuck", "observed")}
TEXT_COLUMNS = {"claim", "statement", "source", "network", "compared", "on", "observed"}


def failures_of(plan: Plan, row: Any) -> dict[str, str]:
    """Write what a claim's contrast says beside its effect: the rates of failure, and the runs that completed."""
    if row.not_testable or not sum((*pair(row, "diverged"), *pair(row, "stuck"))):
        return {"rates": "", "completed": ""}
    metric, rate = plan.metrics[row.metric], plan.metrics[FAILURE_RATES[-1]]
    rates = effect_text(Estimate(row.failures_effect, row.failures_low, row.failures_high), rate)
    completed = completed_text(row, metric)
    return {
        "rates": "" if metric.binary else f"{rates} points",
        "completed": "" if completed == "–" else completed.replace(" (", f" {points(metric)} ("),
    }


def claim_sections(plan: Plan, claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the rows of `claims.csv` by claim, as texts."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in plan.study.claims}
    for row in claims.itertuples():
        claim = plan.study.claims[row.claim]
        metric = plan.metrics[claim.metric]
        found[row.claim].append(
            {
                "architecture": row.architecture,
                "compared": f"{claim.factor}: {claim.level} − {claim.against}"
                + "".join(f", {factor} {level}" for factor, level in claim.given.items())
                + (f", at {matched_text(row)}" if claim.match else ""),
                "metric": metric.label,
                "effect": "–" if row.not_testable else f"{effect_text(row, metric)} {points(metric)}",
                **sides_of(row),
                **failures_of(plan, row),
                "observed": row.observed,
                "why": row.not_testable,
                "css": row.observed.split()[0],
            }
        )
    claims_of = plan.study.claims
    return [
        {"name": name, "statement": claims_of[name].statement, "source": claims_of[name].source, "rows": rows}
        for name, rows in found.items()
    ]


def claim_tables(sections: list[dict[str, Any]]) -> dict[str, Any]:
    """Write many claims as two tables to search, their counts and all their contrasts; nothing of few."""
    if sum(len(section["rows"]) for section in sections) <= MANY:
        return {}
    counts, contrasts = [], []
    for section in sections:
        seen = [row["observed"] for row in section["rows"]]
        claim = {"claim": section["name"], "statement": section["statement"], "source": section["source"]}
        counts.append({**claim, "contrasts": len(seen), **{kind: seen.count(kind) for kind in OBSERVED}})
        contrasts += [
            {"claim": section["name"], **{title: row[name] for title, name in CELLS.items()}} for row in section["rows"]
        ]
    return {
        "counts": searchable_table(pd.DataFrame(counts), TEXT_COLUMNS, "claims.csv"),
        "contrasts": searchable_table(pd.DataFrame(contrasts), TEXT_COLUMNS, "claims.csv"),
        "count": plural(len(contrasts), "contrast"),
    }


def verdict(plan: Plan, claims: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """Sum the claims up in one sentence, or the contrasts of a study without claims."""
    if len(claims):
        seen = claims["observed"].value_counts()
        parts = [
            f"{seen.get(kind, 0)} {kind}" for kind in OBSERVED if kind in (AS_CLAIMED, OPPOSITE, OPEN) or kind in seen
        ]
        counts = [plural(len(plan.study.claims), "claim"), plural(len(claims), "contrast")]
        return f"{counts[0]}, tested by {counts[1]}: {', '.join(parts)}."
    first = plan.study.metrics[0]
    rows = contrasts[(contrasts["metric"] == first) & contrasts["low"].notna()]
    clear = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    reasons = [why for why in contrasts.loc[contrasts["metric"] == first, "not_testable"] if why]
    text = (
        f"{len(rows)} contrasts on {plan.metrics[first].label}; in {len(clear)} the 95 % interval lies clear of zero."
    )
    return f"{text} {len(reasons)} more {'is' if len(reasons) == 1 else 'are'} {NOT_TESTABLE}." if reasons else text
