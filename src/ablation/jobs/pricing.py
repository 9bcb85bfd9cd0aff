"""The cost of a training, measured by a few steps of it on the machine at hand."""

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing import connection
from typing import Any

import numpy as np
import torch

from ablation.data.splits import PARTS
from ablation.jobs.devices import pick_device
from ablation.jobs.prices import SCALED, Cost
from ablation.networks.sizes import inspect_or_say
from ablation.training.evaluation import put_on_device
from ablation.training.run import Run, be_deterministic

Task = tuple[str, Mapping[str, Any], Mapping[str, Any], bool, int]
ENOUGH = 0.3  # seconds of training that say what it costs
ROWS = 7  # epochs of it at least: of a machine that is shared, the one in the middle counts
FIRST = 8  # images of the first, careful step
MOST_MEASURED = 64  # networks: the costs of more of them follow from these by their multiply-adds
PREDICTED = 16.0  # bytes of a record per test image, beside the logits
EMPTY = 0.02  # megabytes of a record without weights and predictions


def synthetic(manifest: Mapping[str, Any], train: int, others: int) -> dict[str, np.ndarray]:
    """Return images and labels of the right kind and no meaning, as `ablation.data.datasets.read` does."""
    draw = np.random.default_rng(0)
    arrays = {}
    for part in PARTS:
        count = train if part == "train" else others
        arrays[f"{part}_images"] = draw.integers(0, 256, (count, *manifest["shape"]), dtype=np.uint8)
        arrays[f"{part}_labels"] = draw.integers(0, len(manifest["classes"]), count)
    return arrays


def epoch_of(run: Run) -> dict[str, float]:
    """Train an epoch, and return what each part of it took in seconds."""
    before = run.seconds
    run.epoch()
    return {part: seconds - before[part] for part, seconds in run.seconds.items()}


def measure_cost(spec: Mapping[str, Any], manifest: Mapping[str, Any], gpu: bool) -> Cost:
    """Train a few steps on images of no meaning, and time them.

    Parameters
    ----------
    spec : mapping
        Of a run, as `ablation.study.plan.Plan.spec` states it.
    manifest : mapping
        Of the prepared data.
    gpu : bool
        Whether a GPU of this machine is used.

    Returns
    -------
    Cost
    """
    be_deterministic()
    size, classes = spec["recipe"]["batch_size"], len(manifest["classes"])
    recipe = {**spec["recipe"], "epochs": 10_000}
    diagnostics = {**spec["diagnostics"], "epochs": [1]} if spec["diagnostics"] else None
    with pick_device(gpu) as device:

        def run(images: int, diagnostics: Mapping[str, Any] | None = None) -> tuple[Run, float]:
            start = time.perf_counter()
            parts = put_on_device(synthetic(manifest, images, min(images, 256)), manifest, device)
            begun = Run({**spec, "recipe": recipe, "diagnostics": diagnostics, "warm_start": None}, parts, classes)
            return begun, time.perf_counter() - start

        careful, _ = run(min(size, FIRST))
        epoch_of(careful)  # what a process does for the first time takes longer
        step = min(epoch_of(careful)["train"] for _ in range(3)) * size / min(size, FIRST)
        steps = max(1, min(round(ENOUGH / ROWS / step), 50))
        images = size * steps if step < 10 * ENOUGH else min(size, FIRST)
        measured, once = run(images, diagnostics)
        rows = [epoch_of(measured)]
        while (spent := sum(row["train"] for row in rows)) < 10 * ENOUGH and (spent < ENOUGH or len(rows) < ROWS):
            rows.append(epoch_of(measured))
        weights = sum(value.numel() * value.element_size() for value in measured.network.state_dict().values())
    tests = manifest["counts"]["test"]
    return Cost(
        train=statistics.median(row["train"] for row in rows) / images,
        evaluate=statistics.median(row["evaluate"] for row in rows) / min(images, 256),
        diagnosis=measured.seconds["diagnostics"],
        once=once,
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
        disk=EMPTY + (weights + tests * (PREDICTED + 2 * classes)) / 1e6,
    )


def measure_costs(
    specs: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any],
    gpu: bool,
    threads: int,
    processes: int,
    tell: Callable[[str], None],
) -> dict[str, Cost]:
    """Measure what the training of several networks costs, as many at a time as would train.

    Parameters
    ----------
    specs : mapping of str to mapping
        A run's spec by any name.
    manifest : mapping
        Of the prepared data.
    gpu : bool
        Whether a GPU of this machine is used.
    threads, processes : int
        Threads of a training, and trainings at a time: what the others leave of the machine is part of the price.
    tell : callable
        Is given a line for each that could not be measured.

    Returns
    -------
    dict of str to Cost
        By the same names, without those that cannot be trained. Beyond `MOST_MEASURED`, those of an architecture are
        scaled by their multiply-adds from the measured one that is nearest.
    """
    names = list(specs)
    every = max(1.0, len(names) / MOST_MEASURED)
    chosen = [names[int(n * every)] for n in range(min(len(names), MOST_MEASURED))]
    tasks = [(name, specs[name], manifest, gpu, threads) for name in chosen]
    found = _in_processes(tasks, 1 if gpu else processes)
    costs = {}
    for name, cost in zip(chosen, found, strict=True):
        if isinstance(cost, Cost):
            costs[name] = cost
        else:
            tell(f"{name} cannot be priced: {cost}")
    rest = [name for name in names if name not in chosen]
    return costs | _scale(rest, costs, specs, manifest) if rest else costs


def _in_processes(tasks: list[Task], processes: int) -> list[Cost | str]:
    """Measure in a process each, some at a time: its memory is its own, and one that is killed costs no other.

    They are forked: nothing was computed here before, and CUDA never touched.
    """
    context, found = multiprocessing.get_context("fork"), [""] * len(tasks)
    waiting, running = list(enumerate(tasks)), {}
    while waiting or running:
        while waiting and len(running) < processes:
            place, task = waiting.pop(0)
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_measure_one, args=(task, sender))
            process.start()
            sender.close()
            running[receiver] = (place, process)
        for receiver in connection.wait(list(running)):
            place, process = running.pop(receiver)
            try:
                found[place] = receiver.recv()
                process.join()
            except EOFError:
                process.join()
                found[place] = f"its process ended with {process.exitcode}, perhaps for want of memory"
    return found


def _measure_one(task: Task, sender: connection.Connection) -> None:
    _, spec, manifest, gpu, threads = task
    torch.set_num_threads(threads)
    try:
        sender.send(measure_cost(spec, manifest, gpu))
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")


def _scale(
    names: list[str],
    costs: Mapping[str, Cost],
    specs: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> dict[str, Cost]:
    """Scale costs by multiply-adds, within an architecture."""
    from ablation.networks.layertable import totals

    def work(name: str) -> int | None:
        layers, why = inspect_or_say(specs[name]["architecture"], tuple(manifest["shape"]), len(manifest["classes"]))
        return None if why else totals(layers)["multiply_adds"]

    known = [(specs[name]["architecture"]["name"], work(name), cost) for name, cost in costs.items()]
    found = {}
    for name in names:
        mine, kind = work(name), specs[name]["architecture"]["name"]
        near = [(its, cost) for its_kind, its, cost in known if its_kind == kind and its]
        if mine and near:
            its, cost = min(near, key=lambda one: abs(one[0] - mine))
            found[name] = replace(cost, train=cost.train * mine / its, evaluate=cost.evaluate * mine / its, how=SCALED)
    return found
