"""What a training job is given: the frozen spec of a shard."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.records.keys import references, run_key, sources
from ablation.study.plan import Plan


def shard_code(plan: Plan, variant: str) -> str:
    """Digest the code that the runs of a variant go through: editing some of it makes the variant's shards stale."""
    return sources().digest(references(plan.spec(variant, plan.study.seeds[0])))


def check_code(plan: Plan) -> None:
    """Raise OwnCodeError if some of the code that a study's runs go through cannot be found, or read as Python."""
    for variant in plan.variants:
        shard_code(plan, variant)


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


def shard_spec(plan: Plan, shard: Mapping[str, Sequence[int]]) -> str:
    """Write the frozen spec of a shard, the seeds of some variants, as one line of JSON: of each run, its variant and spec.

    That all logits are to be kept is said beside the runs: it is no part of their keys.
    """
    runs = [{"variant": variant, "spec": plan.spec(variant, seed)} for variant in shard for seed in shard[variant]]
    logits = {"logits": True} if plan.study.logits else {}
    return json.dumps({"runs": runs, **logits}, sort_keys=True)
