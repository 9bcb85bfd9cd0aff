"""The kit of layer factories that networks are built from, and the one table of levels.

A network never asks which activation or norm it has: it takes a frozen `Layers` and calls it. A factor is a field of
the kit, a level is one line of `LEVELS`.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from torch import nn

from ablation.networks import heads, initialisation, norms
from ablation.networks import shortcuts as joins
from ablation.networks.pooling import Geometry, Pooling, average, maximum, overlapping, separate, strided


def before(norm: nn.Module, activation: nn.Module) -> OrderedDict[str, nn.Module]:
    """Normalise what the activation gets (Ioffe and Szegedy 2015, section 3.2)."""
    return OrderedDict(norm=norm, activation=activation)


def after(norm: nn.Module, activation: nn.Module) -> OrderedDict[str, nn.Module]:
    """Normalise what the activation gives (Krizhevsky et al. 2012, section 3.3, for local response normalisation)."""
    return OrderedDict(activation=activation, norm=norm)


LEVELS: dict[str, dict[str, Any]] = {
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
        "batch": norms.batch_norm,
        "layer": norms.layer_norm,
        "group": norms.group_norm,
        "lrn": norms.local_response_norm,
        "none": norms.no_norm,
    },
    "norm_placement": {
        "before": before,
        "after": after,
    },
    "residual": {
        "identity": joins.identity,
        "zero_padded": joins.ZeroPadded,
        "projection": joins.Projection,
        "projection_always": joins.ProjectionAlways,
        "scaled": joins.Scaled,
        "none": joins.Plain,
        "shortcut_only": joins.ShortcutOnly,
    },
    "placement": {
        "post": joins.POST,
        "norm_after_join": joins.NORM_AFTER_JOIN,
        "activation_before_join": joins.ACTIVATION_BEFORE_JOIN,
        "activation_first": joins.ACTIVATION_FIRST,
        "pre": joins.PRE,
    },
    "pooling": {
        "max": maximum,
        "average": average,
        "strided": strided,
    },
    "overlap": {
        "separate": separate,
        "overlapping": overlapping,
    },
    "head": {
        "gap": heads.gap,
        "dense": heads.dense,
    },
    "output": {
        "logits": nn.Identity,
        "softmax": partial(nn.Softmax, dim=1),  # a mistake of the notes (002): the loss takes the softmax, too
    },
    "dense_layer": {
        "trained": nn.Linear,
        "detached": heads.Detached,
    },
    "dropped": {
        "units": nn.Dropout,
        "images": nn.Dropout1d,  # a mistake of the notes (002): on (batch, units) it drops whole images
    },
    "initialisation": {
        "default": initialisation.default,
        "xavier": initialisation.xavier,
        "kaiming": initialisation.kaiming,
        "kaiming_out": initialisation.kaiming_out,
        "orthogonal": initialisation.orthogonal,
        "gaussian0.001": partial(initialisation.gaussian, std=0.001),
        "gaussian0.01": partial(initialisation.gaussian, std=0.01),
        "gaussian0.1": partial(initialisation.gaussian, std=0.1),  # the notes' reading (001): a variance of 0.01
        "half_zero": initialisation.half_zero,
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
        ``norm(channels, epsilon)``, for images and for vectors.
    norm_placement : callable
        ``norm_placement(norm, activation)``, the two in their order.
    residual : callable
        ``residual(cin, cout, stride, layers)``, a module that joins ``(branch, x)``.
    placement : ablation.networks.shortcuts.Placement
        Where norm and activation stand in residual networks.
    pooling : callable
        ``pooling(channels, geometry, kernel, layers)``.
    overlap : callable or None
        ``overlap(stride)``, the side of a window; None leaves the window of the source.
    head : callable
        ``head(shape, classes, layers, hidden, dropout)``.
    output : callable
        ``output()``, what comes after the classifier.
    dense_layer : callable
        ``dense_layer(fin, fout, bias=)``.
    dropped : callable
        ``dropped(share)``, the dropout of dense layers.
    epsilon : float
        What norms add to the variance.
    keep_bias : bool
        Whether convolutions have a bias even where a norm makes it redundant.
    """

    activation: Callable[[], nn.Module] = nn.ReLU
    norm: Callable[[int, float], nn.Module] = norms.batch_norm
    norm_placement: Callable[[nn.Module, nn.Module], OrderedDict[str, nn.Module]] = before
    residual: Callable[[int, int, int, "Layers"], nn.Module] = joins.ZeroPadded
    placement: joins.Placement = joins.POST
    pooling: Pooling = maximum
    overlap: Callable[[int], int] | None = None
    head: Callable[..., nn.Module] = heads.gap
    output: Callable[[], nn.Module] = nn.Identity
    dense_layer: Callable[..., nn.Linear] = nn.Linear
    dropped: Callable[[float], nn.Module] = nn.Dropout
    epsilon: float = 1e-5
    keep_bias: bool = False

    @classmethod
    def choose(cls, levels: Mapping[str, str]) -> "Layers":
        """Make the kit of these levels; factors that are no field of the kit are somebody else's."""
        return cls(**{f.name: LEVELS[f.name][levels[f.name]] for f in fields(cls) if f.name in levels})

    @property
    def shifted(self) -> bool:
        """Whether the norm has a shift of its own, which makes a bias before it redundant."""
        return self.norm not in norms.WITHOUT_SHIFT

    @property
    def bias(self) -> bool:
        """Whether an affine layer before a norm carries a bias: `norm: none` must not ablate the bias too."""
        return self.keep_bias or not self.shifted

    @property
    def unit_bias(self) -> bool:
        """The same where the activation may stand between the layer and the norm: then the bias counts."""
        return self.bias or self.norm_placement is after

    @property
    def averages_maps(self) -> bool:
        """Whether the head averages each map, so that a network may end in one map per class."""
        return self.head is heads.gap

    def without_norm(self) -> "Layers":
        """Return the same kit with nothing in the place of the norm."""
        return replace(self, norm=norms.no_norm)

    def without_activation(self) -> "Layers":
        """Return the same kit with nothing in the place of the activation."""
        return replace(self, activation=nn.Identity)

    def conv2d(
        self,
        cin: int,
        cout: int,
        kernel: int | tuple[int, int] = 3,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> nn.Conv2d:
        """Make a convolution; without `padding` the side is kept (divided by the stride)."""
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        kept = tuple(dilation * (side // 2) for side in sides) if padding is None else padding
        return nn.Conv2d(cin, cout, sides, stride, kept, dilation, groups, bias)

    def conv(self, cin: int, cout: int, kernel: int | tuple[int, int] = 3, stride: int = 1, **how: Any) -> nn.Module:
        """Make a convolution and its norm; `how` is of `conv2d`."""
        conv = self.conv2d(cin, cout, kernel, stride, bias=self.bias, **how)
        return nn.Sequential(OrderedDict(conv=conv, norm=self.norm(cout, self.epsilon)))

    def unit(self, cin: int, cout: int, kernel: int | tuple[int, int] = 3, stride: int = 1, **how: Any) -> nn.Module:
        """Make a convolution, its norm and its activation; `how` is of `conv2d`."""
        conv = self.conv2d(cin, cout, kernel, stride, bias=self.unit_bias, **how)
        placed = self.norm_placement(self.norm(cout, self.epsilon), self.activation())
        return nn.Sequential(OrderedDict(conv=conv) | placed)

    def preactivation(self, cin: int, cout: int, kernel: int = 3) -> nn.Module:
        """Make a norm, its activation and a convolution, in this order (He et al. 2016, section 4)."""
        return nn.Sequential(
            OrderedDict(
                norm=self.norm(cin, self.epsilon),
                activation=self.activation(),
                conv=self.conv2d(cin, cout, kernel, bias=self.bias),
            )
        )

    def placed(self, signs: str, channels: int) -> OrderedDict[str, nn.Module]:
        """Make what `ablation.networks.shortcuts.Placement` writes as signs: n is a norm, a an activation."""
        make = {"n": ("norm", lambda: self.norm(channels, self.epsilon)), "a": ("activation", self.activation)}
        return OrderedDict((make[sign][0], make[sign][1]()) for sign in signs)

    def dense(self, fin: int, fout: int) -> nn.Module:
        """Make a dense layer, its norm and its activation."""
        linear = self.dense_layer(fin, fout, bias=self.unit_bias)
        placed = self.norm_placement(self.norm(fout, self.epsilon), self.activation())
        return nn.Sequential(OrderedDict(linear=linear) | placed)

    def dropout(self, share: float) -> nn.Module:
        """Make the dropout of dense layers."""
        return self.dropped(share)

    def pool(self, channels: int, kernel: int = 2, stride: int = 2, padding: int = 0, ceil: bool = False) -> nn.Module:
        """Make a pooling of the source's window, or of another window with the same output side."""
        laid = kernel if self.overlap is None else self.overlap(stride)
        return self.pooling(channels, Geometry(kernel, stride, padding, ceil), laid, self)

    def classify(
        self, shape: tuple[int, int, int], classes: int, hidden: Sequence[int] = (), dropout: float = 0.0
    ) -> nn.Module:
        """Make the head on maps of `shape` (channels, height, width)."""
        return self.head(shape, classes, self, hidden, dropout)
