"""Optimisers, and the learning rate of each step."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

Parameters = Iterable[torch.nn.Parameter]
SLACK = 1e-9  # of all epochs: 0.1 * 3 is a little more than 0.3, and 0.666666667 than two thirds


def sgd(parameters: Parameters, recipe: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Make stochastic gradient descent with the momentum of a recipe."""
    options = {"momentum": recipe["momentum"], "nesterov": recipe["nesterov"]}
    return torch.optim.SGD(parameters, recipe["lr"], weight_decay=recipe["weight_decay"], fused=True, **options)


def adam(parameters: Parameters, recipe: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Make Adam with the decay rates of a recipe (Kingma and Ba 2015)."""
    betas = tuple(recipe["betas"])
    return torch.optim.Adam(parameters, recipe["lr"], betas, weight_decay=recipe["weight_decay"], fused=True)


def adamw(parameters: Parameters, recipe: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Make Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    betas = tuple(recipe["betas"])
    return torch.optim.AdamW(parameters, recipe["lr"], betas, weight_decay=recipe["weight_decay"], fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


# Schedules: the factor of the learning rate at a share of all epochs (`done`) and of those after the warm-up (`fallen`).
def constant(recipe: Mapping[str, Any], done: float, fallen: float) -> float:
    """Leave the learning rate as it is."""
    return 1.0


def step(recipe: Mapping[str, Any], done: float, fallen: float) -> float:
    """Multiply by ``gamma`` from the first step on before which a milestone, a share of all epochs, is done."""
    return recipe["gamma"] ** sum(done >= milestone - SLACK for milestone in recipe["milestones"])


def cosine(recipe: Mapping[str, Any], done: float, fallen: float) -> float:
    """Fall to zero along half a cosine (Loshchilov and Hutter 2017, equation 5, one cycle)."""
    return (1 + math.cos(math.pi * fallen)) / 2


def linear(recipe: Mapping[str, Any], done: float, fallen: float) -> float:
    """Fall to zero in a line."""
    return 1 - fallen


def learning_rate(
    recipe: Mapping[str, Any], schedule: Callable[..., float], position: int, steps_per_epoch: int
) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    recipe : mapping
        The part ``recipe`` of a run's spec.
    schedule : callable
        One of the schedules above.
    position : int
        The step, from 0, over all epochs.
    steps_per_epoch : int

    Returns
    -------
    float
        It rises linearly to ``lr`` over the warm-up, then falls by the schedule.
    """
    total, warmup = recipe["epochs"] * steps_per_epoch, recipe["warmup_epochs"] * steps_per_epoch
    if position < warmup - SLACK * total:
        return recipe["lr"] * (position + 1) / (warmup + 1)
    fallen = max(0.0, position - warmup) / max(1, total - warmup)
    return recipe["lr"] * schedule(recipe, position / total, fallen)
