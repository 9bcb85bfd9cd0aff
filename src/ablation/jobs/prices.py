"""What the runs of a study cost on this machine, as far as it was measured or recorded. Imports no torch."""

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ablation.records.environment import processor
from ablation.records.store import RECORD, Store
from ablation.study.plan import Plan
from ablation.support.digests import digest
from ablation.support.files import read_json, write_whole
from ablation.support.locks import CannotLockError, hold

KEPT = "prices.json"  # in the folder of all results
RECORDED, MEASURED, SCALED = "an earlier run", "measured", "scaled"
# What of a run's spec does not change what a step costs.
WITHOUT_COST = ("seed", "warm_start", "data", "diagnostics")


@dataclass(frozen=True)
class Cost:
    """What the training of a network costs, measured on one machine with a number of threads.

    Attributes
    ----------
    train, evaluate : float
        Seconds per image.
    diagnosis : float
        Seconds per diagnosed epoch.
    once : float
        Seconds of building the network and of writing the record.
    memory : float
        Megabytes of the process at most, without the images.
    disk : float
        Megabytes of the record.
    how : str
        `MEASURED`, or `SCALED` from a network of another size.
    """

    train: float
    evaluate: float
    diagnosis: float
    once: float
    memory: float
    disk: float
    how: str = MEASURED

    def seconds(self, epochs: int, counts: Mapping[str, int], diagnosed: int) -> float:
        """Return the seconds of a run, given the images of each part."""
        of_epoch = self.train * counts["train"] + self.evaluate * counts["validation"]
        at_the_end = self.evaluate * (counts["train"] + counts["test"])
        return self.once + epochs * of_epoch + diagnosed * self.diagnosis + at_the_end


@dataclass(frozen=True)
class Price:
    """What a run of a variant costs: seconds, megabytes of memory and of disk (None if unknown), and how that is known."""

    seconds: float
    memory: float | None
    disk: float | None
    how: str


class KeptCosts:
    """The costs that all studies of a folder of results have measured, in a file that may be deleted at any time.

    Parameters
    ----------
    results : Path
    gpu : bool
        Whether trainings use a GPU of this machine.
    threads : int
        Of a training.
    """

    def __init__(self, results: Path, gpu: bool, threads: int):
        self.path = results / KEPT
        self.machine = f"{processor()}, {'GPU' if gpu else plural_threads(threads)}"

    def key(self, spec: Mapping[str, Any], shape: Iterable[int], classes: int) -> str:
        """Return what the cost of a run is kept under."""
        counted = {name: value for name, value in spec.items() if name not in WITHOUT_COST}
        return digest([self.machine, counted, bool(spec["diagnostics"]), list(shape), classes])

    def read(self) -> dict[str, Cost]:
        """Return all costs by their key; none where there is no file that can be read."""
        try:
            return {key: Cost(**row) for key, row in json.loads(self.path.read_bytes()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def add(self, costs: Mapping[str, Cost]) -> None:
        """Keep some more; what another process kept in the meantime stays."""
        with ExitStack() as locked:
            with suppress(CannotLockError):  # at worst something is measured again
                locked.enter_context(hold(self.path.with_suffix(".lock"), what=f"the prices {self.path}"))
            rows = {key: asdict(cost) for key, cost in {**self.read(), **costs}.items()}
            with write_whole(self.path) as file:
                file.write(json.dumps(rows, indent=1).encode())


def plural_threads(threads: int) -> str:
    """Write a number of threads."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def known_prices(
    plan: Plan, variants: Iterable[str], manifest: Mapping[str, Any] | None, results: Path, kept: KeptCosts
) -> dict[str, Price]:
    """Return the prices of those variants that were measured on this machine, or of which a run was recorded on it.

    Parameters
    ----------
    plan : Plan
    variants : iterable of str
    manifest : mapping or None
        Of the prepared data; None before they are: then nothing is known.
    results : Path
        Folder of all results.
    kept : KeptCosts
    """
    variants = [variant for variant in variants if variant not in plan.unsettled]
    if manifest is None or not variants:
        return {}
    costs, counts, found = kept.read(), manifest["counts"], {}
    for variant in variants if costs else ():
        spec = plan.spec(variant, plan.study.seeds[0])
        if cost := costs.get(kept.key(spec, manifest["shape"], len(manifest["classes"]))):
            diagnosed = len(spec["diagnostics"]["epochs"]) if spec["diagnostics"] else 0
            seconds = cost.seconds(spec["recipe"]["epochs"], counts, diagnosed)
            memory = cost.memory + megabytes_of_images(manifest)
            found[variant] = Price(seconds, memory, cost.disk, cost.how)
    gpu = kept.machine.endswith("GPU")
    recorded = recorded_seconds(variants, results / plan.name / "shards", Store(results / "store"), gpu)
    for variant, seconds in recorded.items():
        price = found.get(variant)
        total = seconds * plan.variants[variant].levels["epochs"] * counts["train"]
        found[variant] = Price(total, price and price.memory, price and price.disk, RECORDED)
    return found


def megabytes_of_images(manifest: Mapping[str, Any]) -> float:
    """Return what the images take in memory: as they lie in the file, and as floating point numbers."""
    pixels = sum(manifest["counts"].values())
    for side in manifest["shape"]:
        pixels *= side
    return 5 * pixels / 1e6


def recorded_seconds(variants: Iterable[str], shards: Path, store: Store, gpu: bool) -> dict[str, float]:
    """Return the seconds per training image and epoch, of the first record each that was made on such a machine.

    Parameters
    ----------
    variants : iterable of str
    shards : Path
        Folder of the study's shard results, whose records may be those of another recipe.
    store : Store
    gpu : bool
        Whether this machine trains on a GPU.
    """
    here, found, wanted = processor(), {}, set(variants)
    for path in sorted(shards.glob("*/*.json")):
        for variant, key in _runs_of(path):
            if variant in wanted and variant not in found:
                record = read_json(store.folder(key) / RECORD)
                if seconds := _seconds(record, here, gpu):
                    found[variant] = seconds
    return found


def _runs_of(result: Path) -> list[tuple[str, str]]:
    try:
        return [(run["variant"], run["key"]) for run in read_json(result)["runs"]]
    except (KeyError, TypeError):  # damaged; it is written again
        return []


def _seconds(record: Any, processor_here: str, gpu: bool) -> float | None:
    """Return what a record says of an image in an epoch; None if it is no record, or that of another machine."""
    try:
        machine, timings = record["environment"], record["timings"]
        same = (machine["device"] != "cpu") == gpu and machine["processor"] == processor_here
        images = timings["images_per_second"] * timings["train_seconds"]
        spent = sum(timings[f"{part}_seconds"] for part in ("train", "evaluate", "diagnostics"))
        return spent / images if same and images else None
    except (KeyError, TypeError, ValueError):
        return None
