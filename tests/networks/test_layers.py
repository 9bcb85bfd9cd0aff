"""What single layers compute, against what their sources say: windows of poolings, groups of norms, fans of weights."""

import math

import pytest
import torch
from specs import make_spec
from torch import nn

from ablation.catalogue.entry import NetworkError
from ablation.networks import pooling
from ablation.networks.build import build
from ablation.networks.initialisation import initialise
from ablation.networks.kit import Layers, make_level
from ablation.networks.norms import PER_GROUP, group_norm, layer_norm
from ablation.networks.randomness import stream
from ablation.networks.sizes import measure

GEOMETRIES = [  # of the catalogue's poolings
    pooling.Geometry(2, 2),
    pooling.Geometry(3, 2),
    pooling.Geometry(3, 2, padding=1),
    pooling.Geometry(3, 2, ceil=True),
    pooling.Geometry(2, 2, ceil=True),
]
REDUCE = {
    "maximum": lambda values: values.max(),
    "average": lambda values: values.mean(),
    "strided": lambda values: values.sum(),  # by a kernel of ones
}


def windows(side, geometry, kernel):
    """List the pixels of each window: those of the pooling itself, or of another size around the same centres."""
    start = (geometry.kernel - kernel) // 2 - geometry.padding
    first = [start + position * geometry.stride for position in range(geometry.output(side))]
    return [[pixel for pixel in range(at, at + kernel) if 0 <= pixel < side] for at in first]


@pytest.mark.parametrize("side", [7, 8, 11, 14])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("kind", REDUCE)
def test_every_pooling_sees_the_same_windows(kind, kernel, geometry, side):
    pool = getattr(pooling, kind)(1, geometry, kernel, Layers(activation=nn.Identity))
    for layer in pool.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
    image = torch.randn(side, side + 1, generator=torch.Generator().manual_seed(0)).double()
    rows, columns = (windows(length, geometry, kernel) for length in image.shape)
    expected = torch.stack([torch.stack([REDUCE[kind](image[r][:, c]) for c in columns]) for r in rows])
    with torch.no_grad():
        torch.testing.assert_close(pool.double()(image[None, None])[0, 0], expected)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("side", [7, 8, 14])
def test_the_output_has_the_side_of_the_pooling_that_is_replaced(geometry, side):
    kernel, stride, padding, ceil = geometry
    assert (
        geometry.output(side)
        == nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)(torch.zeros(1, 1, side, side)).shape[-1]
    )


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(512, 8), (64, 8), (32, 8), (24, 4), (16, 4), (12, 2), (8, 2), (7, 1), (6, 1), (4, 1), (1, 1), (84, 4), (120, 8)],
)
def test_groups_hold_several_channels(channels, groups):
    norm = group_norm(channels, 1e-5)
    assert norm.num_groups == groups
    assert groups == 1 or channels // groups >= PER_GROUP


@pytest.mark.parametrize("channels", [4, 6, 8, 12, 64])
@pytest.mark.parametrize("make", [group_norm, layer_norm])
@pytest.mark.parametrize("shape", [(1, 1), ()])
def test_a_norm_on_maps_of_one_pixel_still_tells_images_apart(make, channels, shape):
    images = torch.randn(5, channels, *shape, generator=torch.Generator().manual_seed(0))
    normed = make(channels, 1e-5)(images)
    assert normed.abs().max() > 0.5
    assert len(normed.flatten(1).unique(dim=0)) == 5


@pytest.mark.parametrize("shape", [(1, 1, 1), (1,)])
@pytest.mark.parametrize("make", [group_norm, layer_norm])
def test_a_norm_of_a_single_value_is_refused(make, shape):
    with pytest.raises(NetworkError, match="each group of one value, which less its own mean is always zero"):
        make(1, 1e-5)(torch.zeros(2, *shape))
    assert make(1, 1e-5)(torch.randn(2, 1, 2, 1)).any()


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_a_network_with_such_a_norm_is_refused_when_its_size_is_asked(norm):
    with pytest.raises(NetworkError, match=r"lenet \(.*hidden 1,.*\): found a GroupNorm of 1 group on maps of 1"):
        measure(make_spec("lenet", hidden=1, norm=norm)["architecture"], (1, 28, 28), 10)


FANS = {"xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out), "kaiming_out": lambda fan_in, fan_out: 2 / fan_out}


def started(level, layer):
    network = nn.Sequential(layer)
    initialise(network, 0, make_level(make_spec(initialisation=level)["architecture"]["layers"]["initialisation"]))
    return layer.weight.detach()


@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("level", FANS)
def test_an_input_of_a_grouped_convolution_reaches_the_outputs_of_its_group_alone(level, groups):
    weight = started(level, nn.Conv2d(64, 128, 3, groups=groups))
    variance = FANS[level](9 * 64 / groups, 9 * 128 / groups)
    assert weight.var().item() == pytest.approx(variance, rel=0.05)


def test_each_group_is_orthogonal_by_itself():
    weight = started("orthogonal", nn.Conv2d(4, 32, 1, groups=2))  # more rows than columns: these are orthonormal
    for group in weight.flatten(1).chunk(2):
        torch.testing.assert_close(group.T @ group, torch.eye(2))


@pytest.mark.parametrize("level", ["xavier", "kaiming_out", "orthogonal"])
def test_a_convolution_without_groups_starts_as_torch_has_it(level):
    torchs = {
        "xavier": nn.init.xavier_uniform_,
        "kaiming_out": lambda weight, generator: nn.init.kaiming_normal_(
            weight, mode="fan_out", nonlinearity="relu", generator=generator
        ),
        "orthogonal": nn.init.orthogonal_,
    }
    weight = started(level, nn.Conv2d(3, 8, 3))
    expected = torchs[level](torch.empty_like(weight), generator=stream(0, "initialisation", "0.weight"))
    assert torch.equal(weight, expected)


def test_the_half_networks_of_alexnet_start_as_one_alone_would():
    """Two groups are two networks side by side (Krizhevsky et al. 2012, section 3.5): the spread is that of one."""
    half, whole = (
        build(make_spec("alexnet", width=48 * n, groups=n, hidden=16)["architecture"], (1, 16, 16), 10) for n in (1, 2)
    )
    for network in (half, whole):
        initialise(
            network, 0, make_level(make_spec(initialisation="xavier")["architecture"]["layers"]["initialisation"])
        )
    for name in ("conv2", "conv4", "conv5"):
        stds = [getattr(network, name).conv.weight.std().item() for network in (half, whole)]
        assert math.isclose(*stds, rel_tol=0.02)
