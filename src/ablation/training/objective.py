"""The loss that training minimises, and the one that its curves show."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

AUXILIARY = 0.3  # weight of auxiliary losses: Szegedy et al. 2015, section 5


def losses(
    outputs: torch.Tensor | tuple[torch.Tensor, ...], labels: torch.Tensor, recipe: Mapping[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss that training minimises, and the cross-entropy of the main logits alone.

    Parameters
    ----------
    outputs : torch.Tensor or tuple of torch.Tensor
        Logits (n, classes); or, of a network with auxiliary classifiers in training mode, the main one's and then theirs.
    labels : torch.Tensor
        (n,).
    recipe : mapping
        Its ``label_smoothing`` counts.

    Returns
    -------
    objective : torch.Tensor
        Mean cross-entropy in nats against the smoothed labels, plus `AUXILIARY` times that of each auxiliary classifier.
    cross_entropy : torch.Tensor
        Mean cross-entropy in nats of the main logits against the labels themselves, which is what evaluation calls the
        loss. Where nothing is added to it, it is the objective itself, the same tensor.
    """
    main, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
    smoothing = recipe["label_smoothing"]
    loss = functional.cross_entropy(main, labels, label_smoothing=smoothing)
    plain = functional.cross_entropy(main.detach(), labels) if smoothing else loss
    for logits in auxiliary:
        loss = loss + AUXILIARY * functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    return loss, plain


def objective(
    outputs: torch.Tensor | tuple[torch.Tensor, ...], labels: torch.Tensor, recipe: Mapping[str, Any]
) -> torch.Tensor:
    """Return the loss that training minimises alone, as `losses` does."""
    return losses(outputs, labels, recipe)[0]
