"""What diagnostics cost: the same runs with and without them, in turns in one process. Writes `diagnostics.md` beside it.

python benchmarks/diagnostics.py [--threads 1] [--repeats 3] [--device cpu]
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from ablation.catalogue.catalogue import OURS
from ablation.data import datasets
from ablation.records.environment import describe
from ablation.study.schema import Data, Recipe
from ablation.study.specs import architecture_spec, code_spec, diagnostics_spec
from ablation.training import evaluation
from ablation.training import run as training

EPOCHS, CHOSEN = 10, (0, 1, 10)
DIGITS = Data(name="digits").model_dump()
CASES = [  # name, builder, levels that differ from the catalogue's, data
    ("LeNet", "lenet", {"activation": "relu"}, "digits"),
    ("VGG-11, width 8", "vgg", {"width": 8, "hidden": 64, "norm": "batch"}, "digits"),
    ("ResNet-14, width 8", "resnet_cifar", {"depth": 14, "width": 8}, "digits"),
    ("DenseNet-13, growth rate 4", "densenet_cifar", {"depth": 13, "growth_rate": 4}, "digits"),
    ("LeNet", "lenet", {"activation": "relu"}, "synthetic"),
    ("ResNet-8, width 4", "resnet_cifar", {"depth": 8, "width": 4}, "synthetic"),
]


def make_spec(builder: str, levels: dict, diagnostics: list[int]) -> dict:
    entry = OURS.architectures[builder]
    chosen = {**entry.references, **levels}
    recipe = Recipe(epochs=EPOCHS, batch_size=64, lr=0.01, momentum=0.9).model_dump()
    return {
        "architecture": architecture_spec(OURS, builder, chosen),
        "recipe": recipe,
        "code": code_spec(OURS, recipe),
        "data": DIGITS,
        "seed": 0,
        "diagnostics": diagnostics_spec(OURS, chosen["activation"], diagnostics),
        "warm_start": None,
    }


def make_parts(device: torch.device) -> dict[str, dict[str, evaluation.Part]]:
    """Return the 8x8 digits, and 2,000 random images of 3x32x32: what they show costs nothing."""
    arrays, manifest = datasets.prepare(DIGITS)
    generator = torch.Generator().manual_seed(0)

    def synthetic(count: int) -> evaluation.Part:
        images, labels = torch.randn(count, 3, 32, 32, generator=generator), torch.arange(count) % 10
        return evaluation.Part(images.to(device), labels.to(device))

    return {
        "digits": evaluation.put_on_device(arrays, manifest, device),
        "synthetic": {"train": synthetic(2000), "validation": synthetic(500), "test": synthetic(500)},
    }


def seconds(spec: dict, parts: dict[str, evaluation.Part]) -> tuple[float, float]:
    """Train a run; return its seconds in all, and those of them that it says were spent on diagnostics."""
    start = time.perf_counter()
    result = training.train(spec, parts, 10)
    return time.perf_counter() - start, result.timings["diagnostics_seconds"]


def main(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    training.be_deterministic()
    device = torch.device(arguments.device)
    parts = make_parts(device)
    head = ("network", "training images", "without (s)", "with (s)", "of them diagnostics (s)", "share")
    lines = [f"| {' | '.join(head)} |", "|---|---|---:|---:|---:|---:|"]
    for name, builder, levels, data in CASES:
        plain, diagnosed = (make_spec(builder, levels, chosen) for chosen in ([], list(CHOSEN)))
        seconds({**diagnosed, "recipe": {**diagnosed["recipe"], "epochs": 1}}, parts[data])  # the first pass is slow
        without, with_them = [], []
        for _ in range(arguments.repeats):
            without.append(seconds(plain, parts[data])[0])
            with_them.append(seconds(diagnosed, parts[data]))
        middle = statistics.median(without)
        total, spent = (statistics.median(column) for column in zip(*with_them, strict=True))
        share = statistics.median(part / (whole - part) for whole, part in with_them)
        images = parts[data]["train"].images
        shape = "x".join(map(str, images.shape[1:]))
        numbers = f"{middle:.2f} | {total:.2f} | {spent:.3f} | {100 * share:.1f} %"
        lines.append(f"| {name} | {len(images):,} of {shape} | {numbers} |")
        print(lines[-1], flush=True)
    machine = describe(device)
    text = f"""# What diagnostics cost

Runs of {EPOCHS} epochs with diagnostics at epochs {", ".join(map(str, CHOSEN))}, and the same runs without, in turns in one
process; medians of {arguments.repeats}. A diagnosis passes {training.PROBE} images through the network once, forwards and
backwards, however many images an epoch has: the share falls with the size of the data set.

{chr(10).join(lines)}

Where others use the machine at the same time, the two totals say little of their difference. The seconds of the fifth
column were measured around the diagnoses themselves; the share is that of their seconds to all others of the same run.

Measured by `benchmarks/diagnostics.py` on {machine["device"]} ({machine["processor"]}), {machine["threads"]} thread(s),
torch {machine["torch"]}, Python {machine["python"]}.
"""
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    main(parser.parse_args())
