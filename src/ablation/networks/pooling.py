"""Pooling: what takes the place of a window of pixels, and which window, with the output's side left as it is."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from ablation.networks.protocols import LayerKit


class Geometry(NamedTuple):
    """The window of a pooling in pixels, as the source states it; `ceil` lets a last window hang over the edge."""

    kernel: int
    stride: int
    padding: int = 0
    ceil: bool = False

    def output(self, side: int) -> int:
        """Return the side of the output for a side of the input."""
        span = side + 2 * self.padding - self.kernel
        count = (span + (self.stride - 1 if self.ceil else 0)) // self.stride + 1
        # A window must start inside the input or its left padding (torch's rule).
        return count - (self.ceil and (count - 1) * self.stride >= side + self.padding)


class Fitted(nn.Module):
    """Put something else, or windows of another size, in the place of a pooling: each window stays where it is.

    Windows of another size have the centres of those that they replace; where sizes differ by an odd number and no pixel
    is in the middle, the centres lie half a pixel before. What a window needs beyond the edge is padded; pixels that none
    needs are left out.

    Parameters
    ----------
    window : torch.nn.Module
        Reduces windows of `kernel` pixels, `geometry.stride` apart, without padding of its own.
    kernel : int
    geometry : Geometry
        Of the pooling that is replaced.
    fill : float
        What the edge is padded with.
    """

    def __init__(self, window: nn.Module, kernel: int, geometry: Geometry, fill: float):
        super().__init__()
        self.window, self.kernel, self.geometry, self.fill = window, kernel, geometry, fill

    def fit(self, x: torch.Tensor) -> torch.Tensor:
        """Pad or crop the images so that the first window starts where it should, and the last one ends."""
        geometry, edges = self.geometry, []
        before = geometry.padding - (geometry.kernel - self.kernel) // 2
        for side in (x.shape[-1], x.shape[-2]):
            span = (geometry.output(side) - 1) * geometry.stride + self.kernel
            edges += [before, span - before - side]
        return functional.pad(x, edges, value=self.fill) if any(edges) else x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, side, side) to (batch, channels, output, output)."""
        return self.window(self.fit(x))


class FittedMean(Fitted):
    """Average over the pixels that are there: padding does not dim the edge."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, side, side) to (batch, channels, output, output)."""
        return self.window(self.fit(x)) / self.window(self.fit(torch.ones_like(x[:1, :1])))


def maximum(channels: int, geometry: Geometry, kernel: int, layers: LayerKit) -> nn.Module:
    """Take the largest value of each window."""
    if kernel == geometry.kernel:
        return nn.MaxPool2d(kernel, geometry.stride, geometry.padding, ceil_mode=geometry.ceil)
    return Fitted(nn.MaxPool2d(kernel, geometry.stride), kernel, geometry, -torch.inf)


def average(channels: int, geometry: Geometry, kernel: int, layers: LayerKit) -> nn.Module:
    """Take the mean of the pixels of each window."""
    if kernel == geometry.kernel:
        return nn.AvgPool2d(kernel, geometry.stride, geometry.padding, geometry.ceil, count_include_pad=False)
    return FittedMean(nn.AvgPool2d(kernel, geometry.stride), kernel, geometry, 0.0)


def strided(channels: int, geometry: Geometry, kernel: int, layers: LayerKit) -> nn.Module:
    """Put a strided convolution in the place of the pooling (Springenberg et al. 2015, section 2, "All-CNN")."""
    return Fitted(
        layers.conv_norm_activation(channels, channels, kernel, geometry.stride, padding=0), kernel, geometry, 0.0
    )


def separate(stride: int) -> int:
    """Lay windows side by side: as wide as they are apart."""
    return stride


def overlapping(stride: int) -> int:
    """Let windows overlap by a pixel (Krizhevsky et al. 2012, section 3.4: 3 wide, 2 apart)."""
    return stride + 1


Pooling = Callable[[int, Geometry, int, LayerKit], nn.Module]
