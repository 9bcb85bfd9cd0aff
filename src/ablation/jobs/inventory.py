"""What is there of each run of a study, and what it takes to train the others. Imports no torch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablation.jobs.cutting import Shard, runs_of
from ablation.jobs.prices import Price
from ablation.jobs.shards import planned_runs
from ablation.records.store import RECORD, Store
from ablation.study.plan import Plan
from ablation.study.schema import StudyError
from ablation.support.files import read_json
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


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of prepared data; None before they are prepared, or if it cannot be read."""
    manifest = read_json(folder / "manifest.json")
    try:
        return (
            manifest if isinstance(manifest["digest"], str) and isinstance(manifest["counts"]["train"], int) else None
        )
    except (KeyError, TypeError):
        return None


def cut_before(folder: Path) -> list[Shard]:
    """List the shards of a study's last start that have come to a result, given the study's folder."""
    outline = read_json(folder / "start/outline.json")
    try:
        shards = [shard for name, shard in outline["shards"].items() if (folder / f"shards/{name}.json").is_file()]
        return [shard for shard in shards if runs_of(shard)]
    except (KeyError, TypeError, AttributeError):  # it was lost: the results say it, too
        results = [read_json(path) for path in sorted(folder.glob("shards/*/*.json"))]
        return [shard for shard in map(_shard_of, results) if shard]


def _shard_of(result: Any) -> Shard:
    shard: Shard = {}
    try:
        for run in result["runs"]:
            shard.setdefault(run["variant"], []).append(run["seed"])
    except (KeyError, TypeError):
        return {}  # damaged, or of an older version: what is cut anew finds its records in the store
    return shard


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


def examine(plan: Plan, results: Path) -> list[RunState]:
    """Say of each run of a plan what is there, given the folder of all results."""
    manifest = read_manifest(results / "data" / plan.data_folder)
    settled = settled_plan(plan, results / plan.name / "plan/controls.json")
    return run_states(settled, manifest, Store(results / "store"), without=settled.unsettled)


def work_left(states: Iterable[RunState]) -> dict[str, float]:
    """Sum up by variant how many runs are still to be trained; of one that was begun, what is left of it.

    Variants may be one network by two names, as a control that is scaled to a level of the study: it is trained once, and
    counts for the first.
    """
    left: dict[str, float] = {}
    counted: set[str] = set()
    for state in states:
        if state.state in OPEN and state.key not in counted:
            left[state.variant] = left.get(state.variant, 0.0) + 1 - state.done / state.epochs
            counted |= {state.key} - {""}
    return left


def seconds_left(states: Iterable[RunState], prices: Mapping[str, Price], guess: bool = False) -> float | None:
    """Return the seconds of training that are left, one run after another; None if a price is not known.

    With `guess`, runs without a price cost as much as the others on average, and only where nothing is known it is None.
    """
    left = work_left(states)
    known = {name: runs for name, runs in left.items() if name in prices}
    if len(known) < len(left) and not (guess and known):
        return None
    seconds = sum(runs * prices[name].seconds for name, runs in known.items())
    return seconds * sum(left.values()) / sum(known.values()) if known else 0.0


def outlook(
    plan: Plan, states: Sequence[RunState], images: int | None, prices: Mapping[str, Price], jobs: int = 1
) -> str:
    """Say in two lines what a start would train, and what that costs as far as it is known.

    Parameters
    ----------
    plan : Plan
    states : sequence of RunState
    images : int or None
        Training images; None before the data are prepared.
    prices : mapping of str to Price
        By variant.
    jobs : int
        Trainings at once.
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
    work = f"{sum(state.epochs - state.done for state in left):,} epochs of {images:,} images"
    seconds = seconds_left(states, prices)
    if seconds is None:
        unknown = list(dict.fromkeys(state.variant for state in left if state.variant not in prices))
        more = f" and of {plural(len(unknown) - 1, 'variant')} more" if len(unknown) > 1 else ""
        time = f"the price of {unknown[0]}{more} is not known on this machine, `ablation price` measures it"
    else:
        time = f"about {duration(seconds)} of training"
        time += f", {duration(seconds / jobs)} with {jobs} at once" if jobs > 1 else ""
    return f"{first}\n{work}; {time}"
