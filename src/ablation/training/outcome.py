"""What becomes of a run, and when it has learned nothing."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Result:
    """What a training leaves behind.

    Attributes
    ----------
    status : str
        ``completed``; ``stuck`` if the training accuracy ended no better than naming the commonest class, or the run was
        stopped for it; ``diverged`` if the objective or the validation loss became infinite or no number.
    stopped_at : int or None
        The epoch after which it was stopped, diverged or hopeless, before its last one; None if it was not.
    curves : list of dict
        One row per epoch: epoch (from 1), train and validation loss (mean cross-entropy in nats) and accuracy (share;
        None without validation images), the objective (what was minimised: with label smoothing and auxiliary losses),
        learning rate of the epoch's last step, seconds, and the time of its end (seconds since 1970). Of training, they
        are means over the epoch's steps, each before its update, with augmentation and dropout.
    metrics : dict of str to float or None
        The final metrics, but for those of the test images, which follow from the predictions; None where a diverged run
        has none, and for a part without images.
    predictions : dict of str to numpy.ndarray
        Of the test images: the arrays of `ablation.records.predictions.Predictions`; without numbers for a diverged run.
    weights : dict of str to torch.Tensor
        The network's state, on the CPU, contiguous.
    timings : dict of str to float
        Seconds of training (without evaluation), of evaluation, of diagnostics, and training images a second.
    diagnostics : list of dict
        Rows as `ablation.training.diagnostics.Probe.measure` returns them, with None for what is not finite.
    first_loss : float or None
        What the first step minimised: equal on any machine but for rounding. None if it is not finite.
    """

    status: str
    stopped_at: int | None
    curves: list[dict[str, float | None]]
    metrics: dict[str, float | None]
    predictions: dict[str, np.ndarray]
    weights: dict[str, torch.Tensor]
    timings: dict[str, float]
    diagnostics: list[dict[str, Any]]
    first_loss: float | None


def chance_bound(labels: torch.Tensor) -> float:
    """Return the accuracy on images of these labels up to which nothing was learned.

    Naming the commonest class, within two standard errors of a share: better than that is learning, however little.
    """
    chance = labels.bincount().max().item() / len(labels)
    return chance + 2 * math.sqrt(chance * (1 - chance) / len(labels))


def plain_copy(value: torch.Tensor) -> torch.Tensor:
    """Copy to the CPU, contiguous, as files of weights have to be; and a copy, for tied layers share their memory."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
