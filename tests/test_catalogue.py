"""Every architecture with every level of every factor, from the catalogue: an addition is tested by itself."""

import inspect
import pkgutil
import subprocess
import sys
from dataclasses import fields

import pytest
import torch
from conftest import SMALL, make_spec, small_network
from torch import nn

from ablation.architectures import CATALOGUE
from ablation.initialisation import initialise
from ablation.layers import LEVELS, Layers
from ablation.plan import layer_levels
from ablation.study import Recipe

CASES = [
    (name, factor, level)
    for name, entry in CATALOGUE.items()
    for factor, reference in entry.layers.items()
    for level in LEVELS[factor]
    if level != reference
]


def initialised(name, seed=0, **levels):
    network = small_network(name, **levels)
    chosen = {**CATALOGUE[name].layers, **levels}
    initialise(network, seed, LEVELS["initialisation"][chosen["initialisation"]])
    return network


def images():
    return torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_levels_are_read_without_importing_torch():
    assert layer_levels() == {factor: tuple(levels) for factor, levels in LEVELS.items()}
    code = "import sys, ablation.studyfile, ablation.shards, ablation.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue_states_what_the_builder_takes(name):
    entry = CATALOGUE[name]
    signature = inspect.signature(pkgutil.resolve_name(entry.builder))
    assert {p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY} == set(entry.arguments)
    assert set(entry.layers) <= {f.name for f in fields(Layers)} | {"initialisation"}
    assert all(level in LEVELS[factor] for factor, level in entry.layers.items())
    assert entry.refuse(entry.arguments) is None
    assert name in SMALL, "tests build every architecture in a small form: say which in conftest.SMALL"


def test_factor_names_do_not_collide_with_the_recipe():
    for entry in CATALOGUE.values():
        names = [*entry.layers, *entry.arguments, *Recipe.model_fields]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 28, 28)])
def test_every_architecture_takes_any_input(name, shape):
    from ablation.networks import build

    network = build(make_spec(name, **SMALL[name])["architecture"], shape, 7)
    assert network(torch.randn(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize(("name", "factor", "level"), CASES)
def test_level_changes_the_network_and_keeps_it_sound(name, factor, level):
    reference = CATALOGUE[name].layers[factor]
    baseline, variant = (initialised(name, **{**SMALL[name], factor: chosen}) for chosen in (reference, level))
    x = images()
    out = variant.train()(x)
    assert out.shape == (16, 10)
    assert torch.isfinite(out).all()
    # The draws of dropout must not pass for a difference.
    assert not torch.equal(baseline.eval()(x), variant.eval()(x)), "a level that changes nothing is a bug"
    out.square().sum().backward()
    orphans = [key for key, parameter in variant.named_parameters() if parameter.grad is None]
    assert not orphans, "parameters without gradient"


@pytest.mark.parametrize(("name", "factor", "level"), [case for case in CASES if case[1] != "initialisation"])
def test_level_shares_all_that_it_does_not_touch(name, factor, level):
    reference = CATALOGUE[name].layers[factor]
    baseline, variant = (
        dict(initialised(name, **{**SMALL[name], factor: chosen}).named_parameters()) for chosen in (reference, level)
    )
    shared = [key for key in baseline if key in variant and baseline[key].shape == variant[key].shape]
    assert all(torch.equal(baseline[key], variant[key]) for key in shared)
    weights = [key for key in baseline if key.endswith("weight") and baseline[key].dim() > 1]
    if factor != "residual":
        assert set(weights) <= set(shared)
    else:
        assert {key for key in weights if ".join." not in key} <= set(shared)


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if "norm" in entry.layers])
@pytest.mark.parametrize("level", LEVELS["norm"])
def test_biases_follow_the_norm(name, level):
    network = small_network(name, **{**SMALL[name], "norm": level})
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm | nn.GroupNorm)]
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert bool(norms) == (level != "none")
    assert all((conv.bias is not None) == (level == "none") for conv in convolutions)


def test_none_leaves_no_projection():
    joined = small_network("resnet_cifar", residual="projection")
    plain = small_network("resnet_cifar", residual="none")
    assert [key for key, _ in joined.named_parameters() if "projection" in key]
    assert not [key for key, _ in plain.named_parameters() if "join" in key]


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("vgg", {"depth": 12}, "depth must be 11, 13, 16 or 19"),
        ("vgg", {"dropout": 1.0}, "dropout must be below 1"),
        ("resnet_cifar", {"depth": 21}, "depth must be 6n + 2"),
        ("resnet_cifar", {"depth": 2}, "depth must be 6n + 2"),
        ("densenet_cifar", {"depth": 12}, "depth must be 3n + 4"),
        ("densenet_cifar", {"depth": 13, "bottleneck": True}, "with bottleneck 6n + 4"),
        ("densenet_cifar", {"compression": 0.0}, "compression must be above 0"),
        ("densenet_cifar", {"dropout": 1.5}, "dropout must be below 1"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(name, arguments, reason):
    assert reason in CATALOGUE[name].refuse({**CATALOGUE[name].arguments, **arguments})
