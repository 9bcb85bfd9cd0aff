"""The training of a shard: the runs that the store does not have yet, each continued where it was interrupted.

A run that fails by itself gets a record that says so, and the others go on; what is the machine's fault ends the job.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import safetensors.torch
import torch

from ablation.jobs.devices import pick_device
from ablation.jobs.progress import Progress, RunProgress
from ablation.jobs.sidebyside import Room, groups, make_lane, stepper_of
from ablation.jobs.stopping import TRY_AGAIN, Stop
from ablation.jobs.trained import read_weights
from ablation.records.environment import describe
from ablation.records.keys import run_key
from ablation.records.predictions import Predictions
from ablation.records.running import DamagedStateError, Running
from ablation.records.store import DIAGNOSTICS, FAILED, LATE, PREDICTIONS, WEIGHTS, NoWeightsError, Store
from ablation.support import failures
from ablation.support.accounting import SPENT, WORK
from ablation.support.formatting import duration, plural
from ablation.support.locks import LockHeldError
from ablation.training.evaluation import Part, number, put_on_device
from ablation.training.layout import choose_layout
from ablation.training.outcome import Result
from ablation.training.run import Run, be_deterministic
from ablation.training.turns import Lane, Pieces, take_turns

LOGITS = 4_000_000  # of the test images, that a record keeps unless the study asks for more: 8 MB
SAVE_EVERY = 20.0  # seconds of training that a killed job loses at most


class AroundTrainingError(Exception):
    """An error of what goes on around a training, such as the store's, and none of the run's own; its cause says which."""


class NoStartError(Exception):
    """A run has nothing to start from: that whose weights it takes over failed."""


@contextmanager
def around_training(what: str) -> Iterator[None]:
    """Mark what is raised in the block as none of the run's own: `what` could not be done."""
    try:
        yield
    except NoWeightsError:
        raise  # it says what to do
    except Exception as error:
        raise AroundTrainingError(f"{what}: {error}") from error


class AfterStep:
    """What happens wherever a run can be left: epochs are told, the state is saved now and then, a stop is obeyed.

    Parameters
    ----------
    running : Running
    stop : Stop
    progress : RunProgress
    state : mapping, optional
        Of the interrupted training that goes on.

    Attributes
    ----------
    curves, seconds
        Those that the run had reached at the end of its last epoch, as `ablation.training.run.Run` has them.
    """

    def __init__(self, running: Running, stop: Stop, progress: RunProgress, state: Mapping[str, Any] | None = None):
        self.running, self.stop, self.progress = running, stop, progress
        self.saved = time.monotonic()
        self.curves: list[dict[str, Any]] = state["curves"] if state else []
        self.seconds: dict[str, float] = state["seconds"] if state else {}

    def __call__(self, run: Run) -> None:
        """Do what is due, which after most steps is nothing; exits with `TRY_AGAIN` if the job was asked to stop."""
        ended = len(run.curves) > len(self.curves)
        asked = self.stop.asked
        if not (ended or asked or time.monotonic() - self.saved > SAVE_EVERY):
            return
        with around_training("what the run has reached cannot be written"):
            if ended:
                self.curves, self.seconds = list(run.curves), run.seconds
                self.running.write_curves(run.curves)
            if asked or time.monotonic() - self.saved > SAVE_EVERY:
                self.running.write_state(partial(torch.save, run.state()))
                self.saved = time.monotonic()
            if asked:
                self.progress.say(f"stopped by {asked}; the next start goes on {place(run.state())}")
                sys.exit(TRY_AGAIN)
            if ended:
                self.progress.epoch(run)  # after the state is saved: printing fails if the reader of the log is gone


def place(state: Mapping[str, Any]) -> str:
    """Say where a run is, given its state: after epoch 3, or after epoch 3 and 17 steps."""
    taken = state["taken"]
    return f"after epoch {len(state['curves'])}" + (f" and {plural(taken, 'step')}" if taken else "")


