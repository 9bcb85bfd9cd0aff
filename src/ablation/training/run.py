"""Training one run: from a spec and images to curves, metrics and weights. Knows neither Snakemake nor MLflow."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from ablation.networks.build import build
from ablation.networks.initialisation import inherit, initialise
from ablation.networks.kit import make_level
from ablation.networks.randomness import stream
from ablation.support.randomness import stream_seed
from ablation.support.references import resolve
from ablation.training.augmentation import make_augmentation
from ablation.training.evaluation import Part, accuracy, evaluate, number, predict, without_numbers
from ablation.training.objective import losses, objective
from ablation.training.optimisation import learning_rate

PROBE = 256  # images to diagnose at most: enough for a share of a percent, few enough to leave it on


@dataclass(frozen=True)
class Result:
    """What a training leaves behind.

    Attributes
    ----------
    status : str
        ``completed``; ``stuck`` if the training accuracy ended no better than naming the commonest class; ``diverged``
        if the objective or the validation loss became infinite or no number.
    curves : list of dict
        One row per epoch: epoch (from 1), train and validation loss (mean cross-entropy in nats) and accuracy (share;
        None without validation images), the objective (what was minimised: with label smoothing and auxiliary losses),
        learning rate of the epoch's last step, seconds, and the time of its end (seconds since 1970). Of training, they
        are means over the epoch's steps, each before its update, with augmentation and dropout.
    metrics : dict of str to float or None
        The final metrics, but for those of the test images, which follow from the predictions; None where a diverged run
        has none, and for a part without images.
    predictions : dict of str to numpy.ndarray
        Of the test images: the arrays of `ablation.records.predictions.Predictions`; without numbers for a diverged run.
    weights : dict of str to torch.Tensor
        The network's state, on the CPU.
    timings : dict of str to float
        Seconds of training (without evaluation), of evaluation, of diagnostics, and training images a second.
    diagnostics : list of dict
        Rows as `ablation.training.diagnostics.Probe.measure` returns them, with None for what is not finite.
    first_loss : float or None
        What the first step minimised: equal on any machine but for rounding. None if it is not finite.
    """

    status: str
    curves: list[dict[str, float | None]]
    metrics: dict[str, float | None]
    predictions: dict[str, np.ndarray]
    weights: dict[str, torch.Tensor]
    timings: dict[str, float]
    diagnostics: list[dict[str, Any]]
    first_loss: float | None


def split_order(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """Split the order of an epoch (images,) into batches; none is lost.

    A single image that is left over joins the batch before it: one image has no batch statistics.
    """
    batches = list(order.split(size))
    if size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def be_deterministic() -> None:
    """Make one machine compute the same bits every time."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # read when CUDA starts
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)


