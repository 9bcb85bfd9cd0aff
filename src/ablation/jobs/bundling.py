"""What of a study is given away: everything that its tables and verdicts are made of, and what says how they came to be.

The names of the files are those of the project: a bundle looks, unpacked, like a checkout in which the study has run, with
its own files in `study/` and the records without weights.
"""

import importlib.metadata
import json
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

import ablation
from ablation.jobs.lookup import read_json, trained_runs
from ablation.jobs.registration import FILE as REGISTERED
from ablation.jobs.shards import planned_runs
from ablation.jobs.starts import LOCK, ORIGIN
from ablation.records.certificate import FILE as CERTIFICATE
from ablation.records.environment import git_revision
from ablation.records.keys import references, sources
from ablation.records.runs import began
from ablation.records.store import RECORD, Store, sealed, without_weights
from ablation.study.plan import Plan
from ablation.study.studyfile import MOST_NAME, STUDY_NAME, StudyFileError, read_frozen, read_study
from ablation.support.locks import is_held
from ablation.support.seals import damaged_files
from ablation.support.wording import UserError

FORMAT = 1  # of what is written; raise it when a reader of today would misread it
ABOUT, ENVIRONMENTS, OWN = "bundle.json", "environments.json", "study"
CHECKOUT = Path(ablation.__file__).parents[2]
# Verbs that make the tables, in this order, and whose code a bundle states; and the files that they make, by their options.
VERBS = ("collect", "compare", "tables")
MADE = {
    "runs": "runs.parquet",
    "curves": "curves.parquet",
    "diagnostics": "diagnostics.parquet",
    "classes": "classes.parquet",
    "examples": "examples.npy",
    "contrasts": "contrasts.csv",
    "claims": "claims.csv",
    "verdicts": "verdicts.json",
    "csv": "tables/comparison.csv",
    "markdown": "tables/comparison.md",
    "latex": "tables/comparison.tex",
    "claims-markdown": "tables/claims.md",
    "claims-latex": "tables/claims.tex",
    "summary": "tables/summary.txt",
    "mixture": "tables/mixture.txt",
}
# What a finished study has, and what it may have; in the folder of its results.
NEEDED = ("data.json", "plan/variants.csv", "plan/layers.csv", *MADE.values(), "report.html")
OPTIONAL = (REGISTERED, CERTIFICATE, "plan/unmeasured.json", "plan/controls.json", "start/costs.jsonl")
WORKFLOW = ("Snakefile", "environment.yml", "pyproject.toml", "uv.lock", "LICENSE")  # of the checkout, with its rules


class BundleError(UserError):
    """A study that cannot be given away as it is; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a bundle says of itself in `ABOUT`.

    Attributes
    ----------
    format : int
    study : str
        Its name.
    file, parts
        The names in the bundle of the study's file, and of the files of parts in the order in which they join.
    runs : int
        How many it has.
    weights : bool
        Whether their weights are there.
    version, revision : str
        Of the project that wrote it; the revision may not be known.
    code : dict of str to str
        Digests of the code that makes the tables, by verb.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=False)

    format: int
    study: Annotated[str, Field(pattern=f"^{STUDY_NAME}$", max_length=MOST_NAME)]
    file: str
    parts: tuple[str, ...]
    runs: int
    weights: bool
    version: str
    revision: str | None
    code: dict[str, str]


@dataclass(frozen=True)
class Contents:
    """What a bundle holds.

    Attributes
    ----------
    plan : Plan
    files : dict of str to bytes or Path
        By their names in the bundle.
    about : About
    environments : list of dict
        Machines and versions of the runs, each with the number of its ``runs``.
    span : tuple of str
        When the first job began and the last one ended (ISO 8601, UTC).
    """

    plan: Plan
    files: dict[str, bytes | Path]
    about: About
    environments: list[dict[str, Any]] = field(default_factory=list)
    span: tuple[str, str] = ("", "")


def contents_of(place: Path, weights: bool = False) -> Contents:
    """Gather what a bundle of a study holds.

    Parameters
    ----------
    place : Path
        The folder of the study's results.
    weights : bool
        Whether the weights of the runs are taken along.

    Raises
    ------
    BundleError
        If a start works on the study, it is not finished, files are damaged, or its file was changed since.
    DamagedRecordError
        If a record is damaged.
    """
    check_whole(place)
    plan, study_file = frozen_plan(place), own_file(place)
    own = own_files(plan, study_file)
    runs = trained_runs(place)
    records = {key: Store(place.parent / "store").read(key) for key in sorted(set(runs.values()))}
    folder = f"results/{plan.name}"
    files: dict[str, bytes | Path] = {f"{folder}/{name}": place / name for name in files_of_results(place, plan)}
    files |= {name: path for path, name in own.items()}
    files |= {str(path.relative_to(CHECKOUT)): path for path in workflow_files()}
    for key, record in records.items():
        files |= record_files(place.parent / "store", key, record, weights)
    environments = environments_of(records.values())
    files[ENVIRONMENTS] = json.dumps(environments, indent=1).encode()
    about = About(
        format=FORMAT,
        study=plan.name,
        file=own[study_file],
        parts=tuple(own[Path(os.path.abspath(stated))] for stated in plan.catalogue.parts),
        runs=len(runs),
        weights=weights,
        version=version(),
        revision=git_revision(),
        code=code_of_tables(plan),
    )
    files[ABOUT] = json.dumps(asdict(about), indent=1).encode()
    return Contents(plan, files, about, environments, span(records.values(), place / "start/costs.jsonl"))


def check_whole(place: Path) -> None:
    """Refuse a study that is not finished, on which a start works, or of which something was damaged."""
    again = f"start {place.name} again, and bundle it then"
    if is_held(place / LOCK):
        raise BundleError(f"{place}: a start works on this study; bundle it when it has ended")
    if missing := [name for name in NEEDED if not (place / name).is_file()]:
        raise BundleError(f"{place}: found no {', '.join(missing)}, expected a finished study: {again}")
    seals = sorted((place / "seals").rglob("*.json"))
    if damaged := [str(path) for seal in seals for path in damaged_files(seal, thorough=True)]:
        raise BundleError(f"{place}: missing or damaged: {', '.join(damaged[:20])}; {again}")


def frozen_plan(place: Path) -> Plan:
    """Read the frozen plan of the study's last start."""
    return read_frozen(place / f"plan/{place.name}.json")


