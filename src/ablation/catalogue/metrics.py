"""The metrics: one number a run each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

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
    """

    label: str
    unit: str
    scale: float
    digits: int
    higher_is_better: bool
    needs: str = ""
    exact: bool = False

    @property
    def title(self) -> str:
        """The label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


METRICS: dict[str, Metric] = {
    "test_accuracy": Metric("test accuracy", "%", 100, 2, True),
    "test_loss": Metric("test loss", "nats", 1, 3, False),
    "validation_accuracy": Metric("validation accuracy", "%", 100, 2, True),
    "validation_loss": Metric("validation loss", "nats", 1, 3, False),
    "train_accuracy": Metric("training accuracy", "%", 100, 2, True),
    "train_loss": Metric("training loss", "nats", 1, 3, False),
    "generalisation_gap": Metric("generalisation gap", "points", 100, 2, False),
    "train_seconds": Metric("training time", "s", 1, 1, False),
    "gradient_ratio": Metric("gradient, first to last layer", "log10 of ratio", 1, 2, True, "diagnostics"),
    "shifted_accuracy": Metric("accuracy on shifted test images", "%", 100, 2, True),
    "epochs_to_threshold": Metric("epochs to the threshold", "epochs", 1, 1, False, "threshold"),
    "parameters": Metric("parameters", "k", 1e-3, 1, False, exact=True),
    "multiply_adds": Metric("multiply-adds", "M", 1e-6, 2, False, exact=True),
}
