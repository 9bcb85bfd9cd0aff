"""Comparison tables: numbers for machines (CSV), and the same ones for people (Markdown, LaTeX, HTML, terminal)."""

import math

import pandas as pd

from ablation.catalogue.metrics import Metric
from ablation.statistics.estimates import summarise
from ablation.study.plan import Plan
from ablation.support.formatting import count

MINUS = "\N{MINUS SIGN}"


def number_text(value: float, metric: Metric, sign: bool = False) -> str:
    """Write a value of a metric in its unit, with a true minus sign."""
    if value is None or math.isnan(value):
        return "–"
    return f"{metric.scale * value:{'+' if sign else ''}.{metric.digits}f}".replace("-", MINUS)


def mean_text(mean: float, sd: float, metric: Metric) -> str:
    """Write mean ± standard deviation."""
    text = number_text(mean, metric)
    return text if math.isnan(sd) else f"{text} ± {number_text(sd, metric)}"


def effect_text(effect: float, low: float, high: float, metric: Metric) -> str:
    """Write an effect with its interval."""
    text = number_text(effect, metric, sign=True)
    if math.isnan(low) or low == high:  # unknown, or counted
        return text
    return f"{text} [{number_text(low, metric, sign=True)}, {number_text(high, metric, sign=True)}]"


def failures_text(row: pd.Series) -> str:
    """Write how many runs diverged or were stuck at chance."""
    parts = [f"{row[status]:.0f} {status}" for status in ("diverged", "stuck") if row[status]]
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
        One row per variant, in the study's order, in recorded units: how many runs were trained, diverged and stuck;
        for each metric n (diverged runs have no value), mean and sd, and the effect against the architecture's
        baseline with its interval; sizes; mean training time.
    """
    by_pair = contrasts.set_index(["metric", "variant", "reference"])
    rows = []
    for variant in plan.variants.values():
        own_runs = runs[runs["variant"] == variant.id]
        status = own_runs["status"].value_counts()
        row = {
            "variant": variant.id,
            "architecture": variant.architecture,
            "runs": len(own_runs),
            "diverged": int(status.get("diverged", 0)),
            "stuck": int(status.get("stuck", 0)),
        }
        for metric in plan.study.metrics:
            summary = summarise(own_runs[metric])
            row |= {f"{metric}_n": summary.n, f"{metric}_mean": summary.mean, f"{metric}_sd": summary.sd}
            pair = (metric, variant.id, variant.architecture)
            for part in ("effect", "low", "high"):
                row[f"{metric}_{part}"] = by_pair.loc[pair, part] if pair in by_pair.index else math.nan
        row |= {size: int(own_runs[size].iloc[0]) for size in ("parameters", "multiply_adds")}
        row["mean_train_seconds"] = own_runs["training_seconds"].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def readable(plan: Plan, table: pd.DataFrame) -> pd.DataFrame:
    """Write a comparison for people: every cell as text, the unit in the heading of every column.

    The effect is that on the first metric; baselines have none and are marked by a dash.
    """
    first = plan.metrics[plan.study.metrics[0]]
    points = "points" if first.unit == "%" else first.unit
    columns: dict[str, list[str]] = {"variant": [], "n": []}
    for _, row in table.iterrows():
        cells = {"variant": row["variant"], "n": f"{row[plan.study.metrics[0] + '_n']:.0f}"}
        for position, name in enumerate(plan.study.metrics):
            metric = plan.metrics[name]
            if metric.exact and position:  # the sizes have columns of their own
                continue
            cells[metric.title] = mean_text(row[f"{name}_mean"], row[f"{name}_sd"], metric)
            if position == 0:
                effect = effect_text(*(row[f"{name}_{part}"] for part in ("effect", "low", "high")), metric)
                cells[f"effect ({points}) [95 %]"] = effect
        cells |= {
            "parameters": count(row["parameters"]),
            "multiply-adds": count(row["multiply_adds"]),
            "training (s)": f"{row['mean_train_seconds']:.1f}",
            "failures": failures_text(row),
        }
        for name, cell in cells.items():
            columns.setdefault(name, []).append(cell)
    return pd.DataFrame(columns)


def caption(plan: Plan, runs: pd.DataFrame) -> str:
    """Write the caption of the comparison: what it shows, and of how many runs."""
    first = plan.metrics[plan.study.metrics[0]]
    seeds = runs.groupby("variant").size()
    each = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    return (
        f"{len(runs)} runs of {runs['variant'].nunique()} variants, {each} seeds each. Mean ± standard deviation over "
        f"seeds; effect on {first.label} against the baseline of the same architecture, with a 95 % interval over seeds "
        "(Welch). n counts the runs that have a value: diverged runs have none, stuck ones count with theirs."
    )


def to_markdown(table: pd.DataFrame, text: str) -> str:
    """Write a readable table as Markdown with its caption."""
    align = ["left" if column in ("variant", "failures") else "right" for column in table]
    return f"{table.to_markdown(index=False, colalign=align, disable_numparse=True)}\n\n{text}\n"


def to_latex(table: pd.DataFrame, text: str, label: str) -> str:
    """Write a readable table as LaTeX (packages booktabs and graphicx)."""
    signs = str.maketrans({"%": r"\%", "_": r"\_", "±": r"$\pm$", MINUS: "$-$", "–": "--", "#": r"\#", "&": r"\&"})
    clean = table.map(lambda cell: cell.translate(signs)).rename(columns=lambda name: name.translate(signs))
    align = "".join("l" if column in ("variant", "failures") else "r" for column in table)
    return clean.to_latex(index=False, escape=False, column_format=align, caption=text.translate(signs), label=label)


def summary(plan: Plan, table: pd.DataFrame) -> str:
    """Write the few columns that fit a terminal."""
    text = readable(plan, table)
    return text.iloc[:, [0, 1, 2, 3, -1]].to_markdown(
        index=False, tablefmt="simple", colalign=["left", "right", "right", "right", "left"], disable_numparse=True
    )
