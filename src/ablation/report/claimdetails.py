"""All numbers behind the verdict of each claim: cells, runs, intervals, p values, what went on inside."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablation.analysis.failures import restricted
from ablation.analysis.outcomes import ClaimOutcome, ClaimTestOutcome
from ablation.catalogue.metrics import FAILURE_RATES, METRICS, Metric
from ablation.report.claims import css_of
from ablation.report.findings import RATIO, amount, bracket, is_number, metric_of, sentence
from ablation.report.htmltables import html_table
from ablation.report.inputs import StudyTables
from ablation.report.tables import interval_text, number_text
from ablation.report.verdicts import attempt_words, magnitude_words, seeds_words
from ablation.statistics.estimates import CONFIDENCE
from ablation.study.plan import Plan

RATE = METRICS[FAILURE_RATES[-1]]
MARKS = {"diverged": " (diverged)", "stuck": " (stuck)", "failed": " (failed)"}
TEXT = {"variant", "weight", "each run, by seed", "number", "what it says"}


def p_text(p: float | None) -> str:
    """Write a p value: 0.012, or that it is smaller than what is worth telling."""
    if not is_number(p):
        return "–"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.095 else f"{p:.2f}"


def weight_text(weight: float) -> str:
    """Write the weight of a cell: +1, −1, +0.5."""
    return f"{weight:+.3g}".replace("-", "\N{MINUS SIGN}")


def cells_table(tables: StudyTables, claim: ClaimOutcome, test: ClaimTestOutcome) -> pd.DataFrame:
    """Write the variants that a test compares: their weight, how many runs, mean, spread, and every run by seed."""
    plan, name = tables.plan, claim.metric
    metric, rows = plan.metrics[name], []
    for cell in test.cells:
        runs = tables.runs[tables.runs["variant"] == cell.variant].sort_values("seed")
        values = restricted(plan, runs, name) if name in runs else pd.Series(math.nan, index=runs.index)
        each = [
            f"{seed}: {number_text(value, metric)}{MARKS.get(status, '')}"
            for seed, value, status in zip(runs["seed"], values, runs["status"], strict=True)
        ]
        rows.append(
            {
                "variant": cell.variant,
                "weight": weight_text(cell.weight),
                **{count: str(getattr(cell, count)) for count in ("n", "diverged", "stuck")},
                f"mean{f' ({metric.unit})' if metric.unit else ''}": number_text(cell.mean, metric),
                "sd": number_text(cell.sd, metric),
                "each run, by seed": ", ".join(each),
            }
        )
    return pd.DataFrame(rows)


def estimate_rows(plan: Plan, claim: ClaimOutcome, test: ClaimTestOutcome) -> list[tuple[str, str, str]]:
    """List what was estimated: a name, a value, and what it says; nothing of what there is not."""
    metric = metric_of(plan, claim, test)
    effect = amount(test.effect, metric)
    if metric.exact:
        return [("effect", effect, "counted, so it has no interval")]
    rows = [
        ("effect", effect, f"of {test.compared}"),
        *_intervals(claim, test, metric),
        ("share of the test images", _percent(test.image_share), "of its variance: more seeds do not shrink it"),
        *_p_values(test),
        (
            "rate of failures",
            _rates(test),
            "difference in the share of runs that diverged or were stuck, exact interval",
        ),
        (
            "completed alone",
            _pair(test.completed_effect, bracket(test.completed_low, test.completed_high, metric), metric),
            "leaves out what diverged or was stuck: describes what is left and tests nothing",
        ),
        ("claimed size", magnitude_words(claim, test), ""),
        ("seeds needed", seeds_words(test), ""),
    ]
    return [row for row in rows if row[1] not in ("", "–")]


def _intervals(claim: ClaimOutcome, test: ClaimTestOutcome, metric: Metric) -> list[tuple[str, str, str]]:
    family = f"{100 * test.confidence:.4g} %, " if test.confidence else ""
    has_margin = claim.margin is not None and metric is not RATIO
    margin = f"±{amount(claim.margin, metric, sign=False)}" if has_margin else "the margin"
    found = {
        "interval that decides": ("low_adjusted", "high_adjusted", f"{family}adjusted for all tests of the study"),
        f"{100 * CONFIDENCE:g} % interval": ("low", "high", "by itself, over seeds and, if need be, test images"),
        "equivalence interval": ("equivalence_low", "equivalence_high", f"adjusted: does it lie within {margin}?"),
        "over seeds alone": ("seeds_effect_low", "seeds_effect_high", "as if there were no other test images"),
    }
    return [
        (name, bracket(getattr(test, low), getattr(test, high), metric), note)
        for name, (low, high, note) in found.items()
    ]


def _p_values(test: ClaimTestOutcome) -> list[tuple[str, str, str]]:
    smallest = p_text(test.permutation_p_smallest)
    found = {
        "p": ("p", "from the same model as the 95 % interval"),
        "p, adjusted": ("p_adjusted", "decides whether there is a difference"),
        "p of equivalence": ("equivalence_p", "of the two one-sided tests by themselves"),
        "p of equivalence, adjusted": ("equivalence_p_adjusted", "decides whether it is too small to matter"),
        "p by permutation": ("permutation_p", f"stands beside; with so many seeds it is at least {smallest}"),
    }
    return [(name, p_text(getattr(test, entry)), note) for name, (entry, note) in found.items()]


def _percent(share: float | None) -> str:
    return f"{100 * share:.0f} %" if is_number(share) else "–"


def _pair(effect: float | None, interval: str, metric: Metric) -> str:
    if not is_number(effect):
        return "–"
    return amount(effect, metric) + ("" if interval == "–" else f" {interval}")


def _rates(test: ClaimTestOutcome) -> str:
    if not is_number(test.failures_effect) or not any(cell.diverged + cell.stuck for cell in test.cells):
        return "–"
    return f"{interval_text(test.failures_effect, test.failures_low, test.failures_high, RATE)} points"


def mechanism_table(tables: StudyTables, variants: Sequence[str]) -> pd.DataFrame:
    """Write what went on inside some variants, as means over seeds; empty where nothing was diagnosed."""
    rows = tables.diagnostics[tables.diagnostics["variant"].isin(list(variants))]
    epochs, found = sorted({int(epoch) for epoch in rows["epoch"]}), []
    epochs = sorted({epochs[0], epochs[-1]}) if epochs else []
    for variant in dict.fromkeys(variants):
        row = {"variant": variant}
        for epoch in epochs:
            own, when = rows[(rows["variant"] == variant) & (rows["epoch"] == epoch)], _when(epoch)
            row[f"gradient, first over last layer, {when}"] = _gradient_text(own)
            for quantity, title in (("saturated", "saturated outputs"), ("dead", "dead units")):
                share = own.loc[own["quantity"] == quantity, "value"].mean()
                row[f"{title}, {when}"] = "–" if math.isnan(share) else f"{100 * share:.0f} %"
        found.append(row)
    table = pd.DataFrame(found)
    return table.loc[:, [column for column in table if column == "variant" or (table[column] != "–").any()]]


def _when(epoch: int) -> str:
    return f"after epoch {epoch}" if epoch else "before training"


def _gradient_text(rows: pd.DataFrame) -> str:
    """Write the geometric mean over seeds of the first layer's gradient over the last one's."""
    gradients = rows[(rows["quantity"] == "gradient_rms") & (rows["value"] > 0)].sort_values("depth")
    logs = [math.log10(own.iloc[0] / own.iloc[-1]) for _, own in gradients.groupby("seed")["value"] if len(own) > 1]
    return f"10^{sum(logs) / len(logs):.1f}".replace("-", "\N{MINUS SIGN}") if logs else "–"


def says(plan: Plan, claim: ClaimOutcome) -> str:
    """Say what was asked of a claim: metric and direction, the smallest effect that matters, and when it was registered."""
    directions = {"greater": "is greater", "less": "is less", "equivalent": "differs by less than what matters"}
    parts = [f"Claimed: {claim.label} {directions[claim.direction]}, for what is compared."]
    if claim.margin is not None:
        parts.append(f"Too small to matter: ±{amount(claim.margin, plan.metrics[claim.metric], sign=False)}.")
    if claim.exploratory:
        parts.append(f"Exploratory: {claim.exploratory}.")
    elif claim.registered:
        parts.append(f"Registered {claim.registered[:16].replace('T', ' ')} UTC, before its runs.")
    parts.append(sentence(attempt_words(claim)))
    return " ".join(filter(None, parts))


def claim_details(tables: StudyTables, published: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Write all numbers of every claim.

    Parameters
    ----------
    tables : StudyTables
    published : sequence of mapping
        Published numbers beside ours, as `ablation.report.published.comparison_rows` writes them.
    """
    found = []
    for claim in tables.verdicts.claims:
        variants = [cell.variant for test in claim.tests for cell in test.cells]
        inside = mechanism_table(tables, variants) if len(tables.diagnostics) else pd.DataFrame()
        found.append(
            {
                "name": claim.claim,
                "statement": claim.statement,
                "says": says(tables.plan, claim),
                "tests": [_details_of(tables, claim, test) for test in claim.tests],
                "mechanism": html_table(inside, {"variant"}) if inside.shape[1] > 1 else "",
                "published": [row for row in published if row["variant"] in variants],
            }
        )
    return found


def _details_of(tables: StudyTables, claim: ClaimOutcome, test: ClaimTestOutcome) -> dict[str, Any]:
    return {
        "architecture": test.architecture,
        "compared": test.compared,
        "verdict": test.verdict,
        "css": css_of(test.verdict),
        "why": test.why,
        "cells": html_table(cells_table(tables, claim, test), TEXT, wide={"each run, by seed"}),
        "rows": estimate_rows(tables.plan, claim, test),
    }
