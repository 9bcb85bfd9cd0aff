"""Measure the metrics of a shard's trained networks that need another forward pass."""

import argparse
import json
import sys
from pathlib import Path

from ablation.cli.train import read_data
from ablation.jobs.devices import use_threads
from ablation.records.store import DamagedRecordError, NoWeightsError, Store
from ablation.support.files import write_whole


def main(arguments: argparse.Namespace) -> None:
    """Read the weights that the shard's result names, measure, and write what was found."""
    use_threads(arguments.threads)

    from ablation.jobs.measuring import measure_shard

    result = json.loads(arguments.shard.read_text())
    measures = json.loads(arguments.measures)
    arrays, manifest = read_data(arguments.data, arguments.receipt)
    gpu = bool(arguments.gpus) or "gpu" in arguments.gres
    try:
        rows = measure_shard(result, measures, arrays, manifest, Store(arguments.store), gpu)
    except NoWeightsError as error:
        sys.exit(f"{', '.join(measures)} cannot be measured: {error}")
    except (KeyError, DamagedRecordError) as error:
        sys.exit(f"{error}: missing or damaged; start again: only this run will be trained anew")
    with write_whole(arguments.result) as file:
        file.write(json.dumps({"runs": rows}, indent=1).encode())
    for row in rows:
        for error in row["errors"].values():
            print(f"{row['variant']}, seed {row['seed']}: {error}", file=sys.stderr)
    variants = ", ".join(dict.fromkeys(row["variant"] for row in rows))
    print(f"{variants}: measured {', '.join(measures)} of {len(rows)} runs", file=sys.stderr)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--shard", type=Path, required=True, help="the shard's result (JSON)")
    parser.add_argument("--measures", required=True, help="metrics with what measures them, by name (JSON)")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared data")
    parser.add_argument("--receipt", type=Path, help="manifest of the data that the study was planned with")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store")
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument("--gpus", type=int, default=0, help="0: the CPU; 1: a GPU, the scheduler's or a free one")
    parser.add_argument("--gres", default="", help="what else a scheduler was asked for: a GPU, if it names gpu")
    parser.add_argument("--result", type=Path, required=True, help="what was measured, to write (JSON)")
