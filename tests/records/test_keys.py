"""What a run's key counts: the definitions that its training goes through, and nothing else."""

import shutil
import sys
from pathlib import Path

import pytest
from specs import SMALL, make_spec

import ablation
from ablation.catalogue.architectures import CATALOGUE
from ablation.records.keys import RESOLVING, references, run_key, sources
from ablation.study.studyfile import read_study
from ablation.support.definitions import Sources
from ablation.support.references import resolve
from ablation.training.evaluation import Part
from ablation.training.run import train

PACKAGE = Path(ablation.__file__).parent
RECIPES = {
    "sgd": {"optimizer": "sgd", "momentum": 0.9, "schedule": "step", "augmentation": "crop2+flip"},
    "adam": {"optimizer": "adam", "schedule": "cosine", "augmentation": "translate2+cutout4", "warmup_epochs": 1},
    "adamw": {"optimizer": "adamw", "schedule": "linear", "augmentation": "colour20"},
}


def executed(work):
    """Run something and return the definitions of the package that were executed: (module, top-level name)."""
    found = set()

    def note(frame, event, argument):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)) and code.co_name != "<module>":
            module = ".".join(Path(code.co_filename).relative_to(PACKAGE.parent).with_suffix("").parts)
            found.add((module, code.co_qualname.split(".")[0]))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def full_spec(name, recipe, **more):
    levels = {**SMALL[name], "dropout": 0.5} if "dropout" in CATALOGUE[name].arguments else SMALL[name]
    return make_spec(name, recipe={"epochs": 1, **RECIPES[recipe]}, diagnostics=[0, 1], **{**levels, **more})


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_training_executes_nothing_of_ours_that_its_key_does_not_count(name, parts):
    few = {part: Part(whole.images[:70], whole.labels[:70]) for part, whole in parts.items()}
    spec = full_spec(name, sorted(RECIPES)[len(name) % 3], norm="batch")
    for reference in references(spec):
        resolve(reference)  # what happens when a module is imported is no training
    ran = executed(lambda: train(spec, few, 10))
    counted = sources().reached(references(spec))
    assert ("ablation.training.run", "Run") in ran
    assert ("ablation.training.diagnostics", "Probe") in ran
    assert {one for one in ran if one[0] not in RESOLVING} <= counted


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    copy = tmp_path_factory.mktemp("package") / "ablation"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def changes(package):
    """Edit a copy of the package and say whether the keys of some specs change; then take the edit back."""

    def change(file, old, new, *specs):
        path = package / file
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new, 1))
        try:
            edited = Sources(package, by_name=RESOLVING)
            return [run_key(spec, "data", edited) != run_key(spec, "data") for spec in specs]
        finally:
            path.write_text(before)

    return change


NEW_OPTIMIZER = ('    "adam": Option(', '    "asgd": Option("torch.optim:ASGD", ""),\n    "adam": Option(')
NEW_METRIC = ('    "test_loss": Metric(', '    "other": Metric("another one"),\n    "test_loss": Metric(')
NEW_LEVEL = (
    '        "tanh": Level(',
    '        "elu": Level("torch.nn:ELU", "An exponential below zero."),\n        "tanh": Level(',
)


