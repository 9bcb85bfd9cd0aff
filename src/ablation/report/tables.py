"""Comparison tables: numbers for machines (CSV), and the same ones for people (Markdown, LaTeX, HTML, terminal)."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.contrasts import NOT_TESTABLE, Estimate
from ablation.analysis.failures import FAILURES, NO_RUNS, counts_by_variant, restricted
from ablation.analysis.maineffects import has_many, main_effects
from ablation.catalogue.metrics import Metric
from ablation.records.store import COMPLETED, FAILED
from ablation.report import latex
from ablation.statistics.estimates import summarise
from ablation.study.plan import Plan
from ablation.support.formatting import count, plural, unit_of_differences

MINUS = "\N{MINUS SIGN}"
MOST_NAMED = 20  # variants in a caption, lines of a summary
WORTH_TEXTS = {  # what becomes of a run that diverged, by what it is worth
    "chance": "counts at chance (1 of the number of classes)",
    "chance_of_five": "counts at chance (5 of the number of classes)",
    "log_classes": "counts with the loss of a guess (the logarithm of the number of classes)",
    "never": "counts as one that never came so far",
    "as_measured": "counts with what was measured before",
    "missing": "has none, and the effect is stated for all that it could have been",
}
LEFT = ("variant", "failures")  # columns of texts
ALONE, COSTS = "completed alone: ", ("multiply-adds", "training (s)")  # columns that a paper has no room for
EFFECT = ("effect", "low", "high", "effect_least", "effect_most")  # columns of the effect on each metric


def number_text(value: float, metric: Metric, sign: bool = False) -> str:
    """Write a value of a metric in its unit, with a true minus sign."""
    if value is None or math.isnan(value):
        return "–"
    return f"{metric.scale * value:{'+' if sign else ''}.{metric.digits}f}".replace("-", MINUS)


def mean_text(mean: float, sd: float, metric: Metric, n: int | None = None, least: bool = False) -> str:
    """Write mean ± standard deviation.

    Parameters
    ----------
    mean, sd : float
    metric : Metric
    n : int, optional
        Of how many runs, where it is not of all.
    least : bool
        Whether it is the least that the mean can be.
    """
    text = number_text(mean, metric)
    text = f"≥ {text}" if least else text
    text = text if math.isnan(sd) else f"{text} ± {number_text(sd, metric)}"
    return text if n is None else f"{text} (n = {n})"


def effect_text(estimate: Estimate | Any, metric: Metric) -> str:
    """Write an effect with its interval, or what it could be; `estimate` has the fields of `Estimate`."""
    text = number_text(estimate.effect, metric, sign=True)
    if math.isnan(estimate.effect) and not math.isnan(estimate.effect_least):
        ends = (number_text(end, metric, sign=True) for end in (estimate.effect_least, estimate.effect_most))
        text = " to ".join(ends)
    return text + bounds_text(estimate.low, estimate.high, metric)


def interval_text(effect: float, low: float, high: float, metric: Metric) -> str:
    """Write a difference with its interval."""
    return number_text(effect, metric, sign=True) + bounds_text(low, high, metric)


def bounds_text(low: float, high: float, metric: Metric) -> str:
    """Write the bounds of a difference behind it; nothing where they are unknown, or counted."""
    if math.isnan(low) or low == high:
        return ""
    return f" [{number_text(low, metric, sign=True)}, {number_text(high, metric, sign=True)}]"


def count_text(value: float) -> str:
    """Write a size; a dash where it is not known."""
    return "–" if math.isnan(value) else count(value)


def failures_text(row: Mapping[str, float]) -> str:
    """Write how many runs failed, diverged or were stuck at chance."""
    parts = [f"{row[status]:.0f} {status}" for status in FAILURES if row[status]]
    return ", ".join(parts) or "none"


def comparison(plan: Plan, runs: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Compare all variants.

    Parameters
    ----------
    plan : Plan
    runs : pandas.DataFrame
        `runs.parquet`.
    contrasts : pandas.DataFrame
        `contrasts.csv`.

    Returns
    -------
    pandas.DataFrame
        One row per variant, in the study's order, in recorded units: how many runs were trained, failed, diverged and
        stuck; for each metric n (those that diverged count with what they are worth; failed ones have no value), mean and
        sd, with a time that was never reached cut at the last epoch, in ``never`` how many are cut, the same of those alone
        that completed, and the effect against the architecture's baseline with its interval; sizes, which are missing where
        the network cannot be built; mean training time of the runs that did not fail; and what keeps the effects from being
        tested.
    """
    estimates = {
        (row.metric, row.variant): row
        for row in contrasts.itertuples()
        if row.variant in plan.variants and row.reference == plan.variants[row.variant].architecture
    }
    reasons: dict[str, str] = {}
    for row in contrasts[contrasts["reference"].isin(plan.study.architectures)].itertuples():
        reasons[row.variant] = reasons.get(row.variant) or row.not_testable
    groups, rows, counted = dict(iter(runs.groupby("variant", sort=False))), [], counts_by_variant(runs)
    for variant in plan.variants.values():
        own_runs = groups.get(variant.id, runs.iloc[:0])
        row = {"variant": variant.id, "architecture": variant.architecture}
        row |= counted.get(variant.id, NO_RUNS)._asdict()
        for metric in plan.study.metrics:
            row |= _summaries(plan, own_runs, metric)
            estimate = estimates.get((metric, variant.id))
            row |= {f"{metric}_{part}": getattr(estimate, part, math.nan) for part in EFFECT}
        row |= {size: own_runs[size].iloc[0] for size in ("parameters", "multiply_adds")}
        row["mean_train_seconds"] = own_runs.loc[own_runs["status"] != FAILED, "training_seconds"].mean()
        row["not_testable"] = reasons.get(variant.id, "")
        rows.append(row)
    return pd.DataFrame(rows)


