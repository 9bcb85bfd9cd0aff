"""A large study that nobody trained: its file, and well-formed records of all its runs, written as a training writes them.

Curves, predictions and diagnoses have the form and the size of real ones; the weights are a few bytes. Accuracies follow
from an effect per level, an interaction, the seed and chance, so that figures and tables have something to show.

python benchmarks/scale/invent.py FOLDER VARIANTS
"""

import json
import math
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch

from ablation.data import datasets
from ablation.jobs.cutting import Cut, cut, runs_of
from ablation.jobs.shards import PlannedRun, planned_runs
from ablation.jobs.training import origin
from ablation.networks.sizes import inspect
from ablation.records.predictions import Predictions
from ablation.records.store import DIAGNOSTICS, FAILED, PREDICTIONS, WEIGHTS, Store
from ablation.study.plan import Plan
from ablation.study.studyfile import read_study

EPOCHS, SEEDS = 50, 5
# Levels of each factor beside the baseline's, by the number of variants of the two architectures together. Activation, norm
# and width make another network; the others leave the network as it is, so that many variants share their structure.
GRID = {
    "activation": ["sigmoid", "tanh", "gelu", "silu"],
    "lr": [0.01, 0.02, 0.05, 0.2],
    "weight_decay": [0.0001, 0.0005, 0.001, 0.005],
    "norm": ["none"],
    "label_smoothing": [0.1],
    "schedule": ["constant"],
}
FACTORS = {250: 3, 500: 4, 1000: 5, 2000: 6}
STUDY = """\
title: A large study of invented records
question: What does a study of {variants:,} variants cost beside its training?
data: {{name: digits}}
recipe: {{epochs: {epochs}, batch_size: 64, lr: 0.1, momentum: 0.9, schedule: cosine}}
architectures:
  lenet: {{baseline: {{activation: relu, norm: batch}}}}
  resnet14: {{builder: resnet_cifar, baseline: {{depth: 14, width: 8}}}}
grid:
  - design: full_factorial
    factors: {grid}
seeds: {seeds}
metrics: [test_accuracy, test_loss, generalisation_gap]
diagnostics: [0, {epochs}]
claims:
{claims}
"""
CLAIM = """\
  {name}:
    {{statement: {statement}, source: invented, factor: {factor}, level: {level}, against: {against}, given: {given},
      metric: test_accuracy, direction: greater}}
"""
PULL = {"sigmoid": -0.12, "tanh": -0.02, "gelu": 0.01, "silu": 0.008, "none": -0.05}  # on the accuracy, by level


def study_text(variants: int) -> str:
    """Write the study file; its claims are tested by as many contrasts as there are settings of two recipe entries."""
    grid = dict(list(GRID.items())[: FACTORS[variants]])
    givens = [{"lr": lr, "weight_decay": decay} for lr in GRID["lr"] for decay in GRID["weight_decay"]]
    claims = [
        CLAIM.format(
            name=f"relu-better-than-{level}-{place}",
            statement=f"ReLU is better than {level}.",
            factor="activation",
            level="relu",
            against=level,
            given=json.dumps(given),
        )
        for level in GRID["activation"]
        for place, given in enumerate(givens)
    ]
    return STUDY.format(variants=variants, epochs=EPOCHS, seeds=SEEDS, grid=json.dumps(grid), claims="".join(claims))


def write_study(folder: Path, variants: int) -> Plan:
    """Write the study file into a folder and read it."""
    path = folder / f"scale{variants}.yaml"
    path.write_text(study_text(variants))
    plan = read_study(path)
    assert len(plan.variants) == variants, len(plan.variants)
    return plan


@cache
def layers_of(spec: str, shape: tuple[int, int, int], classes: int) -> list[tuple[str, int, str]]:
    """List what is diagnosed of a network: layer, depth and kind."""
    rows, depth = [], {"affine": 0, "activation": 0}
    for layer in inspect(json.loads(spec), shape, classes):
        kind = "affine" if layer.multiply_adds else "activation" if layer.name.endswith("activation") else ""
        if kind:
            depth[kind] += 1
            rows.append((layer.name, depth[kind], kind))
    return rows


