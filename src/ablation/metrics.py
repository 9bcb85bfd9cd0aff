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
    needs_diagnostics : bool
        Whether only a study with diagnostics has it.
    """

    label: str
    unit: str
    scale: float
    digits: int
    higher_is_better: bool
    needs_diagnostics: bool = False

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
    "gradient_ratio": Metric("gradient ratio of first to last layer", "powers of ten", 1, 2, True, True),
}
