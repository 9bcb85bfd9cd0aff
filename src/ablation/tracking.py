"""The mirror: copies records and growing curves to MLflow. Nothing reads them back to compute something.

There is one writer at a time (a lock), and a ledger of what was sent. A repeated point is sent with the same step, time
and value, which MLflow stores once; a run whose creation was not noted is found again by its key. So mirroring again
changes nothing, and whatever interrupted it, the next pass catches up.
"""

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from ablation.digests import digest
from ablation.figures import run_curves
from ablation.files import write_whole
from ablation.levels import level_text
from ablation.metrics import METRICS
from ablation.plan import Plan
from ablation.shards import PlannedRun
from ablation.statistics import summarise
from ablation.store import Store

BATCH = 1000  # metrics a request: MLflow's limit
CURVE_METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "seconds")
KEY = "ablation.key"


@contextlib.contextmanager
def one_writer(lock: Path) -> Iterator[None]:
    """Wait until no other process mirrors; the lock is the kernel's and goes with the process."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Mirror:
    """Keeps one experiment of MLflow like one study.

    Parameters
    ----------
    plan : Plan
    runs : list of PlannedRun
    store : Store
    manifest : mapping
        Of the prepared data.
    uri : str
        Tracking URI.
    artifacts : str
        Where a new experiment keeps its artifacts; None leaves it to the server.
    ledger : Path
        What was sent; it may be deleted.
    """

    def __init__(
        self,
        plan: Plan,
        runs: list[PlannedRun],
        store: Store,
        manifest: Mapping[str, Any],
        uri: str,
        artifacts: str | None,
        ledger: Path,
    ):
        self.plan, self.runs, self.store, self.manifest = plan, runs, store, manifest
        self.uri, self.ledger_path = uri, ledger
        self.client = MlflowClient(tracking_uri=uri)
        self.ledger = self._open(artifacts)

    def _open(self, artifacts: str | None) -> dict[str, Any]:
        """Find or make the experiment, and read the ledger or rebuild it from the experiment's runs."""
        experiment = self.client.get_experiment_by_name(self.plan.name)
        if experiment is None:
            # Without the tag, the UI takes the experiment for one of prompts and agents.
            kind = {"mlflow.experimentKind": "custom_model_development"}
            identity = self.client.create_experiment(self.plan.name, artifact_location=artifacts, tags=kind)
            # A new database counts its experiments from one again: what an old ledger says is of other runs.
            return {"uri": self.uri, "experiment": identity, "runs": {}}
        else:
            identity = experiment.experiment_id
            if experiment.lifecycle_stage == "deleted":
                self.client.restore_experiment(identity)
        try:
            ledger = json.loads(self.ledger_path.read_text())
            if (ledger["uri"], ledger["experiment"]) == (self.uri, identity):
                return ledger
        except (OSError, ValueError, KeyError):
            pass
        ledger = {"uri": self.uri, "experiment": identity, "runs": {}}
        token = None
        while True:
            page = self.client.search_runs([identity], max_results=1000, page_token=token)
            for run in page:
                if KEY in run.data.tags:
                    ledger["runs"][run.data.tags[KEY]] = {"id": run.info.run_id, "epochs": 0, "done": None}
            token = page.token
            if not token:
                return ledger

    def _note(self) -> None:
        self.ledger_path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(self.ledger_path) as file:
            file.write(json.dumps(self.ledger, indent=1).encode())

    def _run(
        self,
        key: str,
        name: str,
        parent: str | None,
        tags: Mapping[str, Any],
        params: Mapping[str, Any],
        start: int | None = None,
    ) -> dict:
        """Return the ledger's entry of a run, made if need be; `start` is in milliseconds since 1970."""
        if key not in self.ledger["runs"]:
            labels = {KEY: key, MLFLOW_RUN_NAME: name, "study": self.plan.name, **tags}
            if parent:
                labels[MLFLOW_PARENT_RUN_ID] = parent
            labels = {tag: str(value) for tag, value in labels.items()}
            # An interrupted pass may have made the run and not noted it.
            known = self.client.search_runs([self.ledger["experiment"]], f"tags.`{KEY}` = '{key}'", max_results=1)
            run = known[0] if known else self.client.create_run(self.ledger["experiment"], start, labels, name)
            self.ledger["runs"][key] = {"id": run.info.run_id, "epochs": 0, "done": None}
            self._note()
        entry = self.ledger["runs"][key]
        if not entry.get("described"):
            data = Dataset(
                name=self.manifest["data"]["name"],
                digest=self.manifest["digest"],
                source_type="ablation",
                source=json.dumps(self.manifest["data"]),
                profile=json.dumps(self.manifest["counts"]),
            )
            self.client.log_batch(entry["id"], params=[Param(name, str(value)) for name, value in params.items()])
            self.client.log_inputs(entry["id"], [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
            entry["described"] = True
            self._note()
        return entry

    def _parents(self, variant_id: str) -> tuple[dict, dict]:
        variant = self.plan.variants[variant_id]
        study = self._run(
            f"study:{self.plan.name}",
            f"{self.plan.name} (study)",
            None,
            {"level": "study"},
            {},
        )
        levels = {f"factor.{factor}": level_text(level) for factor, level in variant.changed.items()}
        return study, self._run(
            f"variant:{variant_id}:{digest(variant.levels)}",
            variant_id,
            study["id"],
            {"level": "variant", "variant": variant_id, "architecture": variant.architecture, **levels},
            {factor: level_text(level) for factor, level in variant.levels.items()},
        )

    def _seed_run(self, planned: PlannedRun, rows: list[dict[str, Any]]) -> dict:
        _, parent = self._parents(planned.variant)
        variant = self.plan.variants[planned.variant]
        factors = {
            f"factor.{factor}": level_text(variant.levels[factor])
            for factor in self.plan.factors
            if factor in variant.levels
        }
        tags = {
            "level": "run",
            "variant": planned.variant,
            "architecture": variant.architecture,
            "seed": planned.seed,
            "status": "training",
            **factors,
        }
        params = {factor: level_text(level) for factor, level in variant.levels.items()} | {"seed": planned.seed}
        start = round(1000 * (rows[0]["time"] - rows[0]["seconds"]))
        return self._run(planned.key, f"seed {planned.seed} of {planned.variant}", parent["id"], tags, params, start)

    def _send_curves(self, entry: dict, rows: list[dict[str, Any]]) -> None:
        new = rows[entry["epochs"] :]
        points = [
            Metric(name, row[name], round(1000 * row["time"]), row["epoch"])
            for row in new
            for name in CURVE_METRICS
            if row[name] is not None
        ]
        for start in range(0, len(points), BATCH):
            self.client.log_batch(entry["id"], metrics=points[start : start + BATCH])
        if new:
            entry["epochs"] = len(rows)
            self._note()

    def sync(self) -> bool:
        """Send what is new; return whether every run of the study is there to its end."""
        complete = True
        for planned in self.runs:
            if self.ledger["runs"].get(planned.key, {}).get("done"):
                continue
            if self.store.folder(planned.key).is_dir():
                self._finish(planned)
            else:
                complete = False
                rows = self.store.running_curves(planned.key)
                if rows:
                    entry = self._seed_run(planned, rows)
                    if entry.get("paused"):
                        self.client.update_run(entry["id"], status="RUNNING")
                        entry["paused"] = False
                    self._send_curves(entry, rows)
        return complete

    def _finish(self, planned: PlannedRun) -> None:
        record = self.store.read(planned.key)
        entry = self._seed_run(planned, record["curves"])
        self._send_curves(entry, record["curves"])
        end = round(1000 * record["curves"][-1]["time"])
        values = {**record["metrics"], **record["sizes"], "images_per_second": record["timings"]["images_per_second"]}
        final = [Metric(name, value, end, len(record["curves"])) for name, value in values.items() if value is not None]
        # The curves own these names: a last point of another kind would bend them.
        final = [
            m if m.key not in CURVE_METRICS else Metric(f"final_{m.key}", m.value, m.timestamp, m.step) for m in final
        ]
        environment = record["environment"]
        tags = {"status": record["status"], "mlflow.source.git.commit": environment["git"] or "unknown"}
        tags |= {name: environment[name] for name in ("device", "torch", "threads")}
        self.client.log_batch(entry["id"], metrics=final, tags=[RunTag(k, str(v)) for k, v in tags.items()])
        with tempfile.TemporaryDirectory() as folder:
            aside = Path(folder)
            (aside / "spec.json").write_text(json.dumps(record["spec"], indent=1))
            pd.DataFrame(record["curves"]).to_csv(aside / "curves.csv", index=False)
            run_curves(f"{planned.variant}, seed {planned.seed}", record["curves"]).savefig(
                aside / "curves.png", dpi=110
            )
            self.client.log_artifacts(entry["id"], folder)
        self.client.set_terminated(entry["id"], "FINISHED", end_time=end)
        entry["done"] = record["status"]
        self._note()

    def pause(self) -> None:
        """Mark the runs that stopped half-way, so that none looks as if it still trained."""
        wanted = {planned.key for planned in self.runs}
        for key, entry in self.ledger["runs"].items():
            if key in wanted and not entry["done"] and not entry.get("paused"):
                self.client.set_terminated(entry["id"], "KILLED")
                entry["paused"] = True
        self._note()

    def conclude(self, runs: pd.DataFrame, artifacts: list[Path], layers: Path | None = None) -> str:
        """Send what is known once all runs are there, mark runs of earlier specs, and return the study's run id.

        Parameters
        ----------
        runs : pandas.DataFrame
            `runs.parquet`.
        artifacts : list of Path
            Tables, figures and report: artifacts of the study's run.
        layers : Path
            Folder with a page ``<variant>.md`` each, which becomes the artifact ``layers.md`` of the variant's run.
        """
        now = round(1000 * time.time())
        for variant in self.plan.variants:
            study, entry = self._parents(variant)
            mine = runs[runs["variant"] == variant]
            summaries = {name: summarise(mine[name]) for name in METRICS if name in mine}
            values = {f"{name}_mean": s.mean for name, s in summaries.items() if s.n}
            values |= {f"{name}_sd": s.sd for name, s in summaries.items() if s.n > 1}
            values |= {"runs": len(mine), "parameters": int(mine["parameters"].iloc[0])}
            known = self.client.get_run(entry["id"]).data.metrics
            new = [Metric(name, value, now, 0) for name, value in values.items() if known.get(name) != value]
            if new:
                self.client.log_batch(entry["id"], metrics=new)
            if layers:
                page = (layers / f"{variant}.md").read_text(encoding="utf-8")
                self.client.log_text(entry["id"], page, "layers.md")
            self._terminate(entry)
        for path in artifacts:
            self.client.log_artifact(
                study["id"], str(path), path.parent.name if path.parent.name in ("tables", "figures") else None
            )
        facts = {
            "title": self.plan.study.title,
            "variants": len(self.plan.variants),
            "seeds": len(self.plan.study.seeds),
        }
        for name, value in facts.items():
            self.client.set_tag(study["id"], name, str(value))
        self._terminate(study)
        wanted = {planned.key for planned in self.runs}
        for key, entry in self.ledger["runs"].items():
            superseded = ":" not in key and key not in wanted
            if superseded != entry.get("superseded", False):
                self.client.set_tag(entry["id"], "superseded", str(superseded).lower())
                entry["superseded"] = superseded
        self._note()
        return study["id"]

    def _terminate(self, entry: dict) -> None:
        if not entry["done"]:
            self.client.set_terminated(entry["id"], "FINISHED")
            entry["done"] = "completed"


def tracking_uri(results: Path) -> tuple[str, str | None]:
    """Return the tracking URI and the place of artifacts: MLflow's own variable, or SQLite beside the results."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri:
        return uri, None
    results.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{results / 'mlflow.db'}", str((results / "mlartifacts").resolve())


def version() -> str:
    """Return MLflow's version."""
    return mlflow.__version__
