"""The manifest of prepared data, and what it shows of damage before an array is read. Imports no numpy."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ablation.catalogue.sources import DataError
from ablation.support.digests import digest, file_digest
from ablation.support.files import write_whole

MANIFEST = "manifest.json"
FORMAT = 3  # of the manifest and the arrays; raise it when what is written, or its digest, means something else
# What is written beside what a manifest states: its format, the bytes and the digest of each file, and a digest of it all.
WRITTEN = ("format", "bytes", "files", "certificate")


def unusable(folder: Path, reason: Any) -> DataError:
    """Return the error of prepared data that cannot be used; the next start prepares them anew."""
    return DataError(f"{folder}: the prepared data cannot be used ({reason}); start again to prepare them anew")


def write_manifest(folder: Path, manifest: Mapping[str, Any], names: Sequence[str]) -> None:
    """Write a manifest with the bytes and the digest of the files that belong to it: a folder with a manifest is whole."""
    sizes = {name: (folder / name).stat().st_size for name in names}
    digests = {name: file_digest(folder / name) for name in names}
    content = {"format": FORMAT, **manifest, "bytes": sizes, "files": digests}
    content["certificate"] = digest(content)
    with write_whole(folder / MANIFEST) as file:
        file.write(json.dumps(content, indent=1).encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what `write_manifest` wrote, without what it added.

    Raises
    ------
    DataError
        If the manifest is missing, damaged or of another version, or if a file is missing or has another size.
    """
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        certificate = content.pop("certificate", None)
        form = content.get("format")
        whole = certificate == digest(content)
    except OSError as error:
        raise unusable(folder, f"{MANIFEST}: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, RecursionError):  # no JSON, or another kind of it
        raise unusable(folder, f"{MANIFEST} is damaged") from None
    if certificate is None or (whole and form != FORMAT):
        raise unusable(folder, f"{MANIFEST} is of another version of this program, expected format {FORMAT}")
    if not whole:
        raise unusable(folder, f"{MANIFEST} is damaged")
    for name, size in content["bytes"].items():
        found = _size(folder / name)
        if found != size:
            raise unusable(folder, f"{name}: found {'no file' if found is None else f'{found} bytes'}, expected {size}")
    return {key: value for key, value in content.items() if key not in WRITTEN}


def damaged_files(folder: Path) -> list[str] | None:
    """Name the files of prepared data that are not what was written, by their digests; changes nothing.

    Returns
    -------
    list of str or None
        None where an older manifest states no digests.

    Raises
    ------
    DataError
        As `read_manifest` does.
    """
    read_manifest(folder)
    digests = json.loads((folder / MANIFEST).read_bytes()).get("files")
    return digests and [name for name, expected in digests.items() if file_digest(folder / name) != expected]


def stated_digest(folder: Path) -> str | None:
    """Return the digest that prepared data state; None if they are missing, damaged as far as sizes show, or older."""
    try:
        return read_manifest(folder)["digest"]
    except DataError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def discard(folder: Path, digest: str) -> None:
    """Take the manifest away from data of a digest whose arrays turned out to be damaged: the next start sees that.

    A folder that has been prepared anew in the meantime keeps its manifest.
    """
    if stated_digest(folder) == digest:
        with suppress(OSError):  # a folder of somebody else's
            (folder / MANIFEST).unlink(missing_ok=True)


def describe_identical(manifest: Mapping[str, Any]) -> list[str]:
    """Say which images stand on both sides of the split: a sentence for each two parts that share some."""
    adjectives = {"train": "training", "validation": "validation", "test": "test"}
    sentences = []
    for found in manifest["identical"]:
        count, of = found["images"], manifest["counts"][found["part"]]
        pairs = [f"{image} = {twin}" for image, twin in found["examples"]]
        more = ["…"] if count > len(pairs) else []
        sentences.append(
            f"{count} of {of} {adjectives[found['part']]} images {'is a' if count == 1 else 'are'} "
            f"{adjectives[found['within']]} image{'' if count == 1 else 's'}, too: {', '.join([*pairs, *more])}"
        )
    return sentences
