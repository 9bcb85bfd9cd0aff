"""All results of a study as data frames, for Python."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from ablation.jobs.lookup import RESULTS, NotThereError, find_study, missing
from ablation.records.predictions import ARRAYS, Predictions
from ablation.records.runs import read_run
from ablation.records.store import Store

TABLES = ("runs", "curves", "diagnostics", "classes")


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
