"""Metrics of the test images, each computed from the predictions of a run's record; None for a run without any."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np

from ablation.records.predictions import Predictions
from ablation.statistics import classification

TOP = 5


def score(function: Callable[[Predictions], float]) -> Callable[[Mapping[str, Any], Any], float | None]:
    """Turn a function of predictions into one of a record and its study, as `ablation.catalogue.metrics.Metric` wants it."""

    @wraps(function)
    def compute(record: Mapping[str, Any], study: Any) -> float | None:
        predictions = record["predictions"]
        return None if predictions is None else float(function(predictions))

    return compute


def by_class(predictions: Predictions) -> classification.ClassScores:
    """Score each class."""
    return classification.class_scores(predictions.labels, predictions.predicted, predictions.classes)


@score
def accuracy(predictions: Predictions) -> float:
    """Return the share of the images that are predicted right."""
    return predictions.correct.mean()


@score
def loss(predictions: Predictions) -> float:
    """Return the mean cross-entropy in nats, without label smoothing."""
    return -predictions.label_log_probability.mean(dtype=np.float64)


@score
def top5_accuracy(predictions: Predictions) -> float:
    """Return the share of the images whose class is among the five most probable ones."""
    return (predictions.rank < TOP).mean()


@score
def macro_f1(predictions: Predictions) -> float:
    """Return the mean F1 of the classes that have images or predictions."""
    return np.nanmean(by_class(predictions).f1)


@score
def worst_class_accuracy(predictions: Predictions) -> float:
    """Return the lowest accuracy of a class."""
    return np.nanmin(by_class(predictions).accuracy)


@score
def calibration_error(predictions: Predictions) -> float:
    """Return the expected calibration error (Guo et al. 2017, equation 3) in 15 bins."""
    return classification.calibration_error(np.exp(predictions.predicted_log_probability), predictions.correct)
