"""What a training job gives back: the small result file of a shard, which names the records of its runs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ablation.records.store import FAILED, Store


def record_keys(result: Mapping[str, Any]) -> list[str]:
    """List the keys of the records that a shard's result speaks of."""
    return [run["key"] for run in result["runs"]]


def lost(result: Mapping[str, Any], store: Store) -> list[str]:
    """List the keys of a shard's result whose records are missing or damaged: its job trains them again."""
    return [run["key"] for run in result["runs"] if not store.is_whole(run["key"])]


def outdated(result: Mapping[str, Any], store: Store) -> list[str]:
    """Name the runs of a shard's result whose whole records have another status now: another study tried them again.

    Its job writes the result again, and trains nothing for it.
    """
    now = [(run, store.status(run["key"])) for run in result["runs"]]
    return [f"{run['variant']}, seed {run['seed']}" for run, status in now if status and status != run["status"]]


def failed_runs(results: Iterable[Path]) -> int:
    """Count the runs that the results of shards say have failed; a result that is missing or damaged says nothing."""
    found = 0
    for path in results:
        with suppress(OSError, ValueError, KeyError, TypeError):
            found += sum(run["status"] == FAILED for run in json.loads(path.read_bytes())["runs"])
    return found


def training_log(result: Path) -> Path:
    """Return where the log of the training of a shard lies, given its result file."""
    variant, study = result.parent, result.parents[2]
    return study / "logs" / "train_shard" / variant.name / f"{result.stem}.log"


def shard_result(shard: Mapping[str, Any], keys: Sequence[str], records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the result of a shard says of its runs, given their keys and records."""
    runs = [
        {"variant": run["variant"], "seed": run["spec"]["seed"], "key": key, "status": record["status"]}
        for run, key, record in zip(shard["runs"], keys, records, strict=True)
    ]
    return {"runs": runs}
