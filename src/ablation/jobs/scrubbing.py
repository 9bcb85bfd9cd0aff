"""Every byte of the results read again and compared with its digest: a disk that loses bits changes no time and no size.

What is damaged is named, and put where the next start sees it: a record is set aside, prepared data lose their manifest, a
file that a seal states gets a new time, by which the start looks at its digest. Nothing that is whole is touched.
"""

import os
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ablation.catalogue.sources import DataError
from ablation.data import manifests
from ablation.data.datasets import whole_arrays
from ablation.records.certificate import FILE as CERTIFICATE
from ablation.records.certificate import CertificateError, read_certificate
from ablation.records.store import STATE, DamagedRecordError, NewerRecordError, Store
from ablation.support.formatting import plural
from ablation.support.locks import CannotLockError, LockHeldError, hold
from ablation.support.seals import damaged_files

EVERY = 5.0  # seconds between two lines that say how far it is
LEFT = "left as it is"


@dataclass
class Scrub:
    """A pass over results.

    Attributes
    ----------
    results : Path
        Folder of all results.
    report_only : bool
        Whether what is damaged stays as it is.
    tell : callable
        Told now and then how far it is.
    damaged : int
        What was found so far.
    """

    results: Path
    report_only: bool
    tell: Callable[[str], None]
    damaged: int = 0

    @property
    def store(self) -> Store:
        """The store of all records."""
        return Store(self.results / "store")

    def records(self, keys: Iterable[str]) -> Iterator[str]:
        """Look at records, and say what is damaged and what became of it."""
        keys, store = list(keys), self.store
        for key in self._counted(keys, "record"):
            try:
                if store.folder(key).exists():
                    store.verify(key)
                else:
                    yield self._found(f"record {key}: it is named by its study and is not there", "")
            except NewerRecordError as error:
                yield str(error)
            except DamagedRecordError as error:
                yield self._found(str(error), "" if self.report_only else self._set_aside(store, key, str(error)))
            except OSError as error:  # the disk says that it cannot, and may be able to again
                yield self._found(f"record {key}: {error}", LEFT)

    def states(self) -> Iterator[str]:
        """Look at the states of interrupted trainings, which state checksums of their own."""
        running = self.store.root / ".running"
        for path in sorted(running.glob(f"*/{STATE}")):
            key = path.parent.name
            try:
                with hold(running / "locks" / key, what=f"run {key}", wait=False):
                    if is_whole_archive(path):
                        continue
                    if not self.report_only:
                        path.unlink()
                    yield self._found(f"{path}: damaged", "deleted; the run starts anew")
            except (LockHeldError, CannotLockError, FileNotFoundError):  # it is in training, or has ended just now
                continue

    def data(self, folders: Iterable[Path]) -> Iterator[str]:
        """Look at folders of prepared data."""
        for folder in self._counted(list(folders), "folder of data", "folders of data"):
            try:
                manifest = manifests.read_manifest(folder)
                names = manifests.damaged_files(folder)
                if names is None:  # of an older version, with one digest of all
                    names = [] if whole_arrays(folder, manifest) else ["its arrays"]
            except DataError as error:
                yield self._found(str(error), "")
                continue
            except OSError as error:
                yield self._found(f"{folder}: {error}", LEFT)
                continue
            if names:
                if not self.report_only:
                    manifests.discard(folder, manifest["digest"])
                yield self._found(f"{folder}: damaged: {', '.join(names)}", "the next start prepares the data anew")

    def studies(self, places: Iterable[Path]) -> Iterator[str]:
        """Look at all that jobs wrote for studies, by their seals, and at their certificates."""
        seals = [seal for place in places for seal in sorted((place / "seals").rglob("*.json"))]
        for seal in self._counted(seals, "sealed output"):
            for path in damaged_files(seal, thorough=True):
                if path.exists() and not self.report_only:
                    os.utime(path)
                yield self._found(f"{path}: missing or damaged", "the next start writes it again")
        for path in [place / CERTIFICATE for place in places if (place / CERTIFICATE).exists()]:
            try:
                read_certificate(path)
            except CertificateError:
                aside = path.with_name(f"damaged-{CERTIFICATE}")
                if not self.report_only:
                    os.replace(path, aside)
                yield self._found(f"{path}: damaged", f"set aside as {aside}")

    def _found(self, what: str, remedy: str) -> str:
        self.damaged += 1
        remedy = LEFT if self.report_only else remedy
        return f"{what}; {remedy}" if remedy else what

    def _counted(self, items: list, one: str, many: str = "") -> Iterator:
        """Go through a list and say now and then how far it is."""
        said = time.monotonic()
        for done, item in enumerate(items):
            if time.monotonic() - said > EVERY:
                said = time.monotonic()
                self.tell(f"{done:,} of {len(items):,} {many or f'{one}s'}, {self.damaged} damaged so far")
            yield item

    @staticmethod
    def _set_aside(store: Store, key: str, why: str) -> str:
        """Set a record aside unless a process that holds its run has done so, or trained it again; say what was done."""
        try:
            with hold(store.root / ".running/locks" / key, what=f"run {key}", wait=False):
                if store.is_whole(key) and _verified(store, key):
                    return "meanwhile trained again"
                return f"set aside as {store.set_aside(key, why)}; the next start trains it again"
        except (LockHeldError, CannotLockError, OSError) as error:
            return f"{LEFT}: {error}"


def _verified(store: Store, key: str) -> bool:
    try:
        store.verify(key)
    except DamagedRecordError:
        return False
    return True


def is_whole_archive(path: Path) -> bool:
    """Say whether every member of a zip archive, as torch writes it, has its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError):
        return False


def looked_at(records: int, data: int, places: int) -> str:
    """Count what was looked at."""
    folders, studies = "1 folder" if data == 1 else f"{data} folders", "1 study" if places == 1 else f"{places} studies"
    return f"{plural(records, 'record')}, {folders} of data and the output of {studies}"
