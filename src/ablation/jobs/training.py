"""The training of a shard: the runs that the store does not have yet, each continued where it was interrupted."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from ablation.jobs.devices import pick_device
from ablation.jobs.progress import Progress
from ablation.jobs.stopping import TRY_AGAIN, Stop
from ablation.jobs.trained import read_weights
from ablation.records.environment import describe
from ablation.records.keys import run_key
from ablation.records.predictions import Predictions
from ablation.records.store import DIAGNOSTICS, PREDICTIONS, WEIGHTS, Running, Store
from ablation.support.formatting import duration
from ablation.training.evaluation import put_on_device
from ablation.training.run import Result, Run, be_deterministic, train

LOGITS = 4_000_000  # of the test images, that a record keeps unless the study asks for more: 8 MB
SAVE_EVERY = 20.0  # seconds of training that a killed job loses at most, plus an epoch


class AfterEpoch:
    """What happens after each epoch: curves are written, the state now and then, and a request to stop is obeyed."""

    def __init__(self, running: Running, stop: Stop, progress: Progress):
        self.running, self.stop, self.progress = running, stop, progress
        self.saved = time.monotonic()

    def __call__(self, run: Run) -> None:
        """Write what the run has reached; exits with `TRY_AGAIN` if the job was asked to stop."""
        self.running.write_curves(run.curves)
        asked = "" if run.finished else self.stop.asked
        if asked or (time.monotonic() - self.saved > SAVE_EVERY and not run.finished):
            self.running.write_state(partial(torch.save, run.state()))
            self.saved = time.monotonic()
        if asked:
            self.progress.say(f"stopped by {asked}; the next start goes on after epoch {len(run.curves)}")
            sys.exit(TRY_AGAIN)
        self.progress.epoch(run)  # after the state is saved: printing fails if the reader of the log is gone


def train_missing(
    shard: Mapping[str, Any],
    keys: Sequence[str],
    arrays: Mapping[str, np.ndarray],
    manifest: Mapping[str, Any],
    store: Store,
    stop: Stop,
    gpu: bool,
) -> None:
    """Train the runs of a shard whose records are missing.

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
    """
    be_deterministic()
    classes = len(manifest["classes"])
    keep_logits = shard.get("logits", False) or len(arrays["test_labels"]) * classes <= LOGITS
    missing = [(spec, key) for spec, key in zip(shard["runs"], keys, strict=True) if not store.has(key)]
    progress = Progress(shard["variant"], len(missing))
    with pick_device(gpu) as device:
        parts = put_on_device(arrays, manifest, device)
        for progress.position, (spec, key) in enumerate(missing, 1):
            progress.seed = spec["seed"]
            with store.lock(key) as running, stop.postponed():
                if store.has(key):  # another job trained it while this one waited
                    continue
                state = load_state(running.state, device)
                if state:
                    progress.say(f"goes on after epoch {len(state['curves'])}")
                start = starting_weights(store, spec["warm_start"], manifest["digest"]) if not state else None
                after_epoch = AfterEpoch(running, stop, progress)
                result = train(spec, parts, classes, state, after_epoch, start, keep_logits)
                write_record(store, key, shard["variant"], spec, manifest, result, device)
            right = (result.predictions["rank"] == 0).mean()
            score = f"test accuracy {100 * right:.1f} %" if result.status != "diverged" else "no test accuracy"
            progress.say(f"{result.status} after {duration(result.timings['train_seconds'])}  {score}")


def write_record(
    store: Store,
    key: str,
    variant: str,
    spec: Mapping[str, Any],
    manifest: Mapping[str, Any],
    result: Result,
    device: torch.device,
) -> None:
    """Write the record of a run with its files."""
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
    predictions = Predictions(classes=len(manifest["classes"]), **result.predictions)
    files = {PREDICTIONS: predictions.to_bytes(), WEIGHTS: safetensors.torch.save(result.weights)}
    if result.diagnostics:
        columns = {name: [row[name] for row in result.diagnostics] for name in result.diagnostics[0]}
        files[DIAGNOSTICS] = json.dumps(columns, separators=(",", ":")).encode()
    store.write(key, record, files)


def starting_weights(
    store: Store, source: Mapping[str, Any] | None, data_digest: str
) -> dict[str, torch.Tensor] | None:
    """Return the weights of the run that a run starts from, given its spec; None if it starts from none."""
    if source is None:
        return None
    return read_weights(store, run_key(source, data_digest))[1]


def load_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the state of an interrupted training; None if there is none or it cannot be read."""
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        print(f"{path}: cannot be read ({error}); the run starts anew", file=sys.stderr)
        return None
