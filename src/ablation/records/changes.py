"""What changed in the store since a process last looked, found without opening a record: it is asked every few seconds."""

import os
import time
from pathlib import Path

from ablation.records.store import CURVES, Store

TICK = 2.0  # seconds within which a folder may change twice and show one time


class Changes:
    """Says which runs have news: a record that came or went, or curves that grew.

    It looks at the times of the store's folders and lists those that changed, so that a look costs a few milliseconds,
    however many records there are. The first look finds all that is there.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store):
        self.root = store.root
        self.times: dict[str, int] = {}  # of the folders that hold records, when they last changed
        self.records: dict[str, dict[str, tuple[int, int]]] = {}  # by these folders, what tells their records
        self.curves: dict[str, tuple[int, int]] = {}

    def look(self) -> set[str]:
        """Return the keys of the runs with news since the last look."""
        return self._records() | self._curves()

    def _records(self) -> set[str]:
        changed: set[str] = set()
        for folder in _entries(self.root):
            if len(folder.name) != 2:
                continue
            when, now = folder.stat().st_mtime_ns, time.time_ns()
            if self.times.get(folder.name) == when:
                continue
            known = self.records.get(folder.name, {})
            found = {entry.name: stamp for entry in _entries(Path(folder.path)) if (stamp := _stamp(entry.path))}
            changed |= {key for key, _ in found.items() ^ known.items()}
            self.records[folder.name] = found
            if now - when > TICK * 1e9:  # else it may change again without another time
                self.times[folder.name] = when
        return changed

    def _curves(self) -> set[str]:
        places = {place.name: _stamp(os.path.join(place.path, CURVES)) for place in _entries(self.root / ".running")}
        found = {key: stamp for key, stamp in places.items() if stamp}  # without those that have no epoch yet
        changed = {key for key, stamp in found.items() if self.curves.get(key) != stamp}
        self.curves = found
        return changed


def _stamp(path: str) -> tuple[int, int] | None:
    """Return what tells a file or folder from a later one of its name; None if there is none."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
