"""What it gains to report the best epoch instead of the last, measured where our records can tell.

Where a source chose its best epoch on the test images, its number is higher than that of its last epoch. Our studies read
the test images once, after the last epoch, so the same gain cannot be measured on these; but the records have the accuracy
on the validation images after each epoch. Measured is, run by run, the highest of these minus the last. It holds for our
number of validation images (of more the gain is smaller) and for our epochs. It counts both what a maximum of noisy values
gains by luck and what stopping earlier truly gains: to tell these apart would take the predictions of every epoch.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.analysis.published.numbers import Published
from ablation.records.runs import WITHOUT_VALUE
from ablation.statistics.external import MeanInterval, Placement, mean_interval, place

ACCURACY = "validation_accuracy"


@dataclass(frozen=True)
class BestEpoch:
    """What reporting the best epoch gains in accuracy over the last, on the validation images.

    Attributes
    ----------
    gain : MeanInterval
        Over runs, as a fraction, with its 95 % interval.
    left_out : int
        Runs that have none: they diverged or failed before the last epoch, or there are no validation images.
    placement : Placement or None
        Where the published value falls among our runs if each is given its own gain; None where no run has one.
    """

    gain: MeanInterval
    left_out: int
    placement: Placement | None


def best_epoch_gains(curves: pd.DataFrame) -> pd.Series:
    """Return the highest minus the last validation accuracy of each run of one variant, by seed.

    Parameters
    ----------
    curves : pandas.DataFrame
        One row per run and epoch.

    Returns
    -------
    pandas.Series
        Empty for a study without validation images.
    """
    if ACCURACY not in curves or curves[ACCURACY].isna().all():
        return pd.Series(dtype=float)
    by_seed = curves.sort_values("epoch").groupby("seed")[ACCURACY]
    return by_seed.max() - by_seed.agg(lambda values: values.iloc[-1])


def gains_of_runs(runs: pd.DataFrame, curves: pd.DataFrame) -> np.ndarray:
    """Return the gain of each run of one variant, (runs,).

    Parameters
    ----------
    runs, curves : pandas.DataFrame
        Rows of one variant; those of runs with their status.

    Returns
    -------
    numpy.ndarray
        NaN for runs that diverged or failed, and for all of a study without validation images.
    """
    gains = best_epoch_gains(curves).reindex(runs["seed"]).to_numpy(dtype=float)
    return np.where(runs["status"].isin(WITHOUT_VALUE), np.nan, gains)


def best_epoch(gains: np.ndarray, values: np.ndarray, published: Published) -> BestEpoch:
    """Place a published number of the best epoch among runs that are given their gains.

    Parameters
    ----------
    gains : numpy.ndarray
        As `gains_of_runs` returns them, (runs,).
    values : numpy.ndarray
        The metric of each run, (runs,).
    published : Published
    """
    gain = mean_interval(gains)
    return BestEpoch(gain, len(gains) - gain.n, place(published.value, values + gains) if gain.n else None)


def best_epoch_table(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Measure what reporting the best epoch would gain, for each variant of a study.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per run (`runs.parquet`).
    curves : pandas.DataFrame
        One row per run and epoch (`curves.parquet`).

    Returns
    -------
    pandas.DataFrame
        One row per variant with runs that have a gain: ``variant``, ``runs``, ``n`` (those with a gain), ``gain`` (mean, a
        fraction), ``low`` and ``high`` (95 %; NaN without spread).
    """
    epochs, rows = dict(tuple(curves.groupby("variant"))), []
    for variant, own in runs.groupby("variant", sort=False):
        gain = mean_interval(gains_of_runs(own, epochs.get(variant, curves[:0])))
        rows.append((variant, len(own), gain.n, gain.mean, gain.low, gain.high))
    table = pd.DataFrame(rows, columns=["variant", "runs", "n", "gain", "low", "high"])
    return table[table["n"] > 0].reset_index(drop=True)
