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
from ablation.support.formatting import plural
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
        self.machine = machine_name(processor(), gpu, threads)

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


def machine_name(processor: str, gpu: bool, threads: int) -> str:
    """Name what a cost holds for: the processor, and whether a training uses a GPU or how many threads it has."""
    return f"{processor}, {'GPU' if gpu else plural(threads, 'thread')}"


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
    specs = {variant: plan.spec(variant, plan.study.seeds[0]) for variant in variants}
    recorded = recorded_seconds(specs, results / plan.name / "shards", Store(results / "store"), kept)
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


def recorded_seconds(
    specs: Mapping[str, Mapping[str, Any]], shards: Path, store: Store, kept: KeptCosts
) -> dict[str, float]:
    """Return the seconds per training image and epoch, of the first record each that was made so and on such a machine.

    Parameters
    ----------
    specs : mapping of str to mapping
        Of a run of each variant.
    shards : Path
        Folder of the study's shard results, whose records may be those of another recipe.
    store : Store
    kept : KeptCosts
        Of this machine.
    """
    found = {}
    for path in sorted(shards.glob("*/*.json")):
        for variant, key in _runs_of(path):
            if variant in specs and variant not in found:
                record = read_json(store.folder(key) / RECORD)
                if seconds := _seconds(record, specs[variant], kept):
                    found[variant] = seconds
    return found


def _runs_of(result: Path) -> list[tuple[str, str]]:
    try:
        return [(run["variant"], run["key"]) for run in read_json(result)["runs"]]
    except (KeyError, TypeError):  # damaged; it is written again
        return []


def _seconds(record: Any, spec: Mapping[str, Any], kept: KeptCosts) -> float | None:
    """Return what a record says of an image in an epoch; None if it is none, or of other work or another machine."""
    try:
        machine, timings = record["environment"], record["timings"]
        gpu = machine["device"] != "cpu"
        same = kept.machine == machine_name(machine["processor"], gpu, machine["threads"])
        if not same or _of_an_epoch(record["spec"]) != _of_an_epoch(spec) or record.get("stopped_at"):
            return None
        images = timings["images_per_second"] * timings["train_seconds"]
        spent = sum(timings[f"{part}_seconds"] for part in ("train", "evaluate", "diagnostics"))
        return spent / images if images else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _of_an_epoch(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a spec that says what an epoch costs."""
    recipe = {name: value for name, value in spec["recipe"].items() if name != "epochs"}
    stated = {name: value for name, value in spec.items() if name not in ("seed", "warm_start")}
    return json.loads(json.dumps({**stated, "recipe": recipe}))
