"""Train the runs of one shard that the store does not have yet."""

import argparse
import io
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ablation.catalogue.metrics import METRICS
from ablation.catalogue.sources import DataError
from ablation.data import datasets
from ablation.jobs.devices import pick_device
from ablation.jobs.shards import run_key
from ablation.records.store import CORRECT, DIAGNOSTICS, LATE, WEIGHTS, Store
from ablation.study.controls import settle
from ablation.support.files import write_whole
from ablation.support.formatting import duration

SAY_EVERY = 5.0  # seconds between two lines of progress
SAVE_EVERY = 20.0  # seconds of training that a killed job loses at most, plus an epoch
TRY_AGAIN = 75  # exit status: not done, and nothing is wrong (EX_TEMPFAIL of sysexits.h)


class Stop:
    """A scheduler's request to stop: the job's time is running out, or a user cancelled it.

    It is obeyed at once, except within `postponed`: a training first saves its state at the end of the epoch.
    """

    def __init__(self):
        self.asked, self.later = "", False
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = signal.Signals(number).name
        if not self.later:
            sys.exit(TRY_AGAIN)

    @contextmanager
    def postponed(self) -> Iterator[None]:
        """Obey at the end of the block, unless the block does so itself."""
        self.later = True
        yield
        self.later = False
        if self.asked:
            sys.exit(TRY_AGAIN)


class Progress:
    """Prints one line every few seconds: epoch, loss, accuracy and time left."""

    def __init__(self, variant: str, runs: int):
        self.variant, self.runs, self.last = variant, runs, 0.0
        self.position, self.seed = 0, 0

    def say(self, text: str) -> None:
        """Print a line at once."""
        self.last = time.monotonic()
        print(f"{self.variant}  seed {self.seed} ({self.position} of {self.runs})  {text}", file=sys.stderr, flush=True)

    def epoch(self, run) -> None:
        """Print the progress of the run, unless a line was printed just before."""
        if time.monotonic() - self.last < SAY_EVERY:
            return
        row, epochs = run.curves[-1], run.recipe["epochs"]
        seconds = sum(run.seconds.values()) / len(run.curves)
        left = seconds * ((epochs - row["epoch"]) + epochs * (self.runs - self.position))
        part = "train" if row["validation_accuracy"] is None else "validation"
        accuracy = METRICS[f"{part}_accuracy"]
        self.say(
            f"epoch {row['epoch']}/{epochs}  loss {row['train_loss']:.3f}  "
            f"{accuracy.label} {100 * row[f'{part}_accuracy']:.1f} %  {duration(left)} left"
        )


def train_missing(
    arguments: argparse.Namespace, shard: dict, keys: list[str], manifest: dict, arrays: dict, stop: Stop
) -> None:
    """Train the runs whose records are missing. Torch is imported here: a shard that lacks nothing needs none."""
    import torch

    from ablation.training import run as training
    from ablation.training.evaluation import put_on_device

    torch.set_num_threads(arguments.threads)
    training.be_deterministic()
    store = Store(arguments.store)
    missing = [(spec, key) for spec, key in zip(shard["runs"], keys, strict=True) if not store.has(key)]
    progress = Progress(shard["variant"], len(missing))
    with pick_device(arguments.gpus or "gpu" in arguments.gres) as device:
        parts = put_on_device(arrays, manifest, device)
        for progress.position, (spec, key) in enumerate(missing, 1):
            progress.seed = spec["seed"]
            with store.lock(key) as running, stop.postponed():
                if store.has(key):  # another job trained it while this one waited
                    continue
                state = load_state(running.state, device)
                if state:
                    progress.say(f"goes on after epoch {len(state['curves'])}")
                saved = time.monotonic()

                def on_epoch(current: training.Run, running=running) -> None:
                    nonlocal saved
                    running.write_curves(current.curves)
                    warned = "" if current.finished else stop.asked
                    if warned or (time.monotonic() - saved > SAVE_EVERY and not current.finished):
                        running.write_state(partial(torch.save, current.state()))
                        saved = time.monotonic()
                    if warned:
                        progress.say(f"stopped by {warned}; the next start goes on after epoch {len(current.curves)}")
                        sys.exit(TRY_AGAIN)
                    progress.epoch(current)  # after the state is saved: printing fails if the reader of the log is gone

                start = starting_weights(store, spec["warm_start"], manifest["digest"]) if not state else None
                result = training.train(spec, parts, len(manifest["classes"]), state, on_epoch, start)
                write_record(store, key, shard["variant"], spec, manifest, result, device)
            accuracy = result.metrics["test_accuracy"]
            score = f"test accuracy {100 * accuracy:.1f} %" if accuracy is not None else "no test accuracy"
            progress.say(f"{result.status} after {duration(result.timings['train_seconds'])}  {score}")


