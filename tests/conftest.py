import functools

import pytest
import torch

from ablation import datasets, training
from ablation.architectures import CATALOGUE
from ablation.networks import build
from ablation.study import Recipe

DIGITS = {"name": "digits", "validation": 0.2, "test": 0.2, "split_seed": 0}


def make_spec(name="lenet", seed=0, recipe=None, diagnostics=(), **levels):
    """A run's spec with the catalogue's reference levels, except those given."""
    entry = CATALOGUE[name]
    chosen = {**entry.layers, **entry.arguments, **levels}
    return {
        "architecture": {
            "builder": entry.builder,
            "layers": {factor: chosen[factor] for factor in entry.layers},
            "arguments": {factor: chosen[factor] for factor in entry.arguments},
        },
        "recipe": Recipe(**{"epochs": 2, "batch_size": 64, "lr": 0.05, **(recipe or {})}).model_dump(),
        "data": DIGITS,
        "seed": seed,
        "diagnostics": list(diagnostics),
    }


SMALL = {
    "lenet": {"activation": "relu"},
    "vgg": {"width": 4, "hidden": 16},
    "resnet_cifar": {"depth": 8, "width": 4},
    "densenet_cifar": {"depth": 10, "growth_rate": 4},
}


def small_network(name, **levels):
    spec = make_spec(name, **{**SMALL[name], **levels})
    side = CATALOGUE[name].smallest_side
    return build(spec["architecture"], (1, side, side), 10)


@functools.cache
def prepared_digits():
    return datasets.prepare(DIGITS)


@pytest.fixture(scope="session")
def digits():
    return prepared_digits()


@pytest.fixture(scope="session")
def parts(digits):
    torch.set_num_threads(1)
    arrays, manifest = digits
    everything = training.put_on_device(arrays, manifest, torch.device("cpu"))
    return {name: training.Part(part.images[:200], part.labels[:200]) for name, part in everything.items()}
