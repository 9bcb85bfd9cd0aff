"""Synthetic studies for the tests of the mirror, and the comparison of an experiment with the records."""

import argparse
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import predicted
import pytest
from invented import invented_outcomes
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient
from specs import GOOD

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.collection import final_metrics, run_row
from ablation.analysis.contrasts import contrast_table
from ablation.analysis.outcomes import Outcomes, outcomes_text
from ablation.cli.mirror import read_results
from ablation.jobs.shards import planned_runs
from ablation.records.runs import read_run
from ablation.records.store import Store
from ablation.report import tables
from ablation.study.levels import level_text
from ablation.study.studyfile import read_study
from ablation.tracking.address import Address
from ablation.tracking.lease import TAG, Lease
from ablation.tracking.mirror import Mirror

MANIFEST = {"digest": "d" * 32, "data": {"name": "digits"}, "counts": {"train": 3}}
ROW = {
    "train_loss": 1.0,
    "objective": 1.2,
    "train_accuracy": 0.4,
    "validation_loss": 1.1,
    "validation_accuracy": 0.3,
    "lr": 0.1,
}
SIZES = {"parameters": 10, "multiply_adds": 20}
CLAIM = (
    "  {}: {{statement: It is, source: me, factor: activation, level: {}, against: {}, metric: test_accuracy, {}}}\n"
)
CLAIMS = f"""\
claims:
{CLAIM.format("tanh-better", "tanh", "relu", "direction: greater")}\
{CLAIM.format("relu-better", "relu", "tanh", "direction: greater")}"""
CURVES = [*ROW, "seconds"]
MLFLOWS = ("mlflow.parentRunId", "mlflow.runName", "mlflow.user", "superseded")


def curves(epochs, begin=1.7e9):
    return [{"epoch": e, **ROW, "train_loss": 1 / e, "seconds": 0.5, "time": begin + e} for e in range(1, epochs + 1)]


def record(planned, status="completed", rows=None):
    if status == "failed":
        return failed_record(planned, rows)
    value = None if status == "diverged" else 0.5
    metrics = {"train_loss": value, "train_seconds": 1.5}
    environment = dict.fromkeys(("device", "processor", "threads", "torch", "python", "git"), "x")
    return {
        "variant": planned.variant,
        "seed": planned.seed,
        "spec": planned.spec,
        "status": status,
        "metrics": metrics,
        "timings": {
            "train_seconds": 1.5,
            "evaluate_seconds": 1.0,
            "diagnostics_seconds": 0.0,
            "images_per_second": 9.0,
        },
        "environment": environment,
        "curves": rows or curves(3),
    }


def failed_record(planned, rows):
    """The record of a run that failed a second after its last epoch, or before its first."""
    content = record(planned, rows=rows or curves(1))
    time = rows[-1]["time"] + 1 if rows else 1.7e9
    error = {
        "type": "ValueError",
        "message": "no good",
        "where": "own.py, line 3",
        "traceback": "Traceback",
        "time": time,
    }
    timings = {**dict.fromkeys(content["timings"], 0.0), "images_per_second": None}
    return {**content, "status": "failed", "error": error, "metrics": {}, "timings": timings, "curves": rows or []}


