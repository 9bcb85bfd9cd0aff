"""What is sent to an experiment, given what the ledger says of it: runs made once, in few requests, and noted."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablation.analysis.collection import CURVES
from ablation.study.plan import Plan
from ablation.support.digests import digest
from ablation.tracking import view
from ablation.tracking.address import Address
from ablation.tracking.content import curve_points, milliseconds, parameters, variant_tags
from ablation.tracking.experiment import KEY, NAME, OWNED, PARENT, Experiment, Point, open_experiment
from ablation.tracking.lease import Lease
from ablation.tracking.ledger import Ledger

POINTS = 800  # per request, which is stored whole or not at all: MLflow takes 1000 points, parameters and tags
TAGS = 100
ROWS = POINTS // len(CURVES)
TOGETHER = 200  # runs that are written at once where that can be done, and noted at once: a few seconds of work


class Sender:
    """Sends to the experiment of a study; `Mirror` says what.

    Parameters
    ----------
    plan : Plan
    manifest : mapping
        Of the prepared data.
    address : Address
    artifacts : str
        Where a new experiment keeps its artifacts; None leaves it to the server.
    ledger : Path
    lease : Lease
        None if nobody else can reach the experiment.

    Attributes
    ----------
    experiment : Experiment or None
        None until something has to be sent, and after an error.
    values, tags : dict
        By key, the latest metrics that the experiment has, and the tags that `Run` has.
    """

    def __init__(
        self,
        plan: Plan,
        manifest: Mapping[str, Any],
        address: Address,
        artifacts: str | None,
        ledger: Path,
        lease: Lease | None,
    ):
        self.plan = plan
        about = {"source": json.dumps(manifest["data"]), "profile": json.dumps(manifest["counts"])}
        self.data = {"name": manifest["data"]["name"], "digest": manifest["digest"], **about}
        self.address, self.artifacts, self.lease = address, artifacts, lease
        self.ledger = Ledger(ledger, address.public)
        self.study_key = f"study:{plan.name}"
        self.variant_keys = {name: f"variant:{name}:{digest(v.levels)}" for name, v in plan.variants.items()}
        self.values: dict[str, dict[str, float]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.experiment: Experiment | None = None

    def open(self, wanted: set[str]) -> None:
        """Open the experiment, and make it and the ledger agree; `wanted` are the keys of all runs of the study."""
        self.close()
        self.experiment = open_experiment(self.address, self.plan.name, self.artifacts)
        self.hold()
        self.ledger.read()
        self.compare(wanted)
        self.experiment.label(view.TAG, view.view(self.plan))

    def compare(self, wanted: set[str]) -> None:
        """Make experiment and ledger agree, and know what the experiment has."""
        kept = self.ledger.compare(self.experiment, wanted)
        self.values = {key: dict(run.metrics) for key, run in kept.items()}
        self.tags = {key: dict(run.tags) for key, run in kept.items()}

    def close(self) -> None:
        """Let go of the experiment."""
        if self.experiment:
            self.experiment.close()
        self.experiment = None

    def hold(self) -> None:
        """Keep other machines from writing."""
        if self.lease:
            self.lease.renew(self.experiment.client, self.experiment.id)

    def release(self) -> None:
        """Let other machines write."""
        if self.lease and self.experiment:
            self.lease.release(self.experiment.client, self.experiment.id)

    def each(self, items: Sequence[Any], send: Callable[[Any], None]) -> None:
        """Send something of each item, in transactions of `TOGETHER`, which are noted as soon as they are there."""
        for start in range(0, len(items), TOGETHER):
            with self.experiment.together():
                for item in items[start : start + TOGETHER]:
                    self.hold()
                    send(item)
            self.ledger.note()

    def ensure(
        self, key: str, name: str, parent: str | None, tags: Mapping[str, Any], start: int | None = None
    ) -> None:
        """Make the run of a key unless it is there; `start` is in milliseconds since 1970."""
        if key not in self.ledger.runs:
            labels = {KEY: key, NAME: name, "study": self.plan.name, **({PARENT: parent} if parent else {}), **tags}
            run, place = self.experiment.create({tag: str(value) for tag, value in labels.items()}, start)
            self.ledger.update(key, id=run, artifacts=place)

    def write(
        self,
        key: str,
        params: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]] = (),
        final: Sequence[Point] = (),
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Send what is missing of a run in as few requests as can be: the parameters with the first points, the tags last.

        Parameters
        ----------
        key : str
        params : mapping
        rows : sequence of mapping
            All epochs of its curves.
        final : sequence of Point
        tags : mapping, optional
        """
        entry = self.ledger.runs[key]
        described, sent = entry.get("described"), entry["epochs"]
        first = {} if described else {name: str(value) for name, value in params.items()}
        parts = [curve_points(rows[start : start + ROWS]) for start in range(sent, len(rows), ROWS)]
        if not parts or len(parts[-1]) + len(final) > POINTS:
            parts.append([])
        parts[-1] += final
        last = {name: str(value) for name, value in (tags or {}).items()}
        for place, points in enumerate(parts, 1):
            ends = place == len(parts)
            if points or first or (ends and last):
                self.experiment.log(entry["id"], points, first, last if ends else {})
            first = {}
        if not described:
            self.experiment.log_data(entry["id"], self.data)
        self.ledger.update(key, described=True, epochs=max(sent, len(rows)))

    def renew(self, key: str, values: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Make the numbers and tags of a variant's or study's run the present ones; what it has is not sent again.

        Parameters
        ----------
        key : str
        values : mapping
            NaN for what has no value, which is sent only where one stands that is not true any more.
        tags : mapping
            Of the tags that begin with one of `OWNED`, it keeps no others.
        """
        run, now = self.ledger.runs[key]["id"], milliseconds(time.time())
        known, labels = self.values.setdefault(key, {}), self.tags.setdefault(key, {})
        new = {name: value for name, value in values.items() if not _same(known.get(name, math.nan), value)}
        points = [(name, value, now, 0) for name, value in new.items()]
        changed = [item for item in tags.items() if labels.get(item[0]) != item[1]]
        for part in range(max(-(-len(points) // POINTS), -(-len(changed) // TAGS))):
            some = dict(changed[part * TAGS : (part + 1) * TAGS])
            self.experiment.log(run, points[part * POINTS : (part + 1) * POINTS], tags=some)
        gone = [name for name in labels if name.startswith(OWNED) and name not in tags]
        if gone:
            self.experiment.remove_tags(run, gone)
        self.values[key] = {**known, **new}
        self.tags[key] = {**{name: value for name, value in labels.items() if name not in gone}, **dict(changed)}

    def study_run(self) -> dict[str, Any]:
        """Return the ledger's entry of the study's run, made if need be."""
        return self._parent_run(self.study_key, f"{self.plan.name} (study)", None, {"level": "study"}, {})

    def variant_run(self, variant: str) -> dict[str, Any]:
        """Return the ledger's entry of a variant's run, made if need be."""
        parent, tags = self.study_run(), variant_tags(self.plan, variant)
        return self._parent_run(self.variant_keys[variant], variant, parent["id"], tags, parameters(self.plan, variant))

    def _parent_run(
        self, key: str, name: str, parent: str | None, tags: Mapping[str, Any], params: Mapping[str, Any]
    ) -> dict[str, Any]:
        if not self.ledger.runs.get(key, {}).get("described"):
            self.ensure(key, name, parent, tags)
            self.write(key, params)
        return self.ledger.runs[key]


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
