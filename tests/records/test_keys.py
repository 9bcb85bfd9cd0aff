"""What a run's key counts: the definitions that its training goes through, and nothing else."""

import shutil
import sys
from pathlib import Path

import pytest
from specs import SMALL, make_spec

import ablation
from ablation.catalogue.architectures import CATALOGUE
from ablation.catalogue.metrics import METRICS
from ablation.records.keys import RESOLVING, references, run_key, sources
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
    spec = make_spec(name, recipe={"epochs": 1, **RECIPES[recipe]}, diagnostics=[0, 1], **{**levels, **more})
    return {**spec, "measures": {"shifted_accuracy": METRICS["shifted_accuracy"].measure}}


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
