"""Norms, made by ``norm(channels, epsilon)`` for images and vectors alike, and their place beside the activation."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

from ablation.catalogue.entry import NetworkError
from ablation.support.formatting import plural

PER_GROUP = 4  # channels of a group, at least


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


class GroupNorm(nn.GroupNorm):
    """Normalise each image within groups of channels, if there is more than one value in a group.

    Raises
    ------
    NetworkError
        If there is one value in each group: it less its own mean is zero, whatever the image.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, …) to the same shape."""
        if x[0].numel() == self.num_groups:
            shape = "x".join(map(str, x.shape[1:]))
            raise NetworkError(
                f"found a {type(self).__name__} of {plural(self.num_groups, 'group')} on maps of {shape}, each group of one "
                "value, which less its own mean is always zero: expected more channels, larger maps or norm batch"
            )
        return super().forward(x)


def batch_norm(channels: int, epsilon: float) -> nn.Module:
    """Normalise each channel over the batch (Ioffe and Szegedy 2015, algorithm 1)."""
    return BatchNorm(channels, eps=epsilon)


def layer_norm(channels: int, epsilon: float) -> nn.Module:
    """Normalise each image over all its channels and pixels (Ba, Kiros and Hinton 2016)."""
    return GroupNorm(1, channels, eps=epsilon)


def group_norm(channels: int, epsilon: float) -> nn.Module:
    """Normalise each image within eight groups of channels, fewer where they would be smaller than four (Wu and He 2018).

    Their groups share statistics among channels (section 3); of one channel each, they would be instance norm.
    """
    groups = next((groups for groups in (8, 4, 2) if channels % groups == 0 and channels // groups >= PER_GROUP), 1)
    return GroupNorm(groups, channels, eps=epsilon)


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


def by_norm(shifts: bool) -> bool:
    """Give a layer a bias unless the norm beside it shifts, which would make the bias redundant."""
    return not shifts


def kept(shifts: bool) -> bool:
    """Give a layer its bias whatever the norm beside it does."""
    return True
