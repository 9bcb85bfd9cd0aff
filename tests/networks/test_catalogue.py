"""Every architecture with every level of every factor, from the catalogue: an addition is tested by itself."""

import subprocess
import sys
from dataclasses import fields

import pytest
import torch
from specs import SMALL, SUBJECTS, small_network
from torch import nn

from ablation.catalogue.architectures import CATALOGUE, FAMILIES
from ablation.catalogue.entry import INEFFECTIVE, SMALL_SIDE
from ablation.catalogue.factors import FACTORS
from ablation.jobs import checks
from ablation.jobs.subjects import SIDE, level_cases
from ablation.networks.initialisation import initialise
from ablation.networks.kit import Layers, make_level
from ablation.networks.norms import LocalResponseNorm
from ablation.networks.scaling import has_small_stem
from ablation.study.schema import Recipe

LEVELS = {factor: entry.levels for factor, entry in FACTORS.items()}
LEVEL_CASES = [(name, factor, level) for name, subject in SUBJECTS.items() for factor, level in level_cases(subject)]
# `check_gradients` belongs to each level, and the training to tests/training.
CHECKS = [check for check in checks.WHOLE if check not in (checks.check_gradients, checks.check_resume)]


def initialised(name, seed=0, **levels):
    network = small_network(name, **levels)
    chosen = {**CATALOGUE[name].layers, **levels}
    initialise(network, seed, make_level(LEVELS["initialisation"][chosen["initialisation"]].spec()))
    return network


def images():
    return torch.randn(8, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


class Scaled(nn.Module):
    """A layer of one's own that says how it starts."""

    def __init__(self, *shape):
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(shape))

    def reset_parameters(self):
        nn.init.ones_(self.gain)


def test_a_layer_of_vectors_starts_by_its_own_word_and_one_of_matrices_is_refused():
    layer = Scaled(3)
    initialise(layer, 0, make_level(LEVELS["initialisation"]["kaiming"].spec()))
    assert layer.gain.tolist() == [1, 1, 1]
    for layer in (Scaled(3, 3), nn.ConvTranspose2d(2, 2, 3)):
        with pytest.raises(TypeError, match=r"has parameters .* and no initialisation"):
            initialise(layer, 0, make_level(LEVELS["initialisation"]["kaiming"].spec()))


