"""What was sent, so that nothing is sent twice: a file that may be deleted at any time."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablation.jobs.shards import PlannedRun
from ablation.records.store import FAILED
from ablation.support.files import write_whole
from ablation.tracking.content import LAST_OF_ROW
from ablation.tracking.experiment import ENDINGS, Experiment, Run


def read_head(path: Path) -> tuple[str, str | None]:
    """Return the server or database that a ledger is of and the id of the experiment there; neither if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return _parse_head(file.readline())
    except OSError:
        return "", None


def _parse_head(line: bytes) -> tuple[str, str | None]:
    try:
        known = json.loads(line)
        return known["uri"], known["experiment"]
    except (ValueError, KeyError, TypeError):
        return "", None


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
    `superseded` while the study has no such run any more. That of the study's run has in `registered` how much was sent of
    what was registered (bytes of a file that only grows).

    The file has a line for whose ledger it is, and a line for each change of an entry, of which the last one counts: what
    is noted costs the same however many runs there are. A process begins with `compare`, which writes it anew; a line
    that a kill cut off is passed over until then.

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
        self._changed: set[str] = set()
        self._left: tuple[int, int, int] | None = None  # what the file was when this process last read or wrote it

    def read(self) -> None:
        """Read what this process, another one or an earlier one noted; nothing if it is of another server."""
        self._left, self.experiment, self.runs = self._stamp(), None, {}
        self._changed.clear()
        try:
            head, *lines = self.path.read_bytes().splitlines()
        except (OSError, ValueError):
            return
        uri, experiment = _parse_head(head)
        if uri != self.uri:
            return
        self.experiment = experiment
        for line in lines:
            try:
                key, entry = json.loads(line)
                self.runs[key] = entry
            except (ValueError, TypeError):
                continue  # it was cut off
        self.runs = {key: entry for key, entry in self.runs.items() if entry}

    def is_of_another(self) -> bool:
        """Say whether another process wrote it, or somebody deleted it, since this one last read or wrote it."""
        return self._stamp() != self._left

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            about = self.path.stat()
        except OSError:
            return None
        return about.st_ino, about.st_size, about.st_mtime_ns

    def update(self, key: str, **facts: Any) -> dict[str, Any]:
        """Change an entry, which is made if need be, and return it; `note` makes it durable."""
        entry = self.runs.setdefault(key, {"epochs": 0, "done": None})
        entry.update(facts)
        self._changed.add(key)
        return entry

    def remove(self, key: str) -> dict[str, Any]:
        """Remove and return an entry; `note` makes it durable."""
        self._changed.add(key)
        return self.runs.pop(key)

    def note(self) -> None:
        """Write what changed since it was last noted."""
        if self._changed:
            with open(self.path, "ab") as file:
                file.write(b"".join(_line([key, self.runs.get(key)]) for key in sorted(self._changed)))
            self._changed.clear()
            self._left = self._stamp()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(self.path) as file:
            file.write(_line({"uri": self.uri, "experiment": self.experiment}))
            file.writelines(_line(item) for item in self.runs.items())
        self._changed.clear()
        self._left = self._stamp()

    def compare(self, experiment: Experiment, wanted: set[str]) -> dict[str, Run]:
        """Make ledger and experiment agree: each wanted run once, none that is gone.

        Of a run that has not ended, the experiment says what was sent: a process may have been killed before it noted it.

        Parameters
        ----------
        experiment : Experiment
        wanted : set of str
            Keys of the study's present runs.

        Returns
        -------
        dict
            Every run as the experiment has it, by key.
        """
        if self.experiment != experiment.id:
            self.experiment, self.runs = experiment.id, {}
        found, kept = experiment.runs(), {}
        if set(self.runs) - set(found):  # gone, or the answer was cut off
            found = experiment.runs()
        known, self.runs = self.runs, {}
        for key, runs in found.items():
            noted = known.get(key)
            if key in wanted:
                run = experiment.keep_one(runs, noted and noted["id"])
            else:  # of an earlier form of the study; if it was deleted, that was meant
                run = next((run for run in runs if run.active), None)
            if run is None:
                continue
            kept[key] = run
            ended = run.status in ENDINGS
            if not (noted and noted["id"] == run.id and noted["done"] and ended):
                described = ended or bool(noted and noted["id"] == run.id and noted.get("described"))
                noted = {**_entry(run, experiment), "described": described}
            self.runs[key] = {**noted, "artifacts": run.artifacts}
        self._write()
        return kept


def _entry(run: Run, experiment: Experiment) -> dict[str, Any]:
    """Return the entry of a run by what of it is there."""
    ended = run.status in ENDINGS
    status = run.tags.get("status", FAILED if run.status == ENDINGS[True] else "completed")
    growing = not ended and LAST_OF_ROW in run.metrics
    return {
        "id": run.id,
        "epochs": experiment.last_step(run.id, LAST_OF_ROW) if growing else 0,
        "done": status if ended else None,
        "ended": run.end if ended else None,
        "final": status != "training",
        "paused": run.end / 1000 if run.status == "KILLED" and run.end else None,
        "superseded": run.tags.get("superseded") == "true",
    }


def _line(content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"
