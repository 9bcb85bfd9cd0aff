"""Norms, made by ``norm(channels, epsilon)`` for images and vectors alike, and their place beside the activation."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional


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

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, …) to the same shape."""
        # A meta tensor has a shape and no values; torch would take a dozen slow steps to find the shape unchanged.
        return x if x.is_meta else super().forward(x)


class LocalResponseNorm(nn.Module):
    """Divide each value by the squares of its neighbours in channels (Krizhevsky et al. 2012, section 3.3).

    The paper's constants: five neighbours, k = 2, alpha = 1e-4, beta = 0.75. Torch divides alpha by the number of
    neighbours and the paper does not, hence the factor. It shifts nothing, so the biases stay.
    """

    SIZE, ALPHA, BETA, K = 5, 1e-4, 0.75, 2.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, …) to the same shape."""
        maps = x if x.dim() > 2 else x[..., None]  # a vector is an image of one pixel
        return functional.local_response_norm(maps, self.SIZE, self.SIZE * self.ALPHA, self.BETA, self.K).view_as(x)


def batch_norm(channels: int, epsilon: float) -> nn.Module:
    """Normalise each channel over the batch (Ioffe and Szegedy 2015, algorithm 1)."""
    return BatchNorm(channels, eps=epsilon)


def layer_norm(channels: int, epsilon: float) -> nn.Module:
    """Normalise each image over all its channels and pixels (Ba, Kiros and Hinton 2016)."""
    return nn.GroupNorm(1, channels, eps=epsilon)


def group_norm(channels: int, epsilon: float) -> nn.Module:
    """Normalise each image within groups of channels (Wu and He 2018): eight groups, or as many as divide evenly."""
    groups = next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)
    return nn.GroupNorm(groups, channels, eps=epsilon)


def local_response_norm(channels: int, epsilon: float) -> nn.Module:
    """Let neighbouring channels compete (Krizhevsky et al. 2012, section 3.3)."""
    return LocalResponseNorm()


def no_norm(channels: int, epsilon: float) -> nn.Module:
    """Leave the place of the norm empty; all other layers keep their names."""
    return nn.Identity()


def before(norm: nn.Module, activation: nn.Module) -> OrderedDict[str, nn.Module]:
    """Normalise what the activation gets (Ioffe and Szegedy 2015, section 3.2)."""
    return OrderedDict(norm=norm, activation=activation)


def after(norm: nn.Module, activation: nn.Module) -> OrderedDict[str, nn.Module]:
    """Normalise what the activation gives (Krizhevsky et al. 2012, section 3.3, for local response normalisation)."""
    return OrderedDict(activation=activation, norm=norm)
