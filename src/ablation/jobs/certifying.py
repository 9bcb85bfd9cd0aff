"""A sample of a study's runs trained again, each from the spec in its record, and compared with it."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from ablation.data import datasets
from ablation.jobs.devices import count_gpus, use_threads
from ablation.jobs.lookup import NotThereError, find_data
from ablation.records.certificate import UNJUDGED
from ablation.records.comparison import Comparison, compare
from ablation.records.environment import git_revision
from ablation.records.keys import run_key
from ablation.records.predictions import LOGITS
from ablation.records.runs import RunRecord, read_run
from ablation.records.store import WEIGHTS, Store
from ablation.support.digests import digest


def choose(runs: Mapping[tuple[str, int], str], number: int, seed: int) -> list[tuple[str, int]]:
    """Choose a random sample of runs, as evenly over the architectures as their numbers allow.

    Parameters
    ----------
    runs : mapping of (str, int) to str
        Variant and seed of each run, with its key.
    number : int
        How many, or all if there are fewer.
    seed : int
        Of the sample: the same for the same runs, and more runs leave the order of the others as it is.

    Returns
    -------
    list of (str, int)
    """
    strata: dict[str, list[tuple[str, int]]] = {}
    for run in sorted(runs, key=lambda run: digest([seed, *run])):
        strata.setdefault(run[0].partition("-")[0], []).append(run)  # no name of an architecture has a hyphen
    order = sorted(strata, key=lambda architecture: digest([seed, architecture]))
    rounds = chain.from_iterable(zip_longest(*(strata[architecture] for architecture in order)))
    return [run for run in rounds if run][:number]


class Certifying:
    """The second training of runs of a study.

    Parameters
    ----------
    place : Path
        The folder of the study's results; the store and the data lie beside it.
    runs : mapping of (str, int) to str
        The key of every run of the study by variant and seed.
    stop : ablation.jobs.stopping.Stop
    threads, gpus : int or None
        In the place of the processor threads that a record states, and of a GPU if it was trained on one and there is one.
    """

    def __init__(
        self,
        place: Path,
        runs: Mapping[tuple[str, int], str],
        stop: Any,
        threads: int | None = None,
        gpus: int | None = None,
    ):
        self.place, self.runs, self.stop = place, runs, stop
        self.threads, self.gpus = threads, gpus
        self.store = Store(place.parent / "store")
        self.data: tuple[str, Any, Any] = ("", None, None)

    def certify(self, sample: Sequence[tuple[str, int]], scratch: Path, tell: Callable[[str], None]) -> dict[str, Any]:
        """Train a sample again and return its certificate, without the sample's own size and seed.

        Parameters
        ----------
        sample : sequence of (str, int)
        scratch : Path
            Folder of the second trainings; what is there of an interrupted one goes on.
        tell : callable
            Told the outcome of each run.

        Raises
        ------
        NotThereError
            If a record or the data are missing, if the code of a run has changed since, or if no run can be trained again.
        DamagedRecordError, NewerRecordError
            As reading a record does.
        """
        rows, environment = [], None
        for variant, seed in sample:
            record = self._read(variant, seed)
            if why := self._without_start(variant, record.content["spec"]["warm_start"], record.content["data"]):
                found = Comparison(UNJUDGED, why)
            else:
                store = Store(scratch / record.content["key"])  # one each: a run may start from another's first record
                again = self._train(variant, record.content, store)
                peers = (self._read(other, one) for other, one in self.runs if other == variant)
                found = compare(record, again, (self.store, store), peers)
                environment = again.content["environment"]
            rows.append(
                {
                    **{"variant": variant, "seed": seed, "key": record.content["key"]},
                    **{"status": record.content["status"], "outcome": found.outcome},
                    **{"why": found.why, "epoch": found.epoch},
                }
            )
            tell(f"{variant}  seed {seed}  {found.outcome}: {found.why}")
        if environment is None:
            raise NotThereError(f"{self.place.name}: no run of the sample can be trained again: {rows[0]['why']}")
        return {
            "study": self.place.name,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": git_revision(),
            "environment": environment,
            "runs": rows,
        }

    def _read(self, variant: str, seed: int) -> RunRecord:
        try:
            return read_run(self.store, self.runs[variant, seed])
        except KeyError as error:
            raise NotThereError(
                f"{variant}, seed {seed}: its record {error} is gone: start {self.place.name} again"
            ) from None

    def _without_start(self, variant: str, source: Mapping[str, Any] | None, data: str) -> str:
        """Say why a run cannot start from the weights that it started from; empty if it can, or started afresh."""
        if source is None:
            return ""
        try:
            start = self.store.read(run_key(source, data))
        except KeyError as error:
            raise NotThereError(
                f"{variant}: the record {error} that it starts from is gone: start the study again"
            ) from None
        return "the weights that it starts from were freed" if WEIGHTS in start.get("freed", []) else ""

    def _train(self, variant: str, record: Mapping[str, Any], scratch: Store) -> RunRecord:
        """Train a run again in the way of a job, with the threads of its record, and return what it left behind."""
        spec, key, machine = record["spec"], record["key"], record["environment"]
        if run_key(spec, record["data"]) != key:
            raise NotThereError(
                f"{variant}, seed {record['seed']}: the code that trains it has changed since it was trained, so that its "
                f"record cannot be certified: start {self.place.name} again to train it with the code of today"
            )
        use_threads(self.threads or machine["threads"])
        from ablation.jobs.training import train_missing

        if self.data[0] != record["data"]:
            self.data = (record["data"], *datasets.read(find_data(record["data"], self.place)))
        _, arrays, manifest = self.data
        if spec["warm_start"]:
            start = run_key(spec["warm_start"], record["data"])
            shutil.copytree(self.store.folder(start), scratch.folder(start), dirs_exist_ok=True)
        kept = read_run(self.store, key).predictions
        shard = {"runs": [{"variant": variant, "spec": spec}], LOGITS: kept is not None and kept.logits is not None}
        gpu = bool(machine["device"] != "cpu" and count_gpus()) if self.gpus is None else bool(self.gpus)
        train_missing(shard, [key], arrays, manifest, scratch, self.stop, gpu)
        return read_run(scratch, key)
