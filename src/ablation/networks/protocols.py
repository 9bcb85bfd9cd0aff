"""The part of the kit (`ablation.networks.kit.Layers`) that composite layers use, as a protocol: the kit imports them."""

from collections.abc import Callable
from typing import Any, Protocol

from torch import nn


class LayerKit(Protocol):
    """The part of the kit that shortcuts, poolings and heads use."""

    output: Callable[[], nn.Module]
    dropout_first: bool

    def conv_norm(
        self, cin: int, cout: int, kernel: int | tuple[int, int] = 3, stride: int = 1, **options: Any
    ) -> nn.Module:
        """Make a convolution and its norm."""

    def conv_norm_activation(
        self, cin: int, cout: int, kernel: int | tuple[int, int] = 3, stride: int = 1, **options: Any
    ) -> nn.Module:
        """Make a convolution, its norm and its activation."""

    def projection(self, cin: int, cout: int) -> nn.Module:
        """Make the 1x1 convolution of a shortcut, with its norm where it has one."""

    def without_norm(self) -> "LayerKit":
        """Return the same kit with nothing in the place of the norm."""

    def dense(self, fin: int, fout: int) -> nn.Module:
        """Make a dense layer, its norm and its activation."""

    def dropout(self, share: float) -> nn.Module:
        """Make the dropout of dense layers."""
