"""Published sizes. Sources: the papers' tables and official repositories; multiply-adds without bias additions."""

import pytest
import torch
from specs import make_spec

from ablation.networks.build import build
from ablation.networks.sizes import measure

PAPER, BATCH = (3, 224, 224), {"norm": "batch"}
TORCHVISION_GOOGLENET = {"five_by_five": "3x3", **BATCH}
PRE_164 = {"depth": 164, "bottleneck": True, "residual": "projection", "placement": "pre"}

PUBLISHED = [
    # architecture, levels, input, classes, parameters, multiply-adds
    ("lenet", {}, (1, 28, 28), 10, 61_706, 416_520),
    ("lenet", {}, (1, 32, 32), 10, 61_706, 416_520),
    ("alexnet", {"form": "torchvision", "groups": 1}, PAPER, 1000, 61_100_840, 714_188_480),
    ("alexnet", {}, (3, 227, 227), 1000, 60_965_224, 724_406_816),
    ("alexnet", {"width": 48, "hidden": 2048, "groups": 1}, (3, 227, 227), 1000, 16_630_440, 311_191_824),
    ("vgg", {"depth": 11}, PAPER, 1000, 132_863_336, 7.609e9),
    ("vgg", {"depth": 13}, PAPER, 1000, 133_047_848, 11.308e9),
    ("vgg", {"depth": 16}, PAPER, 1000, 138_357_544, 15.470e9),
    ("vgg", {"depth": 19}, PAPER, 1000, 143_667_240, 19.632e9),
    ("vgg", {"depth": 11, **BATCH}, PAPER, 1000, 132_868_840, 7.609e9),
    ("vgg", {"depth": 16, **BATCH}, PAPER, 1000, 138_365_992, 15.470e9),
    ("vgg_plan", {}, PAPER, 1000, 132_863_336, 7.609e9),
    ("nin_cifar", {}, (3, 32, 32), 10, 966_986, 222_486_528),
    ("googlenet", {}, PAPER, 1000, 6_998_552, 1.583e9),
    ("googlenet", TORCHVISION_GOOGLENET, PAPER, 1000, 6_624_904, 1.498e9),
    ("googlenet", {"auxiliary": True, **TORCHVISION_GOOGLENET}, PAPER, 1000, 13_004_888, 1.498e9),
    ("inception_v3", {}, (3, 299, 299), 1000, 27_161_264, 5.713e9),
    ("inception_v3", {"auxiliary": False}, (3, 299, 299), 1000, 23_834_568, 5.713e9),
    ("resnet", {"depth": 18}, PAPER, 1000, 11_689_512, 1.814e9),
    ("resnet", {"depth": 34}, PAPER, 1000, 21_797_672, 3.664e9),
    ("resnet", {"depth": 50}, PAPER, 1000, 25_557_032, 4.089e9),
    ("resnet", {"depth": 101}, PAPER, 1000, 44_549_160, 7.801e9),
    ("resnet", {"depth": 152}, PAPER, 1000, 60_192_808, 11.514e9),
    ("densenet", {"plan": "6-12-24-16"}, PAPER, 1000, 7_978_856, 2.834e9),
    ("densenet", {"plan": "6-12-32-32"}, PAPER, 1000, 14_149_480, 3.360e9),
    ("densenet", {"plan": "6-12-48-32"}, PAPER, 1000, 20_013_928, 4.291e9),
    ("resnet_cifar", {"depth": 20}, (3, 32, 32), 10, 269_722, 40.55e6),
    ("resnet_cifar", {"depth": 32}, (3, 32, 32), 10, 464_154, 68.86e6),
    ("resnet_cifar", {"depth": 44}, (3, 32, 32), 10, 658_586, 97.17e6),
    ("resnet_cifar", {"depth": 56}, (3, 32, 32), 10, 853_018, 125.49e6),
    ("resnet_cifar", {"depth": 110}, (3, 32, 32), 10, 1_727_962, 252.89e6),
    ("resnet_cifar", {"depth": 20, "residual": "none"}, (3, 32, 32), 10, 269_722, 40.55e6),
    ("resnet_cifar", {"depth": 20, "residual": "projection"}, (3, 32, 32), 10, 272_474, 40.81e6),
    ("resnet_cifar", {"depth": 56, "residual": "projection"}, (3, 32, 32), 10, 855_770, 125.75e6),
    # He et al. 2016 (the authors' code): 1,703,258 by hand, for 1.7 M in the paper. PreAct-18 for small images has the
    # paper's last norm; the 11,171,146 parameters of a well-known reproduction are those without its 2 x 512.
    ("resnet_cifar", PRE_164, (3, 32, 32), 10, 1_703_258, 247_646_720),
    ("resnet", {"depth": 18, "placement": "pre"}, (3, 32, 32), 10, 11_171_146 + 2 * 512, 555_422_720),
    ("densenet_cifar", {"depth": 40, "growth_rate": 12}, (3, 32, 32), 10, 1_019_722, 0.265e9),
    ("densenet_cifar", {"depth": 100, "growth_rate": 12}, (3, 32, 32), 10, 6_979_642, 1.770e9),
    ("densenet_cifar", {"depth": 100, "growth_rate": 24}, (3, 32, 32), 10, 27_249_082, 6.889e9),
    (
        "densenet_cifar",
        {"depth": 100, "growth_rate": 12, "bottleneck": True, "compression": 0.5},
        (3, 32, 32),
        10,
        769_162,
        0.288e9,
    ),
]


