"""Networks against what their sources say beyond sizes: where dropout, norms and biases stand."""

import pytest
import torch
from specs import make_spec
from torch import nn
from torch.nn import functional

from ablation.networks.build import build
from ablation.networks.sizes import measure
from ablation.study.studyfile import read_study


def made(name, shape=(1, 16, 16), **levels):
    return build(make_spec(name, **levels)["architecture"], shape, 10)


def executed(network, shape):
    """List the modules without parts, in the order in which they run."""
    seen = []
    for module in network.modules():
        if not any(module.children()):
            module.register_forward_hook(lambda module, *_: seen.append(module))
    network(torch.randn(2, *shape))
    return seen


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("densenet_cifar", {"depth": 10}),
        ("densenet_cifar", {"depth": 16, "bottleneck": True, "compression": 0.5}),
        ("densenet_cifar", {"depth": 10, "dense_connections": False}),
        ("densenet", {"plan": "2-1-1", "channels": 8, "stem": "published"}),
        ("densenet", {"plan": "2-1-1", "channels": 8, "bottleneck": False}),
    ],
)
def test_densenet_drops_after_every_convolution_but_the_stem(name, levels):
    shape = (1, 32, 32)
    modules = executed(made(name, shape, growth_rate=4, dropout=0.2, **levels), shape)
    after = [modules[place + 1] for place, module in enumerate(modules) if isinstance(module, nn.Conv2d)]
    assert not isinstance(after[0], nn.Dropout)
    assert len(after) > 4
    assert all(isinstance(module, nn.Dropout) and module.p == 0.2 for module in after[1:])
    assert sum(isinstance(module, nn.Dropout) and module.p > 0 for module in modules) == len(after) - 1


def preactivated(block, x, changes_shape, norm):
    """Compute a unit of He et al. 2016 from the weights of one of ours: figure 4, (d) or (e), and the authors' code."""
    first = functional.relu(norm(x)) if norm else functional.relu(x)
    branch = first
    for name, unit in block.branch.named_children():
        branch = branch if name == "before" else unit(branch)
    return branch + (
        block.join.projection.conv(first[..., :: block.join.stride, :: block.join.stride]) if changes_shape else x
    )


@pytest.mark.parametrize("placement", ["pre", "activation_first"])
@pytest.mark.parametrize("bottleneck", [False, True])
def test_units_that_change_the_shape_share_their_first_activation(placement, bottleneck):
    depth = 29 if bottleneck else 20
    network = made(
        "resnet_cifar", placement=placement, residual="projection", bottleneck=bottleneck, depth=depth, width=4
    )
    blocks = {name: module for name, module in network.named_children() if name.startswith("block")}
    inputs, changing = {}, []
    for name, block in blocks.items():
        block.register_forward_hook(lambda _, x, out, name=name: inputs.__setitem__(name, (x[0], out)))
    with torch.no_grad():
        network(torch.randn(4, 1, 16, 16))
        for name, block in blocks.items():
            x, out = inputs[name]
            changes = x.shape != out.shape
            norm = dict((block.shared if changes else block.branch.before).named_children()).get("norm")
            assert (norm is not None) == (placement == "pre")
            torch.testing.assert_close(out, preactivated(block, x, changes, norm))
            changing += [name] * changes
            assert not [key for key, _ in block.join.named_modules() if "norm" in key]
    assert changing == [f"block{stage}_1" for stage in ((1, 2, 3) if bottleneck else (2, 3))]


def test_where_the_branch_does_not_count_the_shared_activation_does():
    images, answers = torch.randn(4, 1, 16, 16), []
    for placement in ("post", "pre"):
        torch.manual_seed(0)
        network = made("resnet_cifar", depth=8, width=4, residual="shortcut_only", placement=placement)
        answers.append(network(images))
    assert not torch.allclose(*answers)


# --- Dive into Deep Learning: batch-norm LeNet (section 8.5), ResNet-18 (8.6) and DenseNet (8.7) ---