@pytest.mark.parametrize(
    ("file", "old", "new", "lenet", "resnet"),
    [
        # reached by one, by both, by none
        ("networks/families/lenet.py", "KERNEL = 5", "KERNEL = 7", True, False),
        ("networks/families/resnet.py", "EXPANSION = 4", "EXPANSION = 2", False, True),
        ("networks/shortcuts.py", "return branch + self.shortcut(x)", "return self.shortcut(x) + branch", False, True),
        ("networks/norms.py", "BatchNorm(channels, eps=epsilon)", "BatchNorm(channels, epsilon, 0.2)", False, True),
        ("networks/norms.py", "SIZE, ALPHA, BETA, K = 5, 1e-4", "SIZE, ALPHA, BETA, K = 5, 1e-3", False, False),
        ("networks/kit.py", "dilation: int = 1,", "dilation: int = 2,", True, True),
        ("networks/stack.py", "torch.empty(2,", "torch.empty(3,", True, True),
        ("support/randomness.py", "digest_size=8", "digest_size=7", True, True),
        ("training/objective.py", "AUXILIARY = 0.3", "AUXILIARY = 0.2", True, True),
        ("training/optimisation.py", "torch.optim.SGD(", "torch.optim.ASGD(", True, False),
        ("training/optimisation.py", "return 1 - fallen", "return 1 - fallen**2", False, False),
        ("training/optimisation.py", "math.cos(math.pi * fallen)", "math.cos(3 * fallen)", False, True),
        ("training/augmentation.py", "images.flip(-1)", "images.flip(-2)", True, False),
        ("training/evaluation.py", "EVALUATION_BATCH = 1024", "EVALUATION_BATCH = 512", True, True),
        ("training/evaluation.py", ".div_(255)", ".div_(256)", True, True),
        ("training/diagnostics.py", "values <= (", "values < (", True, False),
        # what is said, stored, planned or shown
        ("training/run.py", '"""Training one run', '"""Training of one run', False, False),
        ("training/evaluation.py", "part: Part)", "part: object)", False, False),
        ("catalogue/factors.py", *NEW_LEVEL, False, False),
        ("catalogue/recipes.py", *NEW_OPTIMIZER, False, False),
        ("catalogue/metrics.py", *NEW_METRIC, False, False),
        ("records/store.py", "LATE = 60.0", "LATE = 30.0", False, False),
        ("support/references.py", "found nothing named", "there is nothing named", False, False),
        ("networks/tracing.py", "return 0", "return 1", False, False),
        ("study/plan.py", "> 2 and", "> 3 and", False, False),
    ],
)
def test_an_edit_makes_stale_what_goes_through_it(changes, file, old, new, lenet, resnet):
    first = make_spec("lenet", recipe=RECIPES["sgd"], diagnostics=[0])
    second = make_spec("resnet_cifar", **SMALL["resnet_cifar"], recipe=RECIPES["adam"])
    assert changes(file, old, new, first, second) == [lenet, resnet]


def test_a_new_architecture_leaves_every_key(package, changes):
    (package / "networks/families/another.py").write_text("from ablation.networks.kit import Layers\n")
    specs = [make_spec(name, **SMALL[name]) for name in CATALOGUE]
    assert not any(changes("catalogue/architectures.py", "CATALOGUE", "ALL", *specs))


def test_names_of_levels_and_architectures_do_not_count_and_what_they_name_does():
    spec = make_spec("lenet", activation="relu")
    renamed = {**spec, "architecture": {**spec["architecture"], "name": "lenet5"}}
    renamed["architecture"]["layers"] = {
        factor: {**level, "level": f"my_{level['level']}"} for factor, level in spec["architecture"]["layers"].items()
    }
    assert run_key(renamed, "data") == run_key(spec, "data")
    others = [
        make_spec("lenet", activation="gelu"),
        make_spec("lenet", activation="relu", initialisation="gaussian0.01"),
        make_spec("lenet", activation="relu", initialisation="gaussian0.1"),
        make_spec("lenet", activation="relu", width=7),
        make_spec("lenet", activation="relu", seed=1),
        make_spec("lenet", activation="relu", recipe={"augmentation": "crop4"}),
        make_spec("lenet", activation="relu", recipe={"augmentation": "crop3"}),
        make_spec("lenet", activation="relu", diagnostics=[0]),
    ]
    assert len({run_key(one, "data") for one in [spec, *others]}) == 1 + len(others)
    assert run_key(spec, "other data") != run_key(spec, "data")


