"""What was seen of records, so that a start asks each file only whether it has changed since.

To read a record and check its seal takes most of a millisecond, and a start asks of every record twice.
"""

import json
from pathlib import Path

from ablation.support.digests import digest
from ablation.support.files import read_json, write_whole

Mark = tuple[int, int, int]  # time, size and number of a file
Glance = tuple[
    Mark, str, tuple[str, ...]
]  # of a `record.json`; the status of the record and the names of its other files

SEEN: dict[Path, Glance] = {}  # by file, in this process


def mark_of(path: Path) -> Mark:
    """Return what tells a file from what another one, or a change of it, would be; raises OSError."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def recall(path: Path) -> int:
    """Read what an earlier start has kept, and return of how many records; what is damaged or not there says nothing."""
    content = read_json(path)
    try:
        rows = content["seen"]
        if content["seal"] != digest(rows):
            return 0
        kept = {Path(name): (tuple(mark), status, tuple(files)) for name, mark, status, files in rows}
    except (KeyError, TypeError, ValueError):
        return 0
    SEEN.update(kept)
    return len(kept)


def keep(path: Path) -> None:
    """Write what was seen so far, for the next start."""
    rows = [[str(name), *glance] for name, glance in SEEN.items()]
    with write_whole(path) as file:
        file.write(json.dumps({"seen": rows, "seal": digest(rows)}).encode())