@pytest.mark.parametrize(("name", "levels", "shape", "classes", "parameters", "multiply_adds"), PUBLISHED)
def test_sizes_are_the_published_ones(name, levels, shape, classes, parameters, multiply_adds):
    sizes = measure(make_spec(name, **levels)["architecture"], shape, classes)
    assert sizes["parameters"] == parameters
    if isinstance(multiply_adds, int):
        assert sizes["multiply_adds"] == multiply_adds
    else:  # the source rounds, to thousandths of 10^9 or to hundredths of 10^6
        step = 1e4 if multiply_adds % 1e6 else 1e6
        assert abs(sizes["multiply_adds"] - multiply_adds) <= step / 2


def shapes_of(name, levels, shape, classes=10):
    """Return the output shape of every layer, by name, of one image on the meta device."""
    with torch.device("meta"):
        network = build(make_spec(name, **levels)["architecture"], shape, classes).eval()
        seen = {}
        for key, layer in network.named_modules():
            layer.register_forward_hook(lambda _, __, out, key=key: seen.__setitem__(key, tuple(out.shape[1:])))
        network(torch.empty(1, *shape))
    return seen


NOTES = (1, 224, 224)
# The output shapes that the study notes print: channels x side, or units, of the layers named.
PRINTED = {
    "lenet 28": (
        ("lenet", {}, (1, 28, 28)),
        "conv1 6x28, pool1 6x14, conv2 16x10, pool2 16x5, head.flatten 400, head.dense1 120, head.dense2 84, head 10",
    ),
    "lenet 32": (
        ("lenet", {"pooling": "max", "convolution_activation": False}, (1, 32, 32)),
        "conv1 6x28, pool1 6x14, conv2 16x10, pool2 16x5, head.flatten 400, head.dense1 120, head.dense2 84, head 10",
    ),
    "alexnet": (
        ("alexnet", {"groups": 1, "norm": "none"}, NOTES),
        "conv1 96x54, pool1 96x26, conv2 256x26, pool2 256x12, conv3 384x12, conv4 384x12, conv5 256x12, pool5 256x5, "
        "head.flatten 6400, head.dense1 4096, head.dense2 4096, head 10",
    ),
    "alexnet, half width": (
        ("alexnet", {"groups": 1, "width": 48, "hidden": 2048, "norm": "none"}, (3, 227, 227), 1000),
        "conv1 48x55, pool1 48x27, conv2 128x27, pool2 128x13, conv3 192x13, conv4 192x13, conv5 128x13, pool5 128x6, "
        "head.dense1 2048, head.dense2 2048, head 1000",
    ),
    "alexnet, the paper's": (
        ("alexnet", {}, (3, 227, 227), 1000),
        "conv1 96x55, pool1 96x27, conv2 256x27, pool2 256x13, conv3 384x13, conv4 384x13, conv5 256x13, pool5 256x6",
    ),
    "nin": (
        ("nin", {}, NOTES),
        "block1 96x54, pool1 96x26, block2 256x26, pool2 256x12, block3 384x12, pool3 384x5, block4 10x5, head 10",
    ),
    "googlenet": (
        ("googlenet", {}, NOTES),
        "body.conv1 64x112, body.pool1 64x56, body.conv2 64x56, body.conv3 192x56, body.pool2 192x28, "
        "body.inception3a 256x28, body.inception3b 480x28, body.pool3 480x14, body.inception4a 512x14, "
        "body.inception4b 512x14, body.inception4c 512x14, body.inception4d 528x14, body.inception4e 832x14, "
        "body.pool4 832x7, body.inception5a 832x7, body.inception5b 1024x7, body.head.average 1024, body.head 10",
    ),
    "densenet": (
        ("densenet", {"plan": "4-4-4-4", "bottleneck": False}, NOTES),
        "stem 64x112, stem_pool 64x56, dense1_4 192x56, transition1.unit 96x56, transition1 96x28, dense2_4 224x28, "
        "transition2 112x14, dense3_4 240x14, transition3 120x7, dense4_4 248x7, head.average 248, head 10",
    ),
    "resnet18": (
        ("resnet", {"depth": 18}, NOTES),
        "stem 64x112, stem_pool 64x56, block1_2 64x56, block2_2 128x28, block3_2 256x14, block4_2 512x7, head 10",
    ),
    "vgg11": (
        ("vgg", {"depth": 11}, NOTES),
        "pool1 64x112, pool2 128x56, pool3 256x28, pool4 512x14, pool5 512x7, head.dense1 4096, head 10",
    ),
    # Szegedy et al. 2016, table 1.
    "inception_v3": (
        ("inception_v3", {}, (3, 299, 299), 1000),
        "body.conv1 32x149, body.conv2 32x147, body.conv3 64x147, body.pool1 64x73, body.mixed5b 256x35, "
        "body.mixed5d 288x35, body.mixed6e 768x17, body.mixed7a 1280x8, body.mixed7c 2048x8, body.head 1000",
    ),
    # Ioffe and Szegedy 2015, figure 5.
    "inception_bn": (
        ("inception_bn", {}, PAPER, 1000),
        "conv1 64x112, pool1 64x56, conv3 192x56, pool2 192x28, inception3a 256x28, inception3b 320x28, "
        "inception3c 576x14, inception4a 576x14, inception4d 576x14, inception4e 1024x7, inception5b 1024x7",
    ),
    # Szegedy et al. 2017, figures 10 to 14.
    "inception_resnet": (
        ("inception_resnet", {}, (3, 299, 299), 1000),
        "conv5 192x71, conv6 256x35, block_a5 256x35, reduction_a 896x17, block_b10 896x17, reduction_b 1792x8, "
        "block_c5 1792x8, head.average 1792",
    ),
}


@pytest.mark.parametrize("case", PRINTED)
def test_shapes_are_those_that_the_sources_print(case):
    network, printed = PRINTED[case]
    shapes = shapes_of(*network)
    for layer in printed.split(", "):
        name, _, text = layer.partition(" ")
        channels, *side = map(int, text.split("x"))
        assert shapes[name] == (channels, *side * 2), name
