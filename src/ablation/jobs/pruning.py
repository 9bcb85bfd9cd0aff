"""What of a store no study wants: listed first, and freed on request; what a lock holds or a study may want stays."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablation.jobs.inventory import settled_plan
from ablation.jobs.results import record_keys
from ablation.records.keys import run_key
from ablation.records.store import PRUNED, WEIGHTS, WRITING, DamagedRecordError, NewerRecordError, Store
from ablation.study.controls import MARK
from ablation.study.parts import PartsError
from ablation.study.plan import Plan
from ablation.study.schema import StudyError
from ablation.study.studyfile import StudyFileError, read_frozen, read_study
from ablation.support.digests import digest
from ablation.support.formatting import plural
from ablation.support.locks import CannotLockError, LockHeldError, hold, is_held
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
    specs : dict of str to str
        Where the data are not known, and with them the keys: the study by the digest of a run's spec.
    patterns : list of (str, dict)
        Where sizes of controls are not known: the study and a run's spec with marks in their place.
    names : set of str
        Of the studies that could be planned.
    whys : dict of str to str
        By study: why not all its keys are known.
    unreadable : set of str
        The studies of which nothing is known: any record may be theirs.
    kept : Counter of str
        By study: the records that stay because they may be its.
    """

    keys: set[str] = field(default_factory=set)
    specs: dict[str, str] = field(default_factory=dict)
    patterns: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    whys: dict[str, str] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    kept: Counter[str] = field(default_factory=Counter)

    def keep(self, record: Mapping[str, Any]) -> bool:
        """Say whether a record may be of a study whose keys are not all known, and count it."""
        spec = record.get("spec")
        owner = next(iter(self.unreadable), "")
        if not owner and isinstance(spec, dict):
            owner = self.specs.get(digest(spec), "")
            owner = owner or next((name for name, pattern in self.patterns if fits(spec, pattern)), "")
        if owner:
            self.kept[owner] += 1
        return bool(owner)

    def sentences(self) -> list[str]:
        """Say what stays although nobody is known to want it, and why."""
        return [
            f"{name}: {why}: {plural(self.kept[name], 'record')} that may be its stay"
            for name, why in self.whys.items()
            if self.kept[name]
        ]


def fits(content: Any, pattern: Any) -> bool:
    """Say whether plain data are those of a pattern, in which a level that is not known yet stands for any."""
    if isinstance(pattern, Mapping):
        if set(pattern) == {MARK}:
            return True
        same = isinstance(content, Mapping) and set(content) == set(pattern)
        return same and all(fits(content[name], value) for name, value in pattern.items())
    if isinstance(pattern, list):
        return isinstance(content, list) and len(content) == len(pattern) and all(map(fits, content, pattern))
    return content == pattern


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
            wanted.unreadable.add(str(file))
            wanted.whys[str(file)] = f"it cannot be planned ({in_a_line(error)})"
        else:
            want_study(wanted, plan, results)
    for lock in sorted(results.glob("*/start/lock")):
        if is_held(lock, unknown=True):
            name, folder = f"{lock.parents[1].name} (which a start works on)", lock.parent
            try:
                plan = read_frozen(folder / "study.json")
            except NOT_PLANNED as error:
                wanted.unreadable.add(name)
                wanted.whys[name] = in_a_line(error)
            else:
                want_study(wanted, plan, results)
    return wanted


def in_a_line(error: Exception) -> str:
    """Return the first mistake that an error names."""
    return " ".join(str(error).split("\n  ")[:2])


def want_study(wanted: Wanted, plan: Plan, results: Path) -> None:
    """Add the keys of a study's runs, with all data that are prepared for it here; or what is known of their specs."""
    data, place = json.loads(json.dumps(plan.study.data.model_dump())), results / plan.name
    wanted.names.add(plan.name)
    plan = settled_plan(plan, place / "plan/controls.json")
    specs = [plan.spec(variant, seed) for variant in plan.variants for seed in plan.study.seeds]
    specs = json.loads(json.dumps(specs))  # as a record has them: lists in the place of tuples
    settled = [spec for spec in specs if is_settled(spec)]
    if len(settled) < len(specs):
        wanted.whys[plan.name] = "the sizes of its controls were not sought here"
        wanted.patterns += [(plan.name, spec) for spec in specs if spec not in settled]
    manifests = [read(place / "data.json"), read(results / "data" / plan.data_folder / "manifest.json")]
    digests = {manifest["digest"] for manifest in manifests if manifest.get("data") == data}
    try:
        wanted.keys |= {run_key(spec, data_digest) for data_digest in digests for spec in settled}
    except NOT_PLANNED as error:
        wanted.unreadable.add(plan.name)
        wanted.whys[plan.name] = f"its runs cannot be planned ({in_a_line(error)})"
    if not digests:
        wanted.whys[plan.name] = "its data were not prepared here, so its runs have no keys yet"
        wanted.specs |= {digest(spec): plan.name for spec in settled}


def is_settled(content: Any) -> bool:
    """Say whether plain data have no level that is not known yet."""
    if isinstance(content, Mapping):
        return set(content) != {MARK} and all(map(is_settled, content.values()))
    return all(map(is_settled, content)) if isinstance(content, list) else True


def find_unwanted(store: Store, wanted: Wanted, results: Path, weights_only: bool = False) -> list[Item]:
    """List what no study wants: records (or their weights alone), and what interrupted processes left."""
    started = any((results / name).is_dir() for name in wanted.whys)  # it may have an interrupted training
    keep_running = started or bool(wanted.unreadable)
    records = unwanted_records(store, wanted, studies_of(results), weights_only)
    return [*records, *leftovers(store, wanted, keep_running)]


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
        if (weights_only and not (folder / WEIGHTS).exists()) or wanted.keep(record):
            continue
        study = studies.get(key, "")
        other = "has other runs now" if study in wanted.names else "is neither in config/studies nor named"
        why = f"{study} {other}" if study else "no study has this run"
        kind, path = (WEIGHTS_ONLY, folder / WEIGHTS) if weights_only else (RECORDS, folder)
        yield Item(kind, path, key, study, str(record.get("variant", "")), size_of(path), why)


def leftovers(store: Store, wanted: Wanted, keep_running: bool) -> Iterator[Item]:
    """List what interrupted processes left that nobody holds and no study wants to go on with.

    With `keep_running`, interrupted trainings stay, for whose they are is not known.
    """
    running = store.root / ".running"
    for folder in sorted(path for path in running.glob("*") if path.name != "locks"):
        key = folder.name
        trained = store.folder(key).is_dir()
        if (trained or not (key in wanted.keys or keep_running)) and not is_held(running / "locks" / key, unknown=True):
            why = "its record is there" if trained else "an interrupted training that no study wants"
            yield Item(LEFTOVERS, folder, key, "", "", size_of(folder), why)
    for folder in sorted((store.root / ".damaged").glob("*")):
        yield Item(LEFTOVERS, folder, "", "", "", size_of(folder), "set aside as damaged")
    for prefix in (WRITING, PRUNED):
        for folder in sorted(store.root.glob(f".{prefix}*")):
            key = folder.name.removeprefix(f".{prefix}").partition(".")[0]
            if not is_held(running / "locks" / key, unknown=True):
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


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; what others delete meanwhile is none."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size if os.path.lexists(path) else 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total
