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
        Runs that diverged or failed: their last epoch is not that of the training which was asked for.
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


def best_epoch(runs: pd.DataFrame, curves: pd.DataFrame, values: np.ndarray, published: Published) -> BestEpoch | None:
    """Measure the gain of the best epoch for one variant, and place a published number that has it.

    Parameters
    ----------
    runs, curves : pandas.DataFrame
        Rows of one variant; those of runs with their status.
    values : numpy.ndarray
        The metric of each run, (runs,).
    published : Published

    Returns
    -------
    BestEpoch or None
        None without validation images.
    """
    by_seed = best_epoch_gains(curves)
    if by_seed.empty:
        return None
    unfinished = runs["status"].isin(WITHOUT_VALUE).to_numpy()
    gains = np.where(unfinished, np.nan, by_seed.reindex(runs["seed"]).to_numpy(dtype=float))
    gain = mean_interval(gains)
    return BestEpoch(gain, len(gains) - gain.n, place(published.value, values + gains) if gain.n else None)
