"""Which claims were registered before the runs that test them: whether a claim is a test is computed, not confessed.

A registration is a line in `results/<study>/registered.jsonl`, which only grows: what a claim compares, on what, by which
threshold and margin and with which seeds, when that was first said, and of which seeds results were there by then. Every
start registers what is new. Of each name the last line before the first of its runs is in force: what says something else,
earlier or later, is exploratory, for it could have been chosen by its results. Only seeds that were not seen can test it.
"""

import json
import math
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
NOT_REGISTERED = "it was not registered as it stands"


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
    content : mapping
        What it says, as `content_of` returns it.
    """

    claim: str
    digest: str
    time: float
    seen: tuple[int, ...]
    content: Mapping[str, Any] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Standing:
    """How a claim stands to what was registered.

    Attributes
    ----------
    time : float or None
        When it was registered as it stands, in seconds since 1970.
    exploratory : str
        What keeps it from being a test; empty if nothing does.
    attempt : int
        How many sets of seeds it was registered with, this one included, of which the earlier ones had results.
    """

    time: float | None
    exploratory: str
    attempt: int = 1


@dataclass(frozen=True)
class Withdrawn:
    """A claim that its runs were to test and that the study does not state any more.

    Attributes
    ----------
    claim : str
    time : float
        When it was registered, in seconds since 1970.
    tests : int
        How many tests it had; none where its metric is counted.
    """

    claim: str
    time: float
    tests: int


def content_of(plan: Plan, claim: str) -> dict[str, Any]:
    """Return what a claim commits itself to (see `contents_of`)."""
    return contents_of(plan)[claim]


def contents_of(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return what each claim commits itself to, as plain data: its words may be mended afterwards, this may not.

    Sizes of controls are not part of it: they follow from the networks, whichever start finds them. Nor are the folders of
    the author's own files: a study that is moved, or that somebody else unpacks, claims the same.
    """
    stated, tests = plan.settled({}), {}
    for name, test in stated.claims:
        tests.setdefault(name, []).append(_test(stated, test))
    return {
        name: {
            "tests": tests.get(name, []),
            "metric": entry.metric,
            "direction": entry.direction,
            "margin": plan.margin_of(name),
            "magnitude": entry.magnitude and entry.magnitude.model_dump(),
            "correction": plan.study.correction,
            "threshold": plan.study.threshold if plan.metrics[entry.metric].needs == "threshold" else None,
            "seeds": sorted(plan.study.seeds),
        }
        for name, entry in plan.study.claims.items()
    }


def _test(plan: Plan, test: ClaimTest) -> dict[str, Any]:
    return {"kind": test.kind, "cells": [[_cell(plan, one), round(weight, DIGITS)] for one, weight in test.cells]}


def _cell(plan: Plan, variant: str) -> dict[str, Any]:
    return _without_folders(_without_seed(plan.spec(variant, plan.study.seeds[0])))


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
    """Register the claims of a study whose last registration says something else, and return what is new.

    What stood earlier and stands again is registered again: of each name the last line is what its next runs test.

    Parameters
    ----------
    plan : Plan
    folder : Path
        The results of the study; made if need be.
    """
    last = {one.claim: one.digest for one in registrations(folder)}
    said = {claim: (content, digest(content)) for claim, content in contents_of(plan).items()}
    wanted = [claim for claim in said if last.get(claim) != said[claim][1]]
    if not wanted:
        return []
    results, sides = seeds_with_results(folder), variants_of_claims(plan)
    new = []
    for claim in wanted:
        seen = set().union(*(results.get(side, ()) for side in sides[claim]))
        new.append(Registration(claim, said[claim][1], time.time(), tuple(sorted(seen)), said[claim][0]))
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / FILE, "a", encoding="utf-8") as file:
        file.write("".join(f"\n{json.dumps(vars(one))}\n" for one in new))  # the line before may have been cut off
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


def variants_of_claims(plan: Plan) -> dict[str, set[str]]:
    """Return by claim the variants whose runs it needs."""
    found = {claim: set() for claim in plan.study.claims}
    for claim, test in plan.claims:
        found[claim].update(test.variants)
    return found


