"""Gather the records of a study into tables: see `ablation.analysis.collection`."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.collection import collect, read_sizes
from ablation.jobs.results import training_log
from ablation.records.store import FAILED, DamagedRecordError, Store
from ablation.study.studyfile import read_frozen
from ablation.support.files import write_whole


def main(arguments: argparse.Namespace) -> None:
    """Read and check every record of the shards; write the tables."""
    plan = read_frozen(arguments.study)
    shards = [json.loads(path.read_text()) for path in arguments.shards]
    order = {variant: n for n, variant in enumerate(plan.variants)}
    found = [(run["variant"], run["seed"], run["key"]) for shard in shards for run in shard["runs"]]
    found.sort(key=lambda run: (order[run[0]], plan.study.seeds.index(run[1])))  # however they were cut
    keys = [(variant, key) for variant, _, key in found]
    sizes, classes = read_sizes(arguments.variants), json.loads(arguments.manifest.read_text())["classes"]
    try:
        tables = collect(plan, Store(arguments.store), keys, sizes, classes, read_measured(arguments.measured))
    except DamagedRecordError as error:
        sys.exit(str(error))
    runs = tables.runs
    runs["log"] = failure_logs(runs, dict(zip(arguments.shards, shards, strict=True)))
    for name in ("runs", "curves", "diagnostics", "classes"):
        getattr(tables, name).to_parquet(getattr(arguments, name), index=False)
    with write_whole(arguments.examples) as file:
        np.save(file, tables.examples)
    print(f"{len(tables.runs)} runs, {len(tables.curves)} epochs, {tables.examples.shape[1]} test images")


def read_measured(paths: Sequence[Path]) -> dict[tuple[str, str], dict[str, Any]]:
    """Read what was measured on the trained networks, by variant and key, as `ablation.jobs.measuring` states it."""
    shards = [json.loads(path.read_text()) for path in paths]
    return {(run["variant"], run["key"]): run for shard in shards for run in shard["runs"]}


def failure_logs(runs: pd.DataFrame, results: Mapping[Path, Mapping[str, Any]]) -> pd.Series:
    """Return where the log of each failed run lies, given the results of shards by file; nothing for the other runs."""
    logs = {
        (run["variant"], run["seed"]): str(training_log(path))
        for path, shard in results.items()
        for run in shard["runs"]
    }
    found = [logs[row.variant, row.seed] if row.status == FAILED else None for row in runs.itertuples()]
    return pd.Series(found, index=runs.index, dtype="string")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--variants", type=Path, required=True, help="table of variants with their sizes (CSV)")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store")
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="result files of all shards")
    parser.add_argument("--measured", type=Path, nargs="*", default=[], help="what was measured of them, if anything")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--runs", type=Path, required=True, help="table of runs to write (Parquet)")
    parser.add_argument("--curves", type=Path, required=True, help="table of epochs to write (Parquet)")
    parser.add_argument("--examples", type=Path, required=True, help="correctness to write (NumPy): runs x test images")
    parser.add_argument("--diagnostics", type=Path, required=True, help="table of diagnosed numbers to write (Parquet)")
    parser.add_argument("--classes", type=Path, required=True, help="table of classes to write (Parquet)")
