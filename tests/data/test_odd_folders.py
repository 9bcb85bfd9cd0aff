"""Odd folders of images: each is refused in a sentence or two, or gives a right result; nothing is left behind."""

import argparse
import errno
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oddfolders import ODD, good

from ablation.catalogue.sources import SOURCES, DataError
from ablation.cli import data as verb
from ablation.data import datasets, folders, imagefolders, room
from ablation.data.folders import fingerprint
from ablation.study.schema import Data

SECONDS = 120  # what takes longer hangs


@pytest.fixture(autouse=True)
def patience():
    """A test that hangs fails."""

    def give_up(*_):
        pytest.fail(f"not done after {SECONDS} s")

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def prepare(folder, aside, **options):
    """Prepare a folder of images as the workflow does; return the arrays and the manifest."""
    data = Data(name="folder", folder=str(folder)).model_copy(update=options)  # also what a study may not ask for
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    words = ["--spec", data.model_dump_json(), "--source", SOURCES["folder"].text(), "--made-with", fingerprint(folder)]
    words += ["--folder", str(aside / "prepared"), "--receipt", str(aside / "receipt.json")]
    verb.main(parser.parse_args(words))
    return datasets.read(aside / "prepared")


def listing(folder):
    """All that lies below a folder; links are not followed."""
    return sorted(str(Path(top) / name) for top, below, files in os.walk(folder) for name in below + files)


def left_behind(aside):
    """What a failed preparation left: not the file that all who prepare the same data meet in."""
    return [path for path in listing(aside) if Path(path).name not in ("prepared", "lock", "images")]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_folder_is_refused_in_words_or_read(name, tmp_path):
    make, expected = ODD[name]
    folder, aside = tmp_path / "images", tmp_path / "aside"
    aside.mkdir()
    make(folder)
    before = listing(folder)
    if expected is None:
        arrays, manifest = prepare(folder, aside)
        assert manifest["shape"] == [3, 16, 16]
        assert sum(manifest["counts"].values()) == len(np.unique(np.concatenate(list(positions(arrays)))))
        assert (aside / "prepared/split.csv").read_text().startswith("position,file,class,part")
    else:
        with pytest.raises(DataError) as caught:
            prepare(folder, aside)
        message = str(caught.value)
        assert any(words in message for words in expected.split("|")), message
        assert str(folder) in message, "the folder is named"
        assert "Traceback" not in message
        assert message.isprintable() or "\n  " in message, "nothing that a terminal takes for a command"
        assert len(message.splitlines()) <= imagefolders.LISTED + 2
        assert left_behind(aside) == []
    assert listing(folder) == before


def positions(arrays):
    return (arrays[f"{part}_positions"] for part in ("train", "validation", "test"))


SPOILING = [
    lambda folder: (folder / "bee/0.png").write_bytes(b""),
    lambda folder: (folder / "cat/1.png").write_bytes((folder / "cat/1.png").read_bytes()[:50]),
    lambda folder: (folder / "cat/loop").symlink_to(".."),
    lambda folder: (folder / "dog/away.png").symlink_to("nowhere.png"),
    lambda folder: (folder / "ant").mkdir(),
    lambda folder: (folder / "stray.png").write_bytes(b"x"),
    lambda folder: os.mkfifo(folder / "dog/pipe.png"),
    lambda folder: open(os.fsencode(folder) + b"/dog/\xff.png", "wb").close(),
]
HARMLESS = [
    lambda folder: (folder / "notes.txt").write_text("x"),
    lambda folder: (folder / ".hidden.png").write_text("x"),
    lambda folder: (folder / ".hidden").mkdir(),
    lambda folder: (folder / "cat/deep").mkdir(),
]


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 3)), st.sampled_from([None, 8, 20]))
def test_whatever_is_odd_together_is_refused_in_words(tmp_path_factory, spoiled, harmless, side):
    folder = good(tmp_path_factory.mktemp("odd") / "images")
    for change in [*(SPOILING[n] for n in spoiled), *(HARMLESS[n] for n in harmless)]:
        change(folder)
    assert fingerprint(folder) == fingerprint(folder)
    if spoiled:
        with pytest.raises(DataError, match=r"problem"):
            imagefolders.read_folder(folder, side)
    else:
        assert len(imagefolders.read_folder(folder, side).labels) == 15