OWN = '''\
"""Parts of one's own."""
import torch
from beside import blur
from torch import nn

ARCHITECTURES = {
    "own": {
        "builder": "build",
        "text": "Own.",
        "layers": {"norm": "scaled", "output": "logits", "initialisation": "default"},
        "arguments": {"width": {"reference": 4, "text": "Channels."}},
    }
}
LEVELS = {
    "norm": {
        "scaled": {"make": "Scaled", "text": "Scaled.", "shifts": False},
        "unused": {"make": "Unused", "text": "Unused.", "shifts": False},
    },
}
METRICS = {
    "spread": {"label": "spread", "measure": "spread"},
    "unasked": {"label": "unasked", "measure": "unasked"},
}
AUGMENTATIONS = {
    "blur": {"make": "blurred", "text": "blur", "example": 2},
    "dim": {"make": "dim", "text": "dim", "example": 3},
}


def build(input_shape, classes, layers, *, width):
    """Build it."""
    return nn.Sequential(layers.conv2d(input_shape[0], width), layers.norm(width, 1e-5), head(width, classes))


def head(width, classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


class Scaled(nn.Module):
    def __init__(self, channels, epsilon):
        super().__init__()

    def forward(self, x):
        return x / 2


class Unused(Scaled):
    def forward(self, x):
        return x / 4


def spread(network, images, labels):
    return network(images).std()


def unasked(network, images, labels):
    return network(images).mean()


def blurred(images, pixels, generator):
    return blur(images, pixels)


def dim(images, percent, generator):
    return images * 0.5
'''
BESIDE = """\
def blur(images, pixels):
    return images.roll(pixels, -1)


def sharpen(images):
    return images * 2
"""
OWN_STUDY = """\
title: t
question: q?
parts: [own.py]
data: {name: digits}
recipe: {epochs: 1, batch_size: 64, lr: 0.1, augmentation: blur2}
architectures: {own: {}}
metrics: [test_accuracy, spread]
seeds: 1
smallest_effect: 0.01
"""


@pytest.fixture
def own_key(tmp_path):
    """Write parts, a module beside them and a study, and return the key of its run."""

    def key(folder="here", own=OWN, beside=BESIDE):
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, text in {"own.py": own, "beside.py": beside, "study.yaml": OWN_STUDY}.items():
            (place / name).write_text(text)
        # Sources read a file once: an edit needs another one.
        return run_key(read_study(place / "study.yaml").spec("own", 0), "data", Sources(by_name=RESOLVING))

    return key


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("layers.conv2d(input_shape[0], width)", "layers.conv2d(input_shape[0], width, 5)", True),
        ("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveMaxPool2d(1)", True),  # what the builder calls
        ("return x / 2", "return x / 3", True),  # the level
        ('"Scaled.", "shifts": False', '"Scaled.", "shifts": True', True),
        ("network(images).std()", "network(images).var()", False),  # the metric that the study asks for
        ("return blur(images, pixels)", "return blur(images, 2 * pixels)", True),  # the augmentation of the recipe
        ('"reference": 4', '"reference": 5', True),
        ("images.roll(pixels, -1)", "images.roll(pixels, -2)", True),  # the module beside it
        ("return x / 4", "return x / 5", False),  # the level that no variant has
        ("network(images).mean()", "network(images).sum()", False),
        ("images * 0.5", "images * 0.6", False),
        ("return images * 2", "return images * 3", False),
        ('"""Build it."""', '"""Build it well."""', False),
        ("import torch\n", "import torch  # for tensors\n", False),
        ('"text": "Own."', '"text": "My own."', False),
        ('"label": "spread"', '"label": "wide"', False),
        ('"scaled"', '"halved"', False),  # a level's name
    ],
)
def test_of_ones_own_parts_counts_what_the_training_reaches(own_key, old, new, counts):
    assert old in OWN + BESIDE
    edited = own_key(own=OWN.replace(old, new), beside=BESIDE.replace(old, new))
    assert (edited != own_key()) == counts


def test_ones_own_parts_may_be_moved_and_renamed(own_key, tmp_path, monkeypatch):
    first = own_key()
    assert own_key("there/in/another") == first
    monkeypatch.chdir(tmp_path)
    assert own_key() == first, "named relative to the working directory"
