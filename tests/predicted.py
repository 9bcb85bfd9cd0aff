"""Predictions that nobody trained for, and the files of a record with them."""

import torch

from ablation.records.predictions import Predictions
from ablation.records.store import PREDICTIONS, WEIGHTS
from ablation.training.evaluation import Part, predict


def predictions(logits, labels, keep_logits=False):
    """What training makes of logits (images, classes)."""
    answers, classes = Part(torch.tensor(logits).float(), torch.tensor(labels)), len(logits[0])
    return Predictions(classes=classes, **predict(torch.nn.Identity(), answers, classes, keep_logits))


def files(*right):
    """The files of a record of a network for two classes, given which of its test images it gets right."""
    logits = [[1.0, 0.0] if one else [0.0, 1.0] for one in right]
    return {PREDICTIONS: predictions(logits, [0] * len(right)).to_bytes(), WEIGHTS: b""}
