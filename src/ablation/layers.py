"""The kit of layer factories that networks are built from, and the one table of levels.

A network never asks which activation or norm it has: it takes a frozen `Layers` and calls it. A factor is a field of
the kit, a level is one line of `LEVELS`.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import torch
from torch import nn
from torch.nn import functional

from ablation import initialisation


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation of images and of vectors alike (Ioffe and Szegedy 2015, section 3).

    Torch's two classes differ only in a check of the input's rank, which would put a branch into every network that
    normalises both its convolutions and its dense layers.
    """

    def _check_input_dim(self, input):
        if input.dim() not in (2, 4):
            raise ValueError(
                f"expected (batch, channels) or (batch, channels, height, width), got {tuple(input.shape)}"
            )


def layer_norm(channels: int) -> nn.Module:
    """Normalise each image over all its channels and pixels (Ba, Kiros and Hinton 2016)."""
    return nn.GroupNorm(1, channels)


def group_norm(channels: int) -> nn.Module:
    """Normalise each image within groups of channels (Wu and He 2018): eight groups, or as many as divide evenly."""
    groups = next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)
    return nn.GroupNorm(groups, channels)


def no_norm(channels: int) -> nn.Module:
    """Leave the place of the norm empty, so that all other layers keep their names."""
    return nn.Identity()


class ZeroPadded(nn.Module):
    """Add the input to the branch: strided, with zeros for the new channels (He et al. 2015, section 4.2, option A)."""

    def __init__(self, cin: int, cout: int, stride: int, layers: "Layers"):
        super().__init__()
        self.stride, self.extra = stride, cout - cin

    def forward(self, branch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return branch + shortcut, both (batch, cout, height / stride, width / stride)."""
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if self.extra:
            before = self.extra // 2
            x = functional.pad(x, (0, 0, 0, 0, before, self.extra - before))
        return branch + x


class Projection(nn.Module):
    """Add the input to the branch, projected by a 1x1 convolution where shapes differ (He et al. 2015, option B)."""

    def __init__(self, cin: int, cout: int, stride: int, layers: "Layers"):
        super().__init__()
        same = cin == cout and stride == 1
        self.projection = nn.Identity() if same else layers.conv(cin, cout, kernel=1, stride=stride)

    def forward(self, branch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return branch + shortcut, both (batch, cout, height / stride, width / stride)."""
        return branch + self.projection(x)


class Plain(nn.Module):
    """Pass the branch on alone: the plain network that residual ones are compared with (He et al. 2015, section 3.3)."""

    def __init__(self, cin: int, cout: int, stride: int, layers: "Layers"):
        super().__init__()

    def forward(self, branch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the branch as it came."""
        return branch


LEVELS: dict[str, dict[str, Callable]] = {
    "activation": {
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "none": nn.Identity,
    },
    "norm": {
        "batch": BatchNorm,
        "layer": layer_norm,
        "group": group_norm,
        "none": no_norm,
    },
    "residual": {
        "zero_padded": ZeroPadded,
        "projection": Projection,
        "none": Plain,
    },
    "pooling": {
        "max": nn.MaxPool2d,
        "average": nn.AvgPool2d,
    },
    "initialisation": {
        "default": initialisation.default,
        "xavier": initialisation.xavier,
        "kaiming": initialisation.kaiming,
        "orthogonal": initialisation.orthogonal,
    },
}


@dataclass(frozen=True)
class Layers:
    """A choice of layers: one field a factor, each a callable that makes the layer.

    Attributes
    ----------
    activation : callable
        ``activation()``.
    norm : callable
        ``norm(channels)``, for images and for vectors.
    residual : callable
        ``residual(cin, cout, stride, layers)``, a module that joins ``(branch, x)``.
    pooling : callable
        ``pooling(kernel, stride)``.
    """

    activation: Callable[[], nn.Module] = nn.ReLU
    norm: Callable[[int], nn.Module] = BatchNorm
    residual: Callable[[int, int, int, "Layers"], nn.Module] = ZeroPadded
    pooling: Callable[..., nn.Module] = nn.MaxPool2d

    @classmethod
    def choose(cls, levels: Mapping[str, str]) -> "Layers":
        """Make the kit of these levels; factors that are no field of the kit are somebody else's."""
        return cls(**{f.name: LEVELS[f.name][levels[f.name]] for f in fields(cls) if f.name in levels})

    @property
    def bias(self) -> bool:
        """Whether affine layers carry a bias: only where no norm does, or `norm: none` would ablate the bias too."""
        return self.norm is no_norm

    def conv(self, cin: int, cout: int, kernel: int = 3, stride: int = 1, padding: int | None = None) -> nn.Sequential:
        """Make a convolution and its norm; without `padding` the side is kept (divided by the stride)."""
        padding = kernel // 2 if padding is None else padding
        conv = nn.Conv2d(cin, cout, kernel, stride, padding, bias=self.bias)
        return nn.Sequential(OrderedDict(conv=conv, norm=self.norm(cout)))

    def unit(self, cin: int, cout: int, kernel: int = 3, stride: int = 1, padding: int | None = None) -> nn.Sequential:
        """Make a convolution, its norm and its activation."""
        unit = self.conv(cin, cout, kernel, stride, padding)
        unit.add_module("activation", self.activation())
        return unit

    def preactivation(self, cin: int, cout: int, kernel: int = 3) -> nn.Sequential:
        """Make a norm, its activation and a convolution, in this order (He et al. 2016, section 4)."""
        conv = nn.Conv2d(cin, cout, kernel, padding=kernel // 2, bias=self.bias)
        return nn.Sequential(OrderedDict(norm=self.norm(cin), activation=self.activation(), conv=conv))

    def dense(self, fin: int, fout: int) -> nn.Sequential:
        """Make a dense layer, its norm and its activation."""
        linear = nn.Linear(fin, fout, bias=self.bias)
        return nn.Sequential(OrderedDict(linear=linear, norm=self.norm(fout), activation=self.activation()))


class Pooled(nn.Module):
    """Average each channel over its pixels and map the averages to logits (Lin, Chen and Yan 2013, section 3.2)."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes) of features (batch, channels, height, width)."""
        return self.linear(x.mean(dim=(2, 3)))
