"""Published numbers and how a study stands to them, written for people."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ablation.analysis.published.bestepoch import ACCURACY
from ablation.analysis.published.comparison import Comparison, Match, compare_published
from ablation.analysis.published.ledger import read_ledger
from ablation.analysis.published.numbers import Published
from ablation.catalogue.catalogue import OURS
from ablation.catalogue.metrics import Metric
from ablation.report.htmltables import fitting_table
from ablation.report.tables import interval_text, mean_text, number_text
from ablation.statistics.external import UNKNOWN
from ablation.study.plan import Plan
from ablation.support.formatting import plural

TEXT_COLUMNS = {
    "variant",
    "entry",
    "metric",
    "ours",
    "published",
    "where the published value falls",
    "ours minus published",
}
NOTHING = "no difference that the source states"
MOST_SUMMARISED = 2  # variants


def ledger_rows(ledger: Mapping[str, Published]) -> list[dict[str, str]]:
    """Write the ledger: a row per entry, test errors as accuracies."""
    return [
        {
            "entry": one.id,
            "architecture": one.entry.architecture.name,
            "data": one.entry.data,
            "metric": OURS.metrics[one.entry.metric].title,
            "published": published_text(one),
            "source": f"{one.entry.source}: {one.entry.place}",
            "how sure": ", ".join(one.entry.sure),
        }
        for one in ledger.values()
    ]


def comparison_rows(comparisons: Iterable[Comparison]) -> list[dict[str, str]]:
    """Write comparisons: a row per variant and entry."""
    return [
        {
            "variant": one.match.variant,
            "entry": one.match.published.id,
            "metric": _metric(one.match).title,
            "ours": ours_text(one),
            "published": published_text(one.match.published),
            "where the published value falls": place_text(one),
            "ours minus published": difference_text(one),
        }
        for one in comparisons
    ]


def published_summary(plan: Plan, comparisons: Iterable[Comparison]) -> str:
    """Hold the first variants against the first number that is published of each; empty where there is none."""
    name, firsts = plan.study.metrics[0], {}
    for one in comparisons:
        if one.match.published.entry.metric == name:
            firsts.setdefault(one.match.variant, one)
    said = [
        f"{variant} {ours_text(one)}, published {published_text(one.match.published)}"
        + (" by another protocol" if one.match.differences else "")
        for variant, one in list(firsts.items())[:MOST_SUMMARISED]
    ]
    return f"{plan.metrics[name].title}: {'; '.join(said)}" if said else ""


def published_text(published: Published) -> str:
    """Write a published value with its spread and what it is of: 93.39 ± 0.16 (mean of 5)."""
    metric = OURS.metrics[published.entry.metric]
    if math.isnan(published.value):
        text = f"± {number_text(published.sd, metric)}"
    else:
        text = mean_text(published.value, published.sd, metric)
    if metric.exact:
        return text
    of = {"run": "1 run", "unstated": "runs not stated"}.get(published.statistic)
    several = f"{published.statistic} of {published.runs or 'some'}"
    best = ", best epoch" if published.of_best_epoch else ""
    return f"{text} ({of if published.runs in (None, 1) and of else several}{best})"


def ours_text(comparison: Comparison) -> str:
    """Write our mean ± standard deviation with the runs that have a value."""
    known, metric = comparison.ours, _metric(comparison.match)
    if metric.exact:
        return number_text(known.mean, metric)
    counted, several = comparison.counts, plural(comparison.counts.runs, "run")
    runs = several if known.n == counted.runs else f"{known.n} of {several}"
    diverged = f", {counted.diverged} diverged" if counted.diverged else ""
    return f"{mean_text(known.mean, known.sd, metric)} ({runs}{diverged})"


def place_text(comparison: Comparison) -> str:
    """Say where a published value falls among our runs, with the interval and how many runs it rests on."""
    placed, metric = comparison.placement, _metric(comparison.match)
    if metric.exact:
        near = abs(comparison.effect.effect) <= comparison.match.published.resolution
        return "the same to the digits printed" if near else "another number"
    if placed is None or placed.n == 0:
        return "–"
    if placed.where == UNKNOWN:
        return f"no interval ({plural(placed.n, 'run')} without spread)" if placed.n > 1 else "no interval (1 run)"
    bounds = f"[{number_text(placed.low, metric)}, {number_text(placed.high, metric)}]"
    return f"{placed.where} {bounds}, at {100 * placed.percentile:.0f} % (n = {placed.n})"


def difference_text(comparison: Comparison) -> str:
    """Write ours minus theirs with its interval, where both spreads are known."""
    effect = comparison.effect
    return interval_text(effect.effect, effect.low, effect.high, _metric(comparison.match)) if effect else "–"


def why_lines(match: Match) -> list[str]:
    """Say why the numbers of a match may differ: a line per difference, then what the source leaves open."""
    lines = list(map(str, match.differences)) or [NOTHING]
    if match.unstated:
        lines.append(f"not stated by the source: {', '.join(match.unstated)}")
    return [*lines, f"note: {match.published.entry.note}"] if match.published.entry.note else lines


def source_text(published: Published) -> str:
    """Write where a number stands, and how it was come by."""
    entry = published.entry
    return f"{entry.source}: {entry.place} ({', '.join(entry.sure)})"


def best_epoch_text(comparison: Comparison) -> str:
    """Say what the best epoch would gain, and where the published value falls then; empty where the last one counts."""
    if not comparison.match.published.of_best_epoch:
        return ""
    best, metric = comparison.best_epoch, OURS.metrics[ACCURACY]
    if best is None or best.gain.n == 0:
        return "what its best epoch gains cannot be measured: our records have no accuracy on validation images"
    gain = interval_text(best.gain.mean, best.gain.low, best.gain.high, metric)
    left = f" of {best.gain.n + best.left_out}; the others did not finish" if best.left_out else ""
    placed = best.placement
    then = (
        f"; among our runs with that gain, the published value lies {placed.where}" if placed.where != UNKNOWN else ""
    )
    return f"best epoch minus last on our validation images: {gain} points (n = {best.gain.n}{left}){then}"


def best_epoch_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    """Write what reporting the best epoch would gain, a row per variant (`best_epoch_table`)."""
    metric = OURS.metrics[ACCURACY]
    return [
        {
            "variant": row.variant,
            "best epoch minus last, validation images (points)": interval_text(row.gain, row.low, row.high, metric),
            "runs": f"{row.n}" if row.n == row.runs else f"{row.n} of {row.runs}",
        }
        for row in table.itertuples()
    ]


def published_parts(plan: Plan, runs: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Any]:
    """Write for the page how a study stands to the published numbers that its variants have.

    Returns
    -------
    dict
        ``rows`` (`comparison_rows`), the ``table`` of them, their ``summary`` in a few words, and in ``why`` for each entry
        its source and why numbers may differ; what is the same for several variants once.
    """
    found = compare_published(plan, runs, curves, read_ledger())
    reasons: dict[tuple, list[str]] = {}
    for one in found:
        lines = (*why_lines(one.match), *filter(None, [best_epoch_text(one)]))
        reasons.setdefault((one.match.published.id, source_text(one.match.published), lines), []).append(
            one.match.variant
        )
    rows = comparison_rows(found)
    columns = [name for name in rows[0] if any(row[name] != "–" for row in rows)] if rows else []
    table = pd.DataFrame(rows, columns=columns)
    return {
        "rows": rows,
        "summary": published_summary(plan, found),
        "table": fitting_table(table, TEXT_COLUMNS, "runs.parquet", "Published numbers") if rows else "",
        "why": [
            {"entry": entry, "source": source, "lines": lines, "variants": ", ".join(variants)}
            for (entry, source, lines), variants in reasons.items()
        ],
    }


def _metric(match: Match) -> Metric:
    return OURS.metrics[match.published.entry.metric]
