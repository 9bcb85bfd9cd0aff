"""Results of studies that nobody trained: tables as `collect` and the rules after it write them."""

import math

import numpy as np
import pandas as pd

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.collection import CLASS_COLUMNS, DIAGNOSTIC_COLUMNS
from ablation.analysis.contrasts import contrast_table
from ablation.analysis.outcomes import Outcomes
from ablation.analysis.verdicts import Standing, outcomes
from ablation.networks.sizes import inspect_all
from ablation.report import tables
from ablation.report.inputs import StudyTables
from ablation.study.plan import Plan

DENSE_BLOCKS = {"dense1": 3, "dense2": 2}  # target layers each
MANIFEST = {"counts": {"train": 10, "validation": 3, "test": 5}, "digest": "d" * 32, "source": "somewhere"}


def invented_runs(plan: Plan) -> pd.DataFrame:
    """One row per run, of which one diverged and two are stuck."""
    rng, rows = np.random.default_rng(0), []
    for position, variant in enumerate(plan.variants.values()):
        for seed in (0, 1, 2):
            diverged = position == 1 and seed == 0
            accuracy = 0.1 if diverged else 0.5 + 0.05 * position + rng.normal(0, 0.01)
            status = "diverged" if diverged else "stuck" if position == 1 else "completed"
            rows.append(
                {
                    "variant": variant.id,
                    "architecture": variant.architecture,
                    "seed": seed,
                    "status": status,
                    "test_accuracy": accuracy,
                    "test_loss": 1 - accuracy,
                    "train_accuracy": accuracy,
                    "train_seconds": 2.0,
                    "epochs_to_threshold": math.inf if position == 1 else 1.0 + seed,
                    "training_seconds": 2.0,
                    "epochs": 3,
                    "evaluate_seconds": 0.5,
                    "diagnostics_seconds": 0.05,
                    "parameters": 1000 * (position + 1),
                    "multiply_adds": 5_000_000,
                    "device": "cpu",
                    "processor": "p",
                    "instructions": "AVX512",
                    "cuda": None,
                    "torch": "2",
                    "python": "3",
                    "threads": 1,
                    "git": "abc",
                    "metric_errors": None,
                }
            )
    return with_rates(pd.DataFrame(rows))


def with_rates(runs: pd.DataFrame, **columns) -> pd.DataFrame:
    """The same runs with other columns, and with what their statuses say of failures; nothing of a failed one."""
    runs = runs.assign(**columns)
    known = runs["status"] != "failed"
    found = {name: (runs["status"] == name).where(known).astype(float) for name in ("diverged", "stuck")}
    return runs.assign(**found, diverged_or_stuck=found["diverged"] + found["stuck"])


def failing(runs: pd.DataFrame, variants, seeds=(0, 1, 2), measured=True) -> pd.DataFrame:
    """The same runs, of which those of some variants and seeds failed; their networks may be too wrong to be measured."""
    runs, failed = runs.copy(), runs["variant"].isin(list(variants)) & runs["seed"].isin(seeds)
    runs[["error", "traceback", "log"]] = pd.Series([None] * 3, dtype="string")
    values = ["test_accuracy", "test_loss", "train_accuracy", "train_seconds"]
    runs.loc[failed, values] = math.nan
    runs.loc[failed, ["status", "epochs"]] = ["failed", 1]
    error = ["ValueError: <one> & \\two_ (own.py, line 7)", "Traceback\n  raise ValueError\n", "results/x/logs/0.log"]
    runs.loc[failed, ["error", "traceback", "log"]] = error
    if not measured:
        runs[["parameters", "multiply_adds"]] = runs[["parameters", "multiply_adds"]].astype(float)
        runs.loc[failed, ["parameters", "multiply_adds"]] = math.nan
    return with_rates(runs)


def invented_curves(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per run and epoch."""
    names = ("train_loss", "objective", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "seconds")
    return pd.DataFrame(
        [
            {"variant": run.variant, "seed": run.seed, "epoch": epoch, **dict.fromkeys(names, 1 / epoch)}
            for run in runs.itertuples()
            for epoch in (1, 2, 3)
        ]
    )


def invented_diagnostics(plan: Plan) -> pd.DataFrame:
    """Five layers with gradients, two activations and, of a DenseNet, the sources of two blocks."""
    rng, found = np.random.default_rng(0), []
    for variant in plan.variants.values():
        for seed in plan.study.seeds:
            for epoch in plan.study.diagnostics:
                numbers = [
                    *[
                        (f"layer{d}", d, "affine", "gradient_rms", 10.0 ** (d - 6) * rng.uniform(1, 2))
                        for d in range(1, 6)
                    ],
                    *[(f"act{d}", d, "activation", q, rng.uniform()) for d in (1, 2) for q in ("saturated", "dead")],
                ]
                if variant.architecture == "dense":
                    targets = [
                        (f"{block}_{t}", t) for block, count in DENSE_BLOCKS.items() for t in range(1, count + 1)
                    ]
                    numbers += [
                        (name, depth, "source", f"source_{s}", 0.1 * depth + 0.01 * s)
                        for depth, (name, count) in enumerate(targets, 1)
                        for s in range(count)
                    ]
                found += [(variant.id, seed, epoch, *number) for number in numbers]
    return pd.DataFrame(found, columns=list(DIAGNOSTIC_COLUMNS)).astype(DIAGNOSTIC_COLUMNS)


def invented_classes(runs: pd.DataFrame, count: int = 3) -> pd.DataFrame:
    """One row per class of each run that has a value; the later classes are known better."""
    rows = [
        (run.variant, run.seed, f"class {place}", 5, run.test_accuracy * share, run.test_accuracy, run.test_accuracy)
        for run in runs[~runs["status"].isin(["diverged", "failed"])].itertuples()
        for place, share in enumerate(np.linspace(0.5, 1, count))
    ]
    return pd.DataFrame(rows, columns=list(CLASS_COLUMNS)).astype(CLASS_COLUMNS)


def invented_outcomes(plan: Plan, runs: pd.DataFrame, examples: np.ndarray | None = None) -> Outcomes:
    """The verdicts of claims that were registered in time."""
    return outcomes(plan, RunsByVariant(runs, examples), dict.fromkeys(plan.study.claims, Standing(1.8e9, "")))


def invented_tables(plan: Plan, **given) -> StudyTables:
    """All tables of a study; those that are given instead of invented ones."""
    runs = given.get("runs", invented_runs(plan))
    contrasts = contrast_table(plan, RunsByVariant(runs))
    specs = {id: variant.architecture_spec() for id, variant in plan.variants.items()}
    made = {
        "runs": runs,
        "curves": invented_curves(runs),
        "diagnostics": invented_diagnostics(plan),
        "classes": invented_classes(runs),
        "contrasts": contrasts,
        "verdicts": invented_outcomes(plan, runs),
        "comparison": tables.comparison(plan, runs, contrasts),
        "layers": {id: table for id, (table, _) in inspect_all(specs, (1, 8, 8), 10).items()},
    }
    return StudyTables(plan, **{**made, **given})
