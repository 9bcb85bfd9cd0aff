"""GoogLeNet (Szegedy et al. 2015, table 1): nine Inception blocks, of which each looks through several kernels at once.

The paper normalises twice by local response; like the study notes, this network does not. torchvision's network differs
from the paper: it has batch norm throughout, a 3x3 kernel where the paper has 5x5 (`five_by_five: 3x3` here) and a last
pooling of 2x2 windows; its auxiliary classifiers average adaptively, as do those here, which makes them fit any input.
"""

from collections import OrderedDict
from dataclasses import replace

from torch import nn

from ablation.networks.heads import Supervised
from ablation.networks.kit import Layers
from ablation.networks.scaling import has_small_stem, scaled
from ablation.networks.stack import Parallel, Stack

# Table 1, a row a block: #1x1, (#3x3 reduce, #3x3), (#5x5 reduce, #5x5), pool proj.
BLOCKS = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}
# What may stand in the place of the 5x5 convolution (Szegedy et al. 2016, sections 3.1 and 3.2).
FIVE_BY_FIVE = {"5x5": (5,), "3x3": (3,), "two_3x3": (3, 3), "1x5_5x1": ((1, 5), (5, 1))}
AUXILIARY = ("4a", "4d")  # section 5: on the output of these blocks


def inception_v3_block(cin: int, layers: Layers, widths: tuple[int, ...]) -> nn.Module:
    """Make the first block of Inception-v3, which the study notes (004) show as GoogLeNet's."""
    one, (reduce5, five), (reduce3, three), pool = widths
    return Parallel(
        OrderedDict(
            one=layers.unit(cin, one, kernel=1),
            five=nn.Sequential(layers.unit(cin, reduce5, kernel=1), layers.unit(reduce5, five, kernel=5)),
            three=nn.Sequential(
                layers.unit(cin, reduce3, kernel=1), layers.unit(reduce3, three), layers.unit(three, three)
            ),
            pool=nn.Sequential(nn.AvgPool2d(3, 1, padding=1), layers.unit(cin, pool, kernel=1)),
        )
    )


def googlenet(
    input_shape: tuple[int, int, int],
    classes: int,
    layers: Layers,
    *,
    width: int,
    blocks: str,
    without: str,
    reductions: bool,
    reduction_activation: bool,
    stem_activation: bool,
    first_reduction: int,
    first_block: str,
    five_by_five: str,
    auxiliary: bool,
    dropout: float,
    stem: str,
) -> nn.Module:
    """Build a GoogLeNet.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width in pixels (published: 3x224x224).
    classes : int
        Number of outputs.
    layers : Layers
        Activation, norm and its placement, pooling and overlap between the stages, head and output.
    width : int
        Channels of the first convolution (published: 64); all others scale along.
    blocks : str
        Blocks a stage, from the first row of each (published: 2-5-2).
    without : str
        A branch that all blocks lack: ``1x1``, ``3x3``, ``5x5`` or ``pool``; ``none`` lacks none.
    reductions : bool
        Whether 1x1 convolutions reduce the channels before the 3x3 and 5x5 ones; the pool's projection always stays,
        or the channels would grow from block to block.
    reduction_activation : bool
        Whether the reductions have an activation; in the study notes (002) they have none.
    stem_activation : bool
        Whether the stem's 3x3 convolution has an activation; in the study notes (003) it has none.
    first_reduction : int
        Channels before the 5x5 convolution of the first block (published: 16; the study notes 003: 18).
    first_block : str
        ``googlenet``, or ``inception_v3``, whose first block the study notes (004) show as GoogLeNet's.
    five_by_five : str
        The kernels of the 5x5 branch: ``5x5``, ``two_3x3``, ``1x5_5x1``, or ``3x3`` as in torchvision.
    auxiliary : bool
        Whether two auxiliary classifiers join in the training (section 5).
    dropout : float
        Share of the features dropped before the classifier in training (published: 0.4).
    stem : str
        ``published``: 7x7 of stride 2 and poolings; ``small``: 3x3 of stride 1 without; ``fit``: by the input.
    """
    layers = replace(layers, epsilon=1e-3)
    silent = layers.without_activation()
    bare = layers.without_norm()

    def channels(published: int) -> int:
        return scaled(width, 64, published)

    def chain(cin: int, reduce: int, cout: int, kernels: tuple) -> nn.Module:
        branch = OrderedDict()
        if reductions:
            branch["reduce"] = (layers if reduction_activation else silent).unit(cin, channels(reduce), kernel=1)
            cin = channels(reduce)
        for position, kernel in enumerate(kernels, 1):
            branch[f"conv{position}"] = layers.unit(cin, channels(cout), kernel=kernel)
            cin = channels(cout)
        return nn.Sequential(branch)

    def block(cin: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int) -> nn.Module:
        branches = {
            "1x1": lambda: layers.unit(cin, channels(one), kernel=1),
            "3x3": lambda: chain(cin, *three, (3,)),
            "5x5": lambda: chain(cin, *five, FIVE_BY_FIVE[five_by_five]),
            "pool": lambda: nn.Sequential(nn.MaxPool2d(3, 1, padding=1), layers.unit(cin, channels(pool), kernel=1)),
        }
        return Parallel(OrderedDict((name, make()) for name, make in branches.items() if name != without))

    body, classifiers = Stack(input_shape), {}
    small = has_small_stem(stem, body.side)
    body.add("conv1", layers.unit(body.channels, channels(64), *((3, 1) if small else (7, 2))))
    if not small:
        body.add("pool1", layers.pool(body.channels, 3, 2, ceil=True))
    body.add("conv2", layers.unit(body.channels, channels(64), kernel=1))
    body.add("conv3", (layers if stem_activation else silent).unit(body.channels, channels(192)))
    if not small:
        body.add("pool2", layers.pool(body.channels, 3, 2, ceil=True))
    for stage, count in zip("345", map(int, blocks.split("-")), strict=True):
        for name in [name for name in BLOCKS if name[0] == stage][:count]:
            one, three, five, pool = BLOCKS[name]
            if name == "3a":
                five = (first_reduction, five[1])
            if name == "3a" and first_block == "inception_v3":
                widths = channels(64), (channels(48), channels(64)), (channels(64), channels(96)), channels(32)
                body.add(f"inception{name}", inception_v3_block(body.channels, layers, widths))
            else:
                body.add(f"inception{name}", block(body.channels, one, three, five, pool))
            if auxiliary and name in AUXILIARY:
                classifiers[f"inception{name}"] = nn.Sequential(
                    OrderedDict(
                        pool=nn.AdaptiveAvgPool2d(4),
                        conv=layers.unit(body.channels, channels(128), kernel=1),
                        flatten=nn.Flatten(),
                        dense=bare.dense(16 * channels(128), channels(1024)),
                        dropout=nn.Dropout(0.7),
                        classifier=nn.Linear(channels(1024), classes),
                        output=layers.output(),
                    )
                )
        if stage != "5" and body.side > 1:
            body.add(f"pool{stage}", layers.pool(body.channels, 3, 2, ceil=True))
    body.add("head", layers.classify(body.shape, classes, dropout=dropout))
    return Supervised(body.network(), classifiers)
