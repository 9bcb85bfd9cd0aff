"""What figures and the report are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ablation.analysis.outcomes import Outcomes
from ablation.networks.layertable import LayerRow
from ablation.study.plan import Plan


@dataclass(frozen=True)
class StudyTables:
    """A study with all tables of its results.

    Attributes
    ----------
    plan : Plan
    runs, curves, diagnostics, classes : pandas.DataFrame
        `runs.parquet`, `curves.parquet`, `diagnostics.parquet` and `classes.parquet` (see
        `ablation.analysis.collection.Collected`).
    contrasts : pandas.DataFrame
        `contrasts.csv` (see `ablation.analysis.contrasts`).
    verdicts : Outcomes
        `verdicts.json`: the claims, their tests and the verdicts.
    comparison : pandas.DataFrame
        `tables/comparison.csv` (see `ablation.report.tables.comparison`).
    layers : dict of str to sequence of LayerRow
        `plan/layers.csv`: the layer table of each variant.
    """

    plan: Plan
    runs: pd.DataFrame
    curves: pd.DataFrame
    diagnostics: pd.DataFrame
    classes: pd.DataFrame
    contrasts: pd.DataFrame
    verdicts: Outcomes
    comparison: pd.DataFrame
    layers: Mapping[str, Sequence[LayerRow]]