def registrations(folder: Path) -> list[Registration]:
    """List what was registered, in the order of the lines; none that was cut off or says another thing than its digest."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in filter(None, lines):
        try:
            row = json.loads(line)
            if digest(row["content"]) == row["digest"]:
                seen = tuple(map(int, row["seen"]))
                found.append(Registration(row["claim"], row["digest"], float(row["time"]), seen, row["content"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _by_claim(lines: Iterable[Registration]) -> dict[str, list[Registration]]:
    found: dict[str, list[Registration]] = {}
    for one in lines:
        found.setdefault(one.claim, []).append(one)
    return found


def in_force(
    lines: Iterable[Registration], seeds: Collection[int], began: Iterable[float | None]
) -> Registration | None:
    """Return which registration of a claim its runs test: the last before the first of them began; None without one.

    Parameters
    ----------
    lines : iterable of Registration
        All of its name.
    seeds : collection of int
        Of the runs. A line that was written when results of them were there came later, whatever is known of their time.
    began : iterable of float or None
        When they began, None where that is not known; empty before the first one.
    """
    first = min((time for time in began if time is not None), default=math.inf)
    before = [one for one in lines if one.time <= first and not {*one.seen} & {*seeds}]
    return before[-1] if before else None


def standings(plan: Plan, folder: Path, began: Mapping[str, Iterable[float | None]]) -> dict[str, Standing]:
    """Say of every claim how it stands to what was registered.

    Parameters
    ----------
    plan : Plan
    folder : Path
        The results of the study.
    began : mapping of str to iterable of float or None
        When the runs of a variant began, as `ablation.records.runs.began` says it; empty before they do.
    """
    lines, sides = _by_claim(registrations(folder)), variants_of_claims(plan)
    found = {}
    for claim, content in contents_of(plan).items():
        own, starts = lines.get(claim, []), [time for side in sides[claim] for time in began.get(side, ())]
        stands = _standing(content, digest(content), own, starts)
        found[claim] = replace(stands, attempt=1) if plan.metrics[content["metric"]].exact else stands
    return found


def _standing(
    content: Mapping[str, Any], said: str, lines: Sequence[Registration], began: Sequence[float | None]
) -> Standing:
    seeds, last = content["seeds"], in_force(lines, content["seeds"], began)
    if not any(one.digest == said for one in lines):
        return Standing(None, NOT_REGISTERED)
    one = last if last and last.digest == said else next(one for one in lines if one.digest == said)
    attempt = _attempt(content, lines[: lines.index(one)], lines)
    if seen := {*one.seen} & {*seeds}:
        why = f"results of {len(seen)} of its {plural(len(seeds), 'seed')} were there when it was registered"
    elif any(time is None or time < one.time for time in began):
        why = "a run that it needs was trained before it was registered"
    else:
        why = "" if one is last else "it was registered otherwise, later and before its runs"
    return Standing(one.time, why, attempt)


def _attempt(content: Mapping[str, Any], earlier: Iterable[Registration], lines: Iterable[Registration]) -> int:
    """Count the sets of seeds that a claim was registered with, the earlier ones where results of them were seen."""
    same = _without_seeds(content)
    others = {tuple(one.content["seeds"]) for one in earlier if _without_seeds(one.content) == same}
    seen = {seed for one in lines for seed in one.seen}
    return 1 + sum(bool(seen & {*seeds}) for seeds in others - {tuple(content["seeds"])})


def _without_seeds(content: Mapping[str, Any]) -> str:
    """Digest what is claimed of whatever seeds; early registrations have weights that were not rounded."""
    tests = [
        {**test, "cells": [[cell, round(weight, DIGITS)] for cell, weight in test["cells"]]}
        for test in content["tests"]
    ]
    return digest({**content, "tests": tests, "seeds": None})


def withdrawn(plan: Plan, folder: Path, began: Mapping[str, Iterable[float | None]]) -> list[Withdrawn]:
    """List the claims that were in force when their runs with these seeds began, and that no claim says any more.

    What was registered with other seeds is not among them: its results are no choice among the claims on these. Nor is a
    claim that has only another name now.

    Parameters
    ----------
    plan, folder, began
        As of `standings`.
    """
    lines, seeds = _by_claim(registrations(folder)), sorted(plan.study.seeds)
    known = {digest(content) for content in contents_of(plan).values()}
    gone = [one for own in lines.values() for one in own if one.digest not in known and one.content["seeds"] == seeds]
    if not gone:
        return []
    stated = plan.settled({})
    starts = {digest(_cell(stated, variant)): [*began.get(variant, ())] for variant in stated.variants}
    found = []
    for one in gone:
        cells = {digest(cell) for test in one.content["tests"] for cell, _ in test["cells"]}
        own = [time for cell in cells for time in starts.get(cell, ())]
        if one.digest not in known and in_force(lines[one.claim], seeds, own) is one:
            known.add(one.digest)  # under two names it is one claim
            metric = plan.metrics.get(one.content["metric"])
            found.append(Withdrawn(one.claim, one.time, 0 if metric and metric.exact else len(one.content["tests"])))
    return found
