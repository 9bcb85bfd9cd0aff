"""Training in plain PyTorch, at the floor and by this package, in turns. Writes `yardstick.md` and `.svg` beside it.

python benchmarks/speed/yardstick.py DATA [--turns 5] [--threads 2]

DATA holds FashionMNIST/raw (the IDX files) and cifar10/train/<class>/*.png.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import floor
import matplotlib.pyplot as plt
import numpy as np
import plain
import torch
import torchvision
from PIL import Image

from ablation.data import datasets
from ablation.networks.build import build
from ablation.records.environment import describe
from ablation.study.schema import Data
from ablation.training.evaluation import Part, put_on_device
from ablation.training.run import Run, be_deterministic

HERE = Path(__file__).parent
LENET = {"activation": "relu", "pooling": "max"}
SEEDS, EPOCHS = 5, 8
WAYS = {
    "plain": "plain PyTorch",
    "floor": "bare steps, contiguous",
    "best floor": "bare steps, channels last",
    "ours": "this package",
}
WANTED = {"LeNet on Fashion-MNIST": 3, "ResNet-20 on CIFAR-10": 2, "five seeds of LeNet on digits": 5}


def read_idx(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(path.read_bytes(), np.uint8)[header:]


def read_fashion(folder: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    raw = folder / "FashionMNIST/raw"
    images = read_idx(raw / "train-images-idx3-ubyte", 16).reshape(-1, 28, 28)
    return images[:count], read_idx(raw / "train-labels-idx1-ubyte", 8)[:count]


def read_cifar(folder: Path, per_class: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = [], []
    for label, place in enumerate(sorted((folder / "cifar10/train").iterdir())):
        for path in sorted(place.glob("*.png"))[:per_class]:
            images.append(np.asarray(Image.open(path)))
            labels.append(label)
    return np.stack(images), np.array(labels)


def call(command: list[str], threads: int) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(HERE.parents[1] / "src")}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def same_size(spec: dict, name: str, images: np.ndarray) -> None:
    """Refuse to compare networks of different sizes."""
    shape = (3 if images.ndim == 4 else 1, *images.shape[1:3])
    sizes = [
        sum(p.numel() for p in network.parameters())
        for network in (build(spec["architecture"], shape, 10), plain.make_network(name, shape[-1]))
    ]
    if sizes[0] != sizes[1]:
        sys.exit(f"{name}: found {sizes[1]} parameters in plain PyTorch, expected {sizes[0]} as in the catalogue")


def training(
    name: str, spec: dict, images: np.ndarray, labels: np.ndarray, arguments: argparse.Namespace
) -> dict[str, list[float]]:
    """Return the images a second of each way, by turns."""
    same_size(spec, name, images)
    pixels = images.reshape(-1, images.shape[-1] if images.ndim == 4 else 1) / 255
    manifest = {"mean": pixels.mean(0).tolist(), "std": pixels.std(0).tolist(), "data": {"standardised": True}}
    channels_first = images.transpose(0, 3, 1, 2) if images.ndim == 4 else images[:, None]
    arrays = {"train_images": np.ascontiguousarray(channels_first), "train_labels": labels.astype(np.int64)}
    part = put_on_device(arrays, manifest, torch.device("cpu"), ["train"])["train"]
    run = Run(spec, {"train": part, "validation": Part(part.images[:0], part.labels[:0])}, 10)
    ways = {"floor": floor.LAYOUTS["contiguous"], "best floor": floor.LAYOUTS["channels last"]}
    ways = {way: floor.bare(spec, part, layout) for way, layout in ways.items()} | {"ours": run.epoch}
    options = ["--augment"] if spec["code"]["augmentation"] else []
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/arrays.npz"
        np.savez(file, train_images=images, train_labels=labels, test_images=images[:0], test_labels=labels[:0])
        command = [str(HERE / "plain.py"), name, file, "--batch-size", str(spec["recipe"]["batch_size"]), *options]
        found = {way: [] for way in WAYS}
        for turn in range(arguments.turns + 1):  # the first one warms up
            rates = {"plain": json.loads(call(command, arguments.threads))["images_per_second"]}
            rates |= {way: len(labels) / floor.seconds(epoch, time.perf_counter) for way, epoch in ways.items()}
            for way, rate in rates.items() if turn else ():
                found[way].append(rate)
            print(name, {way: round(rate) for way, rate in rates.items()}, file=sys.stderr, flush=True)
    return found


def five_seeds(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Return seconds from the start of a process to the last record, by turns."""
    arrays, manifest = datasets.prepare(Data(name="digits").model_dump())
    recipe = {"epochs": EPOCHS, "schedule": "cosine", "lr": 0.05}
    specs = [floor.make_spec("lenet", LENET, 64, seed=seed, **recipe) for seed in range(SEEDS)]
    same_size(specs[0], "lenet", arrays["train_images"][:, 0])
    found = {"plain": [], "ours": []}
    for turn in range(arguments.turns):
        with tempfile.TemporaryDirectory() as folder:
            images = {name: array[:, 0] if array.ndim == 4 else array for name, array in arrays.items()}
            np.savez(f"{folder}/arrays.npz", **images)
            datasets.write(Path(folder, "data"), arrays, manifest)
            shard = {"runs": [{"variant": "lenet", "spec": spec} for spec in specs]}
            Path(folder, "spec.json").write_text(json.dumps(shard))
            start = time.perf_counter()
            for seed in range(SEEDS):
                options = [
                    "--epochs",
                    str(EPOCHS),
                    "--batch-size",
                    "64",
                    "--seed",
                    str(seed),
                    "--out",
                    f"{folder}/{seed}.pt",
                ]
                call([str(HERE / "plain.py"), "lenet", f"{folder}/arrays.npz", *options], arguments.threads)
            middle = time.perf_counter()
            options = ["--spec", f"{folder}/spec.json", "--data", f"{folder}/data", "--store", f"{folder}/store"]
            options += ["--threads", str(arguments.threads), "--result", f"{folder}/result.json"]
            call(["-m", "ablation", "train", *options], arguments.threads)
            end = time.perf_counter()
        found["plain"].append(middle - start)
        found["ours"].append(end - middle)
        print(f"digits {turn}: {found['plain'][-1]:.1f} s, {found['ours'][-1]:.1f} s", file=sys.stderr, flush=True)
    return found


