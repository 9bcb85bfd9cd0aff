"""Training one run: from a spec and images to curves, metrics and weights. Knows neither Snakemake nor MLflow."""

import os
import time
from collections.abc import Callable, Mapping
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
from ablation.training.compiling import compiled
from ablation.training.evaluation import Part, accuracy, evaluating, number, predicting, without_numbers
from ablation.training.layout import choose_layout, gather
from ablation.training.objective import objective
from ablation.training.optimisation import learning_rate
from ablation.training.outcome import Result, chance_bound, plain_copy
from ablation.training.precision import forward_arithmetic
from ablation.training.steps import Step, Stepper, Tally, batch_bounds, default_generators
from ablation.training.stopwatch import Stopwatch
from ablation.training.turns import Pieces, finish

OnStep = Callable[["Run"], None]
AHEAD = 8  # steps that are queued before it is seen to that the device keeps up
PROBE = 256  # images to diagnose at most: enough for a share of a percent, few enough to leave it on


def nothing(run: "Run") -> None:
    """Do nothing between steps."""


def be_deterministic() -> None:
    """Make one machine compute the same bits every time."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # read when CUDA starts
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    # As `use_deterministic_algorithms(True, warn_only=True)`, which imports the whole compiler: seconds for each job.
    torch.set_deterministic_debug_mode("warn")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # but where a recipe asks for it
    # Which would also fill all memory before it is written: up to 5 % of a small DenseNet's step.
    torch.utils.deterministic.fill_uninitialized_memory = False


class Run:
    """One run in training, `epoch` by `epoch`. It can be left after any step, and goes on from the `state` of then.

    Parameters
    ----------
    spec : mapping
        As `ablation.study.plan.Plan.spec` states it.
    parts : dict of str to Part
    classes : int
    start : mapping of str to torch.Tensor, optional
        Weights of another network to start from.
    stepper : callable
        How its steps are taken; the bits are the same. See `ablation.training.capture.Captured`.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        parts: Mapping[str, Part],
        classes: int,
        start: Mapping[str, torch.Tensor] | None = None,
        stepper: Callable[[Step], Stepper] = Stepper,
    ):
        self.layout = choose_layout(spec)
        self.parts = {name: part.arranged(self.layout) for name, part in parts.items()}
        self.recipe, self.seed, self.classes = spec["recipe"], spec["seed"], classes
        images = parts["train"].images
        network = build(spec["architecture"], tuple(images.shape[1:]), classes)
        initialise(network, self.seed, make_level(spec["architecture"]["layers"]["initialisation"]))
        if start is not None:
            inherit(network, start)
        self.network = network.to(images.device, memory_format=self.layout)
        self.optimizer = resolve(spec["code"]["optimizer"])(self.network.parameters(), self.recipe)
        self.schedule = resolve(spec["code"]["schedule"])
        self.curves: list[dict[str, float | None]] = []
        self.taken, self.tally = 0, Tally(images.device)  # of the epoch under way: steps, and what they add up to
        self.to_diagnose = frozenset(spec["diagnostics"]["epochs"]) if spec["diagnostics"] else frozenset()
        self.probe = self._make_probe(spec["diagnostics"]) if spec["diagnostics"] else None
        self.diagnosed: list[dict[str, Any]] = []
        self.watch = Stopwatch()
        self.first_loss: float | None = None
        self.chance = chance_bound(parts["train"].labels)
        step = Step(
            compiled(self.network) if self.recipe["engine"] == "compiled" else self.network,
            self.optimizer,
            self.parts["train"],
            self.layout,
            self.recipe,
            self.tally,
            make_augmentation(spec["code"]["augmentation"]) if spec["code"]["augmentation"] else None,
            torch.Generator(images.device),
            forward_arithmetic(self.recipe["precision"], images.device),
        )
        self.stepper = stepper(step)

    def _make_probe(self, diagnostics: Mapping[str, Any]) -> Any:
        """Choose the training images that every diagnosis looks at, and how it sees them: without augmentation."""
        train = self.parts["train"]
        chosen = torch.randperm(len(train.labels), generator=stream(self.seed, "probe"))[:PROBE].to(train.labels.device)
        return resolve(diagnostics["make"])(
            self.network,
            gather(train.images, chosen, self.layout),
            train.labels[chosen],
            partial(objective, recipe=self.recipe),
            stream_seed(self.seed, "diagnostics"),
            diagnostics["saturation"],
        )

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the run has diverged or is hopeless."""
        return len(self.curves) == self.recipe["epochs"] or self.diverged or self.hopeless

    @property
    def diverged(self) -> bool:
        """Whether the last epoch's losses are not finite."""
        return bool(self.curves) and not all(
            self.curves[-1][loss] == number(self.curves[-1][loss]) for loss in ("objective", "validation_loss")
        )

    @property
    def hopeless(self) -> bool:
        """Whether the last epochs were at chance, as many as the recipe says, if it says so."""
        patience = self.recipe["stop_stuck_after"]
        last = [row["train_accuracy"] <= self.chance for row in self.curves[-patience:]]
        return 0 < patience == len(last) and all(last)

    @property
    def stopped_at(self) -> int | None:
        """The epoch after which a run that has finished was stopped before its last one; None if it was not."""
        return len(self.curves) if len(self.curves) < self.recipe["epochs"] else None

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds so far of training, of evaluation and of diagnostics."""
        return self.watch.read()

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on after this step, bit for bit."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curves": self.curves,
            "taken": self.taken,
            "sums": self.tally.sums,
            "diagnosed": self.diagnosed,
            "remembered": self.probe.remembered if self.probe else {},
            "first_loss": self.first_loss,
            "seconds": self.seconds,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.curves, self.diagnosed = list(state["curves"]), list(state["diagnosed"])
        self.taken = state["taken"]
        self.tally.sums.copy_(state["sums"])
        if self.probe:
            self.probe.remembered = dict(state["remembered"])
        self.watch.seconds = dict(state["seconds"])
        self.first_loss = state["first_loss"]

    def epoch(self) -> dict[str, float | None]:
        """Train an epoch, or the rest of one, and return the new row of the curves."""
        finish(self.train_epoch())
        return self.curves[-1]

    def train_epoch(self) -> Pieces[None]:
        """Train an epoch, or the rest of one, evaluate on the validation images, and add a row to the curves.

        The diagnosis of the network before training belongs to the first epoch.

        Yields
        ------
        None
            Wherever the run can be left: after each step, each batch of the evaluation, and the epoch.
        """
        epoch, train = len(self.curves), self.parts["train"]
        if self.taken == 0:
            self._prepare_diagnoses(epoch)
        self.watch.start("train")
        rate = yield from self._train(epoch, train)
        yield from self.stepper.settle()
        trained_row = {**self.tally.means(len(train.labels)), "lr": rate}
        self.watch.start("evaluate")
        validation_loss, correct = yield from evaluating(self.network, self.parts["validation"], self.stepper.settle)
        self.watch.start("")
        spent = self.watch.seconds["train"] + self.watch.seconds["evaluate"]
        row = {
            "epoch": epoch + 1,
            **trained_row,
            "validation_loss": validation_loss,
            "validation_accuracy": accuracy(correct),
            "seconds": spent - sum(earlier["seconds"] for earlier in self.curves),
            "time": time.time(),
        }
        self.curves.append(row)
        self.taken = 0
        self.tally.sums.zero_()
        if not self.diverged:  # of a network without numbers there is nothing to measure
            self._diagnose(epoch + 1)
        yield

    def _prepare_diagnoses(self, epoch: int) -> None:
        if epoch == 0:
            self._diagnose(0)
        if epoch + 1 in self.to_diagnose:
            self.watch.start("diagnostics")
            self.probe.remember()

    def _diagnose(self, epoch: int) -> None:
        if epoch in self.to_diagnose:
            self.watch.start("diagnostics")
            self.diagnosed += self.probe.measure(epoch)
            self.watch.start("")

    def _train(self, epoch: int, train: Part) -> Pieces[float]:
        """Take the steps of an epoch that are left, and return the learning rate of the last one.

        Nothing in here waits for the device, except for the first step's loss. What a step draws comes from streams of
        its own: augmentation, and dropout or whatever else draws within a network from torch's default generators.
        """
        bounds = batch_bounds(len(train.labels), self.recipe["batch_size"])
        first, drawn_from = epoch * len(bounds), default_generators(train.labels.device)
        rates = [learning_rate(self.recipe, self.schedule, first + at, len(bounds)) for at in range(len(bounds))]
        self.stepper.begin(torch.randperm(len(train.labels), generator=stream(self.seed, "order", epoch)), rates)
        self.network.train()
        while self.taken < len(bounds):
            step = first + self.taken
            self.stepper.draws.manual_seed(stream_seed(self.seed, "augmentation", step))
            for generator in drawn_from:
                generator.manual_seed(stream_seed(self.seed, "dropout", step))
            self.stepper.take(self.taken, *bounds[self.taken])
            if not step:  # the only one that is waited for
                self.first_loss = number(self.tally.means(bounds[0][1])["objective"])
            self.taken += 1
            yield
            if self.taken % AHEAD == 0:  # else who asks the run to stop would wait for all that is queued on a device
                yield from self.stepper.keep_up()
        return rates[-1]

    def to_the_end(self, keep_logits: bool = False) -> Pieces[Result]:
        """Train what is left of the run, evaluate it and return its result; yields wherever it can be left."""
        while not self.finished:
            yield from self.train_epoch()
        return (yield from self.conclude(keep_logits))

    def result(self, keep_logits: bool = False) -> Result:
        """Evaluate the trained network, and return what the training leaves behind."""
        return finish(self.conclude(keep_logits))

    def conclude(self, keep_logits: bool = False) -> Pieces[Result]:
        """Evaluate the trained network: the only time that the test images are read.

        The validation images were seen after the last epoch. The training images are seen once more, without augmentation
        and dropout and by the final weights, as the means of the last epoch are not.

        Yields
        ------
        None
            Wherever it can be left.
        """
        self.watch.start("evaluate")
        settle = self.stepper.settle
        loss, correct = yield from evaluating(self.network, self.parts["train"], settle)
        metrics: dict[str, float | None] = {
            "train_seconds": self.watch.seconds["train"],
            "train_loss": loss,
            "train_accuracy": accuracy(correct),
            **{name: self.curves[-1][name] for name in ("validation_loss", "validation_accuracy")},
        }
        predictions = yield from predicting(self.network, self.parts["test"], self.classes, keep_logits, settle)
        self.watch.start("")
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
        seconds = self.watch.seconds
        seen = len(self.curves) * len(self.parts["train"].labels)
        return Result(
            status,
            self.stopped_at,
            [{key: number(value) for key, value in row.items()} for row in self.curves],
            metrics,
            predictions,
            {name: plain_copy(value) for name, value in self.network.state_dict().items()},
            {
                **{f"{part}_seconds": spent for part, spent in seconds.items()},
                "images_per_second": seen / seconds["train"],
            },
            [{**row, "value": number(row["value"])} for row in self.diagnosed],
            self.first_loss,
        )

    def _status(self, train_accuracy: float) -> str:
        if self.diverged:
            return "diverged"
        return "stuck" if self.hopeless or train_accuracy <= self.chance else "completed"


def train(
    spec: Mapping[str, Any],
    parts: Mapping[str, Part],
    classes: int,
    state: Mapping[str, Any] | None = None,
    on_step: OnStep = nothing,
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
    on_step : callable
        Called with the run wherever it can be left: after each step, each batch of an evaluation, and each epoch.
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
    return finish(run.to_the_end(keep_logits), partial(on_step, run))
