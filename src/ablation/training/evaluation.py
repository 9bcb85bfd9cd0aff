"""Images on the device of training, and what a network makes of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

EVALUATION_BATCH = 1024
EVALUATION_PIXELS = 2**22  # of a channel, in one batch: 1024 images of 64 pixels a side, or 83 of 224


@dataclass(frozen=True)
class Part:
    """Images (n, channels, height, width), normalised, and labels (n,), both on the device of training."""

    images: torch.Tensor
    labels: torch.Tensor


def put_on_device(
    arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any], device: torch.device
) -> dict[str, Part]:
    """Standardise the images by the training images' mean and deviation, if the study says so, and keep them on the device.

    Parameters
    ----------
    arrays, manifest
        As `ablation.data.datasets.read` returns them.
    device : torch.device

    Returns
    -------
    dict of str to Part
        ``train``, ``validation`` and ``test``.
    """
    channels = len(manifest["mean"])
    scale = (
        (manifest["mean"], manifest["std"])
        if manifest["data"]["standardised"]
        else ([0.0] * channels, [1.0] * channels)
    )
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in scale)
    return {
        part: Part(
            # In place: large images exist once as floating point numbers, not four times.
            torch.tensor(arrays[f"{part}_images"], device=device).float().div_(255).sub_(mean).div_(std),
            torch.tensor(arrays[f"{part}_labels"], device=device),
        )
        for part in ("train", "validation", "test")
    }


@torch.no_grad()
def evaluate(network: nn.Module, part: Part) -> tuple[float | None, np.ndarray]:
    """Evaluate in evaluation mode.

    Returns
    -------
    loss : float or None
        Mean cross-entropy in nats, without label smoothing; None for a part without images.
    correct : numpy.ndarray
        bool (n,).
    """
    if not len(part.labels):
        return None, np.zeros(0, bool)
    network.eval()
    size = max(1, min(EVALUATION_BATCH, EVALUATION_PIXELS // part.images[0, 0].numel()))
    batches = zip(part.images.split(size), part.labels.split(size), strict=True)
    losses, hits = [], []
    for images, labels in batches:
        logits = network(images)
        losses.append(functional.cross_entropy(logits, labels, reduction="sum"))
        hits.append(logits.argmax(1) == labels)
    return torch.stack(losses).sum().item() / len(part.labels), torch.cat(hits).cpu().numpy()


def shift(images: torch.Tensor, pixels: int, axis: int) -> torch.Tensor:
    """Shift images (n, channels, height, width) along an axis; what comes in is zero, the mean colour or black."""
    shifted = images.roll(pixels, axis)
    shifted.narrow(axis, 0 if pixels > 0 else images.shape[axis] + pixels, abs(pixels)).zero_()
    return shifted


def accuracy(correct: np.ndarray) -> float | None:
    """Return the share that is correct; None of nothing."""
    return float(correct.mean()) if correct.size else None


def number(value: float | None) -> float | None:
    """Return a number as it is, and None in the place of one that is infinite or NaN."""
    return value if value is None or math.isfinite(value) else None


def shifted_accuracy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the mean accuracy on images (n, channels, side, side) shifted by an eighth of their side, each way in turn."""
    pixels = max(1, images.shape[-1] // 8)
    accuracies = []
    for axis in (2, 3):
        for way in (pixels, -pixels):
            _, correct = evaluate(network, Part(shift(images, way, axis), labels))
            accuracies.append(accuracy(correct))
    return float(np.mean(accuracies))
