"""Published sizes. Sources: the papers' tables and official repositories; multiply-adds without bias additions."""

import pytest
from conftest import make_spec

from ablation.sizes import measure

PUBLISHED = [
    # architecture, levels, input, classes, parameters, multiply-adds
    ("lenet", {}, (1, 28, 28), 10, 61_706, 416_520),
    ("lenet", {}, (1, 32, 32), 10, 61_706, 416_520),
    ("vgg", {"depth": 11}, (3, 224, 224), 1000, 132_863_336, 7.609e9),
    ("vgg", {"depth": 13}, (3, 224, 224), 1000, 133_047_848, 11.308e9),
    ("vgg", {"depth": 16}, (3, 224, 224), 1000, 138_357_544, 15.470e9),
    ("vgg", {"depth": 19}, (3, 224, 224), 1000, 143_667_240, 19.632e9),
    ("resnet_cifar", {"depth": 20}, (3, 32, 32), 10, 269_722, 40.55e6),
    ("resnet_cifar", {"depth": 32}, (3, 32, 32), 10, 464_154, 68.86e6),
    ("resnet_cifar", {"depth": 44}, (3, 32, 32), 10, 658_586, 97.17e6),
    ("resnet_cifar", {"depth": 56}, (3, 32, 32), 10, 853_018, 125.49e6),
    ("resnet_cifar", {"depth": 110}, (3, 32, 32), 10, 1_727_962, 252.89e6),
    ("resnet_cifar", {"depth": 20, "residual": "none"}, (3, 32, 32), 10, 269_722, 40.55e6),
    ("resnet_cifar", {"depth": 20, "residual": "projection"}, (3, 32, 32), 10, 272_474, 40.81e6),
    ("resnet_cifar", {"depth": 56, "residual": "projection"}, (3, 32, 32), 10, 855_770, 125.75e6),
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
    digits = 3 if multiply_adds >= 1e8 and multiply_adds < 1e9 else 4
    assert f"{sizes['multiply_adds']:.{digits}g}" == f"{multiply_adds:.{digits}g}"
