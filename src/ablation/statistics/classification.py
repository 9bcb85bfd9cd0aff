"""How good predictions of classes are: arrays in, numbers out."""

from typing import NamedTuple

import numpy as np

BINS = 15  # of the calibration error, as in Guo et al. 2017, section 4


class ClassScores(NamedTuple):
    """Scores of each class: arrays (classes,), with NaN where there is nothing to divide by.

    Attributes
    ----------
    images : numpy.ndarray
        How many of the class there are.
    accuracy : numpy.ndarray
        Share of its images that are predicted as it, its recall.
    precision : numpy.ndarray
        Share of the images that are predicted as it that are of it.
    f1 : numpy.ndarray
        Harmonic mean of the two.
    """

    images: np.ndarray
    accuracy: np.ndarray
    precision: np.ndarray
    f1: np.ndarray


def class_scores(labels: np.ndarray, predicted: np.ndarray, classes: int) -> ClassScores:
    """Score each class.

    Parameters
    ----------
    labels, predicted : numpy.ndarray
        Class numbers (images,); one that is `classes` or more is no prediction.
    classes : int
    """
    images = np.bincount(labels, minlength=classes)
    named = np.bincount(predicted, minlength=classes)[:classes]
    hits = np.bincount(labels[labels == predicted], minlength=classes)
    return ClassScores(images, _share(hits, images), _share(hits, named), _share(2 * hits, images + named))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """Return the expected calibration error (Guo et al. 2017, equation 3).

    The mean distance of accuracy from confidence over bins of equal width, weighted by the predictions in each.

    Parameters
    ----------
    confidence : numpy.ndarray
        Probability of each prediction (images,), from 0 to 1.
    correct : numpy.ndarray
        Whether it is right: bool (images,).
    bins : int
    """
    confidence = confidence.astype(np.float64)
    # A bin has its upper bound, not its lower.
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(places, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
