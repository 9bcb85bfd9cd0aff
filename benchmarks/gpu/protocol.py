"""ResNet-20 and plain-20 on CIFAR-10 by the published protocol, side by side, as far as the time allows."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import PUBLISHED, make_spec
from measures import conclude, new_lane

from ablation.training.capture import Captured
from ablation.training.evaluation import put_on_device
from ablation.training.layout import choose_layout
from ablation.training.run import Run
from ablation.training.steps import Stepper
from ablation.training.turns import Lane, take_turns

SHAPE = (3, 32, 32)
BASE = {"depth": 20, "initialisation": "kaiming"}
VARIANTS = {
    "ResNet-20": BASE,
    "plain-20": {**BASE, "residual": "none"},
}  # the paper's plain network is its own figure 6
PUBLISHED_ERROR = {"ResNet-20": 0.0875}  # He et al. 2015, table 6; that of plain-20 is drawn, not printed


def read_data(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read prepared data, or the pieces that `pack.py` made of them."""
    pieces = sorted(folder.glob("piece-*.npz"))
    manifest = json.loads((folder / "manifest.json").read_text())
    if not pieces:
        names = [f"{part}_{what}" for part in ("train", "validation", "test") for what in ("images", "labels")]
        return {name: np.load(folder / f"{name}.npy") for name in names}, manifest
    loaded = [np.load(piece) for piece in pieces]
    expected = int(loaded[0]["pieces"])
    if len(pieces) != expected:
        raise ValueError(f"{folder}: found {len(pieces)} pieces, expected {expected}")
    names = [name for name in loaded[0].files if name != "pieces"]
    return {name: np.concatenate([piece[name] for piece in loaded]) for name in names}, manifest


def follow_protocol(device: torch.device, data: Path, out: Path, seeds: int, end: float) -> dict[str, Any]:
    """Train all runs until a time of the monotonic clock, each from where it was left.

    Returns
    -------
    dict
        By variant and seed: epochs reached, the last validation accuracy, and of those that have ended, their errors.
    """
    arrays, manifest = read_data(data)
    case = lambda name: ("resnet_cifar", VARIANTS[name], SHAPE, PUBLISHED)  # noqa: E731
    specs = {f"{name}, seed {seed}": make_spec(case(name), seed) for seed in range(seeds) for name in VARIANTS}
    parts = put_on_device(arrays, manifest, device, layout=choose_layout(next(iter(specs.values()))))
    found: dict[str, Any] = {}

    def train(label: str, spec: dict[str, Any], lane: Lane, others: Callable[[], bool]) -> Iterator[None]:
        stepper = partial(Captured, lane=lane, say=print) if device.type == "cuda" else Stepper
        run = Run(spec, parts, len(manifest["classes"]), stepper=stepper)
        path = out / f"{label.replace(', ', '-').replace(' ', '')}.pt"
        if path.exists():
            run.resume(torch.load(path, map_location=device, weights_only=True))
        while not run.finished and time.monotonic() < end:
            for _ in run.train_epoch():
                if time.monotonic() >= end:
                    break
                yield
        torch.save(run.state(), path)
        found[label] = {
            "epochs": len(run.curves),
            "of": run.recipe["epochs"],
            "validation_accuracy": run.curves[-1]["validation_accuracy"] if run.curves else None,
            **(conclude(run) if run.finished else {}),
        }

    works = [partial(train, label, spec) for label, spec in specs.items()]
    take_turns(works, partial(new_lane, device), lambda under_way: len(works))
    return found
