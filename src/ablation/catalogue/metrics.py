"""The metrics: each is one number per run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ablation.catalogue.strict import STRICT


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
        the table, too) and ``predictions``: an `ablation.records.predictions.Predictions` of the test images, or None for a
        run that diverged. Both `measure` and `compute` are empty if the record states the metric.
    smallest_effect : float, optional
        The smallest effect of interest, in the unit of recorded values, of a study that states none; None where
        nothing sensible can be said for all studies.
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

    @property
    def title(self) -> str:
        """The label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def generalisation_gap(record: Mapping[str, Any], study: Any) -> float | None:
    """Return training minus test accuracy of the trained network; None for a diverged run."""
    train, test = (record["metrics"].get(f"{part}_accuracy") for part in ("train", "test"))
    return None if train is None or test is None else train - test


def epochs_to_threshold(record: Mapping[str, Any], study: Any) -> int | None:
    """Return the first epoch whose training accuracy reaches the threshold; None if none does, or the run diverged."""
    if study.threshold is None or record["status"] == "diverged":
        return None
    reached = (row["epoch"] for row in record["curves"] if (row["train_accuracy"] or 0) >= study.threshold)
    return next(reached, None)


# Those of the test images are computed from the predictions; of a run without any, None.
METRICS: dict[str, Metric] = {
    "test_accuracy": Metric(
        "test accuracy", "%", 100, 2, True, compute="ablation.analysis.scores:accuracy", smallest_effect=0.01
    ),
    "test_loss": Metric("test loss", "nats", 1, 3, False, compute="ablation.analysis.scores:loss"),
    "top5_accuracy": Metric(
        "top-5 test accuracy", "%", 100, 2, True, compute="ablation.analysis.scores:top5_accuracy", smallest_effect=0.01
    ),
    "macro_f1": Metric(
        "test F1, mean of classes", "%", 100, 2, True, compute="ablation.analysis.scores:macro_f1", smallest_effect=0.01
    ),
    "worst_class_accuracy": Metric(
        "test accuracy of the worst class",
        "%",
        100,
        2,
        True,
        compute="ablation.analysis.scores:worst_class_accuracy",
        smallest_effect=0.01,
    ),
    "calibration_error": Metric(
        "expected calibration error",
        "%",
        100,
        2,
        False,
        compute="ablation.analysis.scores:calibration_error",
        smallest_effect=0.01,
    ),
    "validation_accuracy": Metric("validation accuracy", "%", 100, 2, True, smallest_effect=0.01),
    "validation_loss": Metric("validation loss", "nats", 1, 3, False),
    "train_accuracy": Metric("training accuracy", "%", 100, 2, True, smallest_effect=0.01),
    "train_loss": Metric("training loss", "nats", 1, 3, False),
    "generalisation_gap": Metric(
        "generalisation gap",
        "points",
        100,
        2,
        False,
        compute="ablation.catalogue.metrics:generalisation_gap",
        smallest_effect=0.01,
    ),
    "train_seconds": Metric("training time", "s", 1, 1, False),
    "gradient_ratio": Metric("gradient, first to last layer", "log10 of ratio", 1, 2, True, "diagnostics"),
    "shifted_accuracy": Metric(
        "accuracy on shifted test images",
        "%",
        100,
        2,
        True,
        measure="ablation.training.evaluation:shifted_accuracy",
        smallest_effect=0.01,
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
    ),
    "parameters": Metric("parameters", "k", 1e-3, 1, False, exact=True),
    "multiply_adds": Metric("multiply-adds", "M", 1e-6, 2, False, exact=True),
}