class Synthetic:
    """A study of two variants and some seeds with its results folder; its trainings are made up.

    Parameters
    ----------
    results : Path
    name : str
    seeds : int
    edits : dict of str to str
        What is written otherwise in the study.
    """

    def __init__(self, results: Path, name: str, seeds: int = 2, edits: Mapping[str, str] = MappingProxyType({})):
        results.mkdir(parents=True, exist_ok=True)
        self.results, self.file = results, results / f"{name}.json"
        stated = results / f"{name}.yaml"
        text = GOOD.replace("seeds: 3", f"seeds: {seeds}").replace("[sigmoid, tanh], norm: [batch]", "[tanh]")
        text = (
            text[: text.index("  resnet:")]
            + text[text.index("grid:") : text.index("  - architectures: [resnet]")]
            + text[text.index("seeds:") :]
            + CLAIMS
        )
        for old, new in edits.items():
            text = text.replace(old, new)
        stated.write_text(text)
        self.plan = read_study(stated)
        self.file.write_text(self.plan.frozen())
        self.store = Store(results / "store")
        self.runs = planned_runs(self.plan, MANIFEST["digest"])
        self.sizes = dict.fromkeys(self.plan.variants, SIZES)
        self.variants = results / "variants.csv"
        pd.DataFrame([{"variant": variant, **SIZES} for variant in self.plan.variants]).to_csv(self.variants)
        self.layers = results / "layers"
        self.layers.mkdir(exist_ok=True)
        for variant in self.plan.variants:
            (self.layers / f"{variant}.md").write_text(f"# {variant}")
        self.artifacts = [results / "tables" / "comparison.md", results / "report.html"]
        self.artifacts[0].parent.mkdir(exist_ok=True)
        for path in self.artifacts:
            path.write_text(path.name)
        self.words = dict.fromkeys(self.plan.study.claims, "undecided")
        self.exploratory = dict.fromkeys(self.plan.study.claims, "")

    def mirror(self, uri: str, lease: Lease | None = None) -> Mirror:
        address = Address.of(self.results, {"MLFLOW_TRACKING_URI": uri})
        place = str(self.results / "artifacts") if address.local else None
        folder = self.results / self.plan.name
        return Mirror(self.plan, self.runs, self.store, MANIFEST, self.sizes, address, place, folder, lease)

    def finish(self, planned, rows=None, status="completed"):
        content = record(planned, status, rows)
        self.store.write(planned.key, content, {} if status == "failed" else predicted.files(True, False))

    def finish_all(self, begin=1.7e9, epochs=3):
        for position, planned in enumerate(self.runs):
            self.finish(planned, curves(epochs, begin), "diverged" if position == 1 else "completed")

    def train(self, jobs: int, epochs: int, pause: float) -> list[threading.Thread]:
        """Start jobs that train all runs between them, with curves that grow in time."""

        def job(runs):
            generator = np.random.default_rng(0)
            for planned in runs:
                rows = []
                with self.store.lock(planned.key) as running:
                    for epoch in range(1, epochs + 1):
                        time.sleep(pause)
                        values = {name: float(generator.random()) for name in CURVES}
                        rows.append({"epoch": epoch, **values, "time": time.time()})
                        running.write_curves(rows)
                    self.finish(planned, rows)

        threads = [threading.Thread(target=job, args=(self.runs[n::jobs],)) for n in range(jobs)]
        for thread in threads:
            thread.start()
        return threads

    def table(self) -> pd.DataFrame:
        rows = [run_row(self.plan, p.variant, p.key, read_run(self.store, p.key), SIZES, 10) for p in self.runs]
        return pd.DataFrame(rows)

    def outcomes(self, table: pd.DataFrame, examples: np.ndarray) -> Outcomes:
        """What becomes of the claims, with verdicts that are given."""
        found = invented_outcomes(self.plan, table, examples)
        claims = [
            replace(
                claim,
                exploratory=self.exploratory[claim.claim],
                tests=tuple(replace(test, verdict=self.words[claim.claim]) for test in claim.tests),
            )
            for claim in found.claims
            if claim.claim in self.words
        ]
        return replace(found, claims=tuple(claims))

    def write_results(self, table: pd.DataFrame | None = None) -> argparse.Namespace:
        """Write what there is of a study that is done, and return the arguments of the command that mirrors it."""
        table = self.table() if table is None else table
        runs, verdicts = self.results / "runs.parquet", self.results / "verdicts.json"
        comparison = self.results / "tables" / "comparison.csv"
        table.to_parquet(runs)
        known, generator = int((table["status"] != "failed").sum()), np.random.default_rng(0)
        examples = generator.random((known, 50)) < generator.random(50)  # some images are harder than others
        np.save(self.results / "examples.npy", examples)
        verdicts.write_text(outcomes_text(self.outcomes(table, examples)))
        contrasts = contrast_table(self.plan, RunsByVariant(table, examples))
        tables.comparison(self.plan, table, contrasts).to_csv(comparison, index=False)
        files = {
            "runs": runs,
            "examples": self.results / "examples.npy",
            "comparison": comparison,
            "verdicts": verdicts,
        }
        return argparse.Namespace(**files, artifacts=self.artifacts, layers=self.layers)

    def complete(self, mirror: Mirror, table: pd.DataFrame | None = None) -> str:
        mirror.sync()
        return mirror.conclude(read_results(self.write_results(table)))


def active_runs(client: MlflowClient, name: str) -> dict:
    identity = client.get_experiment_by_name(name).experiment_id
    return {run.info.run_id: run for run in client.search_runs([identity], "", ViewType.ACTIVE_ONLY, 1000)}


def everything(uri, study):
    client = MlflowClient(tracking_uri=uri)
    found = active_runs(client, study.plan.name)
    history = {
        (run, metric): [(p.step, p.timestamp, p.value) for p in client.get_metric_history(run, metric)]
        for run, content in found.items()
        for metric in content.data.metrics
    }
    return found, history