class Run:
    """One run in training; `epoch` by `epoch`, it can stop after any and go on from its `state`.

    Parameters
    ----------
    spec : mapping
        As `ablation.study.plan.Plan.spec` states it.
    parts : dict of str to Part
    classes : int
    start : mapping of str to torch.Tensor, optional
        Weights of another network to start from.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        parts: Mapping[str, Part],
        classes: int,
        start: Mapping[str, torch.Tensor] | None = None,
    ):
        self.parts, self.recipe, self.seed, self.classes = parts, spec["recipe"], spec["seed"], classes
        images = parts["train"].images
        network = build(spec["architecture"], tuple(images.shape[1:]), classes)
        initialise(network, self.seed, make_level(spec["architecture"]["layers"]["initialisation"]))
        if start is not None:
            inherit(network, start)
        self.network = network.to(images.device)
        self.optimizer = resolve(spec["code"]["optimizer"])(self.network.parameters(), self.recipe)
        self.schedule = resolve(spec["code"]["schedule"])
        self.augment = make_augmentation(spec["code"]["augmentation"])
        self.curves: list[dict[str, float | None]] = []
        self.to_diagnose = frozenset(spec["diagnostics"]["epochs"]) if spec["diagnostics"] else frozenset()
        self.probe = self._make_probe(spec["diagnostics"]) if spec["diagnostics"] else None
        self.diagnosed: list[dict[str, Any]] = []
        self.first_loss: float | None = None
        self.seconds = {"train": 0.0, "evaluate": 0.0, "diagnostics": 0.0}

    def _make_probe(self, diagnostics: Mapping[str, Any]) -> Any:
        """Choose the training images that every diagnosis looks at, and how it sees them: without augmentation."""
        train = self.parts["train"]
        chosen = torch.randperm(len(train.labels), generator=stream(self.seed, "probe"))[:PROBE].to(train.labels.device)
        return resolve(diagnostics["make"])(
            self.network,
            train.images[chosen],
            train.labels[chosen],
            partial(objective, recipe=self.recipe),
            stream_seed(self.seed, "diagnostics"),
            diagnostics["saturation"],
        )

    @property
    def finished(self) -> bool:
        """Whether all epochs are done or the run has diverged."""
        return len(self.curves) == self.recipe["epochs"] or self.diverged

    @property
    def diverged(self) -> bool:
        """Whether the last epoch's losses are not finite."""
        return bool(self.curves) and not all(
            self.curves[-1][loss] == number(self.curves[-1][loss]) for loss in ("objective", "validation_loss")
        )

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on after this epoch, bit for bit."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curves": self.curves,
            "diagnosed": self.diagnosed,
            "first_loss": self.first_loss,
            "seconds": self.seconds,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.curves, self.diagnosed = list(state["curves"]), list(state["diagnosed"])
        self.first_loss, self.seconds = state["first_loss"], dict(state["seconds"])

    def epoch(self) -> dict[str, float | None]:
        """Train one epoch, evaluate on the validation images, and return the new row of the curves.

        The diagnosis of the network before training belongs to the first epoch, so that a run is resumed after both.
        """
        epoch, train = len(self.curves), self.parts["train"]
        if epoch == 0:
            self._diagnose(0)
        if epoch + 1 in self.to_diagnose:
            with self._diagnosing():
                self.probe.remember()
        start = time.perf_counter()
        trained_row = self._pass(epoch, train)
        trained = time.perf_counter()
        validation_loss, correct = evaluate(self.network, self.parts["validation"])
        done = time.perf_counter()
        self.seconds["train"] += trained - start
        self.seconds["evaluate"] += done - trained
        row = {
            "epoch": epoch + 1,
            **trained_row,
            "validation_loss": validation_loss,
            "validation_accuracy": accuracy(correct),
            "seconds": done - start,
            "time": time.time(),
        }
        self.curves.append(row)
        if not self.diverged:  # of a network without numbers there is nothing to measure
            self._diagnose(epoch + 1)
        return row

    def _diagnose(self, epoch: int) -> None:
        if epoch in self.to_diagnose:
            with self._diagnosing():
                self.diagnosed += self.probe.measure(epoch)

    @contextmanager
    def _diagnosing(self) -> Iterator[None]:
        """Count the seconds apart from those of training."""
        start = time.perf_counter()
        yield
        self.seconds["diagnostics"] += time.perf_counter() - start

    def _pass(self, epoch: int, train: Part) -> dict[str, float]:
        """Take the steps of an epoch and return their part of the curves; the host waits for the device once, at the end."""
        count, device = len(train.labels), train.labels.device
        order = torch.randperm(count, generator=stream(self.seed, "order", epoch)).to(device)
        augmentation = stream(self.seed, "augmentation", epoch, device=device)
        batches = split_order(order, self.recipe["batch_size"])
        self.network.train()
        loss_sum, added_sum = torch.zeros(2, device=device)
        hits = torch.zeros((), dtype=torch.long, device=device)
        rate = 0.0
        for position, batch in enumerate(batches):
            step = epoch * len(batches) + position
            rate = learning_rate(self.recipe, self.schedule, step, len(batches))
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            # Dropout, and whatever else draws within a network, takes torch's global stream, named anew at each step.
            torch.manual_seed(stream_seed(self.seed, "dropout", step))
            images, labels = self.augment(train.images[batch], augmentation), train.labels[batch]
            self.optimizer.zero_grad()
            outputs = self.network(images)
            logits = outputs[0] if isinstance(outputs, tuple) else outputs
            loss, cross_entropy = losses(outputs, labels, self.recipe)
            if not step:
                self.first_loss = number(loss.item())
            loss.backward()
            self.optimizer.step()
            loss_sum += cross_entropy.detach() * len(batch)
            if cross_entropy is not loss:
                added_sum += (loss - cross_entropy).detach() * len(batch)
            hits += (logits.detach().argmax(1) == labels).sum()
        train_loss, added = loss_sum.item() / count, added_sum.item() / count
        return {
            "train_loss": train_loss,
            "objective": train_loss + added,
            "train_accuracy": hits.item() / count,
            "lr": rate,
        }

    def result(self, keep_logits: bool = False) -> Result:
        """Evaluate the trained network on all parts: the only time that the test images are read."""
        start = time.perf_counter()
        metrics: dict[str, float | None] = {"train_seconds": self.seconds["train"]}
        for name in ("train", "validation"):
            loss, correct = evaluate(self.network, self.parts[name])
            metrics[f"{name}_loss"], metrics[f"{name}_accuracy"] = loss, accuracy(correct)
        predictions = predict(self.network, self.parts["test"], self.classes, keep_logits)
        metrics["gradient_ratio"] = self.probe.gradient_ratio(self.diagnosed) if self.probe else None
        status = self._status(metrics["train_accuracy"])
        finals = [metrics["train_loss"], metrics["validation_loss"]]
        finite = (
            all(loss == number(loss) for loss in finals) and np.isfinite(predictions["label_log_probability"]).all()
        )
        if status == "diverged" or not finite:
            status = "diverged"
            metrics = dict.fromkeys(metrics)
            predictions = without_numbers(predictions, self.classes)
        seconds = self.seconds["evaluate"] + time.perf_counter() - start
        seen = len(self.curves) * len(self.parts["train"].labels)
        return Result(
            status,
            [{key: number(value) for key, value in row.items()} for row in self.curves],
            metrics,
            predictions,
            # Copies: tied layers share their weights, and each name has to have its own.
            {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()},
            {
                "train_seconds": self.seconds["train"],
                "evaluate_seconds": seconds,
                "diagnostics_seconds": self.seconds["diagnostics"],
                "images_per_second": seen / self.seconds["train"],
            },
            [{**row, "value": number(row["value"])} for row in self.diagnosed],
            self.first_loss,
        )

    def _status(self, train_accuracy: float) -> str:
        if self.diverged:
            return "diverged"
        labels = self.parts["train"].labels
        chance = labels.bincount().max().item() / len(labels)
        # Within two standard errors of a share: better than that is learning, however little.
        noise = 2 * math.sqrt(chance * (1 - chance) / len(labels))
        return "stuck" if train_accuracy <= chance + noise else "completed"


def train(
    spec: Mapping[str, Any],
    parts: Mapping[str, Part],
    classes: int,
    state: Mapping[str, Any] | None = None,
    on_epoch: Callable[[Run], None] | None = None,
    start: Mapping[str, torch.Tensor] | None = None,
    keep_logits: bool = False,
) -> Result:
    """Train a run to its end.

    Parameters
    ----------
    spec : mapping
        As `ablation.study.plan.Plan.spec` states it.
    parts : dict of str to Part
    classes : int
    state : mapping, optional
        Where an interrupted training of the same spec stopped.
    on_epoch : callable, optional
        Called with the run after each epoch.
    start : mapping of str to torch.Tensor, optional
        Weights of another network to start from.
    keep_logits : bool
        Whether the result has all logits of the test images.

    Returns
    -------
    Result
    """
    run = Run(spec, parts, classes, start)
    if state:
        run.resume(state)
    while not run.finished:
        run.epoch()
        if on_epoch:
            on_epoch(run)
    return run.result(keep_logits)
