"""Networks built from specs.

Apart from the catalogue, which a study is validated by: what is listed there changes no network that is built here.
"""

import pkgutil
from collections.abc import Mapping
from typing import Any

from torch import nn

from ablation.networks.kit import Layers


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
    builder = pkgutil.resolve_name(architecture["builder"])
    return builder(input_shape, classes, Layers.choose(architecture["layers"]), **architecture["arguments"])