def pull(value: object) -> float:
    """Return what a level adds to the accuracy."""
    if isinstance(value, float):
        return -0.01 * abs(math.log10(value / 0.05)) if value > 0.006 else -2 * value
    return PULL.get(value, 0.0)


def accuracy_of(plan: Plan, run: PlannedRun, chance: np.random.Generator) -> float:
    variant = plan.variants[run.variant]
    found = {name: pull(level) for name, level in variant.levels.items() if name in GRID}
    joint = -0.06 if found["activation"] < -0.1 and found.get("norm", 0) < 0 else 0.0  # sigmoid without a norm
    wide = 0.02 if variant.architecture == "resnet14" else 0.0
    return float(np.clip(0.93 + wide + sum(found.values()) + joint + chance.normal(0, 0.008), 0.1, 0.995))


def status_of(plan: Plan, run: PlannedRun, chance: np.random.Generator) -> str:
    """Let some of the large learning rates without a norm diverge, and every run of one variant fail."""
    levels = plan.variants[run.variant].levels
    if run.variant == list(plan.variants)[-1]:
        return FAILED
    return "diverged" if levels["lr"] == 0.2 and levels["norm"] == "none" and chance.random() < 0.3 else "completed"


def curves_of(accuracy: float, lr: float, status: str, chance: np.random.Generator) -> list[dict]:
    epochs, rows = EPOCHS if status == "completed" else 7, []
    now = time.time()
    for epoch in range(1, epochs + 1):
        left = math.exp(-epoch / 8)
        loss = 2.3 * left + 0.3 * (1 - accuracy) + abs(chance.normal(0, 0.01))
        right = accuracy * (1 - left) + 0.1 * left + chance.normal(0, 0.004)
        last = status == "diverged" and epoch == epochs
        rows.append(
            {
                "epoch": epoch,
                "train_loss": None if last else loss,
                "objective": None if last else loss,
                "train_accuracy": min(1.0, right + 0.02),
                "lr": lr * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2,
                "validation_loss": None if last else loss * 1.1,
                "validation_accuracy": min(1.0, right),
                "seconds": 0.31,
                "time": now + epoch * 0.31,
            }
        )
    return rows


def predictions_of(labels: np.ndarray, accuracy: float, diverged: bool, chance: np.random.Generator) -> Predictions:
    kind = np.uint8
    right = chance.random(len(labels)) < (0.0 if diverged else accuracy)
    wrong = (labels + chance.integers(1, 10, len(labels))) % 10
    predicted = np.where(right, labels, wrong).astype(kind)
    sure = -np.abs(chance.normal(0, 0.1, len(labels)))
    own = np.where(right, sure, sure - np.abs(chance.normal(2, 1, len(labels))))
    rank = np.where(right, 0, chance.integers(1, 10, len(labels))).astype(kind)
    if diverged:
        predicted, rank = (np.full(len(labels), 10, kind) for _ in range(2))
        sure = own = np.full(len(labels), np.nan)
    return Predictions(labels.astype(kind), predicted, own.astype(np.float32), sure.astype(np.float32), rank, 10)


def diagnoses_of(layers: list[tuple[str, int, str]], chance: np.random.Generator) -> dict[str, list]:
    rows = []
    for epoch in (0, EPOCHS):
        for layer, depth, kind in layers:
            names = ["gradient_norm", "gradient_rms", "weight_norm"] if kind == "affine" else ["saturated", "dead"]
            names += ["update_norm", "update_ratio"] if kind == "affine" and epoch else []
            values = chance.random(len(names)) * (10.0 ** (depth / 4 - 4) if kind == "affine" else 1)
            rows += [
                (epoch, layer, depth, kind, name, float(f"{v:.6g}")) for name, v in zip(names, values, strict=True)
            ]
    return dict(
        zip(("epoch", "layer", "depth", "kind", "quantity", "value"), map(list, zip(*rows, strict=True)), strict=True)
    )


