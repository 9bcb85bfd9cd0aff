"""Diagnostics: they leave no trace, their numbers are those of a plain computation, and they show what they are for."""

import math
from collections import OrderedDict

import pytest
import torch
from specs import make_spec
from torch import nn
from torch.nn import functional

from ablation.catalogue.catalogue import OURS
from ablation.catalogue.factors import FACTORS
from ablation.networks.kit import make_level
from ablation.study.specs import diagnostics_spec
from ablation.training.diagnostics import Probe, saturation
from ablation.training.objective import objective
from ablation.training.run import Run, train

CHOSEN = (0, 1, 3)
RECIPE = {"epochs": 3, "momentum": 0.9, "augmentation": "crop1"}


def weights(result):
    return torch.cat([value.flatten().double() for value in result.weights.values()])


def value(rows, layer, quantity, epoch=0):
    (found,) = (r["value"] for r in rows if (r["layer"], r["quantity"], r["epoch"]) == (layer, quantity, epoch))
    return found


def toy_probe(network, bounds=None, count=12, side=4):
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(count, 1, side, side, generator=generator), torch.arange(count) % 3
    return Probe(network, images, labels, functional.cross_entropy, 0, bounds)


@pytest.mark.parametrize(
    "spec",
    [
        make_spec("vgg", recipe=RECIPE, width=4, hidden=16, norm="batch", dropout=0.5),
        make_spec("densenet_cifar", recipe={**RECIPE, "optimizer": "adam", "lr": 0.003}, depth=10, growth_rate=4),
    ],
    ids=["sgd, batch norm and dropout", "adam, densenet"],
)
def test_a_diagnosed_run_trains_to_the_same_bits(spec, parts):
    plain, diagnosed = (
        train(spec, parts, 10),
        train({**spec, "diagnostics": diagnostics_spec(OURS, "relu", CHOSEN)}, parts, 10),
    )
    assert torch.equal(weights(plain), weights(diagnosed)), "with the running statistics among them"
    assert plain.diagnostics == []
    assert plain.timings["diagnostics_seconds"] == 0 < diagnosed.timings["diagnostics_seconds"]
    assert {row["epoch"] for row in diagnosed.diagnostics} == set(CHOSEN)


def test_a_measurement_leaves_no_trace():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3))
    network.eval()
    network[4].weight.grad = torch.ones(3, 8)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    probe = toy_probe(network)
    first = probe.measure(0)
    assert probe.measure(0) == first, "dropout draws the same every time"
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(layer.training or layer._forward_hooks or layer._forward_pre_hooks for layer in network.modules())
    assert network[0].weight.grad is None
    assert torch.equal(network[4].weight.grad, torch.ones(3, 8))


def test_a_resumed_run_keeps_its_rows(parts, tmp_path):
    spec = make_spec(activation="tanh", norm="batch", recipe=RECIPE, diagnostics=CHOSEN)
    first = Run(spec, parts, 10)
    first.epoch()
    torch.save(first.state(), tmp_path / "state.pt")
    resumed = train(spec, parts, 10, torch.load(tmp_path / "state.pt", weights_only=True))
    assert resumed.diagnostics == train(spec, parts, 10).diagnostics


def test_a_diverged_run_keeps_what_it_has(parts):
    spec = make_spec(activation="none", recipe={"lr": 1e4, "epochs": 5}, diagnostics=range(6))
    result = train(spec, parts, 10)
    assert result.status == "diverged"
    assert {row["epoch"] for row in result.diagnostics} >= {0}
    assert all(row["value"] is None or math.isfinite(row["value"]) for row in result.diagnostics)
    assert result.metrics["gradient_ratio"] is None


def test_gradients_and_updates_are_those_of_a_plain_computation():
    network = nn.Sequential(OrderedDict(a=nn.Conv2d(1, 2, 3), flat=nn.Flatten(), b=nn.Linear(8, 3)))
    probe = toy_probe(network)
    probe.remember()
    old = network.a.weight.detach().clone()
    with torch.no_grad():
        network.a.weight += 0.5
    rows = probe.measure(7)
    functional.cross_entropy(network(probe.images), probe.labels).backward()
    gradient = network.a.weight.grad
    assert value(rows, "a", "gradient_norm", 7) == pytest.approx(gradient.norm().item(), rel=1e-5)
    assert value(rows, "a", "gradient_rms", 7) == pytest.approx(gradient.square().mean().sqrt().item(), rel=1e-5)
    assert value(rows, "a", "weight_norm", 7) == pytest.approx(network.a.weight.norm().item(), rel=1e-5)
    assert value(rows, "a", "update_norm", 7) == pytest.approx(0.5 * math.sqrt(18), rel=1e-5)
    assert value(rows, "a", "update_ratio", 7) == pytest.approx(0.5 * math.sqrt(18) / old.norm().item(), rel=1e-5)
    assert value(rows, "b", "update_norm", 7) == 0
    assert not [row for row in probe.measure(8) if "update" in row["quantity"]], (
        "compared once with what was remembered"
    )


def test_depth_is_the_order_of_execution():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(4, 3), nn.Linear(16, 4)

        def forward(self, x):
            return self.last(self.first(x.flatten(1)))

    rows = toy_probe(Backwards()).measure(0)
    assert {row["layer"]: row["depth"] for row in rows} == {"first": 1, "last": 2}


