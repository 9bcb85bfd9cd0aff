"""Measure training on the GPU at hand, and write `gpu.md`: speed, determinism, memory, and the published protocol.

python benchmarks/gpu/run.py [--minutes 9] [--data FOLDER] [--out FOLDER]

It needs torch and numpy alone, and this checkout; nothing is installed or fetched. What it has measured stands in
`gpu.json` beside the table, after each measurement: the next call goes on with what is missing, and `--again WORD` does
anew what has the word in its name. A measurement that fails is kept with its error, and the others go on.

The protocol on CIFAR-10 needs the prepared data: the folder `results/data/cifar10-…` of a study with
`data: {name: cifar10, validation: 0.1}`, such as residual_full, after `snakemake` has made its `data.json`. Where only so
many megabytes can be carried at once, `pack.py FOLDER TARGET --megabytes 60` cuts it into pieces, and `--data TARGET`
takes the folder that they were gathered in. Its states (`*.pt`) lie beside the table and can be carried on, too.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "src"), str(HERE)]

import measures  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from cases import CASES, FAMILIES  # noqa: E402
from page import write_page  # noqa: E402
from protocol import VARIANTS, follow_protocol  # noqa: E402

from ablation.training.run import be_deterministic  # noqa: E402

SEEDS = (1, 2, 4, 8, 16, 32)
RESERVE = 20.0  # seconds at the end, in which no measurement begins
Task = tuple[str, Callable[[], Any]]


def tasks(device: torch.device, seconds: float, seeds: tuple[int, ...], data: Path | None, out: Path) -> Iterator[Task]:
    """List all measurements by name, the most telling first."""
    yield "peaks", partial(measures.peaks, device, seconds / 2)
    for name in CASES:
        yield f"speed/{name}/eager/1", partial(measures.throughput, device, name, 1, False, seconds)
        for count in seeds:
            yield f"speed/{name}/graph/{count}", partial(measures.throughput, device, name, count, True, seconds)
    for name in FAMILIES:
        yield f"bits/{name}", partial(measures.determinism, device, name)
    residual = "ResNet-20, 32x32"
    for precision in ("tf32", "bf16"):
        for count in sorted({1, min(8, max(seeds))}):
            measure = partial(measures.throughput, device, residual, count, True, seconds, precision=precision)
            yield f"speed/{residual}/graph {precision}/{count}", measure
    yield f"speed/{residual}/eager/8", partial(measures.throughput, device, residual, 8, False, seconds)
    if device.type == "cuda":  # what a CPU makes of it is seen in the tests
        for name in CASES:
            for captured, way in ((False, "compiled"), (True, "compiled graph")):
                measure = partial(measures.throughput, device, name, 1, captured, seconds, engine="compiled")
                yield f"speed/{name}/{way}/1", measure


def describe(device: torch.device) -> dict[str, Any]:
    """Return hardware and versions."""
    found = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    if device.type == "cpu":
        return {**found, "device": "cpu", "threads": torch.get_num_threads()}
    properties = torch.cuda.get_device_properties(device)
    return {
        **found,
        "device": properties.name,
        "gigabytes": round(properties.total_memory / 1e9, 1),
        "multiprocessors": properties.multi_processor_count,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def measure(task: Task, found: dict[str, Any]) -> bool:
    """Do a measurement and keep what it found, or its error; False if the device can do nothing more."""
    name, function = task
    start = time.perf_counter()
    try:
        found[name] = {"found": function(), "took": time.perf_counter() - start}
    except Exception as error:
        found[name] = {"error": f"{type(error).__name__}: {error}"[:2000], "took": time.perf_counter() - start}
        print(f"{name}: {found[name]['error']}", flush=True)
        return "Accelerator" not in type(error).__name__ and "CUDA error" not in str(error)
    print(f"{name}: {json.dumps(found[name]['found'])}", flush=True)
    return True


def read_found(path: Path, device: torch.device, again: str) -> dict[str, Any]:
    """Return what earlier calls have measured on the same hardware with the same versions."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("machine") != describe(device):
        return {}
    return {name: value for name, value in kept["found"].items() if not again or again not in name}


def main(words: list[str] | None = None) -> None:
    """Measure what is missing, for so many minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="after which it has ended")
    parser.add_argument("--data", type=Path, help="prepared CIFAR-10, or its pieces; without it, no protocol")
    parser.add_argument("--out", type=Path, default=HERE, help="where gpu.json, gpu.md and the states lie")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu: to try it")
    parser.add_argument("--seconds", type=float, default=2.0, help="of training, for each speed")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="runs side by side")
    parser.add_argument("--only", default="", help="measurements whose name contains this")
    parser.add_argument("--again", default="", help="do anew the measurements whose name contains this")
    parser.add_argument("--protocol-seeds", type=int, default=2, help="runs of each network by the published protocol")
    arguments = parser.parse_args(words)
    end = time.monotonic() + 60 * arguments.minutes
    reserve = min(RESERVE, 6 * arguments.minutes)
    be_deterministic()  # before CUDA starts
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU: nothing is measured, and gpu.md stays as it is")
    device = torch.device("cuda", 0) if arguments.device == "cuda" else torch.device("cpu")
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "gpu.json"
    found = read_found(path, device, arguments.again)
    able = True

    def keep() -> None:
        path.write_text(json.dumps({"machine": describe(device), "found": found}, indent=1))
        write_page(arguments.out / "gpu.md", describe(device), found)

    keep()
    for task in tasks(device, arguments.seconds, tuple(arguments.seeds), arguments.data, arguments.out):
        if task[0] in found or arguments.only not in task[0]:
            continue
        if not able or time.monotonic() > end - reserve:
            print("The time is up, or the device out of order: call it again for the rest.", flush=True)
            return
        able = measure(task, found)
        keep()
    if arguments.data and arguments.only in "protocol" and able:
        following = partial(
            follow_protocol, device, arguments.data, arguments.out, arguments.protocol_seeds, end - reserve / 2
        )
        measure((f"protocol/{' and '.join(VARIANTS)}", following), found)
        keep()


if __name__ == "__main__":
    main()
