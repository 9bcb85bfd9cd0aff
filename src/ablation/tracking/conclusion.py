"""What is sent once all runs of a study are there: late metrics, the variants' summaries, verdicts, tables and figures."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.outcomes import Outcomes
from ablation.records.store import FAILED
from ablation.tracking import claims
from ablation.tracking.content import PRESENT, milliseconds, row_values
from ablation.tracking.experiment import ENDINGS
from ablation.tracking.sending import Sender
from ablation.tracking.summary import variant_values


@dataclass(frozen=True)
class Results:
    """What there is of a study once all its runs are there.

    Attributes
    ----------
    runs, comparison : pandas.DataFrame
        `runs.parquet` and `tables/comparison.csv`.
    outcomes : Outcomes
        `verdicts.json`.
    artifacts : sequence of Path
        Tables, figures, report and verdicts: artifacts of the study's run.
    examples : numpy.ndarray, optional
        `examples.npy`; without it intervals of means are over seeds alone.
    layers : Path, optional
        Folder with one page ``<variant>.md`` per variant, which becomes the artifact ``layers.md`` of the variant's run.
    """

    runs: pd.DataFrame
    comparison: pd.DataFrame
    outcomes: Outcomes
    artifacts: Sequence[Path]
    examples: np.ndarray | None = None
    layers: Path | None = None


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


def send_variants(sender: Sender, results: Results) -> None:
    """Send the summary of each variant, the verdicts that it has to do with and, where there is one, its page of layers."""
    rows, runs = dict(list(results.runs.groupby("variant"))), RunsByVariant(results.runs, results.examples)
    compared = {row["variant"]: row for row in results.comparison.to_dict("records")}
    verdicts = claims.verdicts_of_variants(results.outcomes)

    def send(variant: str) -> None:
        entry, key = sender.variant_run(variant), sender.variant_keys[variant]
        values = variant_values(sender.plan, variant, rows[variant], runs, compared[variant])
        sender.renew(key, values, {**PRESENT, **verdicts.get(variant, {})})
        if results.layers:
            page = (results.layers / f"{variant}.md").read_bytes()
            sender.experiment.upload(entry["artifacts"], {"layers.md": page})
        _terminate(sender, key, rows[variant])

    sender.each(list(sender.plan.variants), send)


def send_study(sender: Sender, results: Results, folder: Path) -> None:
    """Send verdicts, tables, figures and report, and what is known of the study as a whole; `folder` has its results."""
    study, plan = sender.study_run(), sender.plan

    def upload(path: Path) -> None:
        folder = path.parent.name if path.parent.name in ("tables", "figures") else None
        sender.experiment.upload(study["artifacts"], {path.name: path.read_bytes()}, folder)

    sender.each(list(results.artifacts), upload)
    failed = int((results.runs["status"] == FAILED).sum())
    facts = {"variants": len(plan.variants), "seeds": len(plan.study.seeds), "failed_runs": failed}
    tags = {"title": plan.study.title, **{name: str(value) for name, value in facts.items()}}
    tags |= claims.registration_tags(plan, folder, results.outcomes) | claims.verdicts_of_study(results.outcomes)
    sender.renew(sender.study_key, claims.verdict_counts(results.outcomes), tags)
    _terminate(sender, sender.study_key, results.runs)
    sender.ledger.note()


def _terminate(sender: Sender, key: str, rows: pd.DataFrame) -> None:
    """End the run of a variant or study, given the rows of `runs.parquet` below it: as failed if one of them is."""
    failed = bool((rows["status"] == FAILED).any())
    done, entry = FAILED if failed else "completed", sender.ledger.runs[key]
    if entry["done"] != done:
        sender.experiment.set_status(entry["id"], ENDINGS[failed])
        sender.ledger.update(key, done=done)


def mark_superseded(sender: Sender, wanted: set[str]) -> None:
    """Mark runs and variants of earlier forms of the study, whose present keys are `wanted`, and those that came back."""

    def mark(superseded: bool, key: str) -> None:
        sender.experiment.log(sender.ledger.runs[key]["id"], tags={"superseded": str(superseded).lower()})
        sender.ledger.update(key, superseded=superseded)

    for superseded in (True, False):
        unmarked = [
            key
            for key, entry in sender.ledger.runs.items()
            if (key not in wanted) == superseded != entry.get("superseded", False)
        ]
        sender.each(unmarked, partial(mark, superseded))


def expect_all(sender: Sender, wanted: set[str]) -> None:
    """Raise RuntimeError unless every wanted run is there to its end."""
    lost = [key for key in wanted if not sender.ledger.runs.get(key, {}).get("done")]
    if lost:
        raise RuntimeError(f"{len(lost)} of {len(wanted)} runs are not there to their end; somebody deletes them")