def train_missing(
    shard: Mapping[str, Any],
    keys: Sequence[str],
    arrays: Mapping[str, np.ndarray],
    manifest: Mapping[str, Any],
    store: Store,
    stop: Stop,
    gpu: bool,
    retry_failed: bool = False,
    at_once: int = 0,
) -> None:
    """Train the runs of a shard whose records are missing, one after the other or side by side.

    Parameters
    ----------
    shard : mapping
        Its frozen spec, as `ablation.jobs.shards.shard_spec` writes it.
    keys : sequence of str
        Of its runs.
    arrays, manifest : mapping
        The prepared data, as `ablation.data.datasets.read` returns them.
    store : Store
    stop : Stop
    gpu : bool
        Whether a GPU of this machine is used.
    retry_failed : bool
        Whether runs that are recorded as failed are trained again.
    at_once : int
        Runs that are trained side by side, each with the bits that it would have alone. 0: one on the CPU, on a GPU as many
        as its memory holds.
    """
    be_deterministic()
    logits = len(arrays["test_labels"]) * len(manifest["classes"])
    keep_logits = shard.get("logits", False) or logits <= LOGITS
    # Of each run the failure that is to be tried again, if any: another job may try it first.
    failed = {key: store.failure_time(key) if retry_failed else None for key in keys}
    missing = [(run, key) for run, key in zip(shard["runs"], keys, strict=True) if is_wanted(store, key, failed[key])]
    progress = Progress(len(missing))
    with pick_device(gpu) as device:
        parts = put_on_device(arrays, manifest, device, layout=choose_layout(shard["runs"][0]["spec"]))
        for group in groups(missing, manifest["digest"]):
            # One copy of the images for all of a group, if they are to lie otherwise.
            layout = choose_layout(group[0][0]["spec"])
            arranged = {name: part.arranged(layout) for name, part in parts.items()}
            job = Job(store, stop, device, manifest, arranged, keep_logits, failed, Room(device, at_once))
            works = (partial(train_one, job, progress, run, key) for run, key in group)
            take_turns(works, partial(make_lane, device), job.room)


