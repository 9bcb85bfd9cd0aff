"""Digests of a package's definitions, kept beside its bytecode for as long as none of its files changes.

To take them, the package is parsed, which costs a start of the workflow more than all else that it reads.
"""

import json
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

from ablation.support.digests import digest, file_digest
from ablation.support.files import write_whole


class KeptDigests:
    """The digests of one package, which are those of what its files are now.

    They lie where Python keeps the bytecode of the package, heed PYTHONPYCACHEPREFIX and PYTHONDONTWRITEBYTECODE as it does,
    and may be deleted at any time. Where they cannot be written they are taken anew.

    Parameters
    ----------
    package : Path
        Its folder.
    way : object
        Plain data: what else the digests depend on.
    """

    def __init__(self, package: Path, way: object):
        self._package, self._way = package, way
        self._path = Path(cache_from_source(str(package / "digests.py"))).with_suffix(".json")
        self._state = self._files()
        self._kept: dict[str, str] = {}
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found["state"] == self._state:
                self._kept = {str(roots): str(one) for roots, one in found["digests"].items()}

    def get(self, roots: frozenset[str]) -> str | None:
        """Return the digest of roots; None if it is not known of these files."""
        return self._kept.get(self._name(roots))

    def keep(self, roots: frozenset[str], found: str) -> None:
        """Keep a digest, unless a file was edited since this was made: it may be of either content."""
        self._kept[self._name(roots)] = found
        if sys.dont_write_bytecode or self._files() != self._state:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with write_whole(self._path) as file:
                file.write(json.dumps({"state": self._state, "digests": self._kept}).encode())

    def _name(self, roots: frozenset[str]) -> str:
        return digest(sorted(roots))

    def _files(self) -> str:
        """Digest the names and contents of all files, and the way of taking digests."""
        files = {str(path.relative_to(self._package)): file_digest(path) for path in self._package.rglob("*.py")}
        return digest([files, self._way])
