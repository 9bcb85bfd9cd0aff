"""How close the training loop comes to a bare forward-backward-step, in turns in one process. Writes `floor.md` beside it.

python benchmarks/speed/floor.py [--threads 1 2] [--repeats 5] [--seconds 0.5] [--only lenet]
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch

from ablation.catalogue.catalogue import OURS
from ablation.networks.build import build
from ablation.networks.initialisation import initialise
from ablation.networks.kit import make_level
from ablation.records.environment import processor
from ablation.study.schema import Recipe
from ablation.study.specs import architecture_spec, code_spec
from ablation.support.references import resolve
from ablation.training.evaluation import Part
from ablation.training.objective import objective
from ablation.training.run import Run, be_deterministic

HERE = Path(__file__).parent
CLASSES = 10
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
CASES = {  # name: builder, levels that differ from the catalogue's, shape of an image, batch size
    "LeNet": ("lenet", {"activation": "relu"}, (1, 28, 28), 128),
    "LeNet, 8x8": ("lenet", {"activation": "relu"}, (1, 8, 8), 64),
    "AlexNet, width 16": ("alexnet", {"width": 16, "hidden": 128}, (3, 32, 32), 64),
    "VGG-11, width 8, 8x8": ("vgg", {"width": 8, "hidden": 64, "norm": "batch"}, (1, 8, 8), 64),
    "VGG-11, width 16": ("vgg", {"width": 16, "hidden": 128, "norm": "batch"}, (3, 32, 32), 64),
    "NiN, width 48": ("nin_cifar", {"width": 48}, (3, 32, 32), 64),
    "GoogLeNet, width 16": ("googlenet", {"width": 16, "blocks": "1-1-1"}, (3, 32, 32), 64),
    "ResNet-20": ("resnet_cifar", {"depth": 20}, (3, 32, 32), 128),
    "ResNet-14, width 8, 8x8": ("resnet_cifar", {"depth": 14, "width": 8}, (1, 8, 8), 64),
    "DenseNet-22, growth rate 12": ("densenet_cifar", {"depth": 22, "growth_rate": 12}, (3, 32, 32), 64),
    "DenseNet-13, growth rate 4, 8x8": ("densenet_cifar", {"depth": 13, "growth_rate": 4}, (1, 8, 8), 64),
}


def make_spec(builder: str, levels: dict, batch_size: int, seed: int = 0, **recipe) -> dict:
    """Return the spec of a run, that never ends by itself unless `recipe` states its epochs."""
    chosen = {**OURS.architectures[builder].references, **levels}
    stated = {"epochs": 10000, "lr": 1e-3, "momentum": 0.9, "weight_decay": 1e-4, **recipe}
    entries = Recipe(batch_size=batch_size, **stated).model_dump()
    return {
        "architecture": architecture_spec(OURS, builder, chosen),
        "recipe": entries,
        "code": code_spec(OURS, entries),
        "seed": seed,
        "diagnostics": None,
        "warm_start": None,
    }


def make_part(shape: tuple[int, int, int], count: int) -> Part:
    """Return random images: what they show costs nothing."""
    generator = torch.Generator().manual_seed(0)
    return Part(torch.randn(count, *shape, generator=generator), torch.arange(count) % CLASSES)


def bare(spec: dict, part: Part, layout: torch.memory_format) -> Callable[[], None]:
    """Return the steps of an epoch with nothing around them: the batches lie ready."""
    network = build(spec["architecture"], tuple(part.images.shape[1:]), CLASSES)
    initialise(network, 0, make_level(spec["architecture"]["layers"]["initialisation"]))
    network = network.to(memory_format=layout).train()
    optimizer = resolve(spec["code"]["optimizer"])(network.parameters(), spec["recipe"])
    size = spec["recipe"]["batch_size"]
    images = [batch.contiguous(memory_format=layout) for batch in part.images.split(size)]
    batches = list(zip(images, part.labels.split(size), strict=True))

    def epoch() -> None:
        for images, labels in batches:
            optimizer.zero_grad()
            objective(network(images), labels, spec["recipe"]).backward()
            optimizer.step()

    return epoch


def ours(spec: dict, part: Part) -> Callable[[], None]:
    """Return the steps of an epoch as this project takes them, without its evaluation."""
    nothing = Part(part.images[:0], part.labels[:0])
    run = Run(spec, {"train": part, "validation": nothing}, CLASSES)
    return run.epoch


def seconds(epoch: Callable[[], None], clock: Callable[[], float]) -> float:
    start = clock()
    epoch()
    return clock() - start


def measure(name: str, repeats: int, target: float, clock: Callable[[], float]) -> dict[str, float]:
    """Return images a second of both layouts and of ours, and ours as a share of the better layout, by turns."""
    builder, levels, shape, size = CASES[name]
    spec, count = make_spec(builder, levels, size), 4 * size
    trial = bare(spec, make_part(shape, count), torch.contiguous_format)
    trial()
    count = size * max(4, int(4 * target / seconds(trial, clock)))
    part = make_part(shape, count)
    ways = {layout: bare(spec, part, memory) for layout, memory in LAYOUTS.items()} | {"ours": ours(spec, part)}
    for epoch in ways.values():
        epoch()
    turns = [{way: seconds(epoch, clock) for way, epoch in ways.items()} for _ in range(repeats)]
    found = {way: count / statistics.median(turn[way] for turn in turns) for way in ways}
    best = max(LAYOUTS, key=found.get)
    shares = sorted(turn[best] / turn["ours"] for turn in turns)
    return {**found, "share": statistics.median(shares), "low": shares[0], "high": shares[-1]}


def page(rows: list[tuple[int, str, dict[str, float]]], repeats: int) -> str:
    """Return the table, given for threads and network what was measured."""
    lines = [
        f"| {name} | {threads} | {f['contiguous']:,.0f} | {f['channels last']:,.0f} | {f['ours']:,.0f} | "
        f"{f['share']:.2f} ({f['low']:.2f} to {f['high']:.2f}) |"
        for threads, name, f in rows
    ]
    table = "\n".join(lines)
    return f"""\
# How close the training loop comes to bare steps

| network | threads | bare, contiguous | bare, channels last | this package | share of the better one |
|---|---:|---:|---:|---:|---:|
{table}

Images a second. **Bare** steps are forward, backward and update on batches that lie ready; this package's epoch has the
order, the gathering of batches, the curves and the learning rates, too. Medians of {repeats} turns in one process; in
brackets the lowest and the highest share of a turn.

Measured by `benchmarks/speed/floor.py` on {date.today()}, {processor()}, {os.cpu_count()} cores shared with others;
torch {torch.__version__}.
"""


def main(arguments: argparse.Namespace) -> None:
    be_deterministic()
    rows = []
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for name in CASES:
            if arguments.only.lower() in name.lower():
                rows.append((threads, name, measure(name, arguments.repeats, arguments.seconds, clock)))
                print(*rows[-1][:2], {way: round(value, 2) for way, value in rows[-1][2].items()}, flush=True)
    if not arguments.only:
        (HERE / "floor.md").write_text(page(rows, arguments.repeats), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="processor threads")
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each way in each turn")
    parser.add_argument("--only", default="", help="networks whose name contains this; then nothing is written")
    parser.add_argument("--cpu-time", action="store_true", help="count seconds of the processor: for a machine in use")
    main(parser.parse_args())