def normed(cin, cout, *geometry):
    return nn.Sequential(nn.Conv2d(cin, cout, *geometry), nn.BatchNorm2d(cout))


def lenet_of_the_book():
    convolved = [layer for fans in ((1, 6), (6, 16)) for layer in (normed(*fans, 5), nn.Sigmoid(), nn.AvgPool2d(2))]
    sizes = ((256, 120), (120, 84))
    dense = [layer for fans in sizes for layer in (nn.Linear(*fans), nn.BatchNorm1d(fans[1]), nn.Sigmoid())]
    return nn.Sequential(*convolved, nn.Flatten(), *dense, nn.Linear(84, 10))


class UnitOfTheBook(nn.Module):
    """Two convolutions with norms, and a projection without one where the shape changes."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.first, self.second = normed(cin, cout, 3, stride, 1), normed(cout, cout, 3, 1, 1)
        self.shortcut = nn.Conv2d(cin, cout, 1, stride) if cin != cout else nn.Identity()

    def forward(self, x):
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


def stem_of_the_book():
    return [normed(1, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]


def resnet_of_the_book():
    stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
    units = [
        unit
        for cin, cout, stride in stages
        for unit in (UnitOfTheBook(cin, cout, stride), UnitOfTheBook(cout, cout, 1))
    ]
    return nn.Sequential(*stem_of_the_book(), *units, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class DenseUnitOfTheBook(nn.Sequential):
    """Norm, activation and convolution, whose maps join those that came in."""

    def __init__(self, cin):
        super().__init__(nn.BatchNorm2d(cin), nn.ReLU(), nn.Conv2d(cin, 32, 3, padding=1))

    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


def densenet_of_the_book():
    layers, channels = stem_of_the_book(), 64
    for block in range(4):
        for _ in range(4):
            layers.append(DenseUnitOfTheBook(channels))
            channels += 32
        if block < 3:
            layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1), nn.AvgPool2d(2)]
            channels //= 2
    layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*layers)


BOOK = """\
title: The networks of Dive into Deep Learning
question: What do they come to?
data: {{name: fashion_mnist, side: {side}, validation: 0, standardised: false}}
recipe: {{epochs: 10, batch_size: 256, lr: 0.1}}
architectures:
  network: {architecture}
seeds: 1
smallest_effect: 0.01
"""
# The architecture as a study states it, the side in pixels, parameters, multiply-adds, and the network itself.
BOOKS = {
    "lenet": (
        "{builder: lenet, baseline: {norm: batch, bias: kept, padding: none}}",
        28,
        44_878,
        281_640,
        lenet_of_the_book,
    ),
    "resnet18": (
        "{builder: resnet, baseline: {depth: 18, residual: bare_projection, bias: kept}}",
        96,
        11_178_378,
        318_657_536,
        resnet_of_the_book,
    ),
    "densenet": (
        "{builder: densenet, baseline: {plan: 4-4-4-4, bottleneck: false, bias: kept}}",
        96,
        758_226,
        129_077_168,
        densenet_of_the_book,
    ),
}


@pytest.mark.parametrize("name", BOOKS)
def test_the_networks_of_the_textbook_are_expressible_exactly(name, tmp_path):
    architecture, side, parameters, multiply_adds, theirs = BOOKS[name]
    (tmp_path / "book.yaml").write_text(BOOK.format(side=side, architecture=architecture))
    spec = read_study(tmp_path / "book.yaml").variants["network"].architecture_spec()
    assert measure(spec, (1, side, side), 10) == {"parameters": parameters, "multiply_adds": multiply_adds}
    ours, theirs = build(spec, (1, side, side), 10), theirs()
    with torch.no_grad():
        for parameter, published in zip(ours.parameters(), theirs.parameters(), strict=True):
            if published.dim() == 1:  # gains of one and shifts of zero would hide a norm in the wrong place
                published.uniform_(0.5, 1.5)
            parameter.copy_(published)
        images = torch.rand(2, 1, side, side)
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)
