"""The loss that training minimises."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

AUXILIARY = 0.3  # weight of auxiliary losses: Szegedy et al. 2015, section 5


def objective(
    outputs: torch.Tensor | tuple[torch.Tensor, ...], labels: torch.Tensor, recipe: Mapping[str, Any]
) -> torch.Tensor:
    """Return the loss that training minimises.

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
    torch.Tensor
        Mean cross-entropy in nats, plus `AUXILIARY` times that of each auxiliary classifier.
    """
    main, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
    smoothing = recipe["label_smoothing"]
    loss = functional.cross_entropy(main, labels, label_smoothing=smoothing)
    for logits in auxiliary:
        loss = loss + AUXILIARY * functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    return loss
