"""Layers one after another, with the shape that has been reached: networks adapt to their input by asking for it."""

from collections import OrderedDict

import torch
from torch import nn
from torch.func import functional_call


@torch.no_grad()
def output_shape(module: nn.Module, shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the shape of a module's output for one image of `shape`; nothing is computed and nothing changes."""
    state = {name: value.to("meta") for name, value in [*module.named_parameters(), *module.named_buffers()]}
    # Two images: batch norm in training refuses one.
    return tuple(functional_call(module, state, torch.empty(2, *shape, device="meta")).shape[1:])


class Stack:
    """A network in the making.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels.

    Attributes
    ----------
    shape : tuple of int
        Of what comes out of the last layer.
    """

    def __init__(self, input_shape: tuple[int, int, int]):
        self.shape, self._layers = tuple(input_shape), OrderedDict()

    @property
    def channels(self) -> int:
        """Channels (or units) that have been reached."""
        return self.shape[0]

    @property
    def side(self) -> int:
        """The smaller side in pixels that has been reached."""
        return min(self.shape[1:])

    def add(self, name: str, module: nn.Module) -> None:
        """Put a layer on top."""
        self._layers[name] = module
        self.shape = output_shape(module, self.shape)

    def network(self) -> nn.Sequential:
        """Return what has been stacked."""
        return nn.Sequential(self._layers)


class Parallel(nn.Sequential):
    """Give the same input to every branch and concatenate what they give along the channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, side, side) to the branches' channels together, at the branches' side."""
        return torch.cat([branch(x) for branch in self], dim=1)