def write_record(store: Store, key: str, variant: str, spec: dict, manifest: dict, result, device) -> None:
    """Write the record of a run with its files."""
    import numpy as np
    import safetensors.torch

    from ablation.records.environment import describe

    record = {
        "variant": variant,
        "seed": spec["seed"],
        "spec": spec,
        "data": manifest["digest"],
        "status": result.status,
        "metrics": result.metrics,
        "timings": result.timings,
        "environment": describe(device),
        "curves": result.curves,
    }
    correct = io.BytesIO()
    np.save(correct, result.correct)
    files = {CORRECT: correct.getvalue(), WEIGHTS: safetensors.torch.save(result.weights)}
    if result.diagnostics:
        columns = {name: [row[name] for row in result.diagnostics] for name in result.diagnostics[0]}
        files[DIAGNOSTICS] = json.dumps(columns, separators=(",", ":")).encode()
    store.write(key, record, files)


def starting_weights(store: Store, source: dict | None, data_digest: str):
    """Return the weights of the run that a run starts from, or None if it starts from none."""
    if source is None:
        return None
    import safetensors.torch

    key = run_key(source, data_digest)
    store.read(key, patience=LATE)  # checks it
    return safetensors.torch.load_file(store.folder(key) / WEIGHTS)


def load_state(path: Path, device):
    """Return the state of an interrupted training; None if there is none or it cannot be read."""
    import torch

    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        print(f"{path}: cannot be read ({error}); the run starts anew", file=sys.stderr)
        return None


def main(arguments: argparse.Namespace) -> None:
    """Train what is missing, then write the shard's result."""
    stop = Stop()
    shard = json.loads(arguments.spec.read_text())
    if arguments.answers:
        shard = settle(shard, json.loads(arguments.answers.read_text()))
    arrays, manifest = datasets.read(arguments.data)
    expected = json.loads(arguments.receipt.read_text())["digest"] if arguments.receipt else manifest["digest"]
    if manifest["digest"] != expected:
        raise DataError(
            f"{arguments.data}: found data of the digest {manifest['digest']}, expected {expected}, as {arguments.receipt} "
            "says: another study has prepared them anew with other code. Start again to prepare them for this one"
        )
    keys = [run_key(spec, manifest["digest"]) for spec in shard["runs"]]
    store = Store(arguments.store)
    if any(not store.has(key) for key in keys):
        train_missing(arguments, shard, keys, manifest, arrays, stop)
    runs = []
    for spec, key in zip(shard["runs"], keys, strict=True):
        record = store.read(key)
        runs.append({"seed": spec["seed"], "key": key, "status": record["status"]})
    with write_whole(arguments.result) as file:
        result = {"variant": shard["variant"], "generation": shard.get("generation", 0), "runs": runs}
        file.write(json.dumps(result, indent=1).encode())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--spec", type=Path, required=True, help="the shard's frozen spec (JSON)")
    parser.add_argument("--answers", type=Path, nargs="?", help="sizes that the spec leaves open, by question (JSON)")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared data")
    parser.add_argument("--receipt", type=Path, help="manifest of the data that the study was planned with")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store")
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument("--gpus", type=int, default=0, help="0: the CPU; 1: a GPU, the scheduler's or a free one")
    parser.add_argument("--gres", default="", help="what else a scheduler was asked for: a GPU, if it names gpu")
    parser.add_argument("--result", type=Path, required=True, help="the shard's result file to write")