def summarise(found: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Return medians of each way, and how many times as fast as plain ours is, as the median over turns with its range."""
    rows = {}
    for task, ways in found.items():
        pairs = list(zip(ways["plain"], ways["ours"], strict=True))
        times = sorted(ours / other if "floor" in ways else other / ours for other, ours in pairs)
        medians = {way: statistics.median(values) for way, values in ways.items()}
        rows[task] = {**medians, "times": statistics.median(times), "low": times[0], "high": times[-1]}
        if "floor" in ways:
            best = max(("floor", "best floor"), key=medians.get)
            rows[task]["share"] = statistics.median(o / b for o, b in zip(ways["ours"], ways[best], strict=True))
    return rows


def table(rows: dict[str, dict[str, float]]) -> str:
    head = ["", "unit", *WAYS.values(), "times plain (range)", "wanted", "share of the floor"]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * (len(head) - 2)]
    for task, row in rows.items():
        rate = "floor" in row
        numbers = [f"{row[way]:,.0f}" if rate else f"{row[way]:.1f}" if way in row else "" for way in WAYS]
        times = f"**{row['times']:.2f}** ({row['low']:.2f} to {row['high']:.2f})"
        share = f"{row['share']:.2f}" if rate else ""
        unit = "images/s" if rate else "s"
        lines.append(f"| {task} | {unit} | {' | '.join(numbers)} | {times} | {WANTED[task]} | {share} |")
    return "\n".join(lines)


def draw(rows: dict[str, dict[str, float]], path: Path) -> None:
    """Draw how many times as fast as plain PyTorch each way is."""
    figure, axis = plt.subplots(figsize=(7.2, 2.6), layout="constrained")
    colours = {"plain": "#9a9a9a", "best floor": "#c9d6e8", "ours": "#2a5d9f"}
    for place, row in enumerate(rows.values()):
        rate = "floor" in row
        for offset, (way, colour) in zip((-0.26, 0, 0.26), colours.items(), strict=True):
            if way in row:
                times = row["times"] if way == "ours" else row[way] / row["plain"] if rate else 1
                axis.barh(place + offset, times, 0.24, color=colour, label=WAYS[way] if place == 0 else None)
                axis.text(times, place + offset, f" {times:.1f}", va="center", fontsize=8)
    axis.set_yticks(range(len(rows)), rows)
    axis.invert_yaxis()
    axis.set_xlabel("times as fast as plain PyTorch")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="upper right")
    figure.savefig(path, metadata={"Date": None})


def page(rows: dict[str, dict[str, float]], arguments: argparse.Namespace) -> str:
    machine = describe(torch.device("cpu"))
    return f"""# How fast training is

![times as fast as plain PyTorch](yardstick.svg)

{table(rows)}

The same network, batch size and optimiser three ways, in turns in one run; medians of {arguments.turns} turns, in brackets
the lowest and the highest of them.

- **Plain PyTorch** is `plain.py`: a data set of PIL images, torchvision's transforms image by image in 2 workers of a
  `DataLoader`, `loss.item()` after each step, and a process for each run. Images a second count from the first batch of an
  epoch on, without the start of the workers.
- **Bare steps** are forward, backward and update on batches that lie ready, and nothing else, in both memory layouts.
- **This package** trains an epoch as a study does: order, augmentation, curves and learning rates included.
- ResNet-20 has crop and flip, LeNet nothing but standardised images. An epoch has {arguments.fashion:,}
  images of Fashion-MNIST, or {arguments.cifar:,} of CIFAR-10.
- The five seeds are {EPOCHS} epochs each of the digits' 1,151 training images, with the evaluation after each epoch and the
  weights written: five processes one after the other, against one training job of five runs with their records.

Measured by `benchmarks/speed/yardstick.py` on {date.today()}, {machine["processor"]}, {os.cpu_count()} cores shared with
others, {arguments.threads} threads; torch {machine["torch"]}, torchvision {torchvision.__version__},
Python {machine["python"]}.
"""


def main(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    be_deterministic()
    augmented = floor.make_spec("resnet_cifar", {"depth": 20}, 128, augmentation="crop4+flip")
    rows = summarise(
        {
            "LeNet on Fashion-MNIST": training(
                "lenet",
                floor.make_spec("lenet", LENET, 128),
                *read_fashion(arguments.data, arguments.fashion),
                arguments,
            ),
            "ResNet-20 on CIFAR-10": training(
                "resnet20", augmented, *read_cifar(arguments.data, arguments.cifar // 10), arguments
            ),
            "five seeds of LeNet on digits": five_seeds(arguments),
        }
    )
    (HERE / "yardstick.md").write_text(page(rows, arguments), encoding="utf-8")
    draw(rows, HERE / "yardstick.svg")
    print(table(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the images")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fashion", type=int, default=12800, help="images of Fashion-MNIST")
    parser.add_argument("--cifar", type=int, default=1280, help="images of CIFAR-10, a multiple of 10")
    main(parser.parse_args())