def _summaries(plan: Plan, runs: pd.DataFrame, metric: str) -> dict[str, float]:
    """Summarise a metric over the runs of a variant, and over those that completed."""
    values = restricted(plan, runs, metric)
    every, completed = summarise(values), summarise(values[runs["status"] == COMPLETED])
    row = {f"{metric}_n": every.n, f"{metric}_mean": every.mean, f"{metric}_sd": every.sd}
    if plan.metrics[metric].diverged == "never":
        row[f"{metric}_never"] = int(np.isposinf(runs[metric].astype(float)).sum())
    names = ("n", "mean", "sd")
    return row | {f"{metric}_completed_{name}": getattr(completed, name) for name in names}


def readable(plan: Plan, table: pd.DataFrame) -> pd.DataFrame:
    """Write a comparison for people: every cell as text, the unit in the heading of every column.

    The effect is that on the first metric: baselines have none and are marked by a dash, and a study without contrasts has
    no such column. Where runs diverged or were stuck, the first metric of the others stands beside, as a description.
    """
    first = plan.metrics[plan.study.metrics[0]]
    points = unit_of_differences(first.unit)
    alone = not first.exact and table[["diverged", "stuck"]].any(axis=None)
    columns: dict[str, list[str]] = {"variant": [], "n": []}
    for _, row in table.iterrows():
        cells = {"variant": row["variant"], "n": f"{row[plan.study.metrics[0] + '_n']:.0f}"}
        for position, name in enumerate(plan.study.metrics):
            metric = plan.metrics[name]
            cells[metric.title] = mean_cell(row, name, metric)
            if position == 0 and plan.contrasts:
                effect = effect_text(Estimate(**{part: row[f"{name}_{part}"] for part in EFFECT}), metric)
                untested = row["not_testable"] and math.isnan(row[f"{name}_effect_least"])
                cells[f"effect ({points}) [95 %]"] = NOT_TESTABLE if untested else effect
        if alone:
            name = f"{plan.study.metrics[0]}_completed"
            summary = (row[f"{name}_mean"], row[f"{name}_sd"], first, int(row[f"{name}_n"]))
            cells[f"{ALONE}{first.title}"] = mean_text(*summary) if row[f"{name}_n"] else "–"
        cells |= {
            "parameters": count_text(row["parameters"]),
            "multiply-adds": count_text(row["multiply_adds"]),
            "training (s)": "–" if math.isnan(row["mean_train_seconds"]) else f"{row['mean_train_seconds']:.1f}",
            "failures": failures_text(row),
        }
        for name, cell in cells.items():
            columns.setdefault(name, []).append(cell)
    return pd.DataFrame(columns)


def mean_cell(row: pd.Series, name: str, metric: Metric) -> str:
    """Write the mean of a metric: of how many runs, if some that did not fail have no value, and whether some had no end."""
    n = int(row[f"{name}_n"])
    some = None if metric.exact or n in (0, row["runs"] - row["failed"]) else n
    return mean_text(row[f"{name}_mean"], row[f"{name}_sd"], metric, some, bool(row.get(f"{name}_never", 0)))


def readable_effects(plan: Plan, effects: pd.DataFrame) -> pd.DataFrame:
    """Write main effects on the first metric for people."""
    metric = plan.metrics[plan.study.metrics[0]]
    points = unit_of_differences(metric.unit)
    rows = [
        {
            "network": row.architecture,
            "factor": row.factor.replace("_", " "),
            "level": row.level.replace("_", " "),
            metric.title: mean_text(row.mean, row.sd, metric),
            f"difference ({points})": "reference" if row.reference else number_text(row.difference, metric, sign=True),
            "settings": f"{row.settings:,}",
            "runs with a value": f"{row.n:,} of {row.runs:,}",
            "failures": failures_text(row._asdict()),
        }
        for row in effects.itertuples()
    ]
    return pd.DataFrame(rows)


