"""The mirror: copies records and growing curves to MLflow. Nothing reads them back to compute something.

There is one writer at a time (`lease`), and a ledger of what was sent. A repeated point is sent with the same step, time
and value, which MLflow stores once. A process begins by comparing the ledger with the experiment,
and does so again after an error: a run that was made and not noted is found, of a run that is there twice one is deleted,
one that is gone is made anew. So mirroring again changes nothing, and whatever interrupted it, the next pass catches up.
"""

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.collection import CURVES
from ablation.jobs.shards import PlannedRun
from ablation.records.runs import RunRecord, read_run
from ablation.records.store import FAILED, DamagedRecordError, Store
from ablation.study.plan import Plan
from ablation.support.digests import digest
from ablation.tracking.address import Address
from ablation.tracking.client import (
    MLFLOW_RUN_NAME,
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    MlflowClient,
    Param,
    RunTag,
)
from ablation.tracking.content import (
    beginning,
    curve_points,
    ending,
    milliseconds,
    parameters,
    record_tags,
    record_values,
    row_values,
    run_tags,
    variant_tags,
    variant_values,
    write_files,
)
from ablation.tracking.experiment import Experiment
from ablation.tracking.lease import Lease
from ablation.tracking.ledger import ENDINGS, Ledger, marks

ROWS = 1000 // len(CURVES)  # rows per request, which is stored whole or not at all; MLflow takes 1000 metrics


