"""What of a store no study wants: listed first, and freed on request; what a lock holds or a study may want stays."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablation.jobs.results import record_keys
from ablation.jobs.shards import planned_runs
from ablation.records.store import PRUNED, WEIGHTS, WRITING, DamagedRecordError, NewerRecordError, Store
from ablation.study.parts import PartsError
from ablation.study.plan import Plan
from ablation.study.schema import StudyError
from ablation.study.studyfile import StudyFileError, read_started, read_study
from ablation.support.locks import CannotLockError, LockHeldError, hold
from ablation.support.references import OwnCodeError

RECORDS, WEIGHTS_ONLY, LEFTOVERS = "record", "weights", "leftover"
NOT_PLANNED = (StudyFileError, StudyError, PartsError, OwnCodeError, LookupError)


@dataclass
class Wanted:
    """What studies want of a store.

    Attributes
    ----------
    keys : set of str
        Of the runs that they have.
    open : list of (str, dict or None)
        The studies whose keys are not known, each with its part ``data``: records of such data may be theirs; None: any may.
    said : list of str
        Why, a sentence each.
    """

    keys: set[str] = field(default_factory=set)
    open: list[tuple[str, dict[str, Any] | None]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def leave_open(self, name: str, data: dict[str, Any] | None, why: str) -> None:
        """Note a study whose keys are not known."""
        kept = "every record may be its, and stays" if data is None else "all records of such data stay"
        self.open.append((name, data))
        self.said.append(f"{name}: {why}: {kept}")

    def may_have(self, record: Mapping[str, Any]) -> bool:
        """Say whether a record may be of a study whose keys are not known."""
        spec = record.get("spec")
        data = spec.get("data") if isinstance(spec, dict) else None
        return any(stated is None or stated == data for _, stated in self.open)


@dataclass(frozen=True)
class Item:
    """Something that can be freed.

    Attributes
    ----------
    kind : str
        `RECORDS`, `WEIGHTS_ONLY` or `LEFTOVERS`.
    path : Path
    key : str
        Of its run; empty where nobody can hold it.
    study, variant : str
        As far as they are known.
    size : int
        Bytes.
    why : str
        Why it is not wanted.
    """

    kind: str
    path: Path
    key: str
    study: str
    variant: str
    size: int
    why: str


def find_wanted(files: Iterable[Path], results: Path) -> Wanted:
    """Gather what some study files want, and the studies that a start works on at the moment."""
    wanted = Wanted()
    for file in files:
        try:
            plan = read_study(file)
        except NOT_PLANNED as error:
            wanted.leave_open(str(file), None, f"it cannot be planned ({in_a_line(error)})")
        else:
            want_study(wanted, plan, results)
    for lock in sorted(results.glob("*/start/lock")):
        if is_held(lock):
            name, folder = f"{lock.parents[1].name} (which a start works on)", lock.parent
            try:
                plan = read_started(folder / "study.json", folder.parent / "plan/controls.json")
            except NOT_PLANNED as error:
                wanted.leave_open(name, None, in_a_line(error))
                continue
            if plan:
                want_study(wanted, plan, results)
            else:
                wanted.leave_open(name, None, "its sizes are still sought")
    return wanted


def in_a_line(error: Exception) -> str:
    """Return the first mistake that an error names."""
    return " ".join(str(error).split("\n  ")[:2])


def want_study(wanted: Wanted, plan: Plan, results: Path) -> None:
    """Add the keys of a study's runs, with all data that are prepared for it here."""
    data, place = plan.study.data.model_dump(), results / plan.name
    if plan.questions:
        answers = read(place / "plan/controls.json")
        if not set(plan.questions) <= set(answers):
            wanted.leave_open(plan.name, data, "the sizes of its controls were not sought here")
            return
        plan = plan.settled(answers)
    manifests = [read(place / "data.json"), read(results / "data" / plan.data_folder / "manifest.json")]
    digests = {manifest["digest"] for manifest in manifests if manifest.get("data") == json.loads(json.dumps(data))}
    try:
        wanted.keys |= {run.key for digest in digests for run in planned_runs(plan, digest)}
    except NOT_PLANNED as error:
        wanted.leave_open(plan.name, data, f"its runs cannot be planned ({error})")
        return
    if not digests:
        wanted.leave_open(plan.name, data, "its data were not prepared here, so its runs have no keys yet")


