"""One experiment of MLflow, with one run per key: what the mirror asks of it, whatever way leads there."""

import abc
import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ablation.tracking.address import Address

KEY = "ablation.key"
PARENT, NAME = "mlflow.parentRunId", "mlflow.runName"  # MLflow's tags
# Without the tag, the UI takes the experiment for one of prompts and agents.
KIND = {"mlflow.experimentKind": "custom_model_development"}
OWNED = ("verdict.", "registered.", "exploratory.")  # tags of ours that go when they are not true any more
ENDINGS = ("FINISHED", "FAILED")  # MLflow's word for a run that ended, by whether it failed

Point = tuple[str, float, int, int]  # name, value, time in milliseconds since 1970, step


class GoneError(Exception):
    """A run or an experiment that was there is not, or was deleted."""


@dataclass(frozen=True)
class Run:
    """A run as MLflow has it.

    Attributes
    ----------
    id : str
    status : str
        ``RUNNING``, ``FINISHED``, ``FAILED`` or ``KILLED``.
    active : bool
        False if it was deleted, which can be undone.
    start, end : int or None
        Milliseconds since 1970.
    artifacts : str
        Where its artifacts lie.
    tags : mapping of str to str
        All of a variant's or the study's; of another run at least those that tell what was sent of it.
    metrics : mapping of str to float
        The latest value of each.
    """

    id: str
    status: str
    active: bool
    start: int | None
    end: int | None
    artifacts: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


class Experiment(abc.ABC):
    """The experiment of a study.

    Attributes
    ----------
    id : str
    """

    id: str

    @abc.abstractmethod
    def runs(self) -> dict[str, list[Run]]:
        """Return all runs by key, deleted ones too."""

    @abc.abstractmethod
    def create(self, tags: Mapping[str, str], start: int | None) -> tuple[str, str]:
        """Make a run, and return its id and the place of its artifacts; `KEY` and its name are among the tags."""

    @abc.abstractmethod
    def log(
        self,
        run: str,
        points: Collection[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping | None = None,
    ) -> None:
        """Add points, parameters and tags to a run; a point that it has stays as it is.

        At most 1000 points and 100 parameters and tags.
        """

    @abc.abstractmethod
    def remove_tags(self, run: str, names: Collection[str]) -> None:
        """Remove tags from a run, which has them."""

    @abc.abstractmethod
    def label(self, name: str, value: str) -> None:
        """Give the experiment itself a tag, unless it has it with this value."""

    @abc.abstractmethod
    def log_data(self, run: str, data: Mapping[str, str]) -> None:
        """Say what a run is trained on: ``name``, ``digest``, ``source`` and ``profile``."""

    @abc.abstractmethod
    def set_status(self, run: str, status: str, end: int | None = None) -> None:
        """Set the status of a run and, unless it runs, when it ended (milliseconds since 1970)."""

    @abc.abstractmethod
    def delete(self, run: str) -> None:
        """Delete a run, which can be undone."""

    @abc.abstractmethod
    def restore(self, run: str) -> None:
        """Bring a deleted run back."""

    @abc.abstractmethod
    def last_step(self, run: str, metric: str) -> int:
        """Return the last step at which a run has a metric."""

    @abc.abstractmethod
    def upload(self, place: str, files: Mapping[str, bytes], folder: str | None = None) -> None:
        """Send files, by name, to the place of a run's artifacts, or to a folder there."""

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write all that is sent within the block at once, where that can be done."""
        yield

    def close(self) -> None:  # noqa: B027
        """Let go of what is open."""

    def keep_one(self, runs: list[Run], known: str | None) -> Run:
        """Of runs with the same key, keep the known one, or else the fullest and oldest, and delete the others.

        A kept one that somebody deleted is restored, like the experiment.
        """

        def worth(run: Run) -> tuple:
            return run.id == known, run.active, len(run.metrics), -(run.start or 0), run.id

        kept = max(runs, key=worth)
        for run in runs:
            if run is not kept and run.active:
                self.delete(run.id)
        if not kept.active:
            self.restore(kept.id)
        return kept


def open_experiment(address: Address, name: str, artifacts: str | None) -> Experiment:
    """Find an experiment, make it if there is none, and restore it if somebody deleted it.

    One that was removed for good (`mlflow gc`) is made anew, under another id. A file of this machine is written
    without MLflow's client if its tables are those that we know.

    Parameters
    ----------
    address : Address
    name : str
    artifacts : str
        Where a new experiment keeps its artifacts; None leaves it to MLflow.
    """
    from ablation.tracking import database

    found = database.open_database(address, name, artifacts)
    if found is None:
        from ablation.tracking.client import ClientExperiment

        found = ClientExperiment(address.uri, name, artifacts)
    return found
