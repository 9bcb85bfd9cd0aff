"""The runs of a study, looked up by variant: their values, how many diverged, and what kept them from having a value."""

import json
from functools import cached_property

import numpy as np
import pandas as pd

from ablation.analysis.failures import NO_RUNS, Counts, counts_by_variant
from ablation.records.store import COMPLETED, DIVERGED, FAILED
from ablation.statistics.crossed import Scores
from ablation.support.formatting import plural


class RunsByVariant:
    """The runs of a study, looked up by variant: searching the whole table for each contrast would take its square.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per run (`runs.parquet`).
    examples : numpy.ndarray, optional
        `examples.npy`: bool (runs, test images), without a row of runs that failed.
    """

    def __init__(self, runs: pd.DataFrame, examples: np.ndarray | None = None):
        self._examples = examples
        self._places = (runs["status"] != FAILED).cumsum().to_numpy() - 1  # of a run among the rows of examples
        self._scores: dict[tuple[str, str], Scores | None] = {}
        self._rows = runs.groupby("variant", sort=False).indices
        self._columns = {name: runs[name].to_numpy() for name in runs}
        self._numbers: dict[str, np.ndarray] = {}
        self._failed: dict[str, str] = {}

    @cached_property
    def _counts(self) -> dict[str, Counts]:
        return counts_by_variant(pd.DataFrame({name: self._columns[name] for name in ("variant", "status")}))

    def has(self, metric: str) -> bool:
        """Say whether the table has a metric."""
        return metric in self._columns

    def counts(self, variant: str) -> Counts:
        """Count the runs of a variant, and those that failed, diverged or were stuck."""
        return self._counts.get(variant, NO_RUNS)

    def values(self, variant: str, metric: str, completed: bool = False) -> np.ndarray:
        """Return the values of a variant's runs (runs,); none of a variant without runs.

        Parameters
        ----------
        variant, metric : str
        completed : bool
            Whether those of runs that neither failed nor diverged nor were stuck are wanted alone.
        """
        if metric not in self._numbers:
            self._numbers[metric] = self._columns[metric].astype(float)
        rows = np.asarray(self._rows.get(variant, []), dtype=int)
        return self._numbers[metric][rows[self._columns["status"][rows] == COMPLETED] if completed else rows]

    def scores(self, variant: str, metric: str, per_image: int) -> Scores | None:
        """Return what a metric of a variant's runs is on each test image, summed up; None where that is not known.

        A run that diverged is worth the same on all of them.

        Parameters
        ----------
        variant, metric : str
        per_image : int
            As `ablation.catalogue.metrics.Metric.per_image`.
        """
        rows = np.asarray(self._rows.get(variant, []), dtype=int)
        values, status = self.values(variant, metric), self._columns["status"][rows]
        if not per_image or self._examples is None or not len(rows) or FAILED in status or np.isnan(values).any():
            return None
        if (variant, metric) not in self._scores:
            correct = self._examples[self._places[rows]].astype(float)
            correct[status == DIVERGED] = 0.0
            scores = values[:, None] + per_image * (correct - correct.mean(axis=1, keepdims=True))
            self._scores[variant, metric] = Scores.of(scores) if scores.shape[1] > 1 else None
        return self._scores[variant, metric]

    def failed_text(self, variant: str) -> str:
        """Say how many runs of a variant failed, and why the first of them did; empty if none failed."""
        if variant not in self._failed:
            rows = self._rows.get(variant, [])
            failed = [row for row in rows if self._columns["status"][row] == FAILED]
            first = min(failed, key=self._columns["seed"].__getitem__, default=None)
            self._failed[variant] = (
                f"{len(failed)} of {plural(len(rows), 'run')} of {variant} failed: {self._columns['error'][first]}"
                if failed
                else ""
            )
        return self._failed[variant]

    def error_text(self, variant: str, metric: str) -> str:
        """Say that code of the author's failed at a metric for a run of a variant, and why; empty if it did not."""
        for row in sorted(self._rows.get(variant, []), key=self._columns["seed"].__getitem__):
            errors = self._columns["metric_errors"][row]
            if not pd.isna(errors) and (error := json.loads(errors).get(metric)):
                return f"seed {self._columns['seed'][row]} of {variant}: {error}"
        return ""

    def missing_text(self, variant: str, metric: str) -> str:
        """Say how many runs of a variant have no value of a metric; empty if all have one."""
        values = self.values(variant, metric)
        missing = int(np.isnan(values).sum())
        return f"{missing} of {plural(len(values), 'run')} of {variant} have no value of {metric}" if missing else ""
