"""Where what a study left behind lies, by the names that people use: the study, its variants, its seeds."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ablation.jobs.results import record_keys
from ablation.support.wording import UserError, nearest

RESULTS = Path("results")


class NotThereError(UserError, LookupError):
    """Something that was asked for is not there; the message says what was found and what is there."""


def find_study(study: str, folder: str | Path) -> Path:
    """Return the folder of a study's results; a study may be named by its file, too."""
    name = Path(study).stem if str(study).endswith((".yaml", ".yml")) else str(study)
    place = Path(folder) / name
    if not (name and (place / "data.json").is_file()):
        known = sorted(path.parent.name for path in Path(folder).glob("*/data.json"))
        raise NotThereError(missing("study", name, known, f"one with results in {folder}"))
    return place


def trained_runs(place: Path) -> dict[tuple[str, int], str]:
    """Return the key of every trained run of a study, by variant and seed, as its last start has cut it into shards."""
    outline = place / "start/outline.json"
    cut = read_json(outline).get("shards") if outline.is_file() else None
    there = sorted(place.glob("shards/*/*.json"))
    # Results of an earlier cut, or of variants that the study has no more, lie beside those of today.
    shards = [read_json(path) for path in there if cut is None or f"{path.parent.name}/{path.stem}" in cut]
    return {
        (run["variant"], run["seed"]): key
        for shard in shards
        for run, key in zip(shard["runs"], record_keys(shard), strict=True)
    }


def find_data(digest: str, place: Path) -> Path:
    """Return the folder of the prepared data of a digest, beside the folder of a study's results."""
    data = place.parent / "data"
    for manifest in sorted(data.glob("*/manifest.json")):
        if read_json(manifest).get("digest") == digest:
            return manifest.parent
    raise NotThereError(f"{data}: found no data of the digest {digest}: start {place.name} again")


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
