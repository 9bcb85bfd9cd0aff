"""Train the runs of one shard that the store does not have yet."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ablation.catalogue.sources import DataError
from ablation.data import datasets
from ablation.jobs.devices import use_threads
from ablation.jobs.results import shard_result
from ablation.jobs.starts import start_of
from ablation.jobs.stopping import Stop
from ablation.records.keys import run_key
from ablation.records.store import LATE, Store
from ablation.study.controls import settle
from ablation.support.failures import in_one_line
from ablation.support.files import write_whole


def read_data(folder: Path, receipt: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the prepared data; raises DataError if they are not those of the receipt that the study was planned with."""
    arrays, manifest = datasets.read(folder)
    expected = json.loads(receipt.read_text())["digest"] if receipt else manifest["digest"]
    if manifest["digest"] != expected:
        raise DataError(
            f"{folder}: found data of the digest {manifest['digest']}, expected {expected}, as {receipt} says: "
            "another study has prepared them anew with other code. Start again to prepare them for this one"
        )
    return arrays, manifest


def main(arguments: argparse.Namespace) -> None:
    """Train what is missing, then write the shard's result."""
    stop, start = Stop(), start_of(arguments.result)
    shard = json.loads(arguments.spec.read_text())
    if arguments.answers:
        shard = settle(shard, json.loads(arguments.answers.read_text()))
    arrays, manifest = read_data(arguments.data, arguments.receipt)
    keys = [run_key(run["spec"], manifest["digest"]) for run in shard["runs"]]
    store = Store(arguments.store)
    if not arguments.retry_failed:
        tell_failed(store, keys)
    if any(not store.has(key) or (arguments.retry_failed and store.has_failed(key)) for key in keys):
        use_threads(arguments.threads)  # imports torch: a shard that lacks nothing needs none

        from ablation.jobs.training import train_missing

        gpu = bool(arguments.gpus) or "gpu" in arguments.gres
        train_missing(shard, keys, arrays, manifest, store, stop, gpu, arguments.retry_failed, arguments.at_once)
    result = shard_result(shard, keys, (store.read(key, patience=LATE) for key in keys))
    if start and start_of(arguments.result) != start:
        sys.exit(
            "the start of this training was killed, and another one works on the study: the records are in the store"
        )
    with write_whole(arguments.result) as file:
        file.write(json.dumps(result, indent=1).encode())


def tell_failed(store: Store, keys: Iterable[str]) -> None:
    """Say why the runs failed that are recorded so: the log of their training is about to be written anew."""
    for key in filter(store.has_failed, keys):
        record = store.read(key)
        said = f"failed before, and is left alone: {in_one_line(record['error'])}\n\n{record['error']['traceback']}"
        print(f"{record['variant']}  seed {record['seed']}  {said}", file=sys.stderr, flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--spec", type=Path, required=True, help="the shard's frozen spec (JSON)")
    parser.add_argument("--answers", type=Path, nargs="?", help="sizes that the spec leaves open, by question (JSON)")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared data")
    parser.add_argument("--receipt", type=Path, help="manifest of the data that the study was planned with")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store")
    parser.add_argument("--retry-failed", action="store_true", help="train runs again that are recorded as failed")
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument("--at-once", type=int, default=0, help="runs to train side by side; 0: as many as a GPU holds")
    parser.add_argument("--gpus", type=int, default=0, help="0: the CPU; 1: a GPU, the scheduler's or a free one")
    parser.add_argument("--gres", default="", help="what else a scheduler was asked for: a GPU, if it names gpu")
    parser.add_argument("--result", type=Path, required=True, help="the shard's result file to write")
