"""What the mirror to MLflow costs: synthetic records of studies that grow tenfold. Writes `mirror.md` beside it.

python benchmarks/mirror.py [--runs 100 1000 10000] [--epochs 50] [--folder FOLDER]
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ablation.records.environment import processor

if TYPE_CHECKING:
    import pandas as pd

    from ablation.study.plan import Plan
    from ablation.tracking.conclusion import Results

SEEDS, IMAGES, CLASSES = 5, 360, 10  # as many test images as the digits have
MANIFEST = {"digest": "d" * 32, "data": {"name": "digits"}, "counts": {"train": 1151}}
STUDY = """\
title: A synthetic study
question: What does the mirror cost?
data: {{name: digits}}
recipe: {{epochs: {epochs}, batch_size: 64, lr: 0.001}}
architectures:
  lenet: {{baseline: {{activation: relu, width: 1, hidden: 8}}}}
grid:
  - architectures: [lenet]
    factors: {{width: {widths}, hidden: {hidden}, lr: {rates}}}
    design: full_factorial
seeds: {seeds}
metrics: [test_accuracy]
smallest_effect: 0.01
claims:
  wider-better:
    {{statement: It is better, factor: width, source: me, level: 2, against: 1, metric: test_accuracy, direction: greater}}
"""
TABLE = """\
# What the mirror costs

Synthetic records of {epochs} epochs, {seeds} seeds per variant, sent to an empty SQLite file whose tables are made meanwhile
(about 5 CPU-seconds). CPU-seconds of the mirror and of what it starts, wall seconds in brackets, and the CPU time of all
three for each run. A look is what is repeated every few seconds while a study trains.

| runs | plan | send all | end of the study | CPU per run (ms) | next look | next process | memory (GiB) | database (MiB) |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{rows}

