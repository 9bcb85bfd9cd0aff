"""The measurements of `run.py`, each a plain function of a device that returns plain data."""

import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from cases import CASES, CLASSES, FAMILIES, make_parts, make_spec, multiply_adds

from ablation.training.capture import Captured, CudaLane, same_bits
from ablation.training.run import Run
from ablation.training.steps import Stepper
from ablation.training.turns import Lane, finish, take_turns


def new_lane(device: torch.device) -> Lane:
    """Return a lane of the device."""
    return CudaLane(device) if device.type == "cuda" else Lane()


def fewer(device: torch.device) -> dict[str, int]:
    """Return what makes a try on a CPU short."""
    return {} if device.type == "cuda" else {"batch_size": 8}


def wait(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Kept(Lane):
    """A lane that outlives the turns that are taken in it."""

    def __init__(self, lane: Lane):
        self.lane = lane

    def turn(self) -> AbstractContextManager:
        return self.lane.turn()


class Beside:
    """Some runs of one case, side by side: of the seeds 0, 1, 2 …

    Attributes
    ----------
    refused : list of str
        Why steps were not captured.
    """

    def __init__(self, case: tuple, device: torch.device, seeds: int, captured: bool, images: int, **recipe: Any):
        self.device, self.refused = device, []
        parts = make_parts(case[2], images, device)
        wait(device)
        self.lanes = [new_lane(device) for _ in range(seeds)]
        self.runs = []
        for seed, lane in enumerate(self.lanes):
            with lane.turn():
                spec = make_spec(case, seed, **recipe)
                self.runs.append(Run(spec, parts, CLASSES, stepper=self._stepper(lane) if captured else Stepper))

    def _stepper(self, lane: Lane) -> Callable[..., Captured]:
        return lambda step: Captured(step, lane, self.refused.append)

    def train(self, epochs: int) -> float:
        """Train all of them so many epochs, in turns, and return the seconds."""

        def work(run: Run) -> Callable[..., Iterator[None]]:
            return lambda lane, others: itertools.chain.from_iterable(run.train_epoch() for _ in range(epochs))

        wait(self.device)
        start = time.perf_counter()
        kept = (Kept(lane) for lane in self.lanes)
        take_turns([work(run) for run in self.runs], lambda: next(kept), lambda under_way: len(self.runs))
        wait(self.device)
        return time.perf_counter() - start

    def close(self) -> None:
        """Give back what they hold."""
        for lane in self.lanes:
            lane.close()


def throughput(
    device: torch.device, name: str, seeds: int, captured: bool, seconds: float, **recipe: Any
) -> dict[str, Any]:
    """Measure how many images a second runs of a case are trained on, together, and the memory that they take."""
    case, recipe = CASES[name], {**recipe, **fewer(device)}
    images = make_spec(case, **recipe)["recipe"]["batch_size"] * (40 if device.type == "cuda" else 4)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    beside = Beside(case, device, seeds, captured, images, **recipe)
    try:
        beside.train(1)  # warms up, and captures
        once = beside.train(1)
        turns = [beside.train(max(1, round(seconds / 3 / once))) for _ in range(3)]
        count = max(1, round(seconds / 3 / once)) * images * seeds
    finally:
        beside.close()
    rate = count / sorted(turns)[1]
    return {
        "images_per_second": rate,
        "spread": [count / max(turns), count / min(turns)],
        "tera_operations_per_second": 6 * multiply_adds(case) * rate / 1e12,  # forward, and twice as many backward
        "megabytes": torch.cuda.max_memory_reserved(device) / 1e6 if device.type == "cuda" else None,
        "refused": sorted(set(beside.refused)),
    }


def peaks(device: torch.device, seconds: float) -> dict[str, float]:
    """Measure what the device reaches at its best: products of large matrices, and a copy within its memory."""
    side = 8192 if device.type == "cuda" else 512
    found = {}
    for name, kind, rounded in (
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bf16", torch.bfloat16, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = rounded
        one = torch.randn(side, side, device=device).to(kind)
        found[f"{name}_tera_operations_per_second"] = (
            2e-12 * side**3 / _best(device, seconds, lambda one=one: one @ one)
        )
    torch.backends.cuda.matmul.allow_tf32 = False
    source = torch.empty(2**30 if device.type == "cuda" else 2**24, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    found["gigabytes_per_second"] = 2e-9 * source.numel() / _best(device, seconds, lambda: target.copy_(source))
    return found


def _best(device: torch.device, seconds: float, function: Callable[[], Any]) -> float:
    """Return the shortest time that a call took, over so many seconds."""
    function()
    wait(device)
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        function()
        wait(device)
        times.append(time.perf_counter() - start)
    return min(times)


def determinism(device: torch.device, name: str, epochs: int = 3) -> dict[str, Any]:
    """Train one network in every way, and say which of them gives other bits than a plain training alone.

    Returns
    -------
    dict
        ``again``, ``resumed``, ``captured``, ``side_by_side``: whether the bits are the same; ``refused``: why steps were
        not captured; ``said``: what torch says of operations without a fixed order.
    """
    case, recipe = FAMILIES[name], fewer(device)
    images = make_spec(case, **recipe)["recipe"]["batch_size"] * 9 // 2  # the fifth batch is smaller
    parts = make_parts(case[2], images, device)

    def state(run: Run) -> list[torch.Tensor]:
        return [value.clone() for value in run.network.state_dict().values()]

    def plain() -> Run:
        return Run(make_spec(case, **recipe), parts, CLASSES)

    def trained(run: Run) -> list[torch.Tensor]:
        while len(run.curves) < epochs:
            run.epoch()
        return state(run)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        alone = trained(plain())
        again = trained(plain())
        left = plain()
        pieces = itertools.chain.from_iterable(left.train_epoch() for _ in range(epochs))
        for _ in range(7):  # in the second epoch
            next(pieces)
        resumed = plain()
        resumed.resume(left.state())
        resumed = trained(resumed)
    found = {"again": again, "resumed": resumed}
    one, three = (Beside(case, device, seeds, True, images, **recipe) for seeds in (1, 3))
    for beside in (one, three):
        beside.train(epochs)
    found |= {"captured": state(one.runs[0]), "side_by_side": state(three.runs[0])}
    texts = sorted({str(warning.message).split(". ")[0] for warning in said if "determinis" in str(warning.message)})
    equal = {way: all(map(same_bits, alone, bits)) for way, bits in found.items()}
    for beside in (one, three):
        beside.close()
    return {**equal, "refused": sorted({*one.refused, *three.refused}), "said": texts}


def conclude(run: Run) -> dict[str, Any]:
    """Return what is published of a run that has ended."""
    result = finish(run.conclude())
    return {
        "status": result.status,
        "test_error": 1 - float((result.predictions["rank"] == 0).mean()),
        "train_error": None if result.status == "diverged" else 1 - result.metrics["train_accuracy"],
        "seconds": result.timings["train_seconds"],
    }
