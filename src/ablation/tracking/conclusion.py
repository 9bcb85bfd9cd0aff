"""What is sent once all runs of a study are there: metrics that came late, the variants' summaries, tables and figures."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.records.store import FAILED
from ablation.tracking.content import milliseconds, row_values, variant_values
from ablation.tracking.experiment import ENDINGS
from ablation.tracking.sending import Sender


def send_rows(sender: Sender, rows: Mapping[str, Mapping[str, Any]], ended: Callable[[str], int]) -> None:
    """Send the metrics that were measured, added or changed after the runs were sent.

    A point stands at the end of the curves, like other metrics. One that takes another's place has the time of now:
    of points with one step and time, MLflow shows the greatest.

    Parameters
    ----------
    sender : Sender
    rows : mapping
        By the run's key in the ledger, its row of `runs.parquet`.
    ended : callable
        Returns when the run of a key ended, in milliseconds since 1970.
    """

    def send(key: str) -> None:
        known, now = sender.values.setdefault(key, {}), milliseconds(time.time())
        new = {name: value for name, value in row_values(sender.plan, rows[key]).items() if known.get(name) != value}
        if new:
            end = ended(key)
            points = [(name, value, now if name in known else end, rows[key]["epochs"]) for name, value in new.items()]
            sender.experiment.log(sender.ledger.runs[key]["id"], points)
            known |= new

    sender.each([key for key in rows if key in sender.ledger.runs], send)


def send_variants(sender: Sender, runs: pd.DataFrame, layers: Path | None) -> None:
    """Send the summary of each variant and, where there is one, its page of layers; `runs` is `runs.parquet`."""
    rows = dict(list(runs.groupby("variant")))
    sender.each(list(sender.plan.variants), lambda variant: _send_variant(sender, variant, rows[variant], layers))


def _send_variant(sender: Sender, variant: str, rows: pd.DataFrame, layers: Path | None) -> None:
    entry, values = sender.variant_run(variant), variant_values(sender.plan, rows)
    key, now = sender.variant_keys[variant], milliseconds(time.time())
    known = sender.values.setdefault(key, {})
    new = [(name, value, now, 0) for name, value in values.items() if known.get(name) != value]
    if new:
        sender.experiment.log(entry["id"], new)
        known |= values
    if layers:
        sender.experiment.upload(entry["artifacts"], {"layers.md": (layers / f"{variant}.md").read_bytes()})
    _terminate(sender, key, rows)


def send_study(sender: Sender, runs: pd.DataFrame, artifacts: Sequence[Path]) -> None:
    """Send tables, figures and report, and what is known of the study as a whole; `runs` is `runs.parquet`."""
    study, plan = sender.study_run(), sender.plan

    def upload(path: Path) -> None:
        folder = path.parent.name if path.parent.name in ("tables", "figures") else None
        sender.experiment.upload(study["artifacts"], {path.name: path.read_bytes()}, folder)

    sender.each(list(artifacts), upload)
    failed = int((runs["status"] == FAILED).sum())
    facts = {"variants": len(plan.variants), "seeds": len(plan.study.seeds), "failed_runs": failed}
    tags = {"title": plan.study.title, **{name: str(value) for name, value in facts.items()}}
    sender.experiment.log(study["id"], tags=tags)
    _terminate(sender, sender.study_key, runs)
    sender.ledger.note()


def _terminate(sender: Sender, key: str, rows: pd.DataFrame) -> None:
    """End the run of a variant or study, given the rows of `runs.parquet` below it: as failed if one of them is."""
    failed = bool((rows["status"] == FAILED).any())
    done, entry = FAILED if failed else "completed", sender.ledger.runs[key]
    if entry["done"] != done:
        sender.experiment.set_status(entry["id"], ENDINGS[failed])
        sender.ledger.update(key, done=done)


def mark_superseded(sender: Sender, wanted: set[str]) -> None:
    """Mark the runs of earlier forms of the study, of which `wanted` are the present keys, and those that came back."""

    def mark(superseded: bool, key: str) -> None:
        sender.experiment.log(sender.ledger.runs[key]["id"], tags={"superseded": str(superseded).lower()})
        sender.ledger.update(key, superseded=superseded)

    for superseded in (True, False):
        unmarked = [
            key
            for key, entry in sender.ledger.runs.items()
            if (":" not in key and key not in wanted) == superseded != entry.get("superseded", False)
        ]
        sender.each(unmarked, partial(mark, superseded))


def expect_all(sender: Sender, wanted: set[str]) -> None:
    """Raise RuntimeError unless every wanted run is there to its end."""
    lost = [key for key in wanted if not sender.ledger.runs.get(key, {}).get("done")]
    if lost:
        raise RuntimeError(f"{len(lost)} of {len(wanted)} runs are not there to their end; somebody deletes them")
