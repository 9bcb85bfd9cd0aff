"""A step of training: forward, backward, update. It reads nothing back from the device, and the host never waits for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ablation.training.evaluation import Part
from ablation.training.layout import Layout, arrange, gather
from ablation.training.objective import losses
from ablation.training.optimisation import set_rate
from ablation.training.precision import tensor_cores


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


def batch_bounds(images: int, size: int) -> list[tuple[int, int]]:
    """Return from where to where in the order of an epoch each of its batches goes; no image is lost.

    A single image that is left over joins the batch before it: one image has no batch statistics.
    """
    bounds = [(first, min(first + size, images)) for first in range(0, images, size)]
    if size > 1 and len(bounds) > 1 and bounds[-1][1] - bounds[-1][0] == 1:
        bounds[-2:] = [(bounds[-2][0], images)]
    return bounds


@dataclass(frozen=True)
class Step:
    """A step of one run, as a function of what lies on its device: which images to take, and the learning rate.

    Attributes
    ----------
    network : torch.nn.Module
    optimizer : torch.optim.Optimizer
    train : Part
        All training images, arranged in `layout`.
    layout : torch.memory_format
    recipe : mapping
    tally : Tally
    augment : callable or None
        As `ablation.training.augmentation.make_augmentation` makes it.
    draws : torch.Generator
        Of the augmentation; seeded before each step.
    arithmetic : context manager
        Of the forward pass, as `ablation.training.precision.forward_arithmetic` returns it.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    train: Part
    layout: Layout
    recipe: Mapping[str, Any]
    tally: Tally
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None
    draws: torch.Generator
    arithmetic: AbstractContextManager

    @property
    def device(self) -> torch.device:
        """Where all of it lies."""
        return self.train.labels.device

    def __call__(self, chosen: torch.Tensor, rate: float | torch.Tensor) -> None:
        """Train on the chosen images (n,) at a learning rate."""
        images, labels = gather(self.train.images, chosen, self.layout), self.train.labels.index_select(0, chosen)
        if self.augment:
            images = arrange(self.augment(images, self.draws), self.layout)
        set_rate(self.optimizer, rate)
        # Runs that take turns share the switches of the process, so each step sets its own.
        with tensor_cores(self.recipe["precision"]) if self.device.type == "cuda" else nullcontext():
            take_step(self.network, self.optimizer, images, labels, self.recipe, self.tally, self.arithmetic)


class Stepper:
    """Takes the steps of a run, one operation after the other."""

    def __init__(self, step: Step):
        self.step, self.draws = step, step.draws

    def begin(self, order: torch.Tensor, rates: Sequence[float]) -> None:
        """Begin an epoch, given the order of its images (images,) and the learning rate of each step."""
        device = self.step.device
        self.order = order.to(device)
        # On CUDA each step reads its rate from the device, in single precision as the fused optimisers want it: so do
        # captured steps, and the bits are the same.
        self.rates = torch.tensor(rates, device=device) if device.type == "cuda" else rates

    def take(self, position: int, first: int, last: int) -> None:
        """Take a step of the epoch, from 0, with the images from `first` to `last` in its order."""
        self.step(self.order[first:last], self.rates[position])

    def settle(self) -> Iterator[None]:
        """Yield until the device has done what was asked of it."""
        yield from ()

    def keep_up(self) -> Iterator[None]:
        """Yield until the device has done what was asked of it before the last call of this."""
        yield from ()
