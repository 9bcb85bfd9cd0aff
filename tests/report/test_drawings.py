"""What the drawing of blocks says; how it looks was looked at."""

import pytest
from specs import make_spec

from ablation.networks.layertable import LayerRow
from ablation.networks.sizes import inspect
from ablation.report.figures.drawings import CONVOLUTIONS, DENSE, POOLING, SLOTS, boxes, draw_blocks


def table(name, shape=(3, 32, 32), **levels):
    return inspect(make_spec(name, **levels)["architecture"], shape, 10)


def said(network):
    return [(box.label, len(box.names), box.shape) for box in boxes(network)]


def test_a_small_network_is_drawn_whole():
    assert [(box.label, box.shape, box.kind) for box in boxes(table("lenet", (1, 28, 28)))] == [
        ("conv1", "6 × 28", CONVOLUTIONS),
        ("pool1", "6 × 14", POOLING),
        ("conv2", "16 × 10", CONVOLUTIONS),
        ("pool2", "16 × 5", POOLING),
        ("dense1", "120", DENSE),
        ("dense2", "84", DENSE),
        ("classifier", "10", DENSE),
    ]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (
            table("resnet_cifar", depth=110),
            [("stem", 1, "16 × 32"), ("block1", 18, "16 × 32"), ("block2", 18, "32 × 16"), ("block3", 18, "64 × 8")],
        ),
        (
            table("densenet_cifar"),
            [
                ("stem", 1, "16 × 32"),
                ("dense1", 12, "160 × 32"),
                ("transition1", 1, "160 × 16"),
                ("dense2", 12, "304 × 16"),
                ("transition2", 1, "304 × 8"),
                ("dense3", 12, "448 × 8"),
            ],
        ),
    ],
    ids=["residual blocks", "blocks that append channels"],
)
def test_repeated_blocks_are_folded(network, expected):
    assert said(network) == [*expected, ("head", 1, "10")]


def block(name, channels, **others):
    return LayerRow(f"{name}.conv", "Conv 3x3", (channels, 8, 8), 9, 9, (3, 3), **others)


def test_names_that_share_letters_share_them():
    network = [block("body.inception3a", 8), block("body.inception3b", 16), block("auxiliary", 4, training_only=True)]
    assert said(network) == [("inception3", 2, "16 × 8")]
    network = [block(f"features.{n}", 8) for n in (12, 13)]
    assert said(network) == [("features", 2, "8 × 8")]


def test_a_long_network_goes_on_in_the_next_line():
    kinds = [LayerRow(f"b{n}.x", f"Conv {n}x{n}", (8, 8, 8), 9, 9, (n, n)) for n in range(1, SLOTS + 3)]
    figure = draw_blocks({"short": kinds[:3], "long": kinds})
    assert [len(axis.patches) for axis in figure.axes] == [3, 7, 7]
    figure.draw_without_rendering()
    drawn = [text for axis in figure.axes for text in axis.texts] + figure.legends[0].get_texts()
    frames = {text.get_text(): text.get_window_extent() for text in drawn}
    assert not [text for text, frame in frames.items() if frame.x0 < 0 or frame.x1 > figure.bbox.width], "cut off"
