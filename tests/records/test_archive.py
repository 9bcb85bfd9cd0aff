"""One archive of files with their digests: the same from the same files, and no harm in those of others."""

import hashlib
import os
import stat
import zipfile

import pytest

from ablation.records.archive import MANIFEST, ArchiveError, unpack, write_archive

FILES = {"b/c.txt": b"more\n" * 999, "a.txt": b"text", "empty": b"", "b/ü é.txt": b"\0\xff"}


@pytest.fixture
def archive(tmp_path):
    write_archive(tmp_path / "files.zip", FILES)
    return tmp_path / "files.zip"


def rewritten(archive, change):
    """Write an archive again with its members changed: by name, the content; a list of (name, content) in its order."""
    with zipfile.ZipFile(archive) as old:
        members = {member.filename: old.read(member) for member in old.infolist()}
    members = change(members) or members
    with zipfile.ZipFile(archive, "w") as new:
        for name, content in members.items() if isinstance(members, dict) else members:
            new.writestr(name, content)


def test_the_same_files_give_the_same_bytes_whenever_and_from_wherever(archive, tmp_path):
    (tmp_path / "other.txt").write_bytes(FILES["a.txt"])
    os.utime(tmp_path / "other.txt", (1, 1))
    write_archive(tmp_path / "again.zip", {**dict(reversed(FILES.items())), "a.txt": tmp_path / "other.txt"})
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_files_come_out_as_they_went_in_with_digests_that_other_programs_read(archive, tmp_path):
    assert unpack(archive, tmp_path / "out") == sorted(FILES)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == FILES
    lines = (tmp_path / "out" / MANIFEST).read_text().splitlines()
    assert lines == [f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}" for name in sorted(FILES)]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/x",
        "//x",
        "a\\..\\x",
        "c:x",
        "./x",
        "a//x",
        "a/./x",
        "..",
        "x/"[:1] + "/../../y",
        "a.txt/x",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_unpacked(archive, tmp_path, name):
    rewritten(archive, lambda members: {**members, name: b"x"})
    with pytest.raises(ArchiveError, match=r"files\.zip: found "):
        unpack(archive, tmp_path / "out")
    assert not any(path.is_file() for path in (tmp_path / "out").rglob("*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_links_and_devices_are_refused(archive, tmp_path):
    for kind in (stat.S_IFLNK, stat.S_IFCHR):
        link = zipfile.ZipInfo("link")
        link.external_attr = (kind | 0o777) << 16
        rewritten(archive, lambda members, link=link: [*members.items(), (link, "/etc/passwd")])
        with pytest.raises(ArchiveError, match="'link'"):
            unpack(archive, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(archive, tmp_path):
    rewritten(archive, lambda members: [*members.items(), ("a.txt", b"other")])
    with pytest.raises(ArchiveError, match=r"'a\.txt' twice"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda members: members.update({"a.txt": b"test"}), r"changed: a\.txt$"),
        (lambda members: members.pop("b/c.txt") and None, r"missing: b/c\.txt$"),
        (lambda members: members.update({"more": b""}), "not listed: more$"),
        (lambda members: members.pop(MANIFEST) and None, f"found no {MANIFEST} in it"),
        (lambda members: members.update({MANIFEST: b"nothing"}), "found a line in"),
        (lambda members: members.update({MANIFEST: b"\xff"}), "found no whole archive"),
    ],
)
def test_what_is_missing_changed_or_not_listed_is_named(archive, tmp_path, change, said):
    rewritten(archive, change)
    with pytest.raises(ArchiveError, match=said):
        unpack(archive, tmp_path / "out")


def test_every_damaged_byte_is_noticed(archive, tmp_path):
    content = archive.read_bytes()
    whole = {}
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        archive.write_bytes(damaged)
        try:
            unpack(archive, tmp_path / f"out{place}")
        except ArchiveError:
            continue
        whole[place] = {name: (tmp_path / f"out{place}" / name).read_bytes() for name in FILES}
    assert all(found == FILES for found in whole.values()), "the rest is times, versions and attributes of members"
    assert len(whole) < len(content) / 7 / 2


def test_what_is_no_archive_is_said_to_be_none(archive, tmp_path):
    with pytest.raises(ArchiveError, match=r"none\.zip: found no such file"):
        unpack(tmp_path / "none.zip", tmp_path / "out")
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(ArchiveError, match="found no whole archive"):
        unpack(archive, tmp_path / "out")


def test_an_archive_that_does_not_fit_is_refused_before_it_fills_the_disk(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with pytest.raises(ArchiveError, match="--into names another folder"):
        unpack(archive, tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())
