"""What is measured on a GPU: networks with their recipes, written out, for nothing but torch and numpy is at hand there."""

from typing import Any

import torch

from ablation.catalogue.catalogue import OURS
from ablation.networks.layertable import totals
from ablation.networks.sizes import inspect_or_say
from ablation.study.specs import architecture_spec, code_spec
from ablation.training.evaluation import Part

CLASSES = 10
# Every entry of `ablation.study.recipe.Recipe`, which needs pydantic; a test compares them.
RECIPE = {
    "epochs": 100_000,
    "batch_size": 128,
    "optimizer": "sgd",
    "lr": 0.01,
    "momentum": 0.9,
    "nesterov": False,
    "betas": (0.9, 0.999),
    "weight_decay": 1e-4,
    "label_smoothing": 0.0,
    "schedule": "constant",
    "milestones": (0.5, 0.75),
    "gamma": 0.1,
    "warm_start": "none",
    "warmup_epochs": 0.0,
    "augmentation": "none",
    "precision": "float32",
    "engine": "eager",
    "stop_stuck_after": 0,
}
# He et al. 2015, section 4.2: 64,000 steps of 128, the rate divided by 10 at half and at three quarters.
PUBLISHED = {
    **{"epochs": 182, "lr": 0.1, "schedule": "step", "milestones": (0.5, 0.75)},
    "augmentation": "crop4+flip",
}
# Name: builder, levels that differ from the catalogue's, shape of an image, recipe.
CASES: dict[str, tuple[str, dict[str, Any], tuple[int, int, int], dict[str, Any]]] = {
    "LeNet, 28x28": ("lenet", {"activation": "relu"}, (1, 28, 28), {}),
    "ResNet-20, 32x32": ("resnet_cifar", {"depth": 20}, (3, 32, 32), {"augmentation": "crop4+flip"}),
    "digits network, 8x8": ("resnet_cifar", {"depth": 8, "width": 8}, (1, 8, 8), {"batch_size": 64}),
}
# Whose bits are compared: a small form of each family, with what may be computed in no fixed order (pooling, norms).
FAMILIES: dict[str, tuple[str, dict[str, Any], tuple[int, int, int], dict[str, Any]]] = {
    "LeNet, average pooling": ("lenet", {"activation": "relu", "pooling": "average"}, (1, 28, 28), {}),
    "LeNet, max pooling, Adam": ("lenet", {"pooling": "max"}, (1, 28, 28), {"optimizer": "adam", "lr": 0.001}),
    "AlexNet": ("alexnet", {"width": 8, "hidden": 32}, (3, 32, 32), {}),
    "VGG, dropout": ("vgg", {"width": 4, "hidden": 16}, (3, 32, 32), {}),
    "NiN": ("nin_cifar", {"width": 12, "dropout": 0.0}, (3, 32, 32), {}),
    "GoogLeNet": ("googlenet", {"width": 8, "blocks": "1-1-1", "dropout": 0.0}, (3, 32, 32), {}),
    "ResNet-20": ("resnet_cifar", {"depth": 20}, (3, 32, 32), {"augmentation": "crop4+flip"}),
    "ResNet-20, bf16": ("resnet_cifar", {"depth": 20}, (3, 32, 32), {"precision": "bf16"}),
    "ResNet-20, every augmentation": (
        *("resnet_cifar", {"depth": 8}, (3, 32, 32)),
        {"augmentation": "translate4+flip+cutout8+colour20"},
    ),
    "DenseNet": ("densenet_cifar", {"depth": 10, "growth_rate": 4, "dropout": 0.0}, (3, 32, 32), {}),
}


def make_spec(
    case: tuple[str, dict[str, Any], tuple[int, int, int], dict[str, Any]], seed: int = 0, **recipe: Any
) -> dict[str, Any]:
    """Return the spec of a run, as the plan of a study states it."""
    builder, levels, _, own = case
    entries = {**RECIPE, **own, **recipe}
    chosen = {**OURS.architectures[builder].references, **levels}
    return {
        "architecture": architecture_spec(OURS, builder, chosen),
        "recipe": entries,
        "code": code_spec(OURS, entries),
        "seed": seed,
        "diagnostics": None,
        "warm_start": None,
    }


def make_parts(shape: tuple[int, int, int], images: int, device: torch.device) -> dict[str, Part]:
    """Return images without a meaning, the same ones every time; none for validation."""
    draw = torch.Generator().manual_seed(0)
    train = Part(
        torch.randn(images, *shape, generator=draw).to(device),
        torch.randint(CLASSES, (images,), generator=draw).to(device),
    )
    few = Part(train.images[:64], train.labels[:64])
    return {"train": train, "validation": Part(train.images[:0], train.labels[:0]), "test": few}


def multiply_adds(case: tuple[str, dict[str, Any], tuple[int, int, int], dict[str, Any]]) -> int:
    """Return the multiply-adds of inference on one image."""
    layers, why = inspect_or_say(make_spec(case)["architecture"], case[2], CLASSES)
    if why:
        raise ValueError(why)
    return totals(layers)["multiply_adds"]
