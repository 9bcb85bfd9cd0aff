"""Optimiser, learning-rate schedule and augmentation from a recipe."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.nn import functional

Augmentation = Callable[[torch.Tensor, int, torch.Generator], torch.Tensor]


def make_optimizer(parameters: Iterable[torch.nn.Parameter], recipe: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Make the optimiser of a recipe; `learning_rate` says its rate at each step."""
    common = {"lr": recipe["lr"], "weight_decay": recipe["weight_decay"], "fused": True}
    if recipe["optimizer"] == "sgd":
        return torch.optim.SGD(parameters, momentum=recipe["momentum"], nesterov=recipe["nesterov"], **common)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe["optimizer"]]
    return kind(parameters, betas=tuple(recipe["betas"]), **common)


def learning_rate(recipe: Mapping[str, Any], step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    recipe : mapping
        The part ``recipe`` of a run's spec.
    step : int
        From 0, over all epochs.
    steps_per_epoch : int

    Returns
    -------
    float
        It rises linearly to ``lr`` over the warm-up, then falls by the schedule: ``step`` multiplies by ``gamma`` at
        each milestone, ``cosine`` (Loshchilov and Hutter 2017, equation 5, one cycle) and ``linear`` go to zero.
    """
    total, warmup = recipe["epochs"] * steps_per_epoch, recipe["warmup_epochs"] * steps_per_epoch
    if step < warmup:
        return recipe["lr"] * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, total - warmup)
    factor = {
        "constant": lambda: 1.0,
        "step": lambda: recipe["gamma"] ** sum(step >= milestone * total for milestone in recipe["milestones"]),
        "cosine": lambda: (1 + math.cos(math.pi * done)) / 2,
        "linear": lambda: 1 - done,
    }[recipe["schedule"]]()
    return recipe["lr"] * factor


def crop(images: torch.Tensor, pixels: int, generator: torch.Generator) -> torch.Tensor:
    """Pad each image by `pixels` on every side with the mean colour and crop it back at random (He et al. 2015, 4.2)."""
    count, channels, height, width = images.shape
    padded = functional.pad(images, (pixels,) * 4)
    top, left = torch.randint(0, 2 * pixels + 1, (2, count, 1), generator=generator, device=images.device)
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def flip(images: torch.Tensor, _: int, generator: torch.Generator) -> torch.Tensor:
    """Mirror each image left to right with probability one half."""
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(mirrored, images.flip(-1), images)


def cutout(images: torch.Tensor, pixels: int, generator: torch.Generator) -> torch.Tensor:
    """Set a square of `pixels` a side, centred anywhere, to the mean colour (DeVries and Taylor 2017)."""
    count, _, height, width = images.shape
    centre = torch.rand(2, count, 1, generator=generator, device=images.device)

    def inside(centre: torch.Tensor, side: int) -> torch.Tensor:
        start = (centre * side).floor() - pixels // 2
        place = torch.arange(side, device=images.device)
        return (place >= start) & (place < start + pixels)

    square = inside(centre[0], height)[:, None, :, None] & inside(centre[1], width)[:, None, None, :]
    return images.masked_fill(square, 0)


AUGMENTATIONS: dict[str, Augmentation] = {"crop": crop, "flip": flip, "cutout": cutout}


def make_augmentation(text: str) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
    """Make the augmentation that a recipe names, such as ``crop4+flip``.

    Returns
    -------
    callable
        Maps normalised images (batch, channels, height, width), of which zero is the mean colour, and a generator on
        their device to images of the same shape; every image has its own draw.
    """
    named = [] if text == "none" else [re.fullmatch(r"([a-z]+)([0-9]*)", part).groups() for part in text.split("+")]
    steps = [(AUGMENTATIONS[name], int(amount or 0)) for name, amount in named]

    def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        for step, amount in steps:
            images = step(images, amount, generator)
        return images

    return augment
