"""What a network predicts for the test images: what metrics are computed from without another forward pass."""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

CLASSES = "classes"  # the only entry of the file's metadata
LOGITS = "logits"  # the array that a file may lack


@dataclass(frozen=True)
class Predictions:
    """What a network predicts for each test image, in the order of the prepared data.

    An image for which the network gives no numbers (NaN) counts as wrong: its predicted label and its rank are `classes`,
    and its log-probabilities are NaN.

    Attributes
    ----------
    labels : numpy.ndarray
        The true class (images,), of the smallest type of unsigned integers that holds `classes`.
    predicted : numpy.ndarray
        The class with the largest logit (images,), of the same type.
    label_log_probability, predicted_log_probability : numpy.ndarray
        Natural logarithm of the softmax probability of the true and of the predicted class: float32 (images,).
    rank : numpy.ndarray
        How many classes come before the true class (images,), of the same type as `labels`: 0 where the prediction is right.
    classes : int
        How many there are.
    logits : numpy.ndarray or None
        All logits minus their maximum: float16 (images, classes); None where the record does not keep them.
    """

    labels: np.ndarray
    predicted: np.ndarray
    label_log_probability: np.ndarray
    predicted_log_probability: np.ndarray
    rank: np.ndarray
    classes: int
    logits: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuse what does not fit together; raises ValueError."""
        whole, small = np.min_scalar_type(self.classes), np.dtype(np.float32)
        shape = self.labels.shape if self.labels.ndim == 1 else (-1,)
        expected = {"labels": whole, "predicted": whole, "rank": whole}
        expected |= {"label_log_probability": small, "predicted_log_probability": small}
        for name, kind in expected.items():
            array = getattr(self, name)
            if array.dtype != kind or array.shape != shape:
                raise ValueError(f"{name}: found {array.dtype} {array.shape}, expected {kind} (images,)")
        if (self.labels >= self.classes).any() or max(
            self.predicted.max(initial=0), self.rank.max(initial=0)
        ) > self.classes:
            raise ValueError(f"found labels or ranks beyond the {self.classes} classes")
        wanted = (*shape, self.classes)
        if self.logits is not None and (self.logits.dtype != np.float16 or self.logits.shape != wanted):
            raise ValueError(f"logits: found {self.logits.dtype} {self.logits.shape}, expected float16 {wanted}")

    @cached_property
    def correct(self) -> np.ndarray:
        """Whether each prediction is right: bool (images,)."""
        return self.predicted == self.labels

    def to_bytes(self) -> bytes:
        """Write them as a safetensors file."""
        arrays = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
        return safetensors.numpy.save(arrays, {CLASSES: str(self.classes)})

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """Read what `to_bytes` wrote.

        Raises
        ------
        ValueError
            If it is something else; the message says what does not fit.
        """
        try:
            with safetensors.safe_open(path, "np") as file:
                classes = int((file.metadata() or {}).get(CLASSES, ""))
                return cls(classes=classes, **{name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        except (safetensors.SafetensorError, TypeError, OverflowError) as error:
            raise ValueError(str(error)) from None


ARRAYS = tuple(field.name for field in fields(Predictions) if field.name != "classes")