def test_levels_are_read_without_importing_torch():
    code = "import sys, ablation.study.studyfile, ablation.jobs.shards; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue_states_what_the_builder_takes(name):
    assert name in SMALL, "tests build every architecture in a small form: say which in specs.SMALL"
    assert checks.check_entry(SUBJECTS[name]) == []
    assert set(CATALOGUE[name].layers) <= {f.name for f in fields(Layers)} | {"initialisation"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_layer_factor_is_there_or_missing_with_a_reason(name):
    entry = CATALOGUE[name]
    assert not set(entry.layers) & set(entry.lacks)
    assert set(entry.layers) | set(entry.lacks) == set(LEVELS)
    assert all(len(reason) > 10 for reason in [*entry.lacks.values(), *entry.excluded.values()])
    for level in entry.excluded:
        factor, _, name = level.partition(".")
        assert factor in entry.layers
        assert name in LEVELS[factor]


def test_factor_names_do_not_collide_with_the_recipe():
    for entry in CATALOGUE.values():
        names = [*entry.layers, *entry.arguments, *Recipe.model_fields]
        assert len(names) == len(set(names))


def test_small_stems_begin_where_the_catalogue_says():
    assert has_small_stem("fit", SMALL_SIDE - 1)
    assert not has_small_stem("fit", SMALL_SIDE)
    assert all(entry.stem_side <= SMALL_SIDE for entry in CATALOGUE.values())


@pytest.mark.parametrize("name", CATALOGUE)
def test_layers_name_their_sources_where_the_catalogue_says_so(name):
    named = any(hasattr(layer, "sources") for layer in small_network(name, **SMALL[name]).modules())
    assert named == CATALOGUE[name].names_sources


def test_a_family_is_built_by_the_module_of_its_name():
    for name, family in FAMILIES.items():
        modules = {entry.builder.partition(":")[0] for entry in family.architectures.values()}
        assert modules == {f"ablation.networks.families.{name}"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_factors_without_effect_are_told_by_levels_that_exist(name):
    entry = CATALOGUE[name]
    for row in entry.no_effect:
        assert {row.factor, *row.when} <= set(entry.references)
    for row in (*INEFFECTIVE, *entry.no_effect):
        for factor, level in row.when.items():
            if factor in entry.layers:
                assert level in LEVELS[factor]
            elif factor in entry.arguments:
                argument = entry.arguments[factor]
                assert level in argument.choices or isinstance(level, type(argument.reference) | int)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_architecture_takes_any_input(name):
    assert checks.check_inputs(SUBJECTS[name]) == []
    # Two channels are none that anybody would have thought of; at 80 pixels, stems are the published ones.
    assert checks.check_inputs(SUBJECTS[name], inputs=[((2, 64, 64), 7), ((1, 80, 80), 7)]) == []


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
@pytest.mark.parametrize("name", CATALOGUE)
def test_every_architecture_passes_the_checks(name, check):
    assert check(SUBJECTS[name]) == []


@pytest.mark.parametrize(("name", "factor", "level"), LEVEL_CASES)
def test_level_changes_what_it_says_and_nothing_else(name, factor, level):
    assert checks.check_level(SUBJECTS[name], factor, level) == []
    assert checks.check_gradients(SUBJECTS[name], factor, level) == []


@pytest.mark.parametrize("std", [0.001, 0.01, 0.1])
def test_gaussian_has_its_standard_deviation(std):
    network = initialised("vgg", depth=11, width=8, hidden=512, initialisation=f"gaussian{std}")
    dense = network.head.dense2.linear
    assert dense.weight.std().item() == pytest.approx(std, rel=0.02)
    assert not dense.bias.any()


def test_half_zero_leaves_half_of_the_dense_weights_at_zero():
    weight = initialised("vgg", depth=11, width=8, hidden=512, initialisation="half_zero").head.dense2.linear.weight
    assert (weight == 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert weight[weight != 0].abs().min() >= 5
    assert weight.abs().max() <= 10


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if "norm" in entry.layers])
@pytest.mark.parametrize("level", LEVELS["norm"])
def test_biases_follow_the_norm(name, level):
    network = small_network(name, **{**SMALL[name], "norm": level, "norm_placement": "before"})
    kinds = nn.modules.batchnorm._BatchNorm | nn.GroupNorm | LocalResponseNorm
    assert any(isinstance(m, kinds) for m in network.modules()) == (level != "none")
    biased = [m.bias is not None for m in network.modules() if isinstance(m, nn.Conv2d)]
    if level in ("none", "lrn") or name in ("vgg", "vgg_plan"):
        assert all(biased)
    elif name == "alexnet":  # two convolutions are normalised, of five
        assert biased == [False, False, True, True, True]
    elif name == "inception_resnet":  # the projections of its blocks have no norm
        assert biased.count(True) == 3
    else:
        assert not any(biased)


def test_a_norm_after_the_activation_gives_the_bias_back():
    network = small_network("nin", **SMALL["nin"], norm="batch", norm_placement="after")
    assert all(m.bias is not None for m in network.modules() if isinstance(m, nn.Conv2d))
    names = [key for key, _ in network.block1.conv.named_children()]
    assert names == ["conv", "activation", "norm"]


def test_none_leaves_no_projection():
    joined = small_network("resnet_cifar", residual="projection")
    plain = small_network("resnet_cifar", residual="none")
    assert [key for key, _ in joined.named_parameters() if "projection" in key]
    assert not [key for key, _ in plain.named_parameters() if "join" in key]


def test_tied_layers_are_one_and_their_gradients_add_up():
    free, tied = (initialised("vgg_plan", **{**SMALL["vgg_plan"], "plan": "3x1", "tied": t}) for t in (False, True))
    assert tied.conv1_2.conv is tied.conv1_3.conv
    with torch.no_grad():
        free.conv1_3.conv.weight.copy_(free.conv1_2.conv.weight)
        free.conv1_3.conv.bias.copy_(free.conv1_2.conv.bias)
    for network in (free, tied):
        network.eval()(images()).square().sum().backward()
    both = free.conv1_2.conv.weight.grad + free.conv1_3.conv.weight.grad
    torch.testing.assert_close(tied.conv1_2.conv.weight.grad, both)


def test_an_auxiliary_classifier_joins_in_training_alone():
    network = small_network("googlenet", width=8, blocks="2-4-1", auxiliary=True)
    assert len(network.train()(images())) == 3
    assert network.eval()(images()).shape == (8, 10)


@pytest.mark.parametrize(
    ("name", "levels", "reason"),
    [
        ("vgg", {"dropout": 1.0}, "dropout must be below 1"),
        ("vgg", {"depth": 11, "kernel": 7}, "stack of 3 3x3 convolutions, which depth 11 does not have"),
        ("vgg", {"depth": 11, "tied": True}, "tied needs a stage of three convolutions"),
        ("vgg_plan", {"plan": "1x1 2"}, "plan must name stages"),
        ("vgg_plan", {"plan": "0x1"}, "plan must name stages"),
        ("resnet_cifar", {"depth": 21}, "depth must be 6n + 2"),
        ("resnet_cifar", {"depth": 2}, "depth must be 6n + 2"),
        ("resnet_cifar", {"depth": 14, "bottleneck": True}, "depth must be 9n + 2"),
        ("densenet_cifar", {"depth": 12}, "depth must be 3n + 4"),
        ("densenet_cifar", {"depth": 13, "bottleneck": True}, "with bottleneck 6n + 4"),
        ("densenet_cifar", {"compression": 0.0}, "compression must be above 0"),
        ("densenet_cifar", {"dropout": 1.5}, "dropout must be below 1"),
        ("densenet", {"plan": "6-x"}, "plan must name the layers of each block"),
        ("alexnet", {"normalised": 6}, "there are five convolutions"),
        ("alexnet", {"width": 9}, "a multiple of groups"),
        ("googlenet", {"blocks": "3-5-2"}, "at most 2-5-2"),
        ("inception_resnet", {"blocks": "5-5"}, "three stages"),
        ("resnet", {"residual": "bare_projection", "placement": "pre"}, "the same as projection with placement pre"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(name, levels, reason):
    entry = CATALOGUE[name]
    assert reason in entry.refuse({**entry.references, **levels})


@pytest.mark.parametrize(
    ("name", "levels", "factor"),
    [
        ("vgg", {"norm_placement": "after"}, "norm_placement"),
        ("vgg", {"dropped": "images", "dropout": 0.0}, "dropped"),
        ("vgg", {"head": "gap", "hidden": 8}, "hidden"),
        ("vgg", {"head": "gap", "dense_layer": "detached"}, "dense_layer"),
        ("alexnet", {"norm": "none", "normalised": 5}, "normalised"),
        ("resnet_cifar", {"residual": "none", "placement": "norm_after_join"}, "placement"),
        ("resnet", {"norm": "none", "bias": "kept"}, "bias"),
        ("densenet", {"norm": "lrn", "bias": "kept"}, "bias"),
        ("vgg", {"norm": "batch", "norm_placement": "after", "bias": "by_norm"}, "bias"),
        ("inception_resnet", {"norm_placement": "after", "bias": "kept"}, "bias"),
        ("lenet", {"padding": "none"}, "padding"),
        ("googlenet", {"reductions": False, "reduction_activation": False}, "reduction_activation"),
        ("googlenet", {"without": "5x5", "five_by_five": "3x3"}, "five_by_five"),
        ("googlenet", {"first_block": "inception_v3", "first_reduction": 18}, "first_reduction"),
        ("resnet", {"stem": "small"}, "stem"),
    ],
)
def test_what_would_change_nothing_is_named(name, levels, factor):
    entry = CATALOGUE[name]
    assert factor in entry.ineffective({**entry.references, **levels}, side=32)


@pytest.mark.parametrize(
    ("stem", "side", "same"),
    [
        ("small", 79, True),
        ("small", 80, False),
        ("published", 79, False),
        ("published", 80, True),
        ("small", None, False),
    ],
)
def test_a_stem_that_fit_chooses_too_changes_nothing(stem, side, same):
    entry = CATALOGUE["resnet"]
    assert ("stem" in entry.ineffective({**entry.references, "stem": stem}, side)) == same