def write_run(plan: Plan, run: PlannedRun, arrays: dict, manifest: dict, store: Store) -> str:
    """Write the record of a run, and return its status."""
    chance = np.random.default_rng(int(run.key[:12], 16))
    accuracy, status = accuracy_of(plan, run, chance), status_of(plan, run, chance)
    lr = run.spec["recipe"]["lr"]
    record = {**origin(run.variant, run.spec, manifest, torch.device("cpu")), "status": status}
    record["curves"] = curves_of(accuracy, lr, status, chance)
    timings = {"train_seconds": 15.2, "evaluate_seconds": 1.1, "diagnostics_seconds": 0.05, "images_per_second": 3800.0}
    if status == FAILED:
        error = {
            "type": "RuntimeError",
            "message": "invented",
            "where": "invent.py, line 1",
            "traceback": "Traceback\n",
        }
        store.write(run.key, {**record, "error": {**error, "time": time.time()}, "metrics": {}, "timings": timings}, {})
        return status
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    metrics = {"train_seconds": 15.2, **{name: record["curves"][-1][name] for name in names}, "gradient_ratio": -0.7}
    metrics = dict.fromkeys(metrics) if status == "diverged" else metrics
    layers = layers_of(json.dumps(run.spec["architecture"]), tuple(manifest["shape"]), len(manifest["classes"]))
    predictions = predictions_of(arrays["test_labels"], accuracy, status == "diverged", chance)
    files = {
        PREDICTIONS: predictions.to_bytes(),
        WEIGHTS: safetensors.numpy.save({"head.bias": np.zeros(10, np.float32)}),
        DIAGNOSTICS: json.dumps(diagnoses_of(layers, chance), separators=(",", ":")).encode(),
    }
    store.write(run.key, {**record, "metrics": metrics, "timings": timings}, files)
    return status


def write_shards(plan: Plan, runs: list[PlannedRun], found: dict[str, str], folder: Path) -> list[Path]:
    """Write the results of shards as their jobs write them, cut as a start without prices cuts them."""
    rows = {
        (run.variant, run.seed): {"variant": run.variant, "seed": run.seed, "key": run.key, "status": found[run.key]}
        for run in runs
    }
    paths = []
    for name, shard in cut(plan, Cut(5), {}).items():
        paths.append(folder / "shards" / f"{name}.json")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        paths[-1].write_text(json.dumps({"runs": [rows[run] for run in runs_of(shard)]}, indent=1))
    return paths


def prepare(plan: Plan, results: Path) -> tuple[dict, dict]:
    """Prepare the data where the workflow looks for them, and return arrays and manifest."""
    folder = results / "data" / plan.data_folder
    if not (folder / "manifest.json").is_file():
        images = datasets.load(plan.study.data.model_dump(), plan.source, results / "downloads")
        arrays, manifest = datasets.arrange(images, plan.study.data.model_dump())
        datasets.write(folder, arrays, manifest, images)
    return datasets.read(folder)


def invent(folder: Path, variants: int) -> tuple[Path, list[Path]]:
    """Write study, data, records and results of shards; return the study's folder of results and the results of shards."""
    plan = write_study(folder, variants)
    results = folder / "results"
    arrays, manifest = prepare(plan, results)
    place, store = results / plan.name, Store(results / "store")
    (place / "plan").mkdir(parents=True, exist_ok=True)
    (place / "plan" / f"{plan.name}.json").write_text(plan.frozen() + "\n")
    (place / "data.json").write_text(json.dumps(manifest, indent=1))
    runs = planned_runs(plan, manifest["digest"])
    found = {run.key: store.status(run.key) or write_run(plan, run, arrays, manifest, store) for run in runs}
    return place, write_shards(plan, runs, found, place)


if __name__ == "__main__":
    invent(Path(sys.argv[1]), int(sys.argv[2]))
