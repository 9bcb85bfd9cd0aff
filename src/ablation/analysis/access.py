"""What a study left behind, for Python: its trained networks, the images that they saw, and all results as data frames."""

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from ablation.data import datasets
from ablation.data.splits import PARTS
from ablation.jobs.results import record_keys
from ablation.jobs.trained import read_weights, trained_network
from ablation.records.predictions import ARRAYS, Predictions
from ablation.records.runs import read_run
from ablation.records.store import Store
from ablation.support.wording import UserError, nearest
from ablation.training.evaluation import put_on_device

RESULTS = Path("results")
TABLES = ("runs", "curves", "diagnostics", "classes")


class NotThereError(UserError, LookupError):
    """Something that was asked for is not there; the message says what was found and what is there."""


def load(study: str, variant: str, seed: int = 0, folder: str | Path = RESULTS) -> nn.Module:
    """Return a trained network.

    Parameters
    ----------
    study, variant : str
        Their names, such as ``digits`` and ``vgg-norm.none``.
    seed : int
    folder : str or Path
        Of all results.

    Returns
    -------
    torch.nn.Module
        From images as `images` returns them to logits (n, classes), in evaluation mode, on the CPU.

    Raises
    ------
    NotThereError
        If there is no such study, variant or seed, or it is not trained yet.
    NoWeightsError
        If the run failed, or its weights were freed.
    DamagedRecordError, NewerRecordError
        As `ablation.records.store.Store.read` does.
    OwnCodeError
        If the code of today builds another network.
    """
    place = find_study(study, folder)
    trained, manifest = trained_runs(place), read_json(place / "data.json")
    known = sorted({one for one, _ in trained} | set(planned_variants(place)))
    if variant not in known:
        raise NotThereError(missing("variant", variant, known, f"a variant of {place.name}"))
    seeds = sorted(one for name, one in trained if name == variant)
    if not seeds:
        raise NotThereError(f"{variant} of {place.name} is not trained yet: start the study")
    if seed not in seeds:
        raise NotThereError(f"seed: found {seed!r}, expected one that is trained: {', '.join(map(str, seeds))}")
    try:
        record, weights = read_weights(Store(Path(folder) / "store"), trained[variant, seed], patience=0)
    except KeyError as error:
        raise NotThereError(f"{variant}, seed {seed}: its record {error} is gone: start {place.name} again") from None
    if record["data"] != manifest["digest"]:
        raise NotThereError(
            f"{variant}, seed {seed} was trained on other data than {place.name} has now: start the study"
        )
    return trained_network(record, weights, manifest["shape"], len(manifest["classes"]), torch.device("cpu"))


