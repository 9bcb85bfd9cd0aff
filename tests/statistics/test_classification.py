"""Scores of classes, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from ablation.statistics.classification import calibration_error, class_scores


def test_scores_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    labels, predicted = random.integers(5, size=(2, 300))
    scores = class_scores(labels, predicted, 5)
    precision, recall, f1, images = precision_recall_fscore_support(labels, predicted)
    for ours, theirs in zip(scores, (images, recall, precision, f1), strict=True):
        assert ours == pytest.approx(theirs)


def test_what_there_is_nothing_of_has_no_score():
    scores = class_scores(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert scores.images.tolist() == [2, 1, 0]
    assert [np.isnan(values[2]) for values in scores[1:]] == [True] * 3


def test_no_prediction_is_a_wrong_one():
    scores = class_scores(np.array([0, 1]), np.array([2, 1]), 2)
    assert scores.accuracy.tolist() == [0, 1]
    assert scores.f1.tolist() == [0, 1]


def by_hand(confidence, correct, bins):
    """Guo et al. 2017, equations 1 to 3: bins ((m - 1) / M, m / M]."""
    error = 0.0
    for m in range(1, bins + 1):
        inside = (confidence > (m - 1) / bins) & (confidence <= m / bins)
        if inside.any():
            error += inside.sum() / len(confidence) * abs(correct[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_is_the_mean_gap_of_bins(bins):
    random = np.random.default_rng(1)
    confidence = random.uniform(0.05, 1, 500)
    correct = random.uniform(size=500) < confidence**2
    assert calibration_error(confidence, correct, bins) == pytest.approx(by_hand(confidence, correct, bins))


def test_a_network_that_is_sure_and_right_is_calibrated():
    assert calibration_error(np.ones(4), np.ones(4, bool)) == 0
    assert calibration_error(np.ones(4), np.array([True, True, True, False])) == pytest.approx(0.25)
    assert calibration_error(np.zeros(2), np.zeros(2, bool)) == 0, "a confidence of zero is in the first bin"
