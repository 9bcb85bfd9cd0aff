"""The mirror: copies records and growing curves to MLflow. Nothing reads them back to compute something.

There is one writer at a time (`lease`), and a ledger of what was sent. A repeated point is sent with the same step, time
and value, which MLflow stores once. Before it sends anything, a process compares the ledger with the experiment, and does
so again after an error: a run that was made and not noted is found, of a run that is there twice one is deleted, one that
is gone is made anew. So mirroring again changes nothing, and whatever interrupted it, the next pass catches up. While there
is nothing to send, MLflow is not even opened.
"""

import contextlib
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.jobs.shards import PlannedRun
from ablation.records.changes import Changes
from ablation.records.runs import RunRecord, read_run
from ablation.records.store import FAILED, DamagedRecordError, Store
from ablation.study.plan import Plan
from ablation.tracking.address import LEDGER, Address
from ablation.tracking.claims import registered_bytes, registration_tags
from ablation.tracking.content import (
    beginning,
    ending,
    milliseconds,
    parameters,
    record_tags,
    record_values,
    run_files,
    run_tags,
)
from ablation.tracking.experiment import ENDINGS
from ablation.tracking.lease import Lease
from ablation.tracking.ledger import marks
from ablation.tracking.sending import Sender

if TYPE_CHECKING:
    from ablation.tracking.conclusion import Results


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
    folder : Path
        The results of the study: what of its claims is registered and, in a file that may be deleted, what was sent.
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
        folder: Path,
        lease: Lease | None = None,
    ):
        self.plan, self.runs, self.store, self.sizes = plan, runs, store, sizes
        self.folder = folder
        self.sender = Sender(plan, manifest, address, artifacts, folder / LEDGER, lease)
        self.ledger = self.sender.ledger
        self.marks = marks(runs)
        self.wanted = {*self.marks.values(), self.sender.study_key, *self.sender.variant_keys.values()}
        self.changes = Changes(store)
        self.by_key: dict[str, list[PlannedRun]] = defaultdict(list)
        for planned in runs:
            self.by_key[planned.key].append(planned)
        self.news: dict[str, PlannedRun] = {}  # by mark, the runs that may have something to send

    @contextlib.contextmanager
    def _pass(self) -> Iterator[None]:
        """Know what is there before anything is sent; after an error, look again."""
        try:
            if self.sender.experiment is None or self.ledger.is_of_another():
                self.sender.open(self.wanted)
                self._gather(self.runs)
            self.sender.hold()
            yield
        except BaseException:
            self.sender.close()
            raise

    def release(self) -> None:
        """Let other machines write."""
        self.sender.release()

    def sync(self) -> bool:
        """Send what is new; return whether every run of the study is there to its end."""
        self._look()
        if self.news or self._registered_more():
            with self._pass():
                self._send_news()
        elif self.sender.experiment and self.sender.lease:
            with self._pass():
                pass  # renews the lease
        return self._is_complete()

    def _registered_more(self) -> bool:
        """Say whether claims were registered since that was last sent."""
        noted = self.ledger.runs.get(self.sender.study_key, {}).get("registered", 0)
        return registered_bytes(self.folder) != noted

    def _send_registration(self) -> None:
        """Tell when claims were registered, before their runs are trained; what is there of others, `conclude` judges."""
        key, there = self.sender.study_key, registered_bytes(self.folder)
        self.sender.study_run()
        tags = {**self.sender.tags.get(key, {}), **registration_tags(self.plan, self.folder)}
        self.sender.renew(key, {}, tags)
        self.ledger.update(key, registered=there)
        self.ledger.note()

    def _send_news(self) -> None:
        if self._registered_more():
            self._send_registration()
        self.sender.each(list(self.news.values()), self._sync_run)
        self.news.clear()

    def _is_complete(self) -> bool:
        return all(self._entry(planned).get("done") for planned in self.runs)

    def _look(self) -> None:
        """Gather what changed in the store since the last look."""
        if self.sender.experiment is None:
            self.ledger.read()
        self._gather(planned for key in self.changes.look() for planned in self.by_key.get(key, ()))

    def _gather(self, runs: Iterable[PlannedRun]) -> None:
        for planned in runs:
            if self._has_news(planned):
                self.news[self._mark(planned)] = planned

    def _has_news(self, planned: PlannedRun) -> bool:
        """Say whether a run may have something to send: not one that was sent to its end and not tried again."""
        entry = self._entry(planned)
        if entry.get("done"):
            return entry["done"] == FAILED and not self._is_the_same_failure(planned)
        return self.store.folder(planned.key).is_dir() or self._grew(planned)

    def _grew(self, planned: PlannedRun) -> list[dict[str, Any]]:
        """Return the curves of a run in training if there is more of them than was sent; else nothing."""
        entry, rows = self._entry(planned), self.store.running_curves(planned.key)
        went_on = bool(rows and entry.get("paused") and rows[-1]["time"] > entry["paused"])
        return rows if len(rows) > entry.get("epochs", 0) or went_on else []

    def _is_the_same_failure(self, planned: PlannedRun) -> bool:
        """Say whether a run that is there as failed is the one of the record, or one that was tried again since."""
        try:
            record = self.store.peek(planned.key)
        except DamagedRecordError:
            return False
        return record["status"] == FAILED and self._entry(planned).get("ended") == milliseconds(ending(record))

    def _mark(self, planned: PlannedRun) -> str:
        """Return the key under which a run is found again."""
        return self.marks[planned.variant, planned.seed]

    def _entry(self, planned: PlannedRun) -> Mapping[str, Any]:
        return self.ledger.runs.get(self._mark(planned), {})

    def _sync_run(self, planned: PlannedRun) -> None:
        mark, entry = self._mark(planned), self._entry(planned)
        done = entry.get("done")
        if self.store.folder(planned.key).is_dir():
            try:
                run = read_run(self.store, planned.key)
            except DamagedRecordError as error:
                print(f"{error}: it has to be trained again", file=sys.stderr)
                return
            if done == FAILED and not self._is_the_same_failure(planned):
                self._forget(mark)
                done = None
            if not done:
                self._finish(planned, run)
            return
        if done == FAILED:  # its record was discarded to try it again
            self._forget(mark)
        rows = self._grew(planned)
        if rows:
            self._begin(planned, beginning(rows))
            if self._entry(planned).get("paused"):
                self.sender.experiment.set_status(self._entry(planned)["id"], "RUNNING")
                self.ledger.update(mark, paused=None)
            self.sender.write(mark, self._params(planned), rows)

    def _params(self, planned: PlannedRun) -> dict[str, Any]:
        return {**parameters(self.plan, planned.variant), "seed": planned.seed}

    def _begin(self, planned: PlannedRun, begin: float) -> None:
        """Make the run of a seed unless it is there; `begin` is in seconds since 1970."""
        if not self._entry(planned):
            parent, name = self.sender.variant_run(planned.variant), f"seed {planned.seed} of {planned.variant}"
            self.sender.ensure(
                self._mark(planned), name, parent["id"], run_tags(self.plan, planned), milliseconds(begin)
            )

    def _forget(self, mark: str) -> None:
        """Delete a failed run of which there is another try: the points of both would mix."""
        self.sender.experiment.delete(self.ledger.remove(mark)["id"])

    def _finish(self, planned: PlannedRun, run: RunRecord) -> None:
        record, mark = run.content, self._mark(planned)
        end, rows = milliseconds(ending(record)), record["curves"]
        self._begin(planned, beginning(rows) if rows else ending(record))
        values: dict[str, float] = {}
        tags: dict[str, Any] = {}
        if not self._entry(planned).get("final"):
            values, tags = record_values(self.plan, run, self.sizes[planned.variant]), record_tags(record)
        final = [(name, value, end, len(rows)) for name, value in values.items()]
        self.sender.write(mark, self._params(planned), rows, final, tags)
        self.sender.values.setdefault(mark, {}).update(values)
        entry = self._entry(planned)
        self.sender.experiment.upload(entry["artifacts"], run_files(record))
        self.sender.experiment.set_status(entry["id"], ENDINGS[record["status"] == FAILED], end)
        self.ledger.update(mark, final=True, done=record["status"], ended=end, paused=None)

    def pause(self) -> None:
        """Mark the runs that stopped half-way, so that none looks as if it still trained."""
        if self._half_way():
            with self._pass():
                self.sender.each(self._half_way(), self._pause_run)

    def _half_way(self) -> list[str]:
        entries = ((mark, self.ledger.runs.get(mark)) for mark in self.marks.values())
        return [mark for mark, entry in entries if entry and not entry["done"] and not entry.get("paused")]

    def _pause_run(self, mark: str) -> None:
        self.sender.experiment.set_status(self.ledger.runs[mark]["id"], "KILLED")
        self.ledger.update(mark, paused=time.time())

    def conclude(self, results: "Results") -> str:
        """Send what is known once all runs are there, mark runs of earlier specs, and return the id of the study's run.

        Raises
        ------
        RuntimeError
            If a run is not there to its end.
        """
        from ablation.tracking import conclusion  # and the statistics, which following a training does not need

        self._look()
        with self._pass():
            self._send_news()
            keys = {self._mark(planned): planned.key for planned in self.runs}
            rows = {self.marks[row["variant"], row["seed"]]: row for row in results.runs.to_dict("records")}
            conclusion.send_rows(self.sender, rows, lambda mark: milliseconds(ending(self.store.peek(keys[mark]))))
            conclusion.send_variants(self.sender, results)
            conclusion.send_study(self.sender, results, self.folder)
            conclusion.mark_superseded(self.sender, self.wanted)
            self.sender.compare(self.wanted)
            conclusion.expect_all(self.sender, self.wanted)
            return self.ledger.runs[self.sender.study_key]["id"]
