"""One experiment of MLflow: found, made or brought back, with one run per key."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from ablation.tracking.address import RETRIES
from ablation.tracking.client import MLFLOW_PARENT_RUN_ID, MlflowClient, Run, ViewType, get_artifact_repository

KEY = "ablation.key"
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


class Experiment:
    """The experiment of a study; made if there is none, restored if somebody deleted it.

    One that was removed for good (`mlflow gc`) is made anew, under another id.

    Parameters
    ----------
    client : MlflowClient
    name : str
    artifacts : str
        Where a new experiment keeps its artifacts; None leaves it to the server.
    """

    def __init__(self, client: MlflowClient, name: str, artifacts: str | None):
        self.client = client
        known = client.get_experiment_by_name(name)
        if known is None:
            # Without the tag, the UI takes the experiment for one of prompts and agents.
            kind = {"mlflow.experimentKind": "custom_model_development"}
            self.id = client.create_experiment(name, artifact_location=artifacts, tags=kind)
        else:
            self.id = known.experiment_id
            if known.lifecycle_stage == "deleted":
                client.restore_experiment(self.id)

    def runs(self) -> dict[str, list[Run]]:
        """List all runs by key, deleted ones too, in requests of `PAGE` runs."""
        found, token = defaultdict(list), None
        while True:
            page = self.client.search_runs([self.id], "", ViewType.ALL, PAGE, page_token=token)
            for run in page:
                if KEY in run.data.tags:
                    found[run.data.tags[KEY]].append(run)
            token = page.token
            if not token:
                return found

    def create(self, key: str, name: str, parent: str | None, tags: Mapping[str, str], start: int | None) -> Run:
        """Make a run; if the answer is lost there may be one nevertheless, which `runs` finds."""
        labels = {KEY: key, **tags}
        if parent:
            labels[MLFLOW_PARENT_RUN_ID] = parent
        with asked_once():
            return self.client.create_run(self.id, start, labels, name)

    def upload(self, place: str, path: Path, folder: str | None = None) -> None:
        """Send a file, or all that is in a folder, to the place of a run's artifacts.

        MLflow's own method would first ask the server for that place, for every run.
        """
        repository = get_artifact_repository(place, self.client.tracking_uri)
        if path.is_dir():
            repository.log_artifacts(str(path), folder)
        else:
            repository.log_artifact(str(path), folder)

    def keep_one(self, runs: list[Run], known: str | None) -> Run:
        """Of runs with the same key, keep the known one, or else the fullest and oldest, and delete the others.

        A kept one that somebody deleted is restored, like the experiment.
        """

        def worth(run: Run) -> tuple:
            return run.info.run_id == known, _active(run), len(run.data.metrics), -run.info.start_time, run.info.run_id

        kept = max(runs, key=worth)
        for run in runs:
            if run is not kept and _active(run):
                self.client.delete_run(run.info.run_id)
        if not _active(kept):
            self.client.restore_run(kept.info.run_id)
        return kept

    def last_step(self, run: Run, metric: str) -> int:
        """Return the last step at which a run has a metric."""
        return max(point.step for point in self.client.get_metric_history(run.info.run_id, metric))


def _active(run: Run) -> bool:
    return run.info.lifecycle_stage == "active"