def find_unwanted(store: Store, wanted: Wanted, results: Path, weights_only: bool = False) -> list[Item]:
    """List what no study wants: records (or their weights alone), and what interrupted processes left."""
    return [*unwanted_records(store, wanted, studies_of(results), weights_only), *leftovers(store, wanted)]


def unwanted_records(store: Store, wanted: Wanted, studies: Mapping[str, str], weights_only: bool) -> Iterator[Item]:
    """List the records that no study wants."""
    for folder in sorted(store.root.glob("[0-9a-f][0-9a-f]/*")):
        key = folder.name
        if key in wanted.keys:
            continue
        try:
            record = store.peek(key)
        except NewerRecordError:
            continue
        except DamagedRecordError:
            record = {}
        if wanted.may_have(record) or (weights_only and WEIGHTS not in record.get("files", ())):
            continue
        study = studies.get(key, "")
        why = f"{study} has other runs now" if study else "no study has this run"
        kind, path = (WEIGHTS_ONLY, folder / WEIGHTS) if weights_only else (RECORDS, folder)
        yield Item(kind, path, key, study, str(record.get("variant", "")), size_of(path), why)


def leftovers(store: Store, wanted: Wanted) -> Iterator[Item]:
    """List what interrupted processes left that nobody holds and no study wants to go on with."""
    running = store.root / ".running"
    for folder in sorted(path for path in running.glob("*") if path.name != "locks"):
        key = folder.name
        trained = store.folder(key).is_dir()
        if (trained or not (key in wanted.keys or wanted.open)) and not is_held(running / "locks" / key):
            why = "its record is there" if trained else "an interrupted training that no study wants"
            yield Item(LEFTOVERS, folder, key, "", "", size_of(folder), why)
    for folder in sorted((store.root / ".damaged").glob("*")):
        yield Item(LEFTOVERS, folder, "", "", "", size_of(folder), "set aside as damaged")
    for prefix in (WRITING, PRUNED):
        for folder in sorted(store.root.glob(f".{prefix}*")):
            key = folder.name.removeprefix(f".{prefix}").partition(".")[0]
            if not is_held(running / "locks" / key):
                yield Item(LEFTOVERS, folder, key, "", "", size_of(folder), "left by a process that was killed")


def free(store: Store, item: Item) -> str:
    """Free an item unless somebody holds its run; return why it was not freed, or an empty text."""
    if not item.key:
        shutil.rmtree(item.path, ignore_errors=True)
        return ""
    try:
        with hold(store.root / ".running/locks" / item.key, what=f"run {item.key}", wait=False):
            if item.kind == RECORDS:
                store.remove(item.key)
            elif item.kind == WEIGHTS_ONLY:
                store.free_weights(item.key)
            else:
                shutil.rmtree(item.path, ignore_errors=True)
    except (LockHeldError, CannotLockError, DamagedRecordError) as error:
        return str(error)
    return ""


def studies_of(results: Path) -> dict[str, str]:
    """Return the study of each record that some result of a shard names, by key."""
    found = {}
    for path in sorted(results.glob("*/shards/*/*.json")):
        with suppress(KeyError, TypeError):
            found |= dict.fromkeys(record_keys(read(path)), path.parents[2].name)
    return found


def read(path: Path) -> dict[str, Any]:
    """Read a file of the workflow; empty if there is none, or none that can be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_held(lock: Path) -> bool:
    """Say whether somebody holds a lock, or may: where nothing can be locked, nobody knows."""
    if not lock.exists():
        return False
    try:
        with hold(lock, what=str(lock), wait=False):
            return False
    except (LockHeldError, CannotLockError):
        return True


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size if os.path.lexists(path) else 0
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
