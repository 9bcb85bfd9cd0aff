"""List the studies of config/studies, or the variants of one with what is there of each."""

import argparse
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from tabulate import tabulate

from ablation.jobs.devices import count_gpus
from ablation.jobs.inventory import (
    OPEN,
    RECORDED,
    RunState,
    examine,
    outlook,
    read_manifest,
    settled_plan,
    statuses,
    work_left,
)
from ablation.jobs.prices import KeptCosts, known_prices
from ablation.records.store import Store
from ablation.study.plan import Plan
from ablation.study.studyfile import STUDIES, StudyFileError, locate_study, read_study

EPILOG = """examples:
  ./do list                  the studies of config/studies: runs, those that exist, title
  ./do list digits           its variants: runs that are done, failed, in training, to be trained
  ./do list digits --json    the same for programs, run by run
"""
WIDTH = 100


def accuracies(table: Path) -> dict[str, float]:
    """Return the test accuracy of each run by its key, as it was last collected."""
    import pandas as pd

    try:
        runs = pd.read_parquet(table, columns=["key", "test_accuracy"]).dropna()
    except (OSError, ValueError):  # not collected yet, or damaged: the next start writes it again
        return {}
    return dict(zip(runs["key"], runs["test_accuracy"], strict=True))


def row(runs: Sequence[RunState], found: Mapping[str, float]) -> dict[str, Any]:
    """Sum up the runs of a variant."""
    done = Counter(run.state for run in runs if run.state not in OPEN)
    left = Counter(run.state for run in runs if run.state in OPEN)
    special = ", ".join(f"{number} {state}" for state, number in done.items() if state != "completed")
    scores = [100 * found[run.key] for run in runs if run.state not in OPEN and run.key in found]
    return {
        "variant": cut(runs[0].variant, 40),
        "runs": len(runs),
        "done": f"{done.total()} ({special})" if special else str(done.total()),
        "not done": ", ".join(f"{number} {state}" for state, number in left.items()) or "-",
        "test %": f"{mean(scores):.2f}" if scores else "-",
    }


def cut(text: str, width: int) -> str:
    """Leave out the middle of a text that is too long."""
    half = (width - 1) // 2
    return text if len(text) <= width else f"{text[:half]}…{text[-half:]}"


def list_variants(plan: Plan, results: Path, as_json: bool) -> None:
    """Print what is there of each variant."""
    store = Store(results / "store")
    states = statuses(examine(plan, results), store)
    found = accuracies(results / plan.name / "runs.parquet")
    if as_json:
        scores = [None if run.state in OPEN else found.get(run.key) for run in states]
        rows = [{**asdict(run), "test_accuracy": score} for run, score in zip(states, scores, strict=True)]
        print(json.dumps(rows, indent=1))
        return
    variants = {variant: [run for run in states if run.variant == variant] for variant in plan.variants}
    table = [row(runs, found) for runs in variants.values()]
    print(tabulate(table, headers="keys", disable_numparse=True, colalign=["left", "right", "left", "left", "right"]))
    manifest = read_manifest(results / "data" / plan.data_folder)
    settled = settled_plan(plan, results / plan.name / "plan/controls.json")
    prices = known_prices(settled, work_left(states), manifest, results, KeptCosts(results, bool(count_gpus()), 1))
    print(f"\n{outlook(plan, states, manifest and manifest['counts']['train'], prices, os.cpu_count() or 1)}")


def list_studies(results: Path, as_json: bool) -> None:
    """Print the studies of config/studies with how many runs of each exist."""
    table = []
    for path in sorted(STUDIES.glob("*.yaml")):
        try:
            plan = read_study(path)
        except StudyFileError as error:
            table.append({"study": path.stem, "runs": None, "exist": None, "title": str(error).splitlines()[0]})
            continue
        exist = sum(run.state == RECORDED for run in examine(plan, results))
        table.append({"study": path.stem, "runs": plan.runs, "exist": exist, "title": plan.study.title})
    if as_json:
        print(json.dumps(table, indent=1))
        return
    names = max((len(line["study"]) for line in table), default=0)
    short = [{**line, "title": cut(line["title"], max(20, WIDTH - max(names, 5) - 21))} for line in table]
    print(tabulate(short, headers="keys", missingval="-") if table else f"found no study in {STUDIES}")


def main(arguments: argparse.Namespace) -> None:
    """List studies or variants; nothing is changed."""
    if arguments.study:
        list_variants(read_study(locate_study(arguments.study)), arguments.results, arguments.json)
    else:
        list_studies(arguments.results, arguments.json)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument(
        "study", nargs="?", help="a file of config/studies by name, or the path of one; without it, all"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    parser.add_argument("--json", action="store_true", help="write JSON")
