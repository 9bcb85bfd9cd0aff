"""Checks of parts of one's own beside architectures: levels, metrics, data sets and augmentations, in sentences."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ablation.catalogue.catalogue import Catalogue
from ablation.catalogue.metrics import Metric
from ablation.catalogue.recipes import Augmentation
from ablation.catalogue.sources import DataError, Source
from ablation.data import datasets
from ablation.jobs import checks
from ablation.jobs.subjects import Subject, level_cases
from ablation.networks.build import build
from ablation.records.predictions import Predictions
from ablation.study.parts import OwnArchitecture, Parts, Place
from ablation.study.schema import Data
from ablation.support.references import OwnCodeError, own_code, resolve
from ablation.training.evaluation import Part, predict

SIDE, CLASSES, COUNT = 8, 4, 24
# Small forms of ours, on which a level is tried: the first that has its factor.
SMALL_FORMS: dict[str, dict[str, Any]] = {
    "lenet": {"activation": "relu"},
    "resnet_cifar": {"depth": 8, "width": 4},
    "vgg": {"depth": 11, "width": 4, "hidden": 16},
}


def says(sentences: Callable[..., Iterator[str]]) -> Callable[..., list[str]]:
    """Turn a generator of sentences into a check that returns them, with what keeps it from going on as the last one."""

    @wraps(sentences)
    def check(*arguments: Any) -> list[str]:
        found = []
        try:
            for sentence in sentences(*arguments):
                found.append(sentence)
        except (OwnCodeError, DataError) as error:
            found.append(str(error))
        return found

    return check


def check_level(catalogue: Catalogue, factor: str, name: str) -> list[str]:
    """Try a level on a small form of ours that has its factor."""
    tried = next((builder for builder in SMALL_FORMS if factor in catalogue.architectures[builder].layers), None)
    if tried is None:
        return [f"{factor}: found no architecture of ours to try it on, expected one with this factor"]
    subject = Subject(tried, catalogue.architectures[tried], SMALL_FORMS[tried], catalogue=catalogue)
    if (factor, name) not in level_cases(subject):
        return [f"{tried}: found a level that it cannot have, expected one that can be tried on it"]
    biases = checks.check_biases(subject) if factor == "norm" else []
    return [*checks.check_level(subject, factor, name), *checks.check_gradients(subject, factor, name), *biases]


def random_images(count: int = COUNT, channels: int = 1, side: int = SIDE) -> torch.Tensor:
    """Draw images, the same every time."""
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def random_predictions() -> Predictions:
    """Draw what a network could predict, the same every time."""
    logits = torch.randn(COUNT, CLASSES, generator=torch.Generator().manual_seed(0))
    network = torch.nn.Identity()
    return Predictions(classes=CLASSES, **predict(network, Part(logits, torch.arange(COUNT) % CLASSES), CLASSES, True))


@says
def check_metric(catalogue: Catalogue, metric: Metric) -> Iterator[str]:
    """Check that a metric is one finite number, of an untrained network or of a record."""
    if bool(metric.measure) == bool(metric.compute):
        yield "found both or none of measure and compute, expected one of them"
        return
    if metric.measure:
        subject = Subject("lenet", catalogue.architectures["lenet"], SMALL_FORMS["lenet"], catalogue=catalogue)
        network = build(subject.spec(subject.levels()), (1, SIDE, SIDE), CLASSES).eval()
        with own_code(metric.measure, "it cannot be measured"), torch.no_grad():
            value = resolve(metric.measure)(network, random_images(), torch.arange(COUNT) % CLASSES)
    else:
        curves = [{"epoch": epoch, "train_accuracy": 0.5, "train_loss": 1.0} for epoch in (1, 2)]
        record = {"metrics": {"train_accuracy": 0.5, "test_accuracy": 0.4}, "curves": curves, "status": "completed"}
        record |= {"predictions": random_predictions(), "diagnostics": {}, "timings": {"train_seconds": 1.0}}
        with own_code(metric.compute, "it cannot be computed from a record"):
            value = resolve(metric.compute)(record, SimpleNamespace(threshold=0.4))
        if metric.diverged == "as_measured":
            nothing = {"status": "diverged", "metrics": dict.fromkeys(record["metrics"]), "predictions": None}
            with own_code(
                metric.compute, "it cannot be computed from the record of a diverged run, which has no predictions"
            ):
                resolve(metric.compute)({**record, **nothing}, SimpleNamespace(threshold=0.4))
        if value is None:
            return
    try:
        number = float(value)
    except (TypeError, ValueError):
        yield f"found {value!r}, expected one number"
        return
    if metric.binary and number not in (0, 1):
        yield f"found {number}, expected 0 or 1: it is binary"
    elif not math.isfinite(number) and not (metric.diverged == "never" and number > 0):
        yield f"found {number}, expected a finite number"


@says
def check_augmentation(entry: Augmentation) -> Iterator[str]:
    """Check that an augmentation keeps the shape, draws from its generator alone and for each image, and copies."""
    amount = entry.example or 0
    augment = resolve(entry.make)

    def once(images: torch.Tensor, seed: int) -> torch.Tensor:
        with own_code(entry.make, "it cannot augment a batch"):
            return augment(images, amount, torch.Generator().manual_seed(seed))

    for channels in (1, 3):
        images = random_images(channels=channels)
        before, first = images.clone(), once(images, 1)
        if not isinstance(first, torch.Tensor) or first.shape != images.shape or first.dtype != images.dtype:
            found = f"{first.dtype} {tuple(first.shape)}" if isinstance(first, torch.Tensor) else type(first).__name__
            yield f"found {found} of images {images.dtype} {tuple(images.shape)}, expected the same shape and type"
            return
        torch.manual_seed(2)
        if not torch.equal(once(images, 1), first):
            yield "found other images from the same generator, expected the same: it alone may be drawn from"
        if torch.equal(once(images, 3), first):
            yield "found the same images from another generator, expected others"
        if not torch.equal(images, before):
            yield "found the training images themselves changed, expected that they stay as they are"
    alike = once(random_images(1).expand(COUNT, -1, -1, -1), 1)
    if len(alike.flatten(1).unique(dim=0)) == 1:
        yield "found one draw for the whole batch, expected one for each image"


@says
def check_data_set(name: str, source: Source, catalogue: Catalogue) -> Iterator[str]:
    """Check that a data set is what its row says, the same every time, and can be split."""
    data = Data.model_validate({"name": name}, context=catalogue).model_dump()
    with TemporaryDirectory() as folder, own_code(source.reader, "it cannot be read"):
        first, second = (datasets.load(data, source, Path(folder)) for _ in range(2))
        if first.images.dtype != np.uint8 or first.images.ndim != 4:
            found = f"{first.images.dtype} {first.images.shape}"
            yield f"found images {found}, expected uint8 (images, channels, height, width)"
            return
        if not (np.array_equal(first.images, second.images) and np.array_equal(first.labels, second.labels)):
            yield "found other images when read again, expected the same"
        datasets.arrange(first, data)


def check_parts(parts: Parts, catalogue: Catalogue) -> Iterator[tuple[Place, list[str]]]:
    """Check every part of a file.

    Parameters
    ----------
    parts : Parts
    catalogue : Catalogue
        Which they have joined.

    Yields
    ------
    place : tuple of str
        Of the part: its table, then its name (a level's factor before it).
    problems : list of str
        Sentences; empty if all is well.
    """
    for place, entry in parts.entries.items():
        name = place[-1]
        if isinstance(entry, OwnArchitecture):
            subject = Subject(name, catalogue.architectures[name], entry.small, entry.others, catalogue=catalogue)
            problems = checks.check_architecture(subject)
        elif place[0] == "LEVELS":
            problems = check_level(catalogue, place[1], name)
        elif place[0] == "METRICS":
            problems = check_metric(catalogue, entry)
        elif place[0] == "DATA_SETS":
            problems = check_data_set(name, entry, catalogue)
        else:
            problems = check_augmentation(entry)
        yield place, problems


def describe_problems(place: Place, problems: Mapping[str, Any] | list[str]) -> str:
    """Write what came of the checks of a part."""
    head = ".".join(place)
    return f"{head}: ok" if not problems else "\n  ".join([f"{head}:", *problems])
