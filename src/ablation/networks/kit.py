"""The kit of layer factories that networks are built from.

A network never asks which activation or norm it has: it takes a frozen `Layers` and calls it. A factor is a field of
the kit, a level is a row of `ablation.catalogue.factors`.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from torch import nn

from ablation.networks.norms import after, before, by_norm, no_norm
from ablation.networks.pooling import Geometry, Pooling
from ablation.networks.shortcuts import Placement
from ablation.support.references import resolve


def make_level(level: Mapping[str, Any]) -> Any:
    """Return what makes the layers of a level, as the spec of a run states it: ``make`` with its ``arguments``."""
    factory = resolve(level["make"])
    return partial(factory, **level["arguments"]) if level["arguments"] else factory


@dataclass(frozen=True)
class Layers:
    """A choice of layers: one field per factor, each a callable that makes the layer; None where there is no such factor.

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
    placement : Placement
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
    bias : bool
        Whether convolutions and dense layers beside a norm have a bias.
    epsilon : float
        What norms add to the variance.
    dropout_first : bool
        Whether the dropout of hidden dense layers comes before them instead of after their activations.
    """

    activation: Callable[[], nn.Module] = nn.ReLU
    norm: Callable[[int, float], nn.Module] = no_norm
    norm_placement: Callable[[nn.Module, nn.Module], OrderedDict[str, nn.Module]] = before
    residual: Callable[[int, int, int, "Layers"], nn.Module] | None = None
    placement: Placement | None = None
    pooling: Pooling | None = None
    overlap: Callable[[int], int] | None = None
    head: Callable[..., nn.Module] | None = None
    output: Callable[[], nn.Module] = nn.Identity
    dense_layer: Callable[..., nn.Linear] = nn.Linear
    dropped: Callable[[float], nn.Module] = nn.Dropout
    bias: bool = True
    epsilon: float = 1e-5
    dropout_first: bool = False

    @classmethod
    def choose(cls, levels: Mapping[str, Mapping[str, Any]]) -> "Layers":
        """Make the kit of the levels that the spec of a run states by factor.

        Factors that are no field of the kit concern the whole network, such as its initialisation.
        """
        chosen = {f.name: make_level(levels[f.name]) for f in fields(cls) if f.name in levels}
        # A bias is what the level of that factor makes of the norm: `norm: none` must not ablate the bias too.
        has_bias = chosen.pop("bias", by_norm)
        return cls(**chosen, bias=has_bias("norm" in levels and levels["norm"]["shifts"]))

    @property
    def bias_beside_activation(self) -> bool:
        """Whether it carries one where the activation may stand between layer and norm, and the bias therefore counts."""
        return self.bias or self.norm_placement is after

    def without_norm(self) -> "Layers":
        """Return the same kit with nothing in the place of the norm."""
        return replace(self, norm=no_norm, bias=True)

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
        padding = tuple(dilation * (side // 2) for side in sides) if padding is None else padding
        return nn.Conv2d(cin, cout, sides, stride, padding, dilation, groups, bias)

    def conv_norm(
        self, cin: int, cout: int, kernel: int | tuple[int, int] = 3, stride: int = 1, **options: Any
    ) -> nn.Module:
        """Make a convolution and its norm; `options` are those of `conv2d`."""
        conv = self.conv2d(cin, cout, kernel, stride, bias=self.bias, **options)
        return nn.Sequential(OrderedDict(conv=conv, norm=self.norm(cout, self.epsilon)))

    def projection(self, cin: int, cout: int) -> nn.Module:
        """Make the 1x1 convolution of a shortcut, and its norm.

        In a network of pre-activated units it has no norm: it gets what is activated already (He et al. 2016, appendix).
        """
        conv = self.conv2d(cin, cout, 1, bias=self.bias)
        norm = "" if self.placement and self.placement.before else "n"
        return nn.Sequential(OrderedDict(conv=conv) | self.norms_and_activations(norm, cout))

    def conv_norm_activation(
        self, cin: int, cout: int, kernel: int | tuple[int, int] = 3, stride: int = 1, **options: Any
    ) -> nn.Module:
        """Make a convolution, its norm and its activation; `options` are those of `conv2d`."""
        conv = self.conv2d(cin, cout, kernel, stride, bias=self.bias_beside_activation, **options)
        rest = self.norm_placement(self.norm(cout, self.epsilon), self.activation())
        return nn.Sequential(OrderedDict(conv=conv) | rest)

    def norm_activation_conv(self, cin: int, cout: int, kernel: int = 3) -> nn.Module:
        """Make a norm, its activation and a convolution, in this order (He et al. 2016, section 4)."""
        return nn.Sequential(
            OrderedDict(
                norm=self.norm(cin, self.epsilon),
                activation=self.activation(),
                conv=self.conv2d(cin, cout, kernel, bias=self.bias),
            )
        )

    def norms_and_activations(self, signs: str, channels: int) -> OrderedDict[str, nn.Module]:
        """Make the norms and activations that an entry of `ablation.networks.shortcuts.Placement` lists: n, a or both."""
        make = {"n": ("norm", lambda: self.norm(channels, self.epsilon)), "a": ("activation", self.activation)}
        return OrderedDict((make[sign][0], make[sign][1]()) for sign in signs)

    def dense(self, fin: int, fout: int) -> nn.Module:
        """Make a dense layer, its norm and its activation."""
        linear = self.dense_layer(fin, fout, bias=self.bias_beside_activation)
        rest = self.norm_placement(self.norm(fout, self.epsilon), self.activation())
        return nn.Sequential(OrderedDict(linear=linear) | rest)

    def dropout(self, share: float) -> nn.Module:
        """Make the dropout of dense layers."""
        return self.dropped(share)

    def pool(self, channels: int, kernel: int = 2, stride: int = 2, padding: int = 0, ceil: bool = False) -> nn.Module:
        """Make a pooling of the source's window, or of another window with the same output side."""
        window = kernel if self.overlap is None else self.overlap(stride)
        return self.pooling(channels, Geometry(kernel, stride, padding, ceil), window, self)

    def classify(
        self, shape: tuple[int, int, int], classes: int, hidden: Sequence[int] = (), dropout: float = 0.0
    ) -> nn.Module:
        """Make the head on maps of `shape` (channels, height, width)."""
        return self.head(shape, classes, self, hidden, dropout)