@pytest.mark.parametrize("length", [255, 400, 5000])
def test_a_folder_whose_name_is_too_long_is_refused(length, tmp_path):
    folder = tmp_path / ("x" * length)
    with pytest.raises(DataError, match=r"no such folder|cannot be listed .*File name too long"):
        imagefolders.read_folder(folder)
    assert isinstance(fingerprint(folder), str)


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
    listed = os.scandir

    def refuse(path):
        if Path(path).name == "cat":
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return listed(path)

    good(tmp_path)
    monkeypatch.setattr(folders.os, "scandir", refuse)
    with pytest.raises(DataError, match=r"/cat: cannot be listed as a folder of images \(Permission denied\)"):
        imagefolders.read_folder(tmp_path)
    assert fingerprint(tmp_path) == "unreadable: Permission denied"


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    from PIL import Image

    opened = Image.open

    def refuse(path):
        if Path(path).name == "2.png":
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return opened(path)

    good(tmp_path)
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(DataError, match=r"bee/2.png: no image that can be read \(.*Permission denied"):
        imagefolders.read_folder(tmp_path)


@pytest.mark.parametrize("side", [10**6, 10**9, 10**12])
def test_images_that_no_machine_holds_are_refused_before_they_are_made(side, tmp_path):
    good(tmp_path / "images")
    with pytest.raises(
        DataError, match=rf"15 images of 3x{side}x{side} take .* of memory, and .* are free; .*data\.side"
    ):
        prepare(tmp_path / "images", tmp_path, side=side)
    with pytest.raises(DataError, match=rf"digits: 1797 images of 1x{side}x{side} take"):
        datasets.prepare({**Data(name="digits").model_dump(), "side": side})


def test_an_image_that_only_claims_to_be_large_is_refused(tmp_path):
    good(tmp_path)
    for path in sorted(tmp_path.rglob("*.png")):
        head = bytearray(path.read_bytes())
        head[16:24] = (13_000).to_bytes(4, "big") * 2
        path.write_bytes(head)
    with pytest.raises(DataError):
        imagefolders.read_folder(tmp_path)


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch, digits):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: argparse.Namespace(free=1000))
    with pytest.raises(
        DataError, match=r"the prepared data take 159 kB, and 1e\+03 bytes|take .* and .* are free on its disk"
    ):
        datasets.write(tmp_path / "data", *digits)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing(tmp_path, monkeypatch, digits):
    saved, count = np.save, iter(range(9))

    def save(file, array):
        if next(count) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved(file, array)

    monkeypatch.setattr(np, "save", save)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\)"):
        datasets.write(tmp_path / "data", *digits)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (3 * 10**12, "3 TB"), (10**30, "1000000000000 EB")],
)
def test_bytes_are_written_for_people(count, text):
    assert room.in_bytes(count) == text


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    (tmp_path / "limit").write_text("12345\n")
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(room, "LIMITS", (tmp_path / "none",))
    assert room.free_memory() > 10**8
    monkeypatch.setattr(room, "LIMITS", (tmp_path / "none", tmp_path / "limit", tmp_path / "absent"))
    assert room.free_memory() == 12345


def test_data_outlive_the_folder_that_they_were_prepared_from_and_are_prepared_anew_once_it_is_another(tmp_path, capfd):
    folder, aside = tmp_path / "images", tmp_path / "aside"
    aside.mkdir()
    good(folder)
    prepared = prepare(folder, aside)[1]
    folder.rename(tmp_path / "away")
    assert prepare(folder, aside)[1] == prepared
    assert (
        f"{folder}: no such folder of images now; the data that were prepared from it are whole"
        in capfd.readouterr().err
    )
    (aside / "prepared/train_images.npy").write_bytes(b"")
    with pytest.raises(DataError, match="no such folder"):
        prepare(folder, aside)
    (tmp_path / "away").rename(folder)
    assert prepare(folder, aside)[1]["digest"] == prepared["digest"]
