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
        self.records: dict[str, dict[str, int]] = {}  # by these folders, their records with the numbers of their files
        self.curves: dict[str, tuple[int, int]] = {}

    def look(self) -> set[str]:
        """Return the keys of the runs with news since the last look."""
        return self._records() | self._curves()

    def _records(self) -> set[str]:
        changed: set[str] = set()
        for folder in _entries(self.root):
            if len(folder.name) != 2:
                continue
            stamp, now = folder.stat().st_mtime_ns, time.time_ns()
            if self.times.get(folder.name) == stamp:
                continue
            known = self.records.get(folder.name, {})
            found = {entry.name: entry.inode() for entry in _entries(Path(folder.path))}
            changed |= {key for key, _ in found.items() ^ known.items()}
            self.records[folder.name] = found
            if now - stamp > TICK * 1e9:  # else it may change again without another time
                self.times[folder.name] = stamp
        return changed

    def _curves(self) -> set[str]:
        found = {}
        for place in _entries(self.root / ".running"):
            try:
                about = os.stat(os.path.join(place.path, CURVES))
            except OSError:
                continue  # none yet, or the run ended just now
            found[place.name] = (about.st_mtime_ns, about.st_ino)
        changed = {key for key, stamp in found.items() if self.curves.get(key) != stamp}
        self.curves = found
        return changed


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
