"""Print the progress of a study's training now and then, until the parent process ends."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from ablation.jobs.shards import planned_runs
from ablation.records.store import Store
from ablation.study.studyfile import read_started
from ablation.support.formatting import duration

EVERY = 10.0  # seconds between two lines


class Watch:
    """Counts the runs of a study, those in training by their epochs.

    Parameters
    ----------
    epochs : dict of str to int
        By key of a run: how many epochs it will have.
    store : Store
    """

    def __init__(self, epochs: dict[str, int], store: Store):
        self.epochs, self.store = epochs, store
        self.start: tuple[float, float] | None = None
        self.said = ""

    def line(self, now: float) -> str:
        """Return the line to print at a time (seconds of a monotonic clock); empty if nothing is new."""
        done = [key for key in self.epochs if self.store.folder(key).is_dir()]
        training = {key: len(self.store.running_curves(key)) for key in set(self.epochs) - set(done)}
        begun = {key: epochs for key, epochs in training.items() if epochs}
        total = sum(self.epochs.values())
        share = (sum(self.epochs[key] for key in done) + sum(begun.values())) / total
        self.start = self.start or (now, share)
        text = f"{len(done)} of {len(self.epochs)} runs done, {len(begun)} in training"
        if share > self.start[1] and share < 1:
            left = (now - self.start[0]) * (1 - share) / (share - self.start[1])
            text += f"  {100 * share:.0f} % of all epochs, about {duration(left)} left"
        if text == self.said or share in (0, 1):
            return ""
        self.said = text
        return text


def main(arguments: argparse.Namespace) -> None:
    """Watch the store."""
    plan, parent, watch = None, arguments.parent, None
    while os.getppid() == parent:
        plan = plan or read_started(arguments.study, arguments.answers)
        if plan and watch is None and arguments.manifest.is_file():
            digest = json.loads(arguments.manifest.read_text())["digest"]
            runs = planned_runs(plan, digest)
            watch = Watch({run.key: run.spec["recipe"]["epochs"] for run in runs}, Store(arguments.store))
        text = watch.line(time.monotonic()) if watch else ""
        if text:
            print(f"== {plan.name}  {text}", file=sys.stderr, flush=True)
        waited = 0.0
        while waited < EVERY and os.getppid() == parent:
            time.sleep(0.5)
            waited += 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process whose end is the end")
    parser.add_argument("--answers", type=Path, required=True, help="sizes that the study leaves open (JSON)")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store")
