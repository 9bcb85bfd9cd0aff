"""What a training job is given and what it gives back: a shard's frozen spec, and its small result file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.study.plan import Plan
from ablation.support.digests import digest, source_digest

# Who trains; the module of the architecture joins them, so that editing one family retrains no other.
TRAINERS = ("ablation.training.run",)


def code_digest(architecture: Mapping[str, Any]) -> str:
    """Digest the source of all modules that train an architecture (the part ``architecture`` of a run's spec)."""
    return source_digest([*TRAINERS, architecture["builder"].split(":")[0]])


def run_key(spec: Mapping[str, Any], data_digest: str) -> str:
    """Return the key of a run: a digest of its spec, of the prepared data and of the source that trains it.

    A run that starts from another's weights has that one's key in its spec's place.
    """
    start = run_key(spec["warm_start"], data_digest) if spec["warm_start"] else None
    own = {**spec, "warm_start": start}
    return digest({"spec": own, "data": data_digest, "code": code_digest(spec["architecture"])})


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


def shard_spec(plan: Plan, variant: str, seeds: Sequence[int], generation: int = 0) -> str:
    """Write the frozen spec of a shard as one line of JSON, with the generation that its result is to have."""
    specs = [plan.spec(variant, seed) for seed in seeds]
    return json.dumps({"variant": variant, "runs": specs, "generation": generation}, sort_keys=True)


def record_keys(result: Mapping[str, Any]) -> list[str]:
    """List the keys of the records that a shard's result speaks of."""
    return [run["key"] for run in result["runs"]]
