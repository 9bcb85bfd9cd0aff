"""Images on the device of training, and what a network makes of them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ablation.training.layout import Layout, arrange
from ablation.training.turns import Pieces, finish

EVALUATION_BATCH = 1024
# Of a channel, in one batch. A GPU takes 1024 images of 64 pixels a side, or 83 of 224. Beyond 128 images of 32 pixels a
# side, the maps of a CPU leave its caches, and ResNet-20 takes twice as long.
EVALUATION_PIXELS = {"cpu": 2**17, "cuda": 2**22}


@dataclass(frozen=True)
class Part:
    """Images (n, channels, height, width), normalised, and labels (n,), both on the device of training."""

    images: torch.Tensor
    labels: torch.Tensor

    def arranged(self, layout: Layout) -> "Part":
        """Return the same part in a memory layout; what lies so already is shared."""
        return Part(arrange(self.images, layout), self.labels)


def put_on_device(
    arrays: Mapping[str, np.ndarray],
    manifest: Mapping[str, Any],
    device: torch.device,
    parts: Sequence[str] = ("train", "validation", "test"),
    layout: Layout = torch.contiguous_format,
) -> dict[str, Part]:
    """Standardise the images by the training images' mean and deviation, if the study says so, and keep them on the device.

    Parameters
    ----------
    arrays, manifest
        As `ablation.data.datasets.read` returns them.
    device : torch.device
    parts : sequence of str
        Which of ``train``, ``validation`` and ``test``.
    layout : torch.memory_format

    Returns
    -------
    dict of str to Part
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
            arrange(torch.tensor(arrays[f"{part}_images"], device=device), layout)
            .float()
            .div_(255)
            .sub_(mean)
            .div_(std),
            torch.tensor(arrays[f"{part}_labels"], device=device),
        ).arranged(layout)
        for part in parts
    }


def batches(part: Part) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Cut images and labels into batches that a device has room for."""
    pixels = math.prod(part.images.shape[2:])
    size = max(1, min(EVALUATION_BATCH, EVALUATION_PIXELS[part.images.device.type] // pixels))
    return zip(part.images.split(size), part.labels.split(size), strict=True)


def nothing_to_wait_for() -> Iterator[None]:
    """Yield nothing: what was asked of a CPU is done."""
    yield from ()


Settle = Callable[[], Iterator[None]]  # yields until the device has done what was asked of it


def evaluating(
    network: nn.Module, part: Part, settle: Settle = nothing_to_wait_for
) -> Pieces[tuple[float | None, np.ndarray]]:
    """Evaluate in evaluation mode, batch by batch.

    Parameters
    ----------
    network : torch.nn.Module
    part : Part
    settle : callable

    Yields
    ------
    None
        After each batch.

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
    losses, hits = [], []
    for images, labels in batches(part):
        with (
            torch.no_grad()
        ):  # and no inference mode: what a layer of one's own keeps from it could not be trained with
            logits = network(images)
            losses.append(functional.cross_entropy(logits, labels, reduction="sum"))
            hits.append(logits.argmax(1) == labels)
        yield
    yield from settle()
    return torch.stack(losses).sum().item() / len(part.labels), torch.cat(hits).cpu().numpy()


def evaluate(network: nn.Module, part: Part) -> tuple[float | None, np.ndarray]:
    """Evaluate in evaluation mode, as `evaluating` does."""
    return finish(evaluating(network, part))


def predicting(
    network: nn.Module, part: Part, classes: int, keep_logits: bool, settle: Settle = nothing_to_wait_for
) -> Pieces[dict[str, np.ndarray]]:
    """Predict the images of a part in evaluation mode, in one pass, batch by batch.

    Parameters
    ----------
    network : torch.nn.Module
    part : Part
    classes : int
    keep_logits : bool
        Whether all logits are returned, too.
    settle : callable

    Yields
    ------
    None
        After each batch.

    Returns
    -------
    dict of str to numpy.ndarray
        The arrays of `ablation.records.predictions.Predictions`.
    """
    network.eval()
    found = []
    for images, labels in batches(part):
        with torch.no_grad():
            found.append(predict_batch(network(images), labels, keep_logits))
        yield
    yield from settle()
    joined = {name: torch.cat([batch[name] for batch in found]).cpu().numpy() for name in found[0]}
    whole = np.min_scalar_type(classes)
    return {name: array.astype(whole) if array.dtype == np.int64 else array for name, array in joined.items()}


def predict(network: nn.Module, part: Part, classes: int, keep_logits: bool) -> dict[str, np.ndarray]:
    """Predict the images of a part in evaluation mode, as `predicting` does."""
    return finish(predicting(network, part, classes, keep_logits))


def predict_batch(logits: torch.Tensor, labels: torch.Tensor, keep_logits: bool) -> dict[str, torch.Tensor]:
    """Return what `predict` does of a batch, given its logits (n, classes), with class numbers as int64."""
    classes, logits = logits.shape[1], logits.float()
    probabilities, predicted = functional.log_softmax(logits, 1), logits.argmax(1)
    own = logits.gather(1, labels[:, None])
    earlier = torch.arange(classes, device=logits.device) < labels[:, None]
    rank = ((logits > own) | ((logits == own) & earlier)).sum(1)  # of equal logits the first class leads, as in argmax
    silent = probabilities.isnan().any(1)
    chosen = {
        "labels": labels,
        "predicted": predicted.masked_fill(silent, classes),
        "label_log_probability": probabilities.gather(1, labels[:, None])[:, 0],
        "predicted_log_probability": probabilities.gather(1, predicted[:, None])[:, 0],
        "rank": rank.masked_fill(silent, classes),
    }
    for name in ("label_log_probability", "predicted_log_probability"):
        chosen[name] = chosen[name].masked_fill(silent, math.nan)
    return {**chosen, "logits": (logits - logits.amax(1, keepdim=True)).half()} if keep_logits else chosen


def without_numbers(predictions: Mapping[str, np.ndarray], classes: int) -> dict[str, np.ndarray]:
    """Return predictions of the same images by a network that gives no numbers: every image counts as wrong."""
    silent = {name: np.full_like(predictions[name], classes) for name in ("predicted", "rank")}
    nothing = ("label_log_probability", "predicted_log_probability")
    nothing = {name: np.full_like(predictions[name], np.nan) for name in nothing}
    return {"labels": predictions["labels"], **silent, **nothing}


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
