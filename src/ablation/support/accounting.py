"""Where the time of a machine's cores went while a study ran on it: a line per job in a file that only grows."""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ablation.support.formatting import duration

VARIABLE = "ABLATION_COSTS"  # environment variable: the file of the study that is being made
WORK = ("training", "evaluation", "diagnostics")
TRAINING = ("train", "measure")  # verbs that compute with as many threads as a training has
AROUND = "around it"  # of a job that trains: Python, data, weights, records
SPENT: Counter[str] = Counter()  # seconds of this process, by `WORK`


@dataclass
class Start:
    """What one start of a study has spent.

    Attributes
    ----------
    cores, threads : int
        That it had, and that each training takes.
    predicted : float or None
        Seconds of training that it was told to expect.
    elapsed : float
        Seconds until its last job ended.
    parts : Counter of str to float
        Core-seconds by `WORK`, `AROUND`, and by the verbs of other jobs.
    """

    cores: int
    threads: int
    predicted: float | None
    elapsed: float = 0.0
    parts: Counter[str] = field(default_factory=Counter)

    @property
    def work(self) -> float:
        """Core-seconds of training, evaluation and diagnostics."""
        return sum(self.parts[part] for part in WORK)


def begin(path: Path, cores: int, threads: int, predicted: float | None) -> None:
    """Note that a study is started, and have the jobs of this process and its children noted, too."""
    os.environ[VARIABLE] = str(path.absolute())
    _append(path, {"start": time.time(), "cores": cores, "threads": threads, "predicted": predicted})


def note(verb: str, seconds: float) -> None:
    """Note the seconds that this process took for a job, if a start wants to know."""
    if path := os.environ.get(VARIABLE):
        with suppress(OSError):  # a full disk is said by what is worth more
            _append(Path(path), {"verb": verb, "seconds": seconds, "spent": dict(SPENT), "time": time.time()})


def _append(path: Path, row: Mapping[str, object]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(row)}\n")  # the line before may have been cut off


def read_starts(path: Path) -> list[Start]:
    """Return what the starts of a study have spent; lines that were cut off count for nothing."""
    found: list[Start] = []
    begun = 0.0
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
                if "start" in row:
                    begun = float(row["start"])
                    found.append(Start(int(row["cores"]), int(row["threads"]), row["predicted"]))
                    continue
                parts = Counter({name: float(seconds) for name, seconds in row["spent"].items()})
                rest = max(0.0, float(row["seconds"]) - parts.total())
                parts[AROUND if row["verb"] == "train" else row["verb"]] += rest
                found[-1].elapsed = max(found[-1].elapsed, float(row["time"]) - begun)
                each = found[-1].threads if row["verb"] in TRAINING else 1
                found[-1].parts.update({name: each * seconds for name, seconds in parts.items()})
            except (ValueError, TypeError, KeyError, AttributeError, IndexError):
                continue
    return [start for start in found if start.parts]


def cpu_seconds(process: int) -> float:
    """Return the processor time of a process so far, without its children; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def describe(start: Start, elapsed: float, beside: Mapping[str, float]) -> str:
    """Say in a sentence where the core-seconds of a start went.

    Parameters
    ----------
    start : Start
    elapsed : float
        Seconds that it took.
    beside : mapping of str to float
        Core-seconds of what ran beside the jobs.
    """
    total = start.cores * elapsed
    parts = {"training and evaluation": start.work, AROUND: start.parts[AROUND]}
    parts |= {name: seconds for name, seconds in start.parts.items() if name not in (*WORK, AROUND)}
    parts |= dict(beside)
    parts["free or shared with others"] = max(0.0, total - sum(parts.values()))
    shares = [f"{name} {100 * seconds / total:.0f} %" for name, seconds in parts.items() if seconds >= 0.005 * total]
    cores = "1 core" if start.cores == 1 else f"{start.cores} cores"
    return f"{total:.0f} core-seconds ({cores}, {duration(elapsed)}): {', '.join(shares)}"


def score(starts: Sequence[Start]) -> str:
    """Compare the training that was predicted with what it took, over the starts that had a prediction; empty if none."""
    told = [(start.predicted, start.work / start.threads) for start in starts if start.predicted and start.work]
    if not told:
        return ""
    predicted, took = (sum(column) for column in zip(*told, strict=True))
    return f"{duration(predicted)} predicted, {duration(took)} taken ({100 * (took / predicted - 1):+.0f} %)"