def worth_text(metric: Metric) -> str:
    """Say what a run that diverged counts for on a metric."""
    if not isinstance(metric.diverged, str):
        return f"a diverged run counts with {number_text(metric.diverged, metric)} {metric.unit}".rstrip()
    return f"a diverged run {WORTH_TEXTS[metric.diverged]}"


def varied_over(metric: Metric) -> str:
    """Say what the intervals of a metric cover: seeds and, where it is known image by image, test images."""
    return "seeds and test images" if metric.per_image else "seeds"


def caption(plan: Plan, runs: pd.DataFrame) -> str:
    """Write the caption of the comparison: what it shows, and of how many runs."""
    first = plan.metrics[plan.study.metrics[0]]
    seeds = runs.groupby("variant").size()
    each = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    failed = runs.loc[runs["status"] == FAILED, "variant"].value_counts(sort=False)
    named = [f"{number} of {seeds[variant]} of {variant}" for variant, number in failed.items()]
    more = [f"and of {plural(len(named) - MOST_NAMED, 'variant')} more"] if len(named) > MOST_NAMED else []
    of_variants = ", ".join([*named[:MOST_NAMED], *more])
    untested = f" Runs failed by an error of their own ({of_variants}): effects that need them are not testable."
    compared = f"; effect on {first.label} against the baseline of the same architecture, with a 95 % interval over "
    text = (
        f"{len(runs):,} runs of {len(seeds):,} {'variant' if len(seeds) == 1 else 'variants'}, "
        f"{each} {'seed' if each == '1' else 'seeds'} each. "
        f"Mean ± standard deviation over seeds{compared + varied_over(first) if plan.contrasts else ''}. n counts the runs "
        f"that have a value: {worth_text(first)}; a stuck run counts with the value that it has."
    )
    if "never" in [plan.metrics[name].diverged for name in plan.study.metrics]:
        text += " A time that a run did not reach is cut at its last epoch: the mean is at least (≥) what stands there."
    return text + untested if of_variants else text


def to_markdown(table: pd.DataFrame, text: str) -> str:
    """Write a readable table as Markdown with its caption."""
    align = ["left" if column in LEFT else "right" for column in table]
    return f"{table.to_markdown(index=False, colalign=align, disable_numparse=True)}\n\n{text}\n"


def to_latex(table: pd.DataFrame, text: str, label: str) -> str:
    """Write a readable table as LaTeX (package booktabs) with its caption; costs and descriptions are left to the others."""
    twice = [name for name in table if name == "parameters" and any(one.startswith("parameters (") for one in table)]
    without = [name for name in table if name.startswith(ALONE) or name in (*COSTS, *twice)]
    return latex.to_latex(table.drop(columns=without), text, label, LEFT)


def summary(plan: Plan, table: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Write the few columns that fit a terminal; of many variants, how far the levels of each factor lie apart."""
    if has_many(plan):
        return summary_of_many(plan, runs)
    text = readable(plan, table)
    return text.iloc[:, [0, 1, 2, 3, -1]].to_markdown(
        index=False, tablefmt="simple", colalign=["left", "right", "right", "right", "left"], disable_numparse=True
    )


def summary_of_many(plan: Plan, runs: pd.DataFrame) -> str:
    """Write the lowest and the highest mean of each factor's levels, of the factors with the largest differences."""
    metric = plan.metrics[plan.study.metrics[0]]
    lines = []
    for (architecture, factor), rows in main_effects(plan, runs, plan.study.metrics[0]).groupby(
        ["architecture", "factor"], sort=False
    ):
        rows = rows.dropna(subset="mean").sort_values("mean")
        if len(rows):
            ends = [f"{row.level} {number_text(row.mean, metric)}" for row in rows.iloc[[0, -1]].itertuples()]
            spread = rows["mean"].iloc[-1] - rows["mean"].iloc[0]
            failed = failures_text(rows[list(FAILURES)].sum())
            lines.append((spread, [architecture, factor, *ends, number_text(spread, metric), failed]))
    where = f"tables/comparison.csv has all {len(plan.variants):,} variants."
    if not lines:
        return f"No two levels of a factor share a setting of the others; {where}"
    lines.sort(key=lambda line: -line[0])
    head = ["network", "factor", f"lowest {metric.title}", "highest", "difference", "failures"]
    text = pd.DataFrame([cells for _, cells in lines[:MOST_NAMED]], columns=head).to_markdown(
        index=False, tablefmt="simple", colalign=["left"] * 4 + ["right", "left"], disable_numparse=True
    )
    return f"{text}\n\nMeans over the settings of the other factors; {where}"
