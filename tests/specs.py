"""Specs of runs for tests: a small form of each architecture, and another value of each argument."""

import functools

from ablation.catalogue.architectures import CATALOGUE
from ablation.catalogue.catalogue import OURS
from ablation.data import datasets
from ablation.jobs.subjects import Subject
from ablation.networks.build import build
from ablation.study.schema import Data, Recipe
from ablation.study.specs import architecture_spec, code_spec, diagnostics_spec

DIGITS = Data(name="digits").model_dump()


def make_spec(name="lenet", seed=0, recipe=None, diagnostics=(), **levels):
    """A run's spec with the catalogue's reference levels, except those given."""
    entry = CATALOGUE[name]
    chosen = {**entry.references, **levels}
    entries = Recipe(**{"epochs": 2, "batch_size": 64, "lr": 0.05, **(recipe or {})}).model_dump()
    return {
        "architecture": architecture_spec(OURS, name, chosen),
        "recipe": entries,
        "code": code_spec(OURS, entries),
        "data": DIGITS,
        "seed": seed,
        "warm_start": None,
        "diagnostics": diagnostics_spec(OURS, chosen.get("activation"), diagnostics),
    }


def make_shard(*specs, variant="lenet", **options):
    """The frozen spec of a shard with some runs of one variant."""
    return {"runs": [{"variant": variant, "spec": spec} for spec in specs], **options}


# A form of each architecture that tests can build in no time.
SMALL = {
    "lenet": {"activation": "relu"},
    "alexnet": {"width": 8, "hidden": 16, "norm": "batch"},
    "vgg": {"depth": 16, "width": 4, "hidden": 16},
    "vgg_plan": {"plan": "3x1 3x2", "width": 4, "hidden": 16},
    "nin": {"width": 6},
    "nin_cifar": {"width": 12},
    "googlenet": {"width": 8, "blocks": "1-1-1"},
    "inception_bn": {"width": 8},
    "inception_v3": {"width": 4},
    "inception_resnet": {"width": 4, "blocks": "1-1-1"},
    "resnet": {"width": 4},
    "resnet_cifar": {"depth": 8, "width": 4},
    "densenet": {"plan": "2-2-2-2", "growth_rate": 4, "channels": 8},
    "densenet_cifar": {"depth": 10, "growth_rate": 4},
}
# Another value of each argument that is neither a choice nor true or false.
OTHER = {
    "lenet": {"width": 3, "hidden": 20},
    "alexnet": {"width": 4, "hidden": 8, "dropout": 0.2, "normalised": 5},
    "vgg": {"width": 2, "hidden": 8, "dropout": 0.2, "dilation": 2},
    "vgg_plan": {"plan": "1x1 3x2", "width": 2, "hidden": 8, "dropout": 0.2, "dilation": 2},
    "nin": {"width": 3, "dropout": 0.2},
    "nin_cifar": {"width": 6, "dropout": 0.2},
    "googlenet": {"width": 4, "blocks": "2-1-1", "first_reduction": 32, "dropout": 0.2},
    "inception_bn": {"width": 4, "dropout": 0.2},
    "inception_v3": {"width": 8, "dropout": 0.2},
    "inception_resnet": {"width": 8, "blocks": "1-2-1", "branch_scale": 1.0, "dropout": 0.5},
    "resnet": {"width": 2},
    "resnet_cifar": {"depth": 14, "width": 2, "dilation": 2},
    "densenet": {
        "plan": "2-2-3-2",
        "growth_rate": 2,
        "channels": 4,
        "compression": 0.75,
        "dropout": 0.2,
    },
    "densenet_cifar": {"depth": 13, "growth_rate": 2, "compression": 0.5, "dropout": 0.2},
}
# What else must hold for a level to make sense.
GIVEN = {
    "resnet_cifar": {"bottleneck": {"depth": 20}},
}


def small_network(name, side=16, **levels):
    spec = make_spec(name, **{**SMALL[name], **levels})
    return build(spec["architecture"], (1, side, side), 10)


@functools.cache
def prepared_digits():
    return datasets.prepare(DIGITS)


# A study file that is right.
GOOD = """\
title: A title
question: A question?
data: {name: digits}
recipe: {epochs: 3, batch_size: 64, lr: 1e-1}
architectures:
  lenet: {baseline: {activation: relu}}
  resnet: {builder: resnet_cifar, baseline: {depth: 8, width: 8}}
grid:
  - architectures: [lenet]
    factors: {activation: [sigmoid, tanh], norm: [batch]}
  - architectures: [resnet]
    factors: {residual: [none], lr: [0.01]}
seeds: 3
smallest_effect: 0.01
"""

# What the mistakes of the notes keep from learning, which is just what is wrong with them.
UNTRAINED = {("residual", "shortcut_only"): (".branch", ".projection."), ("dense_layer", "detached"): ("head.dense",)}

SUBJECTS = {
    name: Subject(name, entry, SMALL.get(name, {}), OTHER.get(name, {}), GIVEN.get(name, {}), UNTRAINED)
    for name, entry in CATALOGUE.items()
}