class Mirror:
    """Keeps one experiment of MLflow equal to one study.

    Parameters
    ----------
    plan : Plan
    runs : list of PlannedRun
    store : Store
    manifest : mapping
        Of the prepared data.
    sizes : mapping
        By variant, as `ablation.analysis.collection.read_sizes` returns them.
    address : Address
    artifacts : str
        Where a new experiment keeps its artifacts; None leaves it to the server.
    ledger : Path
        What was sent; it may be deleted.
    lease : Lease
        Guards a server against other machines; None if nobody else can reach the experiment.
    """

    def __init__(
        self,
        plan: Plan,
        runs: list[PlannedRun],
        store: Store,
        manifest: Mapping[str, Any],
        sizes: Mapping[str, Mapping[str, int]],
        address: Address,
        artifacts: str | None,
        ledger: Path,
        lease: Lease | None = None,
    ):
        self.plan, self.runs, self.store, self.manifest = plan, runs, store, manifest
        self.sizes = sizes
        self.address, self.artifacts, self.lease = address, artifacts, lease
        self.ledger = Ledger(ledger, address.public)
        self.study_key = f"study:{plan.name}"
        self.variant_keys = {name: f"variant:{name}:{digest(v.levels)}" for name, v in plan.variants.items()}
        self.marks = marks(runs)
        self.wanted = set(self.marks.values()) | {self.study_key, *self.variant_keys.values()}
        self.values: dict[str, dict[str, float]] = {}  # by key, the latest metrics that the experiment has
        self.client: MlflowClient | None = None
        self.experiment: Experiment | None = None

    @contextlib.contextmanager
    def _pass(self) -> Iterator[None]:
        """Know what is there before anything is sent; after an error, look again."""
        try:
            if self.experiment is None:
                self.client = MlflowClient(tracking_uri=self.address.uri)
                experiment = Experiment(self.client, self.plan.name, self.artifacts)
                self._hold(experiment)
                self.ledger.read(experiment.id)
                self.values = self.ledger.compare(experiment, self.wanted)
                self.experiment = experiment
            else:
                # Another process of this machine may have written it since.
                self.ledger.read(self.experiment.id)
                self._hold(self.experiment)
            yield
        except BaseException:
            self.experiment = None
            raise

    def _hold(self, experiment: Experiment) -> None:
        if self.lease:
            self.lease.renew(self.client, experiment.id)

    def release(self) -> None:
        """Let other machines write."""
        if self.lease and self.experiment:
            self.lease.release(self.client, self.experiment.id)

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
        entry = self.ledger.runs.get(key)
        if entry is None:
            labels = {MLFLOW_RUN_NAME: name, "study": self.plan.name, **tags}
            labels = {tag: str(value) for tag, value in labels.items()}
            entry = self.ledger.add(key, self.experiment.create(key, name, parent, labels, start))
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
            self.ledger.note()
        return entry

    def _study_run(self) -> dict:
        return self._run(self.study_key, f"{self.plan.name} (study)", None, {"level": "study"}, {})

    def _variant_run(self, variant: str) -> dict:
        parent, tags = self._study_run(), variant_tags(self.plan, variant)
        return self._run(self.variant_keys[variant], variant, parent["id"], tags, parameters(self.plan, variant))

    def _seed_run(self, planned: PlannedRun, begin: float) -> dict:
        parent, tags = self._variant_run(planned.variant), run_tags(self.plan, planned)
        params = {**parameters(self.plan, planned.variant), "seed": planned.seed}
        name = f"seed {planned.seed} of {planned.variant}"
        return self._run(self._mark(planned), name, parent["id"], tags, params, milliseconds(begin))

    def _mark(self, planned: PlannedRun) -> str:
        """Return the key under which a run is found again."""
        return self.marks[planned.variant, planned.seed]

    def _send_curves(self, entry: dict, rows: list[dict[str, Any]]) -> None:
        for start in range(entry["epochs"], len(rows), ROWS):
            some = rows[start : start + ROWS]
            self.client.log_batch(entry["id"], metrics=[Metric(*point) for point in curve_points(some)])
            entry["epochs"] = start + len(some)
            self.ledger.note()

    def sync(self) -> bool:
        """Send what is new; return whether every run of the study is there to its end."""
        with self._pass():
            return sum(self._sync_run(planned) for planned in self.runs) == len(self.runs)

    def _sync_run(self, planned: PlannedRun) -> bool:
        done = self.ledger.runs.get(self._mark(planned), {}).get("done")
        if done and done != FAILED:
            return True
        if self.store.folder(planned.key).is_dir():
            self._hold(self.experiment)
            try:
                run = read_run(self.store, planned.key)
            except DamagedRecordError as error:
                print(f"{error}: it has to be trained again", file=sys.stderr)
                return False
            if done and not self._ended_as(planned, run.content):
                self._forget(planned)
                done = None
            if not done:
                self._finish(planned, run)
            return True
        if done:  # its record was discarded to try it again
            self._forget(planned)
        rows = self.store.running_curves(planned.key)
        entry = self.ledger.runs.get(self._mark(planned), {"epochs": 0})
        went_on = bool(rows and entry.get("paused") and rows[-1]["time"] > entry["paused"])
        if len(rows) > entry["epochs"] or went_on:
            self._hold(self.experiment)
            entry = self._seed_run(planned, beginning(rows))
            if entry.get("paused"):
                self.client.update_run(entry["id"], status="RUNNING")
                entry["paused"] = None
                self.ledger.note()
            self._send_curves(entry, rows)
        return False

    def _ended_as(self, planned: PlannedRun, record: Mapping[str, Any]) -> bool:
        """Say whether a run that is there as failed is the one of the record, or one that was tried again since."""
        ended = self.ledger.runs[self._mark(planned)].get("ended")
        return record["status"] == FAILED and ended == milliseconds(ending(record))

    def _forget(self, planned: PlannedRun) -> None:
        """Delete a failed run of which there is another try: the points of both would mix."""
        entry = self.ledger.runs.pop(self._mark(planned))
        self.client.delete_run(entry["id"])
        self.ledger.note()

    def _finish(self, planned: PlannedRun, run: RunRecord) -> None:
        record = run.content
        end, rows = milliseconds(ending(record)), record["curves"]
        entry = self._seed_run(planned, beginning(rows) if rows else ending(record))
        self._send_curves(entry, record["curves"])
        if not entry.get("final"):
            step = len(record["curves"])
            values = record_values(self.plan, run, self.sizes[planned.variant])
            metrics = [Metric(name, value, end, step) for name, value in values.items()]
            tags = [RunTag(name, str(value)) for name, value in record_tags(record).items()]
            self.client.log_batch(entry["id"], metrics=metrics, tags=tags)
            self.values.setdefault(self._mark(planned), {}).update(values)
            entry["final"] = True
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder), planned, record)
            self.experiment.upload(entry["artifacts"], Path(folder))
        self.client.set_terminated(entry["id"], ENDINGS[record["status"] == FAILED], end_time=end)
        entry |= {"done": record["status"], "ended": end, "paused": None}
        self.ledger.note()

    def pause(self) -> None:
        """Mark the runs that stopped half-way, so that none looks as if it still trained."""
        with self._pass():
            for planned in self.runs:
                entry = self.ledger.runs.get(self._mark(planned))
                if entry and not entry["done"] and not entry.get("paused"):
                    self.client.set_terminated(entry["id"], "KILLED")
                    entry["paused"] = time.time()
            self.ledger.note()

    def conclude(self, runs: pd.DataFrame, artifacts: list[Path], layers: Path | None = None) -> str:
        """Send what is known once all runs are there, mark runs of earlier specs, and return the study's run id.

        Parameters
        ----------
        runs : pandas.DataFrame
            `runs.parquet`.
        artifacts : list of Path
            Tables, figures and report: artifacts of the study's run.
        layers : Path
            Folder with one page ``<variant>.md`` per variant, which becomes the artifact ``layers.md`` of the variant's run.
        """
        with self._pass():
            rows = {(row["variant"], row["seed"]): row for row in runs.to_dict("records")}
            for planned in self.runs:
                self._send_row(planned, rows[planned.variant, planned.seed])
            for variant in self.plan.variants:
                self._hold(self.experiment)
                self._conclude_variant(variant, runs[runs["variant"] == variant], layers)
            study = self.ledger.runs[self.study_key]
            for path in artifacts:
                self._hold(self.experiment)
                folder = path.parent.name if path.parent.name in ("tables", "figures") else None
                self.experiment.upload(study["artifacts"], path, folder)
            facts = {
                "title": self.plan.study.title,
                "variants": len(self.plan.variants),
                "seeds": len(self.plan.study.seeds),
                "failed_runs": int((runs["status"] == FAILED).sum()),
            }
            self.client.log_batch(study["id"], tags=[RunTag(name, str(value)) for name, value in facts.items()])
            self._terminate(study, runs)
            for key, entry in self.ledger.runs.items():
                superseded = ":" not in key and key not in self.wanted
                if superseded != entry.get("superseded", False):
                    self.client.set_tag(entry["id"], "superseded", str(superseded).lower())
                    entry["superseded"] = superseded
            self.values = self.ledger.compare(self.experiment, self.wanted)
            return self._whole()

    def _send_row(self, planned: PlannedRun, row: Mapping[str, Any]) -> None:
        """Send the metrics that were measured, added or changed after the run was sent.

        A point stands at the end of the curves, like other metrics. One that takes another's place has the time of now:
        of points with one step and time, MLflow shows the greatest.
        """
        mark, values = self._mark(planned), row_values(self.plan, row)
        known, entry = self.values.setdefault(mark, {}), self.ledger.runs.get(mark)
        new = {name: value for name, value in values.items() if known.get(name) != value}
        if entry and new:
            self._hold(self.experiment)
            end, now = milliseconds(ending(self.store.read(planned.key))), milliseconds(time.time())
            points = [Metric(name, v, now if name in known else end, row["epochs"]) for name, v in new.items()]
            self.client.log_batch(entry["id"], metrics=points)
            known |= new

    def _conclude_variant(self, variant: str, rows: pd.DataFrame, layers: Path | None) -> None:
        entry, values = self._variant_run(variant), variant_values(self.plan, rows)
        known, now = self.values.setdefault(self.variant_keys[variant], {}), milliseconds(time.time())
        new = [Metric(name, value, now, 0) for name, value in values.items() if known.get(name) != value]
        if new:
            self.client.log_batch(entry["id"], metrics=new)
            known |= values
        if layers:
            with tempfile.TemporaryDirectory() as folder:
                page = Path(folder) / "layers.md"
                page.write_bytes((layers / f"{variant}.md").read_bytes())
                self.experiment.upload(entry["artifacts"], page)
        self._terminate(entry, rows)

    def _terminate(self, entry: dict, rows: pd.DataFrame) -> None:
        """End the run of a variant or study, given the rows of `runs.parquet` below it: as failed if one of them is."""
        failed = bool((rows["status"] == FAILED).any())
        done = FAILED if failed else "completed"
        if entry["done"] != done:
            self.client.set_terminated(entry["id"], ENDINGS[failed])
            entry["done"] = done

    def _whole(self) -> str:
        """Return the id of the study's run, having checked that every wanted run is there to its end."""
        lost = [key for key in self.wanted if not self.ledger.runs.get(key, {}).get("done")]
        if lost:
            raise RuntimeError(
                f"{len(lost)} of {len(self.wanted)} runs are not there to their end; somebody deletes them"
            )
        return self.ledger.runs[self.study_key]["id"]
