"""What a training job is given and what it gives back: a shard's frozen spec, and its small result file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.records.keys import references, run_key, sources
from ablation.study.plan import Plan


def shard_code(plan: Plan, variant: str) -> str:
    """Digest the code that the runs of a variant go through: editing some of it makes the variant's shards stale."""
    return sources().digest(references(plan.spec(variant, plan.study.seeds[0])))


@dataclass(frozen=True)
class PlannedRun:
    """A run that a study wants: its variant, seed and key, and its spec."""

    variant: str
    seed: int
    key: str
    spec: dict[str, Any]


def planned_runs(plan: Plan, data_digest: str) -> list[PlannedRun]:
    """List every run of a study with its key."""
    specs = [(variant, seed, plan.spec(variant, seed)) for variant in plan.variants for seed in plan.study.seeds]
    return [PlannedRun(variant, seed, run_key(spec, data_digest), spec) for variant, seed, spec in specs]


def shard_spec(plan: Plan, variant: str, seeds: Sequence[int]) -> str:
    """Write the frozen spec of a shard as one line of JSON."""
    specs = [plan.spec(variant, seed) for seed in seeds]
    return json.dumps({"variant": variant, "runs": specs}, sort_keys=True)


def record_keys(result: Mapping[str, Any]) -> list[str]:
    """List the keys of the records that a shard's result speaks of."""
    return [run["key"] for run in result["runs"]]


def shard_result(shard: Mapping[str, Any], keys: Sequence[str], records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the result of a shard says of its runs, given their keys and records."""
    runs = [
        {"seed": spec["seed"], "key": key, "status": record["status"]}
        for spec, key, record in zip(shard["runs"], keys, records, strict=True)
    ]
    return {"variant": shard["variant"], "runs": runs}
