"""Contrasts as texts: what is compared, of how many runs, with how many that diverged or were stuck, and what came out."""

import math
from typing import Any

import pandas as pd

from ablation.analysis.contrasts import NOT_TESTABLE, Estimate
from ablation.analysis.maineffects import has_many
from ablation.catalogue.metrics import FAILURE_RATES, Metric
from ablation.report.tables import effect_text
from ablation.study.controls import reached
from ablation.study.plan import Plan

COLUMNS = ["variant", "against", "metric", "effect [95 %]", "n", "diverged", "stuck", "completed alone [95 %]"]


def matched_text(row: Any) -> str:
    """Write the quantity in which a variant and its control agree, and the ratio of the two."""
    quantity = row.matched.replace("_", "-")
    if math.isnan(row.size_ratio):
        return f"{quantity} are not known of both"
    return f"{'equal' if reached(row.size_ratio) else 'unequal'} {quantity}, × {row.size_ratio:.2f}"


def pair(row: Any, name: str) -> tuple[int, int]:
    """Return what a contrast counts of its two sides."""
    return getattr(row, f"{name}_variant"), getattr(row, f"{name}_reference")


def sides_of(row: Any) -> dict[str, str]:
    """Write of both sides of a contrast how many runs have a value, diverged, and were stuck."""
    return {name: "{} + {}".format(*pair(row, name)) for name in ("n", "diverged", "stuck")}


def completed_text(row: Any, metric: Metric) -> str:
    """Write the effect among runs that completed, where others did not; a dash where there is none."""
    if not sum((*pair(row, "diverged"), *pair(row, "stuck"))) or math.isnan(row.completed_effect):
        return "–"
    among = Estimate(row.completed_effect, row.completed_low, row.completed_high)
    return f"{effect_text(among, metric)} ({row.completed_n_variant} + {row.completed_n_reference})"


def readable_contrasts(plan: Plan, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Write the study's metrics of `contrasts.csv` for people; of many variants, the first alone, sorted."""
    contrasts = contrasts[contrasts["metric"].isin(plan.study.metrics)]
    if has_many(plan):
        contrasts = contrasts[contrasts["metric"] == plan.study.metrics[0]]
        contrasts = contrasts.sort_values("effect", key=abs, ascending=False, kind="stable")
    rows = []
    for row in contrasts.itertuples():
        metric = plan.metrics[row.metric]
        rows.append(
            {
                "variant": row.variant,
                "against": row.reference + (f" ({matched_text(row)})" if row.matched else ""),
                "metric": metric.title,
                "effect [95 %]": NOT_TESTABLE if row.not_testable else effect_text(row, metric),
                **sides_of(row),
                "completed alone [95 %]": completed_text(row, metric),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def failure_rates(plan: Plan, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Write how the rates of failure differ, of the contrasts of which a run diverged or was stuck, as texts for people."""
    rates = {name: contrasts[contrasts["metric"] == name] for name in FAILURE_RATES}
    rows = []
    for each in zip(*(found.itertuples() for found in rates.values()), strict=True):
        first = each[0]
        if first.not_testable or not sum((*pair(first, "diverged"), *pair(first, "stuck"))):
            continue
        against = first.reference + (f" ({matched_text(first)})" if first.matched else "")
        effects = {
            f"{title} (points) [95 %]": effect_text(row, plan.metrics[row.metric])
            for title, row in zip(("diverged", "stuck", "either"), each, strict=True)
        }
        counts = {name: cell for name, cell in sides_of(first).items() if name != "n"}
        runs = f"{first.n_variant} + {first.n_reference}"
        rows.append({"variant": first.variant, "against": against, "n": runs, **counts, **effects})
    return pd.DataFrame(rows)