Measured by `benchmarks/mirror.py` on {cores} cores ({processor}, which {load:.1f} processes wanted in the last 5 minutes),
MLflow {mlflow}, Python {python}.
"""


def state_study(folder: Path, runs: int, epochs: int) -> None:
    """Write a study of at least so many runs."""
    side = 1
    while side**3 * SEEDS < runs:
        side += 1
    rates = [round(0.001 * step, 3) for step in range(1, -(-runs // (side * side * SEEDS)) + 1)]
    grid = {"widths": list(range(1, side + 1)), "hidden": list(range(8, 8 + side)), "rates": rates}
    (folder / "synthetic.yaml").write_text(STUDY.format(epochs=epochs, seeds=SEEDS, **grid))


def curves(generator: np.random.Generator, epochs: int) -> list[dict]:
    names = ("train_loss", "objective", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "seconds")
    values = generator.random((epochs, len(names))).tolist()
    return [
        {"epoch": epoch, **dict(zip(names, row, strict=True)), "time": 1.7e9 + epoch}
        for epoch, row in enumerate(values, 1)
    ]


def make_records(folder: Path, epochs: int) -> None:
    """Write a record of every run, as a training does, but unsynced."""
    from ablation.jobs.shards import planned_runs
    from ablation.records.predictions import Predictions
    from ablation.records.store import PREDICTIONS, WEIGHTS, Store
    from ablation.study.studyfile import read_study

    os.fsync = lambda descriptor: None
    generator, store = np.random.default_rng(0), Store(folder / "store")
    plan = read_study(folder / "synthetic.yaml")
    (folder / "frozen.json").write_text(plan.frozen())
    labels, environment = (
        generator.integers(0, CLASSES, IMAGES, np.uint8),
        dict.fromkeys(("device", "torch", "git"), "x"),
    )
    for planned in planned_runs(plan, MANIFEST["digest"]):
        predicted = np.where(generator.random(IMAGES) < 0.9, labels, 0).astype(np.uint8)
        right, floats = predicted == labels, np.full(IMAGES, -0.1, np.float32)
        predictions = Predictions(
            labels, predicted, np.where(right, floats, -3), floats, (~right).astype(np.uint8), CLASSES
        )
        record = {
            **{"variant": planned.variant, "seed": planned.seed, "spec": planned.spec, "status": "completed"},
            "metrics": {"train_loss": float(generator.random()), "train_seconds": 1.5},
            "timings": {
                "train_seconds": 1.5,
                "evaluate_seconds": 1.0,
                "diagnostics_seconds": 0.0,
                "images_per_second": 9.0,
            },
            "environment": {**environment, "processor": "x", "threads": 1, "python": "x"},
            "curves": curves(generator, epochs),
        }
        store.write(planned.key, record, {PREDICTIONS: predictions.to_bytes(), WEIGHTS: generator.bytes(20_000)})


def timed(work: Callable[[], object]) -> dict[str, float]:
    cpu, wall = sum(os.times()[:4]), time.perf_counter()
    work()
    return {"cpu": sum(os.times()[:4]) - cpu, "wall": time.perf_counter() - wall}


def measure(folder: Path) -> dict:
    """Mirror the records of a folder, and look again; the mirror's own planning is measured beside it."""
    import pandas as pd

    from ablation.analysis.collection import run_row
    from ablation.jobs.registration import register
    from ablation.jobs.shards import planned_runs
    from ablation.records.runs import read_run
    from ablation.records.store import Store
    from ablation.study.studyfile import read_frozen
    from ablation.tracking.address import Address
    from ablation.tracking.mirror import Mirror

    parts, found = {}, {}

    def read() -> None:
        plan = read_frozen(folder / "frozen.json")
        parts.update(plan=plan, runs=planned_runs(plan, MANIFEST["digest"]))

    def open_mirror() -> Mirror:
        plan, address = parts["plan"], Address.of(folder, {})
        sizes = {variant: {"parameters": 10, "multiply_adds": 20} for variant in plan.variants}
        artifacts = str(folder / "mlartifacts")
        return Mirror(plan, parts["runs"], store, MANIFEST, sizes, address, artifacts, folder / "synthetic")

    store = Store(folder / "store")
    found["plan"] = timed(read)
    mirror = open_mirror()
    register(parts["plan"], folder / "synthetic")
    found["sync"] = timed(mirror.sync)
    sizes = {"parameters": 10, "multiply_adds": 20}
    rows = [run_row(parts["plan"], p.variant, p.key, read_run(store, p.key), sizes, 10) for p in parts["runs"]]
    results = judged(parts["plan"], pd.DataFrame(rows))
    found["conclude"] = timed(lambda: mirror.conclude(results))
    found["next look"] = timed(mirror.sync)
    found["next start"] = timed(lambda: open_mirror().sync())
    found["runs"], found["memory"] = len(parts["runs"]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found["database"] = (folder / "mlflow.db").stat().st_size / 2**20
    return found


def judged(plan: "Plan", runs: "pd.DataFrame") -> "Results":
    """Compare the variants and judge the claims, which is no work of the mirror."""
    from ablation.analysis.byvariant import RunsByVariant
    from ablation.analysis.contrasts import contrast_table
    from ablation.analysis.verdicts import Standing, outcomes
    from ablation.report.tables import comparison
    from ablation.tracking.conclusion import Results

    examples = np.random.default_rng(0).random((len(runs), IMAGES)) < 0.9
    by_variant = RunsByVariant(runs, examples)
    found = outcomes(plan, by_variant, dict.fromkeys(plan.study.claims, Standing(None, "")))
    return Results(runs, comparison(plan, runs, contrast_table(plan, by_variant)), found, [], examples)


def in_a_process(*words: object) -> str:
    command = [sys.executable, __file__, *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measured(folder: Path, runs: int, epochs: int) -> dict:
    """Measure a study of so many runs, each step in a process of its own."""
    folder.mkdir(parents=True)
    state_study(folder, runs, epochs)
    in_a_process("make", folder, "--epochs", epochs)
    return json.loads(in_a_process("measure", folder).splitlines()[-1])


def main(arguments: argparse.Namespace) -> None:
    if arguments.what == "make":
        make_records(arguments.folder, arguments.epochs)
    elif arguments.what == "measure":
        print(json.dumps(measure(arguments.folder)))
    else:
        rows = []
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            for runs in arguments.runs:
                found = measured(Path(folder) / str(runs), runs, arguments.epochs)
                print(json.dumps(found), flush=True)
                rows.append(row(found))
        facts = {
            "cores": os.cpu_count(),
            "processor": processor(),
            "load": os.getloadavg()[1],
            "mlflow": version("mlflow"),
        }
        facts |= {"python": platform.python_version(), "epochs": arguments.epochs, "seeds": SEEDS}
        Path(__file__).with_suffix(".md").write_text(TABLE.format(rows="\n".join(rows), **facts))


def row(found: dict) -> str:
    def seconds(what: str, digits: int = 1) -> str:
        return f"{found[what]['cpu']:.{digits}f} ({found[what]['wall']:.{digits}f})"

    each = 1000 * sum(found[what]["cpu"] for what in ("plan", "sync", "conclude")) / found["runs"]
    times = [seconds("plan"), seconds("sync"), seconds("conclude"), f"{each:.0f}"]
    times += [seconds("next look", 3), seconds("next start", 3)]
    return f"| {found['runs']:,} | {' | '.join(times)} | {found['memory']:.2f} | {found['database']:,.0f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=["make", "measure", "all"], default="all")
    parser.add_argument("folder", nargs="?", type=Path, help="where records and database are written for a while")
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--epochs", type=int, default=50)
    main(parser.parse_args())
