"""Controls of equal size: the width (or another argument) at which one network is as large as another."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from ablation.networks.build import build
from ablation.networks.sizes import measure

LARGEST = 2**14  # no network of the catalogue is wider


def match(
    variant: Mapping[str, Any],
    reference: Mapping[str, Any],
    quantity: str,
    by: str,
    input_shape: tuple[int, int, int],
    classes: int,
) -> int:
    """Scale an argument of one network until it is as large as another.

    Parameters
    ----------
    variant, reference : mapping
        Specs of two networks (`ablation.study.resolution.Variant.architecture_spec`); the reference is scaled.
    quantity : str
        ``parameters`` or ``multiply_adds`` (one image, forward).
    by : str
        A whole-numbered argument of the reference in which its size grows.
    input_shape : tuple of int
        Channels, height and width in pixels.
    classes : int

    Returns
    -------
    int
        The value at which the sizes are nearest by their ratio; a multiple of the reference's groups, if it has any.
    """
    step = reference["arguments"].get("groups", 1)

    @cache
    def size(value: int) -> int:
        spec = {**reference, "arguments": {**reference["arguments"], by: value * step}}
        return _size(spec, quantity, input_shape, classes)

    target = _size(variant, quantity, input_shape, classes)
    high = 1
    while size(high) < target and high < LARGEST:
        high *= 2
    low = max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < target else (low, middle)
    return step * min((low, high), key=lambda value: abs(math.log(size(value) / target)))


def _size(spec: Mapping[str, Any], quantity: str, input_shape: tuple[int, int, int], classes: int) -> int:
    if quantity == "parameters":  # known without tracing a pass through the network
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(spec, input_shape, classes).parameters())
    return measure(spec, input_shape, classes)[quantity]