def own_file(place: Path) -> Path:
    """Return the study's file, which has to say what its last start found there."""
    noted = Path(read_json(place / ORIGIN)["study"])
    frozen = frozen_plan(place).study
    try:
        now = read_study(noted).study
    except StudyFileError as error:
        raise BundleError(f"{error}\nThe results in {place} come from this file: start the study again") from None
    if now != frozen:
        raise BundleError(f"{noted}: it was changed since its last start; start it again, and bundle it then")
    return noted


def own_files(plan: Plan, study: Path) -> dict[Path, str]:
    """Return by path the names in the bundle of the study's file, its parts, and the modules that these reach."""
    if not plan.catalogue.parts:
        return {study: f"{OWN}/{study.name}"}
    specs = [plan.spec(variant, plan.study.seeds[0]) for variant in plan.variants]
    code = {plan.source.reader, *(reference for spec in specs for reference in references(spec))}
    code |= {metric.compute or metric.measure for metric in plan.metrics.values()} - {""}
    modules = {name for name, _ in sources().reached(code)}
    parts = {Path(os.path.abspath(path)) for path in plan.catalogue.parts}
    parts |= {Path(name) for name in modules if os.path.isabs(name)}
    top = Path(os.path.commonpath([study.parent, *(path.parent for path in parts)]))
    return {path: f"{OWN}/{path.relative_to(top).as_posix()}" for path in sorted({study, *parts})}


def files_of_results(place: Path, plan: Plan) -> list[str]:
    """List the files of a study's results that its bundle has."""
    cut = read_json(place / "start/outline.json")["shards"]
    shards = [f"{folder}/{shard}.json" for shard in cut for folder in ("shards", "measured")]
    plans = [f"plan/{plan.name}.json", f"plan/{plan.name}.stated.json"]
    return [name for name in (*NEEDED, *OPTIONAL, *plans, *shards) if (place / name).is_file()]


def workflow_files() -> list[Path]:
    """List the files of the workflow and of its environment; raises BundleError if the package is not in its checkout."""
    if not (CHECKOUT / "Snakefile").is_file():
        raise BundleError(
            f"{CHECKOUT}: found no Snakefile, expected a checkout: a bundle says by which workflow it was made"
        )
    rules = [path for path in (CHECKOUT / "workflow").rglob("*") if path.is_file()]
    return sorted([*(CHECKOUT / name for name in WORKFLOW), *rules])


def record_files(root: Path, key: str, record: Mapping[str, Any], weights: bool) -> dict[str, bytes | Path]:
    """Return the files of a record by their names in the bundle."""
    kept = record if weights else without_weights(record)
    folder, name = Store(root).folder(key), f"results/store/{key[:2]}/{key}"
    content: bytes | Path = folder / RECORD if kept == record else sealed(kept)
    return {f"{name}/{RECORD}": content, **{f"{name}/{file}": folder / file for file in kept["files"]}}


def environments_of(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the machines and versions of runs, each once with the number of its runs."""
    counts = Counter(json.dumps(record["environment"], sort_keys=True) for record in records)
    return [{**json.loads(text), "runs": number} for text, number in sorted(counts.items())]


def span(records: Iterable[Mapping[str, Any]], costs: Path) -> tuple[str, str]:
    """Return when the first job of a study began and the last one ended, as its starts noted it and its records say."""
    times: list[float] = []
    for record in records:
        times += [row["time"] for row in record["curves"] if row.get("time")]
        times += filter(None, [began(record)])
    for line in costs.read_text(encoding="utf-8", errors="replace").splitlines() if costs.is_file() else ():
        try:
            row = json.loads(line)
            times += [float(row[name]) for name in ("start", "time") if name in row]
        except (ValueError, TypeError):  # cut off
            continue
    ends = (min(times, default=0.0), max(times, default=0.0))
    return tuple(datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds") for time in ends)


def version() -> str:
    """Return the version of this package, as its checkout states it or, without one, as it was installed."""
    project = CHECKOUT / "pyproject.toml"
    if project.is_file():
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    try:
        return importlib.metadata.version("ablation")
    except importlib.metadata.PackageNotFoundError:  # neither
        return "of an unknown version"


def code_of_tables(plan: Plan) -> dict[str, str]:
    """Digest by verb the code that makes the tables of a study, its metrics included."""
    computed = [metric.compute for metric in plan.metrics.values() if metric.compute]
    return {
        verb: sources().digest([f"ablation.cli.{verb}:main", *(computed if verb == "collect" else [])])
        for verb in VERBS
    }


def other_keys(plan: Plan, place: Path) -> int:
    """Count the runs of a study that the code of today would train again, given the folder of its results."""
    today = {run.key for run in planned_runs(plan, read_json(place / "data.json")["digest"])}
    return len(set(trained_runs(place).values()) - today)
