"""How the runs of a study are cut into shards, each of which one job trains."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ablation.study.plan import Plan

Shard = dict[str, list[int]]  # the seeds of each variant, in the order in which they are trained
Run = tuple[str, int]  # a variant and a seed
PARTS = 4  # shards for each job that runs at the same time: the last one to end keeps the others waiting for less
LONG = 7200.0  # seconds: a shard that takes this long is not made longer to have fewer of them
MOST_TEXT = 100_000  # characters of a frozen spec: a shell takes no argument of 128 KiB


@dataclass(frozen=True)
class Cut:
    """How large shards are to be.

    Attributes
    ----------
    size : int
        Seeds of one variant in a shard, as long as nobody knows what its runs cost.
    seconds : float or None
        What a shard of known price should take; None: as long as leaves `PARTS` of them to each of `slots`.
    slots : int
        Jobs that run at the same time.
    most : int
        Shards at most, unless they would take longer than `LONG`.
    """

    size: int
    seconds: float | None = None
    slots: int = 1
    most: int = 500

    def target(self, prices: Sequence[float | None]) -> float:
        """Return the seconds that a shard should take, given the prices of all runs that are to be cut."""
        known = [price for price in prices if price is not None]
        total = sum(known) * len(prices) / len(known) if known else 0.0
        return max(self.seconds or total / (PARTS * self.slots), min(total / self.most, LONG))


def cut(plan: Plan, by: Cut, prices: Mapping[str, float], kept: Iterable[Shard] = ()) -> dict[str, Shard]:
    """Cut the runs of a study into shards.

    A shard has runs of several variants where their prices are known, or where there would be too many shards. A run that
    starts from the weights of another one is in a later shard than that.

    Parameters
    ----------
    plan : Plan
    by : Cut
    prices : mapping of str to float
        Seconds that a run of a variant takes, as far as they are known.
    kept : iterable of Shard, optional
        Shards that stay as they are if all their runs are still wanted: their results are there.

    Returns
    -------
    dict of str to Shard
        By name, which is that of the first run, such as ``lenet/0``.
    """
    order = {run: n for n, run in enumerate((variant, seed) for variant in plan.variants for seed in plan.study.seeds)}
    depth = {variant: len(plan.starts(variant)) for variant in plan.variants}
    shards = _still_wanted(kept, order, depth)
    done = {run for shard in shards for run in runs_of(shard)}
    left = [run for run in order if run not in done]
    left.sort(key=lambda run: depth[run[0]])
    target = by.target([prices.get(variant) for variant, _ in left])
    crowded = len(left) > by.most * by.size
    size = -(-len(left) // by.most) if crowded else by.size
    text = {variant: len(json.dumps(plan.spec(variant, 0))) / MOST_TEXT for variant in plan.variants}

    def alone(run: Run) -> tuple[int, str]:
        """Name the group of a run: it shares no shard with those of others."""
        variant = run[0]
        return depth[variant], "" if crowded or variant in prices else variant

    for _, runs in groupby(left, key=alone):
        parts = [
            (run, min(prices[run[0]] / target, 1.0) if run[0] in prices else 1 / size, text[run[0]]) for run in runs
        ]
        shards += _pack(parts)
    shards.sort(key=lambda shard: order[runs_of(shard)[0]])
    return {"{}/{}".format(*runs_of(shard)[0]): shard for shard in shards}


def runs_of(shard: Shard) -> list[Run]:
    """List the runs of a shard, in the order in which they are trained."""
    return [(variant, seed) for variant, seeds in shard.items() for seed in seeds]


def _still_wanted(shards: Iterable[Shard], wanted: Iterable[Run], depth: Mapping[str, int]) -> list[Shard]:
    """Return the shards all of whose runs are wanted, in no shard before, and after as many warm starts as each other."""
    free, found = set(wanted), []
    for shard in shards:
        runs = set(runs_of(shard))
        if runs and runs <= free and len({depth[variant] for variant in shard}) == 1:
            found.append(shard)
            free -= runs
    return found


def _pack(parts: Iterable[tuple[Run, float, float]]) -> list[Shard]:
    """Fill shards with runs in turn, given the part of a shard's time and of its text that each takes."""
    shards: list[Shard] = []
    time = text = 1.0
    for (variant, seed), more_time, more_text in parts:
        if not shards or time + more_time > 1 + 1e-9 or text + more_text > 1:
            shards.append({})
            time = text = 0.0
        shards[-1].setdefault(variant, []).append(seed)
        time, text = time + more_time, text + more_text
    return shards
