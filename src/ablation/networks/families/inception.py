"""GoogLeNet's successors: Inception-BN, Inception-v3 and the residual Inception-ResNet-v1.

For rows 4c and 4d of Inception-BN the paper states 128 pool projections and 576 outputs, which contradict each other; 96
give the stated outputs. Inception-v3 is torchvision's network, which has one auxiliary classifier.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from ablation.networks.heads import GlobalAverage, Supervised
from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem, scaled
from ablation.networks.stack import Parallel, Stack

EPSILON = 1e-3  # of batch norm, in the authors' code

# Inception-BN (Ioffe and Szegedy 2015, figure 5), a row a block: #1x1, (#3x3 reduce, #3x3), (double #3x3 reduce, double
# #3x3), pooling, pool proj. Blocks without a 1x1 branch have stride 2 and pass their pooled input on.
INCEPTION_BN = {
    "3a": (64, (64, 64), (64, 96), "average", 32),
    "3b": (64, (64, 96), (64, 96), "average", 64),
    "3c": (0, (128, 160), (64, 96), "max", 0),
    "4a": (224, (64, 96), (96, 128), "average", 128),
    "4b": (192, (96, 128), (96, 128), "average", 128),
    "4c": (160, (128, 160), (128, 160), "average", 96),
    "4d": (96, (128, 192), (160, 192), "average", 96),
    "4e": (0, (128, 192), (192, 256), "max", 0),
    "5a": (352, (192, 320), (160, 224), "average", 128),
    "5b": (352, (192, 320), (192, 224), "max", 128),
}


def inception_bn(
    input_shape: tuple[int, int, int], classes: int, layers: Layers, *, width: int, dropout: float, stem: str
) -> nn.Module:
    """Build an Inception-BN (Ioffe and Szegedy 2015, figure 5): normalised, two 3x3 convolutions in place of each 5x5.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x224x224).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and its placement, head and output.
    width : int
        Channels of the first convolution (published: 64); all others scale along.
    dropout : float
        Share of the features dropped before the classifier in training (published: 0, section 4.2.1).
    stem : str
        ``published``: 7x7 of stride 2 and poolings; ``small``: 3x3 of stride 1 without; ``fit``: by the input.
    """
    layers = replace(layers, epsilon=EPSILON)

    def channels(published: int) -> int:
        return scaled(width, 64, published)

    def block(cin: int, one: int, three: tuple[int, int], double: tuple[int, int], kind: str, pool: int) -> nn.Module:
        stride = 1 if one else 2
        pooling = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}[kind](3, stride, padding=1)
        branches = OrderedDict()
        if one:
            branches["1x1"] = layers.unit(cin, channels(one), kernel=1)
        branches["3x3"] = nn.Sequential(
            layers.unit(cin, channels(three[0]), kernel=1),
            layers.unit(channels(three[0]), channels(three[1]), stride=stride),
        )
        branches["doubled"] = nn.Sequential(
            layers.unit(cin, channels(double[0]), kernel=1),
            layers.unit(channels(double[0]), channels(double[1])),
            layers.unit(channels(double[1]), channels(double[1]), stride=stride),
        )
        projection = layers.unit(cin, channels(pool), kernel=1) if pool else nn.Identity()
        branches["pool"] = nn.Sequential(pooling, projection)
        return Parallel(branches)

    body = Stack(input_shape)
    small = has_small_stem(stem, body.side)
    body.add("conv1", layers.unit(body.channels, channels(64), *((3, 1) if small else (7, 2))))
    if not small:
        body.add("pool1", nn.MaxPool2d(3, 2, padding=1))
    body.add("conv2", layers.unit(body.channels, channels(64), kernel=1))
    body.add("conv3", layers.unit(body.channels, channels(192)))
    if not small:
        body.add("pool2", nn.MaxPool2d(3, 2, padding=1))
    for name, row in INCEPTION_BN.items():
        body.add(f"inception{name}", block(body.channels, *row))
    body.add("head", layers.classify(body.shape, classes, dropout=dropout))
    return body.network()


def chain(cin: int, rows: Sequence[tuple], layers: Layers) -> nn.Module:
    """Make a chain of convolutions with norm and activation from its rows.

    A row is ``(channels, kernel)``, which keeps the side, or ``(channels, kernel, stride)``, of stride 2 and unpadded.
    """
    branch = OrderedDict()
    for position, (cout, kernel, *stride) in enumerate(rows, 1):
        how = {"stride": 2, "padding": 0} if stride else {}
        branch[f"conv{position}"] = layers.unit(cin, cout, kernel, **how)
        cin = cout
    return nn.Sequential(branch)


def average_then(cin: int, cout: int, layers: Layers) -> nn.Module:
    """Make the branch of a block that averages 3x3 pixels and projects them."""
    return nn.Sequential(OrderedDict(pool=nn.AvgPool2d(3, 1, padding=1), conv=layers.unit(cin, cout, kernel=1)))


def fork(cin: int, rows: Sequence[tuple], cout: int, layers: Layers) -> nn.Module:
    """Make a chain that ends in a 1x3 and a 3x1 convolution side by side (Szegedy et al. 2016, figure 7)."""
    last = rows[-1][0]
    ends = Parallel(OrderedDict(wide=layers.unit(last, cout, (1, 3)), high=layers.unit(last, cout, (3, 1))))
    return nn.Sequential(OrderedDict(chain=chain(cin, rows, layers), ends=ends))


def inception_v3(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    width: int,
    factorised: bool,
    auxiliary: bool,
    dropout: float,
    stem: str,
) -> nn.Module:
    """Build an Inception-v3 (Szegedy et al. 2016, "Rethinking the Inception architecture", table 1), as torchvision does.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x299x299).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and its placement, head and output.
    width : int
        Channels of the first convolution (published: 32); all others scale along.
    factorised : bool
        Whether 7x7 convolutions are 1x7 and 7x1 ones, one after the other (section 3.2).
    auxiliary : bool
        Whether an auxiliary classifier joins in the training (section 4).
    dropout : float
        Share of the features dropped before the classifier in training (torchvision: 0.5).
    stem : str
        ``published``: strides, unpadded convolutions and poolings; ``small``: the same ones, each keeping the side;
        ``fit``: by the input.
    """
    layers = replace(layers, epsilon=EPSILON)

    def ch(published: int) -> int:
        return scaled(width, 32, published)

    def sevens(*widths: int, first: str) -> list[tuple]:
        """List 1x7 and 7x1 convolutions in turn, or 7x7 ones for each two of them."""
        wide, high = (1, 7), (7, 1)
        kernels = [wide, high] if first == "wide" else [high, wide]
        rows = [(ch(cout), kernels[place % 2]) for place, cout in enumerate(widths)]
        return rows if factorised else [(cout, 7) for cout, _ in rows[1::2]]

    def block_a(cin: int, pool: int) -> nn.Module:
        return Parallel(
            OrderedDict(
                one=layers.unit(cin, ch(64), kernel=1),
                five=chain(cin, [(ch(48), 1), (ch(64), 5)], layers),
                doubled=chain(cin, [(ch(64), 1), (ch(96), 3), (ch(96), 3)], layers),
                pool=average_then(cin, ch(pool), layers),
            )
        )

    def block_b(cin: int) -> nn.Module:
        return Parallel(
            OrderedDict(
                three=chain(cin, [(ch(384), 3, 2)], layers),
                doubled=chain(cin, [(ch(64), 1), (ch(96), 3), (ch(96), 3, 2)], layers),
                pool=nn.MaxPool2d(3, 2),
            )
        )

    def block_c(cin: int, seven: int) -> nn.Module:
        double = sevens(seven, seven, seven, 192, first="high")
        return Parallel(
            OrderedDict(
                one=layers.unit(cin, ch(192), kernel=1),
                seven=chain(cin, [(ch(seven), 1), *sevens(seven, 192, first="wide")], layers),
                doubled=chain(cin, [(ch(seven), 1), *double], layers),
                pool=average_then(cin, ch(192), layers),
            )
        )

    def block_d(cin: int) -> nn.Module:
        seven = [(ch(192), 1), *sevens(192, 192, first="wide"), (ch(192), 3, 2)]
        return Parallel(
            OrderedDict(
                three=chain(cin, [(ch(192), 1), (ch(320), 3, 2)], layers),
                seven=chain(cin, seven, layers),
                pool=nn.MaxPool2d(3, 2),
            )
        )

    def block_e(cin: int) -> nn.Module:
        return Parallel(
            OrderedDict(
                one=layers.unit(cin, ch(320), kernel=1),
                three=fork(cin, [(ch(384), 1)], ch(384), layers),
                doubled=fork(cin, [(ch(448), 1), (ch(384), 3)], ch(384), layers),
                pool=average_then(cin, ch(192), layers),
            )
        )

    body, classifiers = Stack(input_shape), {}
    small = has_small_stem(stem, body.side)
    unpadded = {} if small else {"padding": 0}
    stride = 1 if small else 2
    body.add("conv1", layers.unit(body.channels, ch(32), 3, stride, **unpadded))
    body.add("conv2", layers.unit(body.channels, ch(32), **unpadded))
    body.add("conv3", layers.unit(body.channels, ch(64)))
    if not small:
        body.add("pool1", nn.MaxPool2d(3, 2))
    body.add("conv4", layers.unit(body.channels, ch(80), kernel=1))
    body.add("conv5", layers.unit(body.channels, ch(192), **unpadded))
    if not small:
        body.add("pool2", nn.MaxPool2d(3, 2))
    for name, pool in (("5b", 32), ("5c", 64), ("5d", 64)):
        body.add(f"mixed{name}", block_a(body.channels, pool))
    body.add("mixed6a", block_b(body.channels))
    for name, seven in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        body.add(f"mixed{name}", block_c(body.channels, seven))
    if auxiliary:
        head = OrderedDict(
            pool=nn.AvgPool2d(5, 3) if body.side >= 17 else nn.AdaptiveAvgPool2d(5),
            conv1=layers.unit(body.channels, ch(128), kernel=1),
            conv2=layers.unit(ch(128), ch(768), 5, padding=0),
            average=GlobalAverage(),
            classifier=nn.Linear(ch(768), classes),
            output=layers.output(),
        )
        classifiers["mixed6e"] = nn.Sequential(head)
    body.add("mixed7a", block_d(body.channels))
    for name in ("7b", "7c"):
        body.add(f"mixed{name}", block_e(body.channels))
    body.add("head", layers.classify(body.shape, classes, dropout=dropout))
    return Supervised(body.network(), classifiers)


# Inception-ResNet-v1 (Szegedy, Ioffe, Vanhoucke and Alemi 2017, figures 10 to 13): the branches of the three blocks.
RESIDUAL = {
    "a": (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (32, 3), (32, 3))),
    "b": (((128, 1),), ((128, 1), (128, (1, 7)), (128, (7, 1)))),
    "c": (((192, 1),), ((192, 1), (192, (1, 3)), (192, (3, 1)))),
}
# The reductions between them (figure 7 with table 1 for v1, and figure 12): besides, the input is pooled.
REDUCTIONS = {
    "a": (((384, 3, 2),), ((192, 1), (192, 3), (256, 3, 2))),
    "b": (((256, 1), (384, 3, 2)), ((256, 1), (256, 3, 2)), ((256, 1), (256, 3), (256, 3, 2))),
}


class ResidualInception(nn.Module):
    """Branches, projected to the input's channels without activation, scaled and joined with the input (section 3.3)."""

    def __init__(self, cin: int, branches: nn.Module, width: int, scale: float, layers: Layers):
        super().__init__()
        self.branches, self.scale = branches, scale
        self.projection = nn.Conv2d(width, cin, kernel_size=1)
        self.join = layers.residual(cin, cin, 1, layers)
        self.activation = layers.activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, cin, side, side) to the same shape."""
        return self.activation(self.join(self.scale * self.projection(self.branches(x)), x))


def inception_resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    width: int,
    blocks: str,
    branch_scale: float,
    dropout: float,
    stem: str,
) -> nn.Module:
    """Build an Inception-ResNet-v1 (Szegedy, Ioffe, Vanhoucke and Alemi 2017, "Inception-v4, …", section 3.2).

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x299x299).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and its placement, residual, head and output.
    width : int
        Channels of the first convolution (published: 32); all others scale along.
    blocks : str
        Residual blocks of each kind (published: 5-10-5).
    branch_scale : float
        What the branches are multiplied with before they are added (section 3.3: between 0.1 and 0.3).
    dropout : float
        Share of the features dropped before the classifier in training (published: 0.2).
    stem : str
        ``published``: strides, unpadded convolutions and a pooling; ``small``: the same ones, each keeping the side;
        ``fit``: by the input.
    """
    layers = replace(layers, epsilon=EPSILON)

    def rows(published: Sequence[tuple]) -> list[tuple]:
        return [(scaled(width, 32, cout), *rest) for cout, *rest in published]

    body = Stack(input_shape)
    small = has_small_stem(stem, body.side)
    unpadded = {} if small else {"padding": 0}
    stride = 1 if small else 2
    (stem1, _), (stem2, _), (stem3, _), (stem4, _), (stem5, _), (stem6, _) = rows(
        [(32, 3), (32, 3), (64, 3), (80, 1), (192, 3), (256, 3)]
    )
    body.add("conv1", layers.unit(body.channels, stem1, 3, stride, **unpadded))
    body.add("conv2", layers.unit(stem1, stem2, **unpadded))
    body.add("conv3", layers.unit(stem2, stem3))
    if not small:
        body.add("pool", nn.MaxPool2d(3, 2))
    body.add("conv4", layers.unit(stem3, stem4, kernel=1))
    body.add("conv5", layers.unit(stem4, stem5, **unpadded))
    body.add("conv6", layers.unit(stem5, stem6, 3, stride, **unpadded))
    for kind, count in zip("abc", map(int, blocks.split("-")), strict=True):
        for position in range(1, count + 1):
            chains = [chain(body.channels, rows(branch), layers) for branch in RESIDUAL[kind]]
            inner = sum(rows(branch)[-1][0] for branch in RESIDUAL[kind])
            block = ResidualInception(body.channels, Parallel(*chains), inner, branch_scale, layers)
            body.add(f"block_{kind}{position}", block)
        if kind in REDUCTIONS:
            chains = [chain(body.channels, rows(branch), layers) for branch in REDUCTIONS[kind]]
            body.add(f"reduction_{kind}", Parallel(*chains, nn.MaxPool2d(3, 2)))
    body.add("head", layers.classify(body.shape, classes, dropout=dropout))
    return body.network()
