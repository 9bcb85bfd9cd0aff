"""The metrics: each is one number per run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ablation.catalogue.strict import STRICT

SMALLEST = 2.0**-126  # the smallest normal float32
# What a run that diverged is worth, given the number of classes. Chance is the guess that knows nothing, all classes equally
# probable: the accuracy of every class and their F1 (of classes of equal size) are 1 / classes, the loss is ln(classes).
WORTHS: dict[str, Callable[[int], float]] = {
    "chance": lambda classes: 1 / classes,
    "chance_of_five": lambda classes: min(5, classes) / classes,
    "log_classes": math.log,
    "never": lambda _: math.inf,
    "as_measured": lambda _: math.nan,
    "missing": lambda _: math.nan,
}


@dataclass(frozen=True)
class Metric:
    """How a metric comes about and how it is shown.

    Attributes
    ----------
    label : str
        Its name for people.
    unit : str
        The unit it is shown in; empty for a plain number.
    scale : float
        What a recorded value is multiplied with to be in that unit.
    digits : int
        Decimals shown.
    higher_is_better : bool
    needs : str
        The entry of a study without which no run has it; empty if every study has it.
    exact : bool
        Whether it is counted and the same for every seed.
    measure : str
        Reference to what measures it on the trained network, ``measure(network, images, labels) -> float``, in evaluation
        mode on the test images, in a job after training; only runs of studies that ask for it are measured. For what needs
        another forward pass than that of the test images as they are.
    compute : str
        Reference to what computes it from a record, ``compute(record, study) -> float or None``, when records are
        collected. The record is a dict with ``status``, ``curves`` (a dict per epoch), ``metrics`` (by name; those above in
        the table, too), ``diagnostics`` (a list per column) and ``predictions``: an
        `ablation.records.predictions.Predictions` of the test images, or None for a run that diverged; of such a run only
        metrics are computed whose `diverged` is ``as_measured``. Both `measure` and `compute` are empty if the record
        states the metric.
    smallest_effect : float, optional
        The smallest effect of interest, in the unit of recorded values, of a study that states none; None where
        nothing sensible can be said for all studies.
    diverged : float or str
        What a run that diverged is worth: a value (in the unit of recorded values); ``chance``, ``chance_of_five`` or
        ``log_classes``, those of a guess among all classes; ``never``, a time that its training did not reach by its last
        epoch, which is infinite, as it is of any other run that does not come so far; ``as_measured``, what was measured
        before it diverged, else missing; or ``missing``.
    bounds : tuple of float, optional
        The least and the greatest that a missing value could have been; without them, what needs it is not testable.
    binary : bool
        Whether it is 0 or 1, so that its mean is a rate.
    per_image : int
        What a test image that is classified correctly adds to it, times the number of test images: 1 of the test accuracy,
        -1 of the generalisation gap, and 0 where it is not known image by image. An interval then covers the choice of the
        test images, too.
    """

    __pydantic_config__ = STRICT

    label: str
    unit: str = ""
    scale: float = 1
    digits: int = 3
    higher_is_better: bool = True
    needs: str = ""
    exact: bool = False
    measure: str = ""
    compute: str = ""
    smallest_effect: float | None = None
    diverged: float | Literal["chance", "chance_of_five", "log_classes", "never", "as_measured", "missing"] = (
        "as_measured"
    )
    bounds: tuple[float, float] | None = None
    binary: bool = False
    per_image: int = 0

    def worth(self, classes: int) -> float:
        """Return what a run that diverged is worth, of a study with so many classes; NaN if its value is missing."""
        return WORTHS[self.diverged](classes) if isinstance(self.diverged, str) else self.diverged

    @property
    def title(self) -> str:
        """The label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def generalisation_gap(record: Mapping[str, Any], study: Any) -> float | None:
    """Return training minus test accuracy of the trained network; None without both."""
    train, test = (record["metrics"].get(f"{part}_accuracy") for part in ("train", "test"))
    return None if train is None or test is None else train - test


def epochs_to_threshold(record: Mapping[str, Any], study: Any) -> float | None:
    """Return the first epoch whose training accuracy reaches the threshold; infinity if none does, None without one."""
    if study.threshold is None:
        return None
    reached = (row["epoch"] for row in record["curves"] if (row["train_accuracy"] or 0) >= study.threshold)
    return next(reached, math.inf)


def train_seconds(record: Mapping[str, Any], study: Any) -> float | None:
    """Return the seconds that were spent on training, to the last epoch that the run has."""
    return record["timings"].get("train_seconds")


def gradient_ratio(record: Mapping[str, Any], study: Any) -> float | None:
    """Return log10 of the first layer's gradient over the last one's, at the first epoch that was diagnosed.

    As `ablation.training.diagnostics.Probe.gradient_ratio`, whose value is not in the record of a run that diverged later.
    None without diagnostics, with a gradient that is not finite, or without a last gradient.
    """
    rows = record["diagnostics"]
    if not rows:
        return None
    columns = zip(rows["epoch"], rows["quantity"], rows["value"], strict=True)
    flow = [value for epoch, name, value in columns if (epoch, name) == (rows["epoch"][0], "gradient_rms")]
    if not flow or None in flow or flow[-1] == 0:
        return None
    return math.log10(max(flow[0], SMALLEST) / flow[-1])


