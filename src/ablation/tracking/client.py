"""An experiment through MLflow's own client: the one module that imports MLflow, with its variables set before."""

import contextlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ablation.tracking.address import RETRIES
from ablation.tracking.experiment import KEY, KIND, NAME, Experiment, Point, Run

# MLflow would send usage data to its makers, while the mirror speaks with nobody but the tracking server; and it would ask
# that server for the address of each run, to print it. It reads both variables when it is imported.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.entities import Run as ClientRun
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

PAGE = 1000  # runs per request


@contextlib.contextmanager
def asked_once() -> Iterator[None]:
    """Keep MLflow's client from repeating a request whose answer was lost: what it made would be made twice."""
    before = os.environ.get(RETRIES)
    os.environ[RETRIES] = "0"
    try:
        yield
    finally:
        os.environ.pop(RETRIES)
        if before is not None:
            os.environ[RETRIES] = before


class ClientExperiment(Experiment):
    """An experiment through MLflow's client; made if there is none, restored if somebody deleted it.

    Parameters
    ----------
    uri : str
    name : str
    artifacts : str
        Where a new experiment keeps its artifacts; None leaves it to the server.
    """

    def __init__(self, uri: str, name: str, artifacts: str | None):
        self.client = MlflowClient(tracking_uri=uri)
        known = self.client.get_experiment_by_name(name)
        if known is None:
            self.id = self.client.create_experiment(name, artifact_location=artifacts, tags=KIND)
        else:
            self.id = known.experiment_id
            if known.lifecycle_stage == "deleted":
                self.client.restore_experiment(self.id)

    def runs(self) -> dict[str, list[Run]]:
        """Return all runs by key, deleted ones too, in requests of `PAGE` runs."""
        found, token = defaultdict(list), None
        while True:
            page = self.client.search_runs([self.id], "", ViewType.ALL, PAGE, page_token=token)
            for run in page:
                if KEY in run.data.tags:
                    found[run.data.tags[KEY]].append(_plain(run))
            token = page.token
            if not token:
                return found

    def create(self, tags: Mapping[str, str], start: int | None) -> tuple[str, str]:
        """Make a run; if the answer is lost there may be one nevertheless, which `runs` finds."""
        with asked_once():
            run = self.client.create_run(self.id, start, dict(tags), tags[NAME])
        return run.info.run_id, run.info.artifact_uri

    def log(
        self,
        run: str,
        points: Collection[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping | None = None,
    ) -> None:
        """Add points, parameters and tags in one request; MLflow stores a repeated point once."""
        metrics = [Metric(*point) for point in points]
        named = [Param(*item) for item in (params or {}).items()], [RunTag(*item) for item in (tags or {}).items()]
        self.client.log_batch(run, metrics, *named)

    def remove_tags(self, run: str, names: Collection[str]) -> None:
        """Remove tags from a run."""
        for name in names:
            self.client.delete_tag(run, name)

    def label(self, name: str, value: str) -> None:
        """Give the experiment a tag, unless it has it."""
        if self.client.get_experiment(self.id).tags.get(name) != value:
            self.client.set_experiment_tag(self.id, name, value)

    def log_data(self, run: str, data: Mapping[str, str]) -> None:
        """Say what a run is trained on."""
        source = Dataset(data["name"], data["digest"], "ablation", data["source"], profile=data["profile"])
        self.client.log_inputs(run, [DatasetInput(source, [InputTag("mlflow.data.context", "training")])])

    def set_status(self, run: str, status: str, end: int | None = None) -> None:
        """Set the status of a run."""
        if status == "RUNNING":
            self.client.update_run(run, status=status)
        else:
            self.client.set_terminated(run, status, end_time=end)

    def delete(self, run: str) -> None:
        """Delete a run."""
        self.client.delete_run(run)

    def restore(self, run: str) -> None:
        """Bring a deleted run back."""
        self.client.restore_run(run)

    def last_step(self, run: str, metric: str) -> int:
        """Return the last step at which a run has a metric."""
        return max(point.step for point in self.client.get_metric_history(run, metric))

    def upload(self, place: str, files: Mapping[str, bytes], folder: str | None = None) -> None:
        """Send files. MLflow's own method would first ask the server for the place, for every run."""
        repository = get_artifact_repository(place, self.client.tracking_uri)
        with tempfile.TemporaryDirectory() as aside:
            for name, content in files.items():
                (Path(aside) / name).write_bytes(content)
            repository.log_artifacts(aside, folder)


def _plain(run: ClientRun) -> Run:
    """Return what the mirror needs to know of a run."""
    about, content = run.info, run.data
    active = about.lifecycle_stage == "active"
    times = about.start_time, about.end_time
    return Run(about.run_id, about.status, active, *times, about.artifact_uri, content.tags, content.metrics)