def images(study: str, part: str = "test", folder: str | Path = RESULTS) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the images of a study as its networks see them, and their labels.

    Parameters
    ----------
    study : str
    part : str
        ``train`` (without augmentation), ``validation`` or ``test``.
    folder : str or Path
        Of all results.

    Returns
    -------
    images : torch.Tensor
        float32 (n, channels, height, width), standardised if the study says so; those of the test in the order of
        `Results.predictions`.
    labels : torch.Tensor
        int64 (n,).

    Raises
    ------
    NotThereError
        If there is no such study or part, or the prepared data are gone.
    """
    place = find_study(study, folder)
    if part not in PARTS:
        raise NotThereError(missing("part", part, PARTS, "a part of the data"))
    receipt = read_json(place / "data.json")
    for manifest in Path(folder, "data").glob("*/manifest.json"):
        if read_json(manifest).get("digest") == receipt["digest"]:
            arrays, stated = datasets.read(manifest.parent)
            found = put_on_device(arrays, stated, torch.device("cpu"), [part])[part]
            return found.images, found.labels
    raise NotThereError(
        f"{Path(folder, 'data')}: found no data of the digest {receipt['digest']}: start {place.name} again"
    )


@dataclass(frozen=True)
class Results:
    """All results of a study, as its last start has collected them.

    Attributes
    ----------
    folder : Path
        Of all results.
    runs : pandas.DataFrame
        One row per run: variant, levels, seed, status, metrics, sizes, timings; ``record`` is the folder of its record.
    curves : pandas.DataFrame
        One row per run and epoch.
    diagnostics : pandas.DataFrame
        One row per run, epoch, layer and quantity; empty if the study has none.
    classes : pandas.DataFrame
        One row per run and class, of the test images: images, accuracy, precision, F1.
    """

    folder: Path
    runs: pd.DataFrame
    curves: pd.DataFrame
    diagnostics: pd.DataFrame
    classes: pd.DataFrame

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per run and test image, read from the records when it is first asked for.

        Columns: variant, seed, image (its position, from 0), and the arrays of `Predictions` without the logits. Runs
        without predictions, such as failed ones, have no row.
        """
        rows = [self._rows(run.variant, run.seed, run.key) for run in self.runs.itertuples()]
        found = [row for row in rows if row is not None]
        if len(found) < len(rows) and (self.runs["status"] != "failed").sum() > len(found):
            warnings.warn("some records are of format 1, which has no predictions: train them again", stacklevel=2)
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["variant", "seed", "image"])

    def predictions_of(self, variant: str, seed: int = 0) -> Predictions | None:
        """Return the predictions of one run with its logits, where the record keeps them; None if it has none."""
        keys = {(run.variant, run.seed): run.key for run in self.runs.itertuples()}
        if (variant, seed) not in keys:
            raise NotThereError(
                missing("run", f"{variant}, seed {seed}", [f"{v}, seed {s}" for v, s in keys], "one of")
            )
        return read_run(Store(self.folder / "store"), keys[variant, seed]).predictions

    def _rows(self, variant: str, seed: int, key: str) -> pd.DataFrame | None:
        found = read_run(Store(self.folder / "store"), key).predictions
        if found is None:
            return None
        columns = {name: getattr(found, name) for name in ARRAYS if name != "logits"}
        return pd.DataFrame({"variant": variant, "seed": seed, "image": range(len(found.labels)), **columns})


def results(study: str, folder: str | Path = RESULTS) -> Results:
    """Return all results of a study as data frames.

    Parameters
    ----------
    study : str
    folder : str or Path
        Of all results.

    Raises
    ------
    NotThereError
        If there is no such study, or it has not come to its tables yet.
    """
    place, tables = find_study(study, folder), {}
    for name in TABLES:
        path = place / f"{name}.parquet"
        if not path.is_file():
            raise NotThereError(f"{path}: found no such table: {place.name} has not come so far, start it")
        tables[name] = pd.read_parquet(path)
    store = Store(Path(folder) / "store")
    tables["runs"]["record"] = [str(store.folder(key)) for key in tables["runs"]["key"]]
    return Results(Path(folder), **tables)


def find_study(study: str, folder: str | Path) -> Path:
    """Return the folder of a study's results; a study may be named by its file, too."""
    name = Path(study).stem if str(study).endswith((".yaml", ".yml")) else str(study)
    place = Path(folder) / name
    if not (name and (place / "data.json").is_file()):
        known = sorted(path.parent.name for path in Path(folder).glob("*/data.json"))
        raise NotThereError(missing("study", name, known, f"one with results in {folder}"))
    return place


def trained_runs(place: Path) -> dict[tuple[str, int], str]:
    """Return the key of every trained run of a study, by variant and seed."""
    shards = [read_json(path) for path in sorted(place.glob("shards/*/*.json"))]
    return {
        (shard["variant"], run["seed"]): key
        for shard in shards
        for run, key in zip(shard["runs"], record_keys(shard), strict=True)
    }


def planned_variants(place: Path) -> list[str]:
    """List the variants that the last start of a study had."""
    outline = place / "start/outline.json"
    return list(read_json(outline).get("variants", ())) if outline.is_file() else []


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of the workflow; raises NotThereError if it cannot be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotThereError(f"{path}: cannot be read ({error}); start the study again") from None
    if not isinstance(content, Mapping):
        raise NotThereError(f"{path}: found no mapping; start the study again")
    return dict(content)


def missing(what: str, found: str, known: Iterable[str], expected: str) -> str:
    """Say that something is not there, with what is and what was probably meant."""
    known = list(known)
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return f"{what}: found {found!r}, expected {expected}: {shown or 'none'}{nearest(found, known)}"
