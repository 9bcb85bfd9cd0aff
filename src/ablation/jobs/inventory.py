"""What is there of each run of a study, and what it takes to train the others. Imports no torch."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablation.jobs.results import record_keys
from ablation.jobs.shards import planned_runs
from ablation.records.environment import processor
from ablation.records.store import RECORD, Store
from ablation.study.plan import Plan
from ablation.study.schema import StudyError
from ablation.support.formatting import duration, plural

RECORDED, TRAINING, SAVED, MISSING = "recorded", "in training", "to go on", "to train"
DAMAGED = "damaged"
OPEN = (TRAINING, SAVED, MISSING, DAMAGED)  # all that is no status of a record


@dataclass(frozen=True)
class RunState:
    """What is there of a run.

    Attributes
    ----------
    variant : str
    seed : int
    key : str
        Empty while the data, or the size of a control, are not known.
    state : str
        `RECORDED`, or the status of the record (`statuses`); `TRAINING`, `SAVED` (not in training; a state to go on from is
        there) or `MISSING`.
    epochs, done : int
        Those that it is to have, and those that it has.
    """

    variant: str
    seed: int
    key: str
    state: str
    epochs: int
    done: int = 0


def read_json(path: Path) -> Any:
    """Return the content of a file of JSON; None where there is none that can be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of prepared data; None before they are prepared, or if it cannot be read."""
    manifest = read_json(folder / "manifest.json")
    try:
        return (
            manifest if isinstance(manifest["digest"], str) and isinstance(manifest["counts"]["train"], int) else None
        )
    except (KeyError, TypeError):
        return None


def settled_plan(plan: Plan, answers: Path) -> Plan:
    """Return a plan with the sizes of its controls, if they were found."""
    found = read_json(answers) if plan.questions else None
    answers = {question: found.get(question) for question in plan.questions} if isinstance(found, dict) else {}
    if not answers or not all(type(value) is int and value > 0 for value in answers.values()):
        return plan  # not there, or edited: the rule that writes the file will do so again
    try:
        return plan.settled(answers)
    except StudyError:
        return plan


def run_states(
    plan: Plan,
    manifest: Mapping[str, Any] | None,
    store: Store,
    lost: Collection[str] = (),
    without: Collection[str] = (),
) -> list[RunState]:
    """Say of each run of a study what is there; only whether a record lies there, not whether it is whole.

    Parameters
    ----------
    plan : Plan
    manifest : mapping or None
        Of the prepared data; None before they are.
    store : Store
    lost : collection of str
        Keys of records that have to be made again although they lie there.
    without : collection of str
        Variants whose runs have no key yet, because the size of a control is not known.
    """
    if manifest is None:
        runs = [(variant, seed) for variant in plan.variants.values() for seed in plan.study.seeds]
        return [RunState(variant.id, seed, "", MISSING, variant.levels["epochs"]) for variant, seed in runs]
    states = []
    for run in planned_runs(plan, manifest["digest"]):
        key, epochs = run.key, run.spec["recipe"]["epochs"]
        if run.variant in without:
            states.append(RunState(run.variant, run.seed, "", MISSING, epochs))
        elif key not in lost and (store.folder(key) / RECORD).is_file():
            states.append(RunState(run.variant, run.seed, key, RECORDED, epochs, epochs))
        else:
            running, saved = store.under_way(key)
            state = TRAINING if running else SAVED if saved else MISSING
            done = len(store.running_curves(key)) if running or saved else 0
            states.append(RunState(run.variant, run.seed, key, state, epochs, done))
    return states


def statuses(states: Iterable[RunState], store: Store) -> list[RunState]:
    """Replace `RECORDED` by the status of the record, or by `DAMAGED`."""
    return [replace(run, state=_status(store, run.key)) if run.state == RECORDED else run for run in states]


def _status(store: Store, key: str) -> str:
    return store.status(key) if store.is_whole(key) else DAMAGED


def recorded_speeds(variants: Iterable[str], shards: Path, store: Store, gpu: bool) -> dict[str, float]:
    """Return the training images per second of variants, of the first record each that was made on such a machine.

    Parameters
    ----------
    variants : iterable of str
    shards : Path
        Folder of the study's shard results, whose records may be those of another recipe.
    store : Store
    gpu : bool
        Whether this machine trains on a GPU.
    """
    here, found = processor(), {}
    for variant in variants:
        keys = _keys_of(next(iter(sorted((shards / variant).glob("*.json"))), None))
        speeds = (_speed(read_json(store.folder(key) / RECORD), here, gpu) for key in keys)
        if speed := next(filter(None, speeds), None):
            found[variant] = speed
    return found


def _keys_of(result: Path | None) -> list[str]:
    try:
        return record_keys(read_json(result)) if result else []
    except (KeyError, TypeError):  # damaged; it is written again
        return []


def _speed(record: Any, processor_here: str, gpu: bool) -> float | None:
    """Return the speed that a record states; None if it is no record, or that of another machine."""
    try:
        machine = record["environment"]
        same = (machine["device"] != "cpu") == gpu and machine["processor"] == processor_here
        return float(record["timings"]["images_per_second"]) if same else None
    except (KeyError, TypeError, ValueError):
        return None


def outlook(plan: Plan, states: Sequence[RunState], images: int | None, speeds: Mapping[str, float]) -> str:
    """Say in two lines what a start would train, and what that costs as far as it is known.

    Parameters
    ----------
    plan : Plan
    states : sequence of RunState
    images : int or None
        Training images; None before the data are prepared.
    speeds : mapping of str to float
        Training images per second, by variant.
    """
    grid = f"{plural(len(plan.variants), 'variant')} x {plural(len(plan.study.seeds), 'seed')} = {plural(plan.runs, 'run')}"
    left = [state for state in states if state.state in OPEN]
    begun = sum(state.done > 0 for state in left)
    if images is None:
        return f"{plan.name}: {grid}; how many of them exist is known once the data are prepared"
    first = f"{plan.name}: {grid}, {len(states) - len(left)} exist, {len(left)} to train"
    first += f" ({begun} of them begun)" if begun else ""
    if not left:
        return first
    work = {state.variant: 0 for state in left}
    for state in left:
        work[state.variant] += (state.epochs - state.done) * images
    price = f"{sum(state.epochs - state.done for state in left):,} epochs of {images:,} images"
    unknown = [variant for variant in work if variant not in speeds]
    if unknown:
        more = f" and of {plural(len(unknown) - 1, 'variant')} more" if len(unknown) > 1 else ""
        time = f"hours are not known, for no run of {unknown[0]}{more} was recorded on this machine"
    else:
        seconds = sum(amount / speeds[variant] for variant, amount in work.items())
        time = f"about {duration(seconds)} of training, one after another, at the speed of earlier runs on this machine"
    return f"{first}\n{price}; {time}"
