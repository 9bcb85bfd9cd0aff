"""What is sent of a variant as a whole: its runs summed up, as the tables have it."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.contrasts import cells_of, horizon_of
from ablation.analysis.failures import restricted
from ablation.analysis.inference import find
from ablation.statistics.estimates import CONFIDENCE, summarise
from ablation.study.plan import Plan


def variant_values(
    plan: Plan, variant: str, rows: pd.DataFrame, runs: RunsByVariant, effects: Mapping[str, Any]
) -> dict[str, float]:
    """Summarise the runs of one variant; NaN for what has no value.

    Parameters
    ----------
    plan : Plan
    variant : str
    rows : pandas.DataFrame
        Its rows of `runs.parquet`; a time that was never reached is cut at its last epoch.
    runs : RunsByVariant
    effects : mapping
        Its row of `comparison.csv`, which has the effect against its baseline on each metric of the study.

    Returns
    -------
    dict
        Mean and standard deviation of each metric; of those of the study n, the bounds of the mean and the effect with its
        bounds, too (95 %, as everywhere over seeds and, where the metric is known image by image, test images); the size;
        and how many runs there are, and failed, diverged or were stuck.
    """
    values: dict[str, float] = {}
    for name in filter(rows.__contains__, plan.metrics):
        found = summarise(restricted(plan, rows, name))
        values |= {f"{name}_mean": found.mean, f"{name}_sd": found.sd}
        if name in plan.study.metrics:
            low, high = _bounds(plan, variant, runs, name)
            values |= {f"{name}_mean.low": low, f"{name}_mean.high": high, f"{name}_n": found.n}
            parts = {"": "effect", ".low": "low", ".high": "high"}
            values |= {f"effect.{name}{end}": float(effects[f"{name}_{part}"]) for end, part in parts.items()}
    counted = runs.counts(variant)._asdict()
    values |= {"parameters": float(rows["parameters"].iloc[0]), "runs": counted.pop("runs")}
    return {**values, **{f"{name}_runs": number for name, number in counted.items()}}


def _bounds(plan: Plan, variant: str, runs: RunsByVariant, name: str) -> tuple[float, float]:
    """Return the interval of a mean; NaN for what is counted, and where runs have no value or none differs from another."""
    metric = plan.metrics[name]
    if metric.exact:
        return math.nan, math.nan
    cells, horizon = cells_of(runs, metric, name, [variant]), horizon_of(plan, metric, [variant])
    return find(metric, cells, [1], horizon).interval(CONFIDENCE)
