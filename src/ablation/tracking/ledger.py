"""What was sent, so that nothing is sent twice: a file that may be deleted at any time."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.jobs.shards import PlannedRun
from ablation.records.store import FAILED
from ablation.support.files import write_whole
from ablation.tracking.content import LAST_OF_ROW

ENDINGS = ("FINISHED", "FAILED")  # MLflow's word for a run that ended, by whether it failed

if TYPE_CHECKING:
    from ablation.tracking.client import Run
    from ablation.tracking.experiment import Experiment


def marks(runs: Sequence[PlannedRun]) -> dict[tuple[str, int], str]:
    """Return the key under which each run is found again in an experiment, by variant and seed.

    Two variants may come out the same, such as a control of the baseline's size: one record, but a run for each.
    """
    first = {planned.key: planned.variant for planned in reversed(runs)}
    return {
        (planned.variant, planned.seed): planned.key
        if first[planned.key] == planned.variant
        else f"{planned.key}:{planned.variant}"
        for planned in runs
    }


class Ledger:
    """The runs of one experiment by key.

    An entry has the run's `id`, the place of its `artifacts`, how many `epochs` were sent, and its status once it is
    `done`, with the time when it `ended` (milliseconds since 1970); `described` once its parameters and data are there,
    `final` once its last metrics are, `paused` with the time (seconds since 1970) since which it is marked as killed, and
    `superseded` while the study has no such run any more.

    Parameters
    ----------
    path : Path
    uri : str
        Of the server, without secrets.
    """

    def __init__(self, path: Path, uri: str):
        self.path, self.uri = path, uri
        self.experiment: str | None = None
        self.runs: dict[str, dict[str, Any]] = {}

    def read(self, experiment: str) -> None:
        """Read what another process, or an earlier one, noted of this experiment; nothing if it is of another."""
        self.experiment, self.runs = experiment, {}
        try:
            known = json.loads(self.path.read_text())
            if (known["uri"], known["experiment"]) == (self.uri, experiment):
                self.runs = known["runs"]
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def note(self) -> None:
        """Make the present state durable."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(self.path) as file:
            content = {"uri": self.uri, "experiment": self.experiment, "runs": self.runs}
            file.write(json.dumps(content, indent=1).encode())

    def add(self, key: str, run: "Run") -> dict[str, Any]:
        """Note a new run under its key, and return its entry."""
        self.runs[key] = {"id": run.info.run_id, "artifacts": run.info.artifact_uri, "epochs": 0, "done": None}
        self.note()
        return self.runs[key]

    def compare(self, experiment: "Experiment", wanted: set[str]) -> dict[str, dict[str, float]]:
        """Make ledger and experiment agree: each wanted run once, none that is gone.

        Parameters
        ----------
        experiment : Experiment
        wanted : set of str
            Keys of the study's present runs.

        Returns
        -------
        dict
            The latest metrics of every run, by key.
        """
        found, values = experiment.runs(), {}
        if set(self.runs) - set(found):  # gone, or the answer was cut off
            found = experiment.runs()
        for key, runs in found.items():
            known = self.runs.get(key)
            if key in wanted:
                run = experiment.keep_one(runs, known and known["id"])
            else:  # of an earlier form of the study; if it was deleted, that was meant
                run = next((run for run in runs if run.info.lifecycle_stage == "active"), None)
            if run is None:
                self.runs.pop(key, None)
                continue
            values[key] = run.data.metrics
            ended = run.info.status in ENDINGS
            if known is None or known["id"] != run.info.run_id or (known["done"] and not ended):
                self.runs[key] = self._entry(run, experiment)
            self.runs[key]["artifacts"] = run.info.artifact_uri
        for key in set(self.runs) - set(found):
            del self.runs[key]
        self.note()
        return values

    @staticmethod
    def _entry(run: "Run", experiment: "Experiment") -> dict[str, Any]:
        """Return the entry of a run that was not noted: how much of it is there."""
        ended = run.info.status in ENDINGS
        status = run.data.tags.get("status", FAILED if run.info.status == ENDINGS[True] else "completed")
        growing = not ended and LAST_OF_ROW in run.data.metrics
        return {
            "id": run.info.run_id,
            "epochs": experiment.last_step(run, LAST_OF_ROW) if growing else 0,
            "done": status if ended else None,
            "ended": run.info.end_time if ended else None,
            "described": ended,
            "final": status != "training",
            "paused": run.info.end_time / 1000 if run.info.status == "KILLED" else None,
            "superseded": run.data.tags.get("superseded") == "true",
        }