@pytest.mark.parametrize(
    ("name", "inputs", "expected"),
    [
        ("sigmoid", [-4, -3.8, 0, 3.8, 4], [1, 0, 0, 0, 1]),
        ("tanh", [-2, -1.9, 0, 1.9, 2], [1, 0, 0, 0, 1]),
        ("relu", [-1, 0, 0.1], [1, 1, 0]),
        ("leaky_relu", [-1, 0, 0.1], [1, 1, 0]),
        ("gelu", [-4, -2, 0], [1, 0, 0]),
        ("silu", [-7, -5, 0], [1, 0, 0]),
    ],
)
def test_what_counts_as_saturated(name, inputs, expected):
    level, x = FACTORS["activation"].levels[name], torch.tensor(inputs, dtype=torch.float32)
    y = make_level(level.spec())()(x)
    found = [
        saturation(level.saturation_spec(), *(values[place].view(1, 1) for values in (x, y)))["saturated"].item()
        for place in range(len(inputs))
    ]
    assert found == expected


def test_every_activation_has_a_rule():
    levels = FACTORS["activation"].levels
    assert all(level.saturation for name, level in levels.items() if name != "none")


def test_a_unit_is_dead_if_it_is_saturated_everywhere():
    network = nn.Sequential(
        OrderedDict(conv=nn.Conv2d(1, 4, 1), act=nn.ReLU(), flat=nn.Flatten(), out=nn.Linear(64, 3))
    )
    with torch.no_grad():
        network.conv.weight.zero_()
        network.conv.bias.copy_(torch.tensor([-1.0, 1, 1, 1]))
        network.conv.weight[1] = -1.0
    bounds = diagnostics_spec(OURS, "relu", [0])["saturation"]
    rows = toy_probe(network, bounds).measure(0)
    assert value(rows, "act", "dead") == 0.25
    assert 0.25 < value(rows, "act", "saturated") < 0.5


def test_drift_is_the_distance_to_the_statistics_of_the_probe():
    network = nn.Sequential(nn.BatchNorm2d(1, momentum=None), nn.Flatten(), nn.Linear(16, 3))
    probe = toy_probe(network)
    rows = probe.measure(0)
    mean, variance = probe.images.mean().item(), probe.images.var().item()
    assert value(rows, "0", "mean_drift") == pytest.approx(abs(mean), rel=1e-4)
    assert value(rows, "0", "variance_drift") == pytest.approx(abs(math.log(variance)), rel=1e-3)
    network(probe.images)  # the running statistics become those of the probe
    assert value(probe.measure(0), "0", "mean_drift") == pytest.approx(0, abs=1e-6)
    assert value(probe.measure(0), "0", "variance_drift") == pytest.approx(0, abs=1e-6)


def test_weights_are_told_apart_by_source():
    network = nn.Sequential(OrderedDict(stem=nn.Conv2d(1, 5, 1), dense=nn.Sequential(nn.ReLU(), nn.Conv2d(5, 2, 1))))
    network.append(nn.Flatten()).append(nn.Linear(32, 3))
    network.dense.sources = (3, 2)
    with torch.no_grad():
        network.dense[1].weight[:, :3] = -0.5
        network.dense[1].weight[:, 3:] = 0.25
    rows = [row for row in toy_probe(network).measure(0) if row["kind"] == "source"]
    assert [(row["layer"], row["quantity"], row["value"]) for row in rows] == [
        ("dense", "source_0", 0.5),
        ("dense", "source_1", 0.25),
    ]


def test_auxiliary_classifiers_count_with_their_share():
    logits, labels = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3
    recipe = {"label_smoothing": 0.1}
    main, other = (functional.cross_entropy(part, labels, label_smoothing=0.1) for part in logits)
    assert torch.equal(objective(logits[0], labels, recipe), main)
    assert objective((logits[0], logits[1]), labels, recipe).item() == pytest.approx((main + 0.3 * other).item())


def ratio(parts, **levels):
    spec = make_spec("vgg", **{"depth": 19, "width": 4, "hidden": 16, "dropout": 0.0, **levels}, diagnostics=[0])
    run = Run(spec, parts, 10)
    run.epoch()
    return Probe.gradient_ratio(run.diagnosed)


def test_the_gradient_vanishes_in_a_deep_sigmoid_network_and_its_cure_is_seen(parts):
    sigmoid, cured = ratio(parts, activation="sigmoid"), ratio(parts, activation="relu", norm="batch")
    assert sigmoid < -8, "the first layer learns nothing"
    assert abs(cured) < 2
    assert ratio(parts, activation="sigmoid", norm="batch") > sigmoid + 6, "batch norm alone is most of the cure"


def test_a_vanished_gradient_has_a_ratio_and_a_missing_one_has_none():
    flow = [{"epoch": 0, "quantity": "gradient_rms", "value": number} for number in (0.0, 1.0)]
    assert Probe.gradient_ratio(flow) == pytest.approx(-37.9, abs=0.1)
    assert Probe.gradient_ratio(flow[::-1]) is None
    assert Probe.gradient_ratio([]) is None