@dataclass(frozen=True)
class Job:
    """What the runs of a job share: see `train_missing`."""

    store: Store
    stop: Stop
    device: torch.device
    manifest: Mapping[str, Any]
    parts: Mapping[str, Part]
    keep_logits: bool
    failed: Mapping[str, float | None]
    room: Room

    @property
    def classes(self) -> int:
        """How many classes the images have."""
        return len(self.manifest["classes"])

    def origin(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the record of a run says of where it comes from."""
        return origin(run["variant"], run["spec"], self.manifest, self.device)


def train_one(
    job: Job, progress: Progress, run: Mapping[str, Any], key: str, lane: Lane, others: Callable[[], bool]
) -> Iterator[None]:
    """Train a run of a job and write its record, yielding wherever others may go on."""
    store, spec, told = job.store, run["spec"], progress.begin(run)
    with ExitStack() as held:
        running = yield from hold_place(store, key, held, others)
        held.enter_context(job.stop.postponed())
        if not is_wanted(store, key, job.failed[key]):  # another job trained it while this one waited
            return
        store.remove(key)
        state = load_state(running, job.device)
        if state:
            told.say(f"goes on {place(state)}")
        after_step = AfterStep(running, job.stop, told, state)
        try:
            start = starting_weights(store, spec["warm_start"], job.manifest["digest"]) if not state else None
            begun = Run(spec, job.parts, job.classes, start, stepper_of(spec, lane, job.device, told.say))
            if state:
                begun.resume(state)
            result = yield from follow(begun, begun.to_the_end(job.keep_logits), after_step, job.room)
        except Exception as error:
            if isinstance(error, AroundTrainingError | NoWeightsError) or failures.is_of_the_machine(error):
                raise
            failure = failures.describe(error, time.time())
            write_failed(store, key, job.origin(run), failure, after_step)
            told.end(failure_text(failure, len(after_step.curves), spec["recipe"]["epochs"]))
            return
        count_seconds(result.timings, state)
        write_record(store, key, job.origin(run), job.classes, result)
        told.end(result_text(result))


def hold_place(store: Store, key: str, held: ExitStack, others: Callable[[], bool]) -> Pieces[Running]:
    """Hold the place of a run in training until `held` is closed, and wait for it only when no other run is under way."""
    while True:
        try:
            return held.enter_context(store.lock(key, wait=False) if others() else store.lock(key))
        except LockHeldError:
            yield


def follow(run: Run, pieces: Pieces[Result], after_step: AfterStep, room: Room) -> Pieces[Result]:
    """Do the pieces of a run, with what is due after each; while others have their turns, its time does not count."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value
        epochs = len(after_step.curves)
        after_step(run)
        if len(after_step.curves) > epochs:
            room.measure()
        part = run.watch.pause()
        yield
        run.watch.start(part)


def result_text(result: Result) -> str:
    """Say in a job's log how a run ended."""
    right = (result.predictions["rank"] == 0).mean()
    score = f"test accuracy {100 * right:.1f} %" if result.status != "diverged" else "no test accuracy"
    return f"{result.status} after {duration(result.timings['train_seconds'])}  {score}"


def count_seconds(timings: Mapping[str, float], state: Mapping[str, Any] | None) -> None:
    """Count what a run took in this process: without what it had taken when it was interrupted."""
    before = state["seconds"] if state else {}
    for part, name in zip(("train", "evaluate", "diagnostics"), WORK, strict=True):
        SPENT[name] += timings[f"{part}_seconds"] - before.get(part, 0.0)


def origin(variant: str, spec: Mapping[str, Any], manifest: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Return what a record says of where it comes from, however its run ended."""
    return {
        "variant": variant,
        "seed": spec["seed"],
        "spec": spec,
        "data": manifest["digest"],
        "environment": describe(device),
    }


def write_record(store: Store, key: str, origin: Mapping[str, Any], classes: int, result: Result) -> None:
    """Write the record of a run with its files."""
    record = {
        **origin,
        "status": result.status,
        "stopped_at": result.stopped_at,
        "metrics": result.metrics,
        "timings": result.timings,
        "curves": result.curves,
        "first_loss": result.first_loss,
    }
    predictions = Predictions(classes=classes, **result.predictions)
    files = {PREDICTIONS: predictions.to_bytes(), WEIGHTS: safetensors.torch.save(result.weights)}
    if result.diagnostics:
        columns = {name: [row[name] for row in result.diagnostics] for name in result.diagnostics[0]}
        files[DIAGNOSTICS] = json.dumps(columns, separators=(",", ":")).encode()
    store.write(key, record, files)


def is_wanted(store: Store, key: str, failure: float | None) -> bool:
    """Say whether a run is to be trained: it has no whole record, or that of the failure that is to be tried again."""
    return not store.has(key) or (failure is not None and store.failure_time(key) == failure)


def write_failed(
    store: Store, key: str, origin: Mapping[str, Any], failure: Mapping[str, Any], reached: AfterStep
) -> None:
    """Write the record of a run that failed by itself: its error, and what it had reached."""
    record = {
        **origin,
        "status": FAILED,
        "error": failure,
        "metrics": {},
        "timings": {
            **{f"{part}_seconds": reached.seconds.get(part, 0.0) for part in ("train", "evaluate", "diagnostics")},
            "images_per_second": None,
        },
        "curves": [{name: number(value) for name, value in row.items()} for row in reached.curves],
    }
    store.write(key, record, {})


def failure_text(failure: Mapping[str, Any], reached: int, epochs: int) -> str:
    """Say in a job's log that a run failed, after how many of its epochs, and what becomes of it."""
    return (
        f"failed after {reached} of {epochs} epochs: {failures.in_one_line(failure)}\n\n{failure['traceback']}\n"
        "This is recorded as failed, and the other runs go on. It is trained again if its code or its spec changes, or if "
        "a start asks for it: --retry-failed"
    )


def starting_weights(
    store: Store, source: Mapping[str, Any] | None, data_digest: str
) -> dict[str, torch.Tensor] | None:
    """Return the weights of the run that a run starts from, given its spec; None if it starts from none.

    Raises
    ------
    NoStartError
        If that run failed.
    AroundTrainingError
        If its record cannot be read.
    """
    if source is None:
        return None
    key = run_key(source, data_digest)
    with around_training("the run that this one starts from cannot be read"):
        record = store.read(key, patience=LATE)
        if record["status"] != FAILED:
            return read_weights(store, key)[1]
    why = failures.in_one_line(record["error"])
    raise NoStartError(f"seed {record['seed']} of {record['variant']}, whose weights it starts from, failed: {why}")


def load_state(running: Running, device: torch.device) -> dict[str, Any] | None:
    """Return the state of an interrupted training; None if there is none, or none of this run that is whole."""
    try:
        content = running.read_state()
        return torch.load(content, map_location=device, weights_only=True) if content else None
    except (DamagedStateError, IsADirectoryError) as error:
        print(f"{running.state}: cannot be used ({error}); the run starts anew", file=sys.stderr)
        return None
