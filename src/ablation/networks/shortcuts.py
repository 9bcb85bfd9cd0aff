"""How a residual block joins its branch with its input, and where norm and activation stand around the join."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from ablation.networks.protocols import LayerKit


class ZeroPadded(nn.Module):
    """Add the input to the branch: strided, with zeros for the new channels (He et al. 2015, section 4.2, option A)."""

    def __init__(self, cin: int, cout: int, stride: int, layers: LayerKit):
        super().__init__()
        self.stride, self.extra = stride, cout - cin

    def shortcut(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input in the shape of the branch: surplus channels are cut off, missing ones are zero."""
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if self.extra:
            before = self.extra // 2
            x = functional.pad(x, (0, 0, 0, 0, before, self.extra - before))
        return x

    def forward(self, branch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return branch + shortcut, both (batch, cout, height / stride, width / stride)."""
        return branch + self.shortcut(x)


class Scaled(ZeroPadded):
    """Halve both the branch and the shortcut (He et al. 2016, section 3.1, table 1, "constant scaling")."""

    def forward(self, branch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return (branch + shortcut) / 2."""
        return (branch + self.shortcut(x)) / 2


class ShortcutOnly(ZeroPadded):
    """Return the shortcut alone. A mistake of the study notes (000): the branch never counts and never learns."""

    def forward(self, branch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the shortcut; the branch was computed for nothing."""
        return self.shortcut(x)


class Projection(nn.Module):
    """Add the input to the branch, projected by a 1x1 convolution where shapes differ (He et al. 2015, option B)."""

    def __init__(self, cin: int, cout: int, stride: int, layers: LayerKit):
        super().__init__()
        # A 1x1 convolution of stride 2 sees every other pixel. It is written as choosing these first, for torch 2.14
        # corrupts memory on the CPU in its backward pass at four to six input channels laid out channels last.
        self.stride = stride
        same = cin == cout and stride == 1
        self.projection = nn.Identity() if same else layers.projection(cin, cout)

    def forward(self, branch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return branch + shortcut, both (batch, cout, height / stride, width / stride)."""
        return branch + self.projection(x[:, :, :: self.stride, :: self.stride])


class ProjectionAlways(Projection):
    """Add the input to the branch, projected by a 1x1 convolution in every block (He et al. 2015, option C)."""

    def __init__(self, cin: int, cout: int, stride: int, layers: LayerKit):
        nn.Module.__init__(self)
        self.stride = stride
        self.projection = layers.projection(cin, cout)


class BareProjection(Projection):
    """Project as `Projection` does, with a bias and without a norm (Zhang et al., Dive into Deep Learning, section 8.6)."""

    def __init__(self, cin: int, cout: int, stride: int, layers: LayerKit):
        super().__init__(cin, cout, stride, layers.without_norm())


class Plain(nn.Module):
    """Pass the branch on alone: the plain network that residual ones are compared with (He et al. 2015, section 3.3)."""

    def __init__(self, cin: int, cout: int, stride: int, layers: LayerKit):
        super().__init__()

    def forward(self, branch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the branch as it came."""
        return branch


def identity(cin: int, cout: int, stride: int, layers: LayerKit) -> nn.Module:
    """Add the input as it is where shapes agree; a block that changes the shape has no shortcut."""
    kind = ZeroPadded if cin == cout and stride == 1 else Plain
    return kind(cin, cout, stride, layers)


class Placement(NamedTuple):
    """Where norm (n) and activation (a) stand in a residual network; each entry is "", "n", "a" or "na".

    Attributes
    ----------
    stem : str
        After the first convolution of the network.
    before : str
        Before the first convolution of a block and, if the block changes the shape, before its shortcut.
    between : str
        Between its convolutions.
    last : str
        After its last convolution, before the join.
    joined : str
        After the join.
    close : str
        After the last block of the network.
    """

    stem: str
    before: str
    between: str
    last: str
    joined: str
    close: str


# He et al. 2016 ("Identity mappings in deep residual networks"), figure 4, (a) to (e).
POST = Placement("na", "", "na", "n", "a", "")
NORM_AFTER_JOIN = Placement("na", "", "na", "", "na", "")
ACTIVATION_BEFORE_JOIN = Placement("na", "", "na", "na", "", "")
ACTIVATION_FIRST = Placement("n", "a", "na", "n", "", "a")
PRE = Placement("", "na", "na", "", "", "na")