def is_diverged(record: Mapping[str, Any], study: Any) -> float:
    """Return 1 of a run that diverged, else 0."""
    return float(record["status"] == "diverged")


def is_stuck(record: Mapping[str, Any], study: Any) -> float:
    """Return 1 of a run that ended at chance, else 0."""
    return float(record["status"] == "stuck")


def is_either(record: Mapping[str, Any], study: Any) -> float:
    """Return 1 of a run that diverged or ended at chance, else 0."""
    return float(record["status"] in ("diverged", "stuck"))


# Those of the test images are computed from the predictions; of a run without any, None. A network that diverged has no
# confidence and fits nothing: chance would give it a calibration error and a gap of zero, the best there are, so both are
# missing, within the bounds of their definitions. Of an exact metric every run has the value.
METRICS: dict[str, Metric] = {
    "test_accuracy": Metric(
        "test accuracy",
        "%",
        100,
        2,
        True,
        compute="ablation.analysis.scores:accuracy",
        smallest_effect=0.01,
        diverged="chance",
        per_image=1,
    ),
    "test_loss": Metric(
        "test loss", "nats", 1, 3, False, compute="ablation.analysis.scores:loss", diverged="log_classes"
    ),
    "top5_accuracy": Metric(
        "top-5 test accuracy",
        "%",
        100,
        2,
        True,
        compute="ablation.analysis.scores:top5_accuracy",
        smallest_effect=0.01,
        diverged="chance_of_five",
    ),
    "macro_f1": Metric(
        "test F1, mean of classes",
        "%",
        100,
        2,
        True,
        compute="ablation.analysis.scores:macro_f1",
        smallest_effect=0.01,
        diverged="chance",
    ),
    "worst_class_accuracy": Metric(
        "test accuracy of the worst class",
        "%",
        100,
        2,
        True,
        compute="ablation.analysis.scores:worst_class_accuracy",
        smallest_effect=0.01,
        diverged="chance",
    ),
    "calibration_error": Metric(
        "expected calibration error",
        "%",
        100,
        2,
        False,
        compute="ablation.analysis.scores:calibration_error",
        smallest_effect=0.01,
        diverged="missing",
        bounds=(0, 1),
    ),
    "validation_accuracy": Metric("validation accuracy", "%", 100, 2, True, smallest_effect=0.01, diverged="chance"),
    "validation_loss": Metric("validation loss", "nats", 1, 3, False, diverged="log_classes"),
    "train_accuracy": Metric("training accuracy", "%", 100, 2, True, smallest_effect=0.01, diverged="chance"),
    "train_loss": Metric("training loss", "nats", 1, 3, False, diverged="log_classes"),
    "generalisation_gap": Metric(
        "generalisation gap",
        "points",
        100,
        2,
        False,
        compute="ablation.catalogue.metrics:generalisation_gap",
        smallest_effect=0.01,
        diverged="missing",
        bounds=(-1, 1),
        per_image=-1,
    ),
    "train_seconds": Metric("training time", "s", 1, 1, False, compute="ablation.catalogue.metrics:train_seconds"),
    "gradient_ratio": Metric(
        "gradient, first to last layer",
        "log10 of ratio",
        1,
        2,
        True,
        "diagnostics",
        compute="ablation.catalogue.metrics:gradient_ratio",
    ),
    "shifted_accuracy": Metric(
        "accuracy on shifted test images",
        "%",
        100,
        2,
        True,
        measure="ablation.training.evaluation:shifted_accuracy",
        smallest_effect=0.01,
        diverged="chance",
    ),
    "epochs_to_threshold": Metric(
        "epochs to the threshold",
        "epochs",
        1,
        1,
        False,
        "threshold",
        compute="ablation.catalogue.metrics:epochs_to_threshold",
        smallest_effect=1,
        diverged="never",
    ),
    "parameters": Metric("parameters", "k", 1e-3, 1, False, exact=True),
    "multiply_adds": Metric("multiply-adds", "M", 1e-6, 2, False, exact=True),
    "diverged": Metric(
        "runs that diverged", "%", 100, 0, False, compute="ablation.catalogue.metrics:is_diverged", binary=True
    ),
    "stuck": Metric(
        "runs stuck at chance", "%", 100, 0, False, compute="ablation.catalogue.metrics:is_stuck", binary=True
    ),
    "diverged_or_stuck": Metric(
        "runs that diverged or were stuck",
        "%",
        100,
        0,
        False,
        compute="ablation.catalogue.metrics:is_either",
        binary=True,
    ),
}
FAILURE_RATES = ("diverged", "stuck", "diverged_or_stuck")  # of which every contrast is estimated
