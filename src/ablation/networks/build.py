"""Networks built from specs, which name all that is needed: no catalogue is read."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ablation.networks.kit import Layers
from ablation.support.references import resolve


def build(architecture: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build the network of a spec; its weights are whatever torch drew and wait for `ablation.networks.initialisation`.

    Parameters
    ----------
    architecture : mapping
        The part ``architecture`` of a run's spec: ``builder``, ``layers`` and ``arguments``.
    input_shape : tuple of int
        Channels, height and width in pixels.
    classes : int
        Number of outputs.

    Returns
    -------
    torch.nn.Module
        Maps (batch, channels, height, width) to logits (batch, classes).
    """
    builder = resolve(architecture["builder"])
    return builder(input_shape, classes, Layers.choose(architecture["layers"]), **architecture["arguments"])
