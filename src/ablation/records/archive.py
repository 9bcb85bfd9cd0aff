"""One archive of many files (zip) with the digest of each, written the same from the same files, and unpacked with care."""

import errno
import hashlib
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ablation.support.files import write_whole
from ablation.support.formatting import file_size, plural
from ablation.support.wording import UserError, cut, printable

MANIFEST = "manifest-sha256.txt"  # in the format of BagIt (RFC 8493, section 2.1.3): digest, two spaces, name
DATE = (1980, 1, 1, 0, 0, 0)  # of every member, the first that zip knows: when it was written shall not show
MODE = stat.S_IFREG | 0o644
LEVEL = 6  # of compression
CHUNK = 1 << 20  # bytes
MOST_MANIFEST = 100_000_000  # bytes
MOST_NAMED = 20  # files that an error names
# What reading raises of a member that is damaged, and of an archive that is none.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError)
NO_ARCHIVE = (
    *DAMAGED,
    zipfile.LargeZipFile,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


class ArchiveError(UserError):
    """An archive that is damaged, or none of ours; the message says which, and what of it."""


def write_archive(path: Path, files: Mapping[str, bytes | Path]) -> None:
    """Write an archive of files and, as one more, their digests.

    The same files give the same bytes with the same version of zlib, whenever and wherever it is written.

    Parameters
    ----------
    path : Path
        Its folder exists. The archive appears under this name when it is whole.
    files : mapping of str to bytes or Path
        By their names in the archive, with ``/`` between folders: the content, or the file that has it.
    """
    with (
        write_whole(path) as target,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive,
    ):
        digests = {name: _add(archive, name, files[name]) for name in sorted(files)}
        manifest = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
        _add(archive, MANIFEST, manifest.encode())


def _add(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> str:
    """Add a member, and return its SHA-256 digest."""
    info = zipfile.ZipInfo(name, DATE)
    info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, MODE << 16, 3
    info.file_size = len(content) if isinstance(content, bytes) else content.stat().st_size
    with (
        BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as source,
        archive.open(info, "w") as to,
    ):
        return _copy(source, to)


def _copy(source: BinaryIO, target: BinaryIO) -> str:
    """Copy a stream, and return the SHA-256 digest of what it held."""
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def unpack(path: Path, folder: Path) -> list[str]:
    """Unpack an archive that `write_archive` wrote, and compare every file with its digest.

    Parameters
    ----------
    path : Path
    folder : Path
        Where to; made if need be.

    Returns
    -------
    list of str
        The names of the files, without that of the manifest.

    Raises
    ------
    ArchiveError
        If it is no archive or a damaged one, if files are missing, changed or not listed, or if one would come to lie
        outside the folder. Nothing is unpacked of an archive with names that are refused.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path, archive)
            digests = _digests(path, archive, members)
            _check_room(path, members.values(), folder)
            found = {name: _extract(archive, member, folder / name) for name, member in members.items()}
    except FileNotFoundError:
        raise ArchiveError(f"{path}: found no such file, expected an archive that ablation bundle wrote") from None
    except (*NO_ARCHIVE, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # of a member that begins before the file does
            raise
        raise ArchiveError(
            f"{path}: found no whole archive ({error}), expected one that ablation bundle wrote"
        ) from None
    wrong = {
        "missing": [name for name in digests if name not in found],
        "changed": [name for name, digest in digests.items() if found.get(name, digest) != digest],
        "not listed": [name for name in found if name not in digests and name != MANIFEST],
    }
    if any(wrong.values()):
        said = "; ".join(f"{what}: {_listed(names)}" for what, names in wrong.items() if names)
        raise ArchiveError(f"{path}: its files are not what {MANIFEST} says of them: {said}")
    return list(digests)


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive by name; raises ArchiveError if a name leads elsewhere or is there twice."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        if member.is_dir():
            continue
        name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
        parts = PurePosixPath(name).parts
        leaves = name.startswith("/") or ".." in parts or re.search(r"[\\:\0]", member.orig_filename)
        if leaves or not parts or "/".join(parts) != name or kind not in (0, stat.S_IFREG):
            raise ArchiveError(
                f"{path}: found {printable(cut(repr(name)))}, expected files with plain names below one folder: unpacked, "
                "it could come to lie elsewhere"
            )
        if name in found:
            raise ArchiveError(f"{path}: found {printable(cut(repr(name)))} twice, expected every file once")
        found[name] = member
    if both := sorted(set(found) & {str(folder) for name in found for folder in PurePosixPath(name).parents}):
        raise ArchiveError(
            f"{path}: found {printable(cut(repr(both[0])))} as a file and as a folder, expected one of them"
        )
    return found


def _digests(path: Path, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> dict[str, str]:
    """Read the manifest of an archive: the digest of each file by its name."""
    if MANIFEST not in members or members[MANIFEST].file_size > MOST_MANIFEST:
        raise ArchiveError(f"{path}: found no {MANIFEST} in it, expected an archive that ablation bundle wrote")
    lines = archive.read(members[MANIFEST]).decode().splitlines()
    rows = [re.fullmatch(r"([0-9a-f]{64})  (.+)", line) for line in lines]
    if not all(rows):
        raise ArchiveError(f"{path}: found a line in {MANIFEST} that is none, expected a SHA-256 digest and a name")
    return {row[2]: row[1] for row in rows}


def _check_room(path: Path, members: Iterable[zipfile.ZipInfo], folder: Path) -> None:
    """Raise ArchiveError if the files of an archive do not fit where they are to be unpacked."""
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
    if needed > free:
        raise ArchiveError(
            f"{path}: its files take {file_size(needed)}, and {folder} has {file_size(free)}: --into names another folder"
        )


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    """Write a member to a file, and return its SHA-256 digest; a member whose checksum is wrong has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open(member) as source, open(target, "xb") as file:
            return _copy(source, file)
    except DAMAGED:
        return ""


def _listed(names: list[str]) -> str:
    more = f" and {plural(len(names) - MOST_NAMED, 'file')} more" if len(names) > MOST_NAMED else ""
    return ", ".join(printable(cut(name)) for name in names[:MOST_NAMED]) + more
