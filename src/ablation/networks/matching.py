"""Controls of equal size: the width (or another argument) at which one network is as large as another."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from ablation.catalogue.entry import NetworkError
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
        An argument of the reference in which its size grows (`ablation.catalogue.entry.Argument`: ``scales``).
    input_shape : tuple of int
        Channels, height and width in pixels.
    classes : int

    Returns
    -------
    int
        The value at which the sizes are nearest by their ratio; a multiple of the reference's groups, if it has any. How
        near they are is for the caller to say: no value may give the size.

    Raises
    ------
    NetworkError
        If the variant would say nothing.
    Exception
        Whatever the code of one of the two raises: its network cannot be built.
    """
    step = reference["arguments"].get("groups", 1)

    @cache
    def size(value: int) -> int:
        spec = {**reference, "arguments": {**reference["arguments"], by: value * step}}
        try:
            return size_of(spec, quantity, input_shape, classes)
        except NetworkError:  # too small for its norm to say anything
            return 0

    target = size_of(variant, quantity, input_shape, classes)
    low = high = max(1, reference["arguments"][by] // step)
    while size(low) > target and low > 1:
        low, high = low // 2, low
    while size(high) < target and high < LARGEST:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < target else (low, middle)
    return step * min((low, high), key=lambda value: abs(math.log(size(value) / target)) if size(value) else math.inf)


def size_of(spec: Mapping[str, Any], quantity: str, input_shape: tuple[int, int, int], classes: int) -> int:
    """Return the ``parameters`` or ``multiply_adds`` of the network of a spec."""
    if quantity == "parameters":  # known without tracing a pass through the network
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(spec, input_shape, classes).parameters())
    return measure(spec, input_shape, classes)[quantity]
