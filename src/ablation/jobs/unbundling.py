"""What an unpacked bundle of a study holds, read and checked: somebody else wrote it, perhaps with other code than this."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ablation.jobs.bundling import ABOUT, FORMAT, About, code_of_tables, other_keys, version
from ablation.jobs.lookup import read_json
from ablation.jobs.results import record_keys
from ablation.records.archive import ArchiveError
from ablation.records.environment import git_revision
from ablation.records.store import DamagedRecordError, Store
from ablation.study.plan import Plan
from ablation.study.studyfile import StudyFileError, read_frozen
from ablation.support.references import is_own

KEY = r"[0-9a-f]{32}"  # of a record, which names its folder


def read_about(bundle: Path, folder: Path) -> About:
    """Read what a bundle says of itself, given the archive and the folder in which it lies unpacked; raises ArchiveError."""
    try:
        content = json.loads((folder / ABOUT).read_bytes())
        number, wrote = content["format"], content.get("version")
        if number == FORMAT:
            about = TypeAdapter(About).validate_python(content)
            if all(is_below(folder / part, folder) for part in about.parts):
                return about
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError):
        number = wrote = None
    if number in (None, FORMAT):
        raise ArchiveError(
            f"{bundle}: found no {ABOUT} in it that ablation bundle wrote, expected its archive"
        ) from None
    raise ArchiveError(f"{bundle}: found format {number}, expected {FORMAT}: use ablation {wrote}, which wrote it")


def is_below(path: Path, folder: Path) -> bool:
    """Say whether a path is that of a file in a folder."""
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def settled_plan(bundle: Path, about: About, folder: Path, target: Path) -> Plan:
    """Write the frozen plan of a bundle as the verbs read it, with the author's parts where they lie now, and read it."""
    try:
        frozen = json.loads((folder / f"results/{about.study}/plan/{about.study}.json").read_bytes())
        target.write_text(json.dumps({**frozen, "parts": [str(folder / part) for part in about.parts]}))
        return read_frozen(target)
    except (OSError, ValueError, TypeError, StudyFileError) as error:
        raise ArchiveError(
            f"{bundle}: its plan cannot be read by this version of the program ({error}); ablation {about.version}, "
            f"revision {about.revision or 'unknown'}, wrote it"
        ) from None


def check_records(bundle: Path, place: Path) -> None:
    """Refuse a bundle without a record that a run of its study needs, or with a damaged one; raises ArchiveError."""
    store = Store(place.parent / "store")
    for path in sorted(place.glob("shards/*/*.json")):
        try:
            keys = record_keys(read_json(path))
        except (KeyError, TypeError):
            raise ArchiveError(f"{bundle}: found no runs in shards/{path.parent.name}/{path.name}") from None
        for key in keys:
            if why := _missing(store, key):
                raise ArchiveError(f"{bundle}: a run of {path.parent.name} cannot be used: {why}")


def _missing(store: Store, key: Any) -> str:
    if not isinstance(key, str) or not re.fullmatch(KEY, key):
        return f"found the key {key!r}, expected 32 hexadecimal digits"
    try:
        store.read(key)
    except KeyError:
        return f"record {key} is missing"
    except DamagedRecordError as error:
        return str(error)
    return ""


def own_code(plan: Plan) -> list[str]:
    """List the code of the author's that runs when the tables of a study are made: that of metrics which it asks for."""
    computed = [metric.compute for name, metric in plan.metrics.items() if name in plan.asked]
    return [code for code in computed if code and is_own(code)]


def said_of_code(about: About, plan: Plan, place: Path) -> str:
    """Say whether the code is the one that a bundle was made with: of the tables, and of the training."""
    today = code_of_tables(plan)
    changed = [verb for verb in today if about.code.get(verb) != today[verb]]
    made = f"made by ablation {about.version}, revision {about.revision or 'unknown'}"
    here = f"ablation {version()}, revision {git_revision() or 'unknown'}"
    code = f"another version of the code that makes the tables ({', '.join(changed)})" if changed else "the same code"
    others = other_keys(plan, place)
    training = f"; it would train {others} of the runs in another way" if others else ", also that trains the runs"
    return f"{made}; here is {here}: {code}{training}"
