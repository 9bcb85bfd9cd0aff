"""A step of training: forward, backward, update. It reads nothing back from the device, and the host never waits for it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from ablation.training.objective import losses


class Tally:
    """What the steps of an epoch add up to, on the device.

    Attributes
    ----------
    sums : torch.Tensor
        float64 (3,), over the images so far: cross-entropy, what the objective adds to it, images classified correctly.
    """

    def __init__(self, device: torch.device):
        self.sums = torch.zeros(3, dtype=torch.float64, device=device)
        self.cross_entropy, self.added, self.hits = self.sums.unbind()

    def means(self, images: int) -> dict[str, float]:
        """Return their part of a row of the curves, as means over so many images; here the host waits."""
        cross_entropy, added, hits = (total / images for total in self.sums.tolist())
        return {"train_loss": cross_entropy, "objective": cross_entropy + added, "train_accuracy": hits}


def take_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    recipe: Mapping[str, Any],
    tally: Tally,
    arithmetic: AbstractContextManager,
) -> None:
    """Take a step on a batch, and add what it saw before its update to the tally.

    Parameters
    ----------
    network : torch.nn.Module
        In training mode.
    optimizer : torch.optim.Optimizer
        With the learning rate of this step.
    images, labels : torch.Tensor
        (n, channels, height, width), augmented, and (n,).
    recipe : mapping
    tally : Tally
    arithmetic : context manager
        Of the forward pass, as `ablation.training.precision.forward_arithmetic` returns it.
    """
    for group in optimizer.param_groups:  # as `zero_grad` does, which takes longer to note that it is called
        for parameter in group["params"]:
            parameter.grad = None
    with arithmetic:
        outputs = network(images)
        loss, cross_entropy = losses(outputs, labels, recipe)
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        tally.cross_entropy.add_(cross_entropy, alpha=len(labels))
        if cross_entropy is not loss:
            tally.added.add_(loss - cross_entropy, alpha=len(labels))
        logits = outputs[0] if isinstance(outputs, tuple) else outputs
        tally.hits.add_((logits.argmax(1) == labels).sum())


def default_generators(device: torch.device) -> list[torch.Generator]:
    """Return the generators that layers such as dropout draw from by default, in this process, on this device.

    ``torch.manual_seed`` seeds those of all devices and takes 90 microseconds, these take one each.
    """
    cuda = [torch.cuda.default_generators[device.index or 0]] if device.type == "cuda" else []
    return [torch.default_generator, *cuda]


def split_order(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """Split the order of an epoch (images,), or what is in that order, into batches; none is lost.

    A single image that is left over joins the batch before it: one image has no batch statistics.
    """
    batches = list(order.split(size))
    if size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