def by_level(uri, study):
    """The runs of an experiment: those of seeds by variant and seed, those of variants by name, and the study's."""
    found = list(everything(uri, study)[0].values())
    seeds = {(r.data.tags["variant"], int(r.data.tags["seed"])): r for r in found if r.data.tags["level"] == "run"}
    variants = {r.data.tags["variant"]: r for r in found if r.data.tags["level"] == "variant"}
    (whole,) = [run for run in found if run.data.tags["level"] == "study"]
    return seeds, variants, whole


def assert_is_the_study(study: Synthetic, client: MlflowClient, folder: Path) -> None:
    """Compare all that an experiment shows with the records: nothing lost, nothing twice, nothing more."""
    runs = active_runs(client, study.plan.name)
    by_key = {run.data.tags["ablation.key"]: run for run in runs.values()}
    assert len(by_key) == len(runs) == 1 + len(study.plan.variants) + len(study.runs)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert TAG not in client.get_experiment_by_name(study.plan.name).tags
    for planned in study.runs:
        compare_run(study, client, planned, by_key[planned.key], folder)
    levels = {level: [r for r in runs.values() if r.data.tags["level"] == level] for level in ("study", "variant")}
    for run in levels["variant"]:
        variant = run.data.tags["variant"]
        assert points(client, run, "runs") == [(0, sum(p.variant == variant for p in study.runs))]
        statuses = [status(study, p) for p in study.runs if p.variant == variant]
        values = [{"completed": 0.5, "diverged": 0.1}[one] for one in statuses if one != "failed"]
        found = [value for _, value in points(client, run, "test_accuracy_mean")]
        assert found == pytest.approx([sum(values) / len(values)] if values else [])
        assert points(client, run, "diverged_runs") == [(0, statuses.count("diverged"))]
        assert run.data.tags["mlflow.parentRunId"] == levels["study"][0].info.run_id
        assert files(client, run, folder) == {"layers.md": f"# {variant}"}
        assert run.data.params == {f: level_text(v) for f, v in study.plan.variants[variant].levels.items()}
    expected = {"tables/comparison.md": "comparison.md", "report.html": "report.html"}
    expected |= {"tables/comparison.csv": (study.results / "tables" / "comparison.csv").read_text()}
    expected |= {"verdicts.json": (study.results / "verdicts.json").read_text()}
    assert files(client, levels["study"][0], folder) == expected


def compare_run(study, client, planned, run, folder):
    content = study.store.read(planned.key)
    rows, end = content["curves"], round(1000 * content["curves"][-1]["time"])
    expected = Counter((n, r["epoch"], round(1000 * r["time"]), r[n]) for r in rows for n in CURVES if r[n] is not None)
    metrics, _ = final_metrics(study.plan, read_run(study.store, planned.key))
    final = {**metrics, **SIZES, "images_per_second": 9.0}
    final["final_train_loss"] = final.pop("train_loss")
    expected += Counter((name, len(rows), end, value) for name, value in final.items() if value is not None)
    found = Counter(
        (name, point.step, point.timestamp, point.value)
        for name in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, name)
    )
    assert found == expected
    levels = {factor: level_text(level) for factor, level in study.plan.variants[planned.variant].levels.items()}
    assert run.data.params == {**levels, "seed": str(planned.seed)}
    variant = study.plan.variants[planned.variant]
    tags = {f"factor.{factor}": levels[factor] for factor in study.plan.factors if factor in levels}
    tags |= {"level": "run", "study": study.plan.name, "variant": planned.variant, "architecture": variant.architecture}
    tags |= {"seed": str(planned.seed), "status": content["status"], "ablation.key": planned.key}
    tags |= dict.fromkeys(("device", "torch", "threads", "mlflow.source.git.commit"), "x")
    own = {tag: value for tag, value in run.data.tags.items() if tag not in MLFLOWS}
    assert own == tags
    assert [i.dataset.digest for i in run.inputs.dataset_inputs] == [MANIFEST["digest"]]
    assert run.info.end_time == end
    artifacts = files(client, run, folder)
    assert artifacts.keys() == {"spec.json", "curves.csv"}
    assert pd.read_json(folder / run.info.run_id / "spec.json", typ="series")["seed"] == planned.seed
    pd.testing.assert_frame_equal(pd.read_csv(folder / run.info.run_id / "curves.csv"), pd.DataFrame(rows))


def status(study, planned):
    return study.store.read(planned.key)["status"]


def points(client, run, name):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def files(client, run, folder):
    """Return the text of a run's artifacts by path; that of a picture is None."""
    target = folder / run.info.run_id
    target.mkdir(parents=True, exist_ok=True)
    client.download_artifacts(run.info.run_id, "", str(target))
    found = [path for path in target.rglob("*") if path.is_file()]
    return {str(p.relative_to(target)): None if p.suffix == ".png" else p.read_text() for p in found}
