"""Lines that say how far a job, or the training of a whole study, has come."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablation.catalogue.metrics import METRICS
from ablation.records.store import Store
from ablation.support.formatting import duration

if TYPE_CHECKING:
    from ablation.training.run import Run

LINE_EVERY = 5.0  # seconds between two lines of a job


class Progress:
    """Prints one line every few seconds of a job: epoch, loss, accuracy and time left.

    Attributes
    ----------
    left : dict of int to float
        By position of a run under way: its seconds left.
    """

    def __init__(self, runs: int):
        self.runs, self.last, self.begun = runs, 0.0, 0
        self.left: dict[int, float] = {}

    def begin(self, run: Mapping[str, Any]) -> "RunProgress":
        """Go on to the next run of the job's shard."""
        self.begun += 1
        return RunProgress(self, run["variant"], run["spec"]["seed"], self.begun)


@dataclass(frozen=True)
class RunProgress:
    """What a job says of one of its runs; their positions count from 1."""

    job: Progress
    variant: str
    seed: int
    position: int

    def say(self, text: str) -> None:
        """Print a line at once."""
        self.job.last = time.monotonic()
        where = f"({self.position} of {self.job.runs})"
        print(f"{self.variant}  seed {self.seed} {where}  {text}", file=sys.stderr, flush=True)

    def epoch(self, run: "Run") -> None:
        """Print the progress of the run, unless a line was printed just before."""
        row, epochs = run.curves[-1], run.recipe["epochs"]
        seconds = sum(run.seconds.values()) / len(run.curves)
        self.job.left[self.position] = seconds * (epochs - row["epoch"])
        if time.monotonic() - self.job.last < LINE_EVERY:
            return
        left = sum(self.job.left.values()) + seconds * epochs * (self.job.runs - self.job.begun)
        part = "train" if row["validation_accuracy"] is None else "validation"
        accuracy = METRICS[f"{part}_accuracy"]
        self.say(
            f"epoch {row['epoch']}/{epochs}  loss {row['train_loss']:.3f}  "
            f"{accuracy.label} {100 * row[f'{part}_accuracy']:.1f} %  {duration(left)} left"
        )

    def end(self, text: str) -> None:
        """Say how the run ended."""
        self.job.left.pop(self.position, None)
        self.say(text)


class Watch:
    """Counts the runs of a study, those in training by their epochs, and says how long the rest takes.

    Parameters
    ----------
    epochs : dict of str to int
        By key of a run: how many epochs it will have.
    store : Store
    seconds : dict of str to float, optional
        By key: what the training of a run costs. Where one is not known, every epoch counts the same.
    jobs : int
        Trainings at once.
    """

    def __init__(self, epochs: dict[str, int], store: Store, seconds: Mapping[str, float] | None = None, jobs: int = 1):
        self.epochs, self.store, self.jobs = epochs, store, jobs
        self.seconds = seconds or {}
        self.priced, self.weights = False, epochs
        self.start: tuple[float, float] | None = None  # time and work left in the first call
        self.last = ""

    def line(self, now: float) -> str:
        """Return the line to print at a time (seconds of a monotonic clock); empty if nothing is new."""
        done = [key for key in self.epochs if self.store.folder(key).is_dir()]
        training = {key: len(self.store.running_curves(key)) for key in set(self.epochs) - set(done)}
        begun = {key: epochs for key, epochs in training.items() if epochs}
        share = (sum(self.epochs[key] for key in done) + sum(begun.values())) / sum(self.epochs.values())
        text = f"{len(done)} of {len(self.epochs)} runs done, {len(begun)} in training"
        left = self._seconds_left(now, training)
        if left and share < 1:
            text += f"  {100 * share:.0f} % of all epochs, about {duration(left)} left"
        if text == self.last or share == 1 or (not share and not left):
            return ""
        self.last = text
        return text

    def _seconds_left(self, now: float, training: Mapping[str, int]) -> float | None:
        """Return how long the rest takes at the pace since the first call; before there is one, by the prices."""
        if self.start is None:
            self.priced = all(key in self.seconds for key in training)
            self.weights = self.seconds if self.priced else self.epochs
        left = sum(self.weights[key] * (1 - done / self.epochs[key]) for key, done in training.items())
        # What was done before the first call tells nothing of the pace.
        began, first = self.start = self.start or (now, left)
        if left < first:
            return (now - began) * left / (first - left)
        return left / self.jobs if self.priced else None
