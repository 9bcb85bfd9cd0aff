"""Which claims were registered before the runs that test them: whether a claim is a test is computed, not confessed.

A registration is a line in `results/<study>/registered.jsonl`, which only grows: what a claim compares, on what, by which
threshold and margin and with which seeds, when that was first said, and of which seeds results were there by then. Every
start registers what is new. A claim whose runs were there before, or that says something else since, is exploratory; only
seeds that were not seen can test it.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablation.study.claims import ClaimTest
from ablation.study.plan import Plan
from ablation.support.digests import digest
from ablation.support.files import read_json
from ablation.support.formatting import plural
from ablation.support.references import is_own

FILE = "registered.jsonl"  # in the folder of a study's results
DIGITS = 9  # of weights: what rounding makes of a sum is no other claim


@dataclass(frozen=True)
class Registration:
    """A claim as it was registered.

    Attributes
    ----------
    claim : str
        Its name.
    digest : str
        Of what it says.
    time : float
        When, in seconds since 1970.
    seen : tuple of int
        The seeds of which the study had results of one of its variants.
    """

    claim: str
    digest: str
    time: float
    seen: tuple[int, ...]


def content_of(plan: Plan, claim: str) -> dict[str, Any]:
    """Return what a claim commits itself to, as plain data: its words may be mended afterwards, this may not.

    Sizes of controls are not part of it: they follow from the networks, whichever start finds them. Nor are the folders of
    the author's own files: a study that is moved, or that somebody else unpacks, claims the same.
    """
    stated, entry = plan.settled({}), plan.study.claims[claim]
    metric = plan.metrics[entry.metric]
    return {
        "tests": [_test(stated, test) for name, test in stated.claims if name == claim],
        "metric": entry.metric,
        "direction": entry.direction,
        "margin": plan.margin_of(claim),
        "magnitude": entry.magnitude and entry.magnitude.model_dump(),
        "correction": plan.study.correction,
        "threshold": plan.study.threshold if metric.needs == "threshold" else None,
        "seeds": sorted(plan.study.seeds),
    }


def _test(plan: Plan, test: ClaimTest) -> dict[str, Any]:
    seed = plan.study.seeds[0]
    cells = [
        [_without_folders(_without_seed(plan.spec(one, seed))), round(weight, DIGITS)] for one, weight in test.cells
    ]
    return {"kind": test.kind, "cells": cells}


def _without_seed(spec: Mapping[str, Any]) -> dict[str, Any]:
    start = spec["warm_start"] and _without_seed(spec["warm_start"])
    return {**{name: value for name, value in spec.items() if name not in ("seed", "diagnostics")}, "warm_start": start}


def _without_folders(content: Any) -> Any:
    """Return plain data with the references to files of the author's own by the names of these alone."""
    if isinstance(content, Mapping):
        return {name: _without_folders(inner) for name, inner in content.items()}
    if isinstance(content, list | tuple):
        return [_without_folders(inner) for inner in content]
    return os.path.basename(content) if isinstance(content, str) and is_own(content) else content


def register(plan: Plan, folder: Path) -> list[Registration]:
    """Register the claims of a study that are not registered as they stand, and return those that are new.

    Parameters
    ----------
    plan : Plan
    folder : Path
        The results of the study; made if need be.
    """
    known = {(one.claim, one.digest) for one in registrations(folder)}
    contents = {claim: content_of(plan, claim) for claim in plan.study.claims}
    wanted = [claim for claim in contents if (claim, digest(contents[claim])) not in known]
    if not wanted:
        return []
    results = seeds_with_results(folder)
    new = [Registration(claim, digest(contents[claim]), time.time(), _seen(plan, claim, results)) for claim in wanted]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({**vars(one), "content": contents[one.claim]}) for one in new]
    with open(folder / FILE, "a", encoding="utf-8") as file:
        file.write("".join(f"\n{line}\n" for line in lines))  # the line before may have been cut off
        file.flush()
        os.fsync(file.fileno())
    return new


def seeds_with_results(folder: Path) -> dict[str, set[int]]:
    """Return by variant the seeds of which a study has results, or had until its code was changed."""
    found: dict[str, set[int]] = {}
    for path in folder.glob("shards/*/*.json"):
        with suppress(KeyError, TypeError):  # damaged: it is written again
            for run in read_json(path)["runs"]:
                found.setdefault(run["variant"], set()).add(int(run["seed"]))
    return found


def _seen(plan: Plan, claim: str, results: Mapping[str, set[int]]) -> tuple[int, ...]:
    sides = {variant for name, test in plan.claims if name == claim for variant in test.variants}
    return tuple(sorted(set().union(*(results.get(side, ()) for side in sides))))


def registrations(folder: Path) -> list[Registration]:
    """List what was registered, in the order of time; no line that was cut off or says another thing than its digest."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in filter(None, lines):
        try:
            row = json.loads(line)
            if digest(row["content"]) == row["digest"]:
                found.append(
                    Registration(row["claim"], row["digest"], float(row["time"]), tuple(map(int, row["seen"])))
                )
        except (ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda one: one.time)


def why_exploratory(plan: Plan, claim: str, folder: Path, began: Iterable[float | None]) -> str:
    """Say what keeps a claim from being a test; empty if nothing does.

    Parameters
    ----------
    plan : Plan
    claim : str
    folder : Path
        The results of the study.
    began : iterable of float or None
        When the runs that it needs began, as `ablation.records.runs.began` says it.
    """
    said = digest(content_of(plan, claim))
    first = next((one for one in registrations(folder) if (one.claim, one.digest) == (claim, said)), None)
    if first is None:
        return "it was not registered as it stands"
    if seen := sorted({*first.seen} & {*plan.study.seeds}):
        return (
            f"results of {len(seen)} of its {plural(len(plan.study.seeds), 'seed')} were there when it was registered"
        )
    if any(time is None or time < first.time for time in began):
        return "a run that it needs was trained before it was registered"
    return ""
