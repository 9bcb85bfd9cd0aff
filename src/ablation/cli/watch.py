"""Print the progress of a study's training now and then, until the parent process ends."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from ablation.jobs.progress import Watch
from ablation.jobs.shards import planned_runs
from ablation.records.store import Store
from ablation.study.studyfile import read_started
from ablation.support.files import read_json

EVERY = 10.0  # seconds between two lines


def main(arguments: argparse.Namespace) -> None:
    """Watch the store."""
    plan, parent, watch = None, arguments.parent, None
    while os.getppid() == parent:
        plan = plan or read_started(arguments.study, arguments.answers)
        if plan and watch is None and arguments.manifest.is_file():
            digest = json.loads(arguments.manifest.read_text())["digest"]
            runs = planned_runs(plan, digest)
            prices = (read_json(arguments.prices) if arguments.prices else None) or {}
            seconds = {run.key: prices[run.variant] for run in runs if run.variant in prices}
            epochs = {run.key: run.spec["recipe"]["epochs"] for run in runs}
            watch = Watch(epochs, Store(arguments.store), seconds, arguments.jobs)
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
    parser.add_argument("--prices", type=Path, help="seconds of a run by variant, where they are known (JSON)")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once (default: 1)")
