"""Published numbers and comparisons as data frames, for reports and for Python."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablation.analysis.published.comparison import Comparison, compare_published
from ablation.analysis.published.ledger import read_ledger
from ablation.analysis.published.numbers import Published
from ablation.study.plan import Plan

NOT_THERE = math.nan
ENTRY_COLUMNS = ("entry", "architecture", "builder", "data", "metric", "value", "sd", "runs", "statistic", "epoch")
SOURCE_COLUMNS = ("source", "place", "sure", "note")
COMPARISON_COLUMNS = (
    "variant",
    "entry",
    "metric",
    "n",
    "all_runs",
    "mean",
    "sd",
    "published",
    "published_sd",
    "published_runs",
    "statistic",
    "low",
    "high",
    "percentile",
    "where",
    "effect",
    "effect_low",
    "effect_high",
    "best_epoch_gain",
    "best_epoch_low",
    "best_epoch_high",
    "best_epoch_n",
    "best_epoch_where",
    "differences",
    "unstated",
    *SOURCE_COLUMNS,
)


def ledger_table(ledger: Mapping[str, Published]) -> pd.DataFrame:
    """Return the ledger as a data frame: one row per entry, values in the recorded units of their metrics."""
    columns = (*ENTRY_COLUMNS, *SOURCE_COLUMNS)
    return pd.DataFrame([_entry_row(one) for one in ledger.values()], columns=columns).astype({"runs": "Int64"})


def published_table(
    plan: Plan, runs: pd.DataFrame, curves: pd.DataFrame, ledger: Mapping[str, Published] | None = None
) -> pd.DataFrame:
    """Hold a study against the published numbers that its variants have.

    Parameters
    ----------
    plan : Plan
    runs : pandas.DataFrame
        One row per run (`runs.parquet`).
    curves : pandas.DataFrame
        One row per run and epoch (`curves.parquet`).
    ledger : mapping of str to Published, optional
        Without it, ours.

    Returns
    -------
    pandas.DataFrame
        One row per variant and entry, in the order of variants; empty if no variant has one. Numbers are in the recorded
        unit of the metric (accuracies as fractions).

        ``low``, ``high``, ``percentile`` and ``where`` say where the published value falls in what one more of our runs,
        or the mean, median or best of as many as the source has, would be (95 % prediction interval). ``effect`` is ours
        minus theirs (Welch), where both spreads are known. ``best_epoch_gain`` is that of
        `ablation.analysis.published.bestepoch`, where the source chose its best epoch on the test images, and
        ``best_epoch_where`` the place of its value among our runs with their gains. ``differences`` and ``unstated`` say,
        joined by semicolons, why the numbers may differ.
        What is not there is NaN or an empty text.
    """
    return comparison_table(compare_published(plan, runs, curves, read_ledger() if ledger is None else ledger))


def comparison_table(found: Sequence[Comparison]) -> pd.DataFrame:
    """Return comparisons as the data frame that `published_table` describes."""
    table = pd.DataFrame([comparison_row(one) for one in found], columns=COMPARISON_COLUMNS)
    return table.astype({"published_runs": "Int64", "best_epoch_n": "Int64"})


def comparison_row(comparison: Comparison) -> dict[str, Any]:
    """Flatten a comparison."""
    match, placed, effect, best = comparison.match, comparison.placement, comparison.effect, comparison.best_epoch
    published, gain = match.published, best and best.gain
    return {
        "variant": match.variant,
        "entry": published.id,
        "metric": published.entry.metric,
        "n": comparison.ours.n,
        "all_runs": comparison.counts.runs,
        "mean": comparison.ours.mean,
        "sd": comparison.ours.sd,
        "published": published.value,
        "published_sd": published.sd,
        "published_runs": published.runs,
        "statistic": published.statistic,
        "low": placed.low if placed else NOT_THERE,
        "high": placed.high if placed else NOT_THERE,
        "percentile": placed.percentile if placed else NOT_THERE,
        "where": placed.where if placed else "",
        "effect": effect.effect if effect else NOT_THERE,
        "effect_low": effect.low if effect else NOT_THERE,
        "effect_high": effect.high if effect else NOT_THERE,
        "best_epoch_gain": gain.mean if gain else NOT_THERE,
        "best_epoch_low": gain.low if gain else NOT_THERE,
        "best_epoch_high": gain.high if gain else NOT_THERE,
        "best_epoch_n": gain.n if gain else None,
        "best_epoch_where": best.placement.where if best and best.placement else "",
        "differences": "; ".join(map(str, match.differences)),
        "unstated": "; ".join(match.unstated),
        **_source(published),
    }


def _source(published: Published) -> dict[str, str]:
    entry = published.entry
    return {"source": entry.source, "place": entry.place, "sure": ", ".join(entry.sure), "note": entry.note or ""}


def _entry_row(published: Published) -> dict[str, Any]:
    entry = published.entry
    return {
        "entry": published.id,
        "architecture": entry.architecture.name,
        "builder": entry.architecture.builder or "",
        "data": entry.data,
        "metric": entry.metric,
        "value": published.value,
        "sd": published.sd,
        "runs": published.runs,
        "statistic": published.statistic,
        "epoch": entry.protocol.epoch or "",
        **_source(published),
    }
