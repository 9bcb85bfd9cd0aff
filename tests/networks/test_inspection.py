"""Layer tables against values worked out by hand, and against the sizes that torch itself counts."""

from collections import OrderedDict

import pytest
import torch
from specs import SMALL, make_spec
from torch import nn
from torch.nn import functional

from ablation.catalogue.architectures import CATALOGUE
from ablation.networks import sizes
from ablation.networks.build import build
from ablation.networks.layertable import blocks, difference, fold, from_records, to_record, totals
from ablation.networks.layertext import TERMINAL, describe
from ablation.networks.sizes import inspect, inspect_all
from ablation.networks.tracing import kind_of, layer_table


def fields(network, shape=(3, 64, 64)):
    return [layer.receptive_field for layer in layer_table(network, shape)]


def square(*sides):
    return [(side, side) for side in sides]


class Block(nn.Module):
    """Any module from a function of its parts."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.parts, self.function = nn.ModuleDict(parts), forward

    def forward(self, x):
        return self.function(x, **self.parts)


def conv(kernel=3, stride=1, cin=3, cout=3, **others):
    others = {"padding": kernel // 2 if isinstance(kernel, int) else 0, **others}
    return nn.Conv2d(cin, cout, kernel, stride, **others)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([conv(3), conv(3), conv(3)], [3, 5, 7]),
        ([conv(3, 2), conv(3, 2), conv(3)], [3, 7, 15]),
        ([conv(7, 2), nn.MaxPool2d(3, 2, 1), conv(3)], [7, 11, 19]),  # the stem of an ImageNet ResNet
        ([conv(3), conv(3, dilation=2), conv(3, dilation=4)], [3, 7, 15]),
        ([conv(1), conv(5, stride=4), conv(1)], [1, 5, 5]),
        ([nn.AvgPool2d(2), nn.MaxPool2d(2), conv(3)], [2, 4, 12]),
        ([conv(3), nn.AdaptiveAvgPool2d(1), conv(3)], [3, 64, 64]),
        ([conv(3, 2), nn.AdaptiveAvgPool2d(8), conv(1)], [3, 9, 9]),  # windows of 4 x 4 positions, 2 pixels apart
        ([nn.ZeroPad2d(1), conv(3, padding=0)], [1, 3]),
    ],
)
def test_receptive_fields_of_chains(layers, expected):
    assert fields(nn.Sequential(*layers)) == square(*expected)


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (11, [3, 8, 18, 26, 46, 62, 102, 134]),
        (13, [3, 5, 10, 14, 24, 32, 52, 68, 108, 140]),
        (16, [3, 5, 10, 14, 24, 32, 40, 60, 76, 92, 132, 164, 196]),
    ],
)
def test_receptive_fields_of_vgg(depth, expected):
    table = inspect(make_spec("vgg", depth=depth)["architecture"], (3, 224, 224), 1000)
    found = [layer.receptive_field for layer in table if layer.kind.startswith("Conv")]
    assert found == square(*expected)
    # Araujo et al. 2019, table 1: VGG-16 sees 212 pixels after its last pooling. Dense layers see the image.
    after = {layer.name: layer.receptive_field for layer in table}
    assert after["pool5"] == {11: (150, 150), 13: (156, 156), 16: (212, 212)}[depth]
    assert after["head.classifier"] == (224, 224)


def test_receptive_fields_of_lenet():
    table = inspect(make_spec("lenet")["architecture"], (1, 28, 28), 10)
    kinds = ("Conv", "AvgPool", "Linear")
    assert [row.receptive_field[0] for row in table if row.kind.startswith(kinds)] == [5, 6, 14, 16, 28, 28, 28]


def test_where_paths_join_the_widest_counts():
    residual = Block(
        lambda x, first, second, shortcut: second(first(x)) + shortcut(x),
        first=conv(3, 2),
        second=conv(3),
        shortcut=conv(1, 2),
    )
    assert fields(nn.Sequential(residual, conv(3))) == square(3, 7, 1, 7, 11)
    inception = Block(
        lambda x, one, three, five, pool: torch.cat(
            [one(x), three(x), five(x), pool(functional.max_pool2d(x, 3, 1, 1))], 1
        ),
        one=conv(1),
        three=conv(3),
        five=conv(5),
        pool=conv(1),
    )
    table = layer_table(nn.Sequential(inception, nn.Conv2d(12, 4, 3, padding=1)), (3, 16, 16))
    assert [row.receptive_field for row in table] == square(1, 3, 5, 3, 5, 7)
    assert [row.kind for row in table] == ["Conv 1x1", "Conv 3x3", "Conv 5x5", "Conv 1x1", "Block", "Conv 3x3"]
    assert table[4].output == (12, 16, 16)


def test_paths_that_look_aside_are_seen_together():
    # One path sees the pixel to the left, the other that to the right: neither sees three pixels, their sum does.
    aside = Block(lambda x: functional.pad(x, (1, -1, 0, 0)) + functional.pad(x, (-1, 1, 0, 0)))
    assert fields(aside) == [(1, 3)]


def test_sides_may_differ():
    layers = nn.Sequential(conv((1, 7)), conv((7, 1)), conv((1, 3), stride=(1, 2)), conv((1, 3)))
    assert fields(layers) == [(1, 7), (7, 7), (7, 9), (7, 13)]


def test_what_is_averaged_sees_the_image_wherever_it_goes():
    gate = Block(lambda x, squeeze: x * torch.sigmoid(squeeze(x.mean((2, 3), keepdim=True))), squeeze=conv(1))
    assert fields(nn.Sequential(conv(3), gate)) == square(3, 64, 64)
    head = Block(lambda x, linear: linear(x.mean((2, 3))), linear=nn.Linear(3, 10))
    assert fields(nn.Sequential(conv(3), head)) == square(3, 64)
    strided = Block(lambda x: x[:, :, 1::2, 1::2])
    assert fields(nn.Sequential(strided, conv(3))) == square(1, 5)


def test_what_is_not_known_sees_all_that_it_might():
    zoomed = Block(lambda x: functional.interpolate(x, scale_factor=2))
    assert fields(nn.Sequential(conv(3), zoomed)) == square(3, 64)
    shuffled = Block(lambda x: x.view(2, 2, 2, 8, 8).transpose(1, 2).flatten(1, 2) + torch.zeros(1))
    assert fields(nn.Sequential(conv(3, cout=4), shuffled, conv(3, cin=4)), (3, 8, 8)) == square(3, 3, 5)


def test_what_never_reaches_a_layer_is_not_seen():
    dropped = Block(lambda x, branch: (branch(x), x)[1], branch=conv(5))
    assert fields(nn.Sequential(dropped, conv(1))) == square(5, 1)


def test_a_row_is_what_a_module_makes_itself():
    layers = nn.Sequential(
        OrderedDict(
            conv=conv(3),
            unit=nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)),
            nothing=nn.Dropout(0.0),
            dropout=nn.Dropout(0.5),
            add=Block(lambda x, conv: conv(x).add_(x), conv=conv(1)),
            flatten=nn.Flatten(),
        )
    )
    names = [layer.name for layer in layer_table(layers, (3, 4, 4))]
    assert names == ["conv", "unit.1", "dropout", "add.parts.conv", "add", "flatten"]


def test_multiply_adds_of_groups_and_strides():
    table = layer_table(
        nn.Sequential(conv(3, 2, 8, 16, groups=4, bias=False), nn.Flatten(), nn.Linear(64, 5)), (8, 4, 4)
    )
    assert [layer.multiply_adds for layer in table] == [16 * 2 * 2 * (3 * 3 * 2), 0, 64 * 5]
    assert [layer.parameters for layer in table] == [16 * 3 * 3 * 2, 0, 64 * 5 + 5]


def test_shared_parameters_count_once():
    shared = nn.Conv2d(3, 3, 1)
    twin = nn.Conv2d(3, 3, 1)
    twin.weight = shared.weight
    network = nn.Sequential(OrderedDict(a=Block(lambda x, conv: conv(conv(x)), conv=shared), b=twin))
    table = layer_table(network, (3, 4, 4))
    assert [layer.name for layer in table] == ["a.parts.conv", "a.parts.conv (2)", "b"]
    assert [layer.parameters for layer in table] == [12, 0, 3]
    assert totals(table) == {"parameters": 15, "multiply_adds": 3 * 144}


class WithAuxiliary(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.auxiliary = nn.Sequential(conv(3), nn.BatchNorm2d(3), nn.Flatten()), nn.Linear(48, 2)
        self.head = nn.Linear(48, 2)

    def forward(self, x):
        x = self.body(x)
        return (self.head(x), self.auxiliary(x)) if self.training else self.head(x)


def test_an_auxiliary_head_has_parameters_and_no_price():
    network = WithAuxiliary().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    table = layer_table(network, (3, 4, 4))
    assert [layer.name for layer in table if layer.training_only] == ["auxiliary"]
    assert totals(table) == {"parameters": 84 + 6 + 98 + 98, "multiply_adds": 16 * 81 + 96}
    assert totals(fold(table)) == totals(table)
    assert not network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_table_sums_to_what_torch_counts(name):
    side = CATALOGUE[name].smallest_side
    architecture = make_spec(name, **SMALL[name])["architecture"]
    table = inspect(architecture, (1, side, side), 10)
    network = build(architecture, (1, side, side), 10)
    assert totals(table)["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert totals(fold(table)) == totals(table)
    assert from_records(map(to_record, table)) == table
    assert len({layer.name for layer in table}) == len(table)
    assert max(map(len, describe(name, table, table).splitlines()[:-4])) <= TERMINAL


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (conv(3, 2), "Conv 3x3/2"),
        (conv((1, 7)), "Conv 1x7"),
        (conv(3, dilation=2), "Conv 3x3, dilation 2"),
        (conv(3, groups=3), "Conv 3x3, 3 groups"),
        (nn.MaxPool2d(3, 2), "MaxPool 3x3/2"),
        (nn.GroupNorm(1, 4), "GroupNorm, 1 group"),
        (nn.Dropout(0.25), "Dropout 0.25"),
        (nn.Linear(2, 3), "Linear"),
    ],
)
def test_kinds_are_readable(layer, text):
    assert kind_of(layer) == text


def small_table(**levels):
    return inspect(make_spec("resnet_cifar", **{**SMALL["resnet_cifar"], **levels})["architecture"], (1, 8, 8), 10)


def statuses(changes):
    return {status: [c.name for c in changes if c.status == status] for status in ("added", "removed", "changed")}


def test_differences_are_aligned_by_name():
    baseline, plain, deeper = small_table(), small_table(residual="none"), small_table(depth=14)
    assert {change.status for change in difference(baseline, baseline)} == {"same"}
    joins = [f"block{stage}_1.join" for stage in (1, 2, 3)]
    assert statuses(difference(plain, baseline)) == {"added": [], "removed": joins, "changed": []}
    places = [change.name for change in difference(plain, baseline)]
    assert places == [layer.name for layer in baseline], "what is gone stands where it was"
    found = statuses(difference(deeper, baseline))
    assert {name.split(".")[0] for name in found["added"]} == {"block1_2", "block2_2", "block3_2"}
    assert not found["removed"] + found["changed"], "a wider view alone makes no layer another one"


def test_a_changed_layer_says_what_changed():
    changes = {c.name: c for c in difference(small_table(norm="group"), small_table())}
    assert changes["stem.norm"].what == ("kind",)
    text = describe("x", small_table(norm="none"), small_table(), "resnet")
    assert "− stem.norm" in text
    assert "7 removed, 7 changed" in text  # with every norm that goes, the bias of a convolution comes back
    wide = {c.name: c for c in difference(small_table(width=8), small_table())}
    assert wide["stem.conv"].what == ("output", "parameters", "multiply_adds")
    assert wide["head.classifier"].what == ("parameters", "multiply_adds")


def test_networks_of_one_structure_are_traced_once(monkeypatch):
    specs = {
        f"{norm}, {start}": make_spec("resnet_cifar", **SMALL["resnet_cifar"], norm=norm, initialisation=start)
        for norm in ("batch", "group")
        for start in ("default", "orthogonal")
    }
    architectures = {name: spec["architecture"] for name, spec in specs.items()}
    expected = {name: (inspect(spec, (1, 8, 8), 10), "") for name, spec in architectures.items()}
    traced = []
    monkeypatch.setattr(sizes, "inspect", lambda *given: traced.append(given) or inspect(*given))
    assert inspect_all(architectures, (1, 8, 8), 10) == expected
    assert len(traced) == 2


def test_what_only_trains_otherwise_says_so():
    text = describe("x", small_table(), small_table(initialisation="orthogonal"), "resnet")
    assert "Every layer is as in resnet" in text


def test_blocks_go_down_where_the_top_says_nothing():
    trunk = nn.Sequential(OrderedDict(features=nn.Sequential(conv(3), nn.ReLU(), conv(3)), head=nn.Flatten()))
    assert [name for name, _ in blocks(layer_table(trunk, (3, 4, 4)))] == [
        "features.0",
        "features.1",
        "features.2",
        "head",
    ]
