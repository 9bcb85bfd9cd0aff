import errno
import fcntl
import json
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from ablation.records.store import PREDICTIONS, RECORD, WEIGHTS, DamagedRecordError, Store
from ablation.support import files
from ablation.support.files import is_listed, write_whole

KEY = "ab" * 16
FILES = {PREDICTIONS: b"bits", WEIGHTS: b"weights" * 100}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.write(KEY, {"status": "completed", "metrics": {"test_accuracy": 0.5}}, FILES)
    return store


def test_a_record_reads_as_it_was_written(store):
    assert store.has(KEY)
    assert store.read(KEY)["metrics"] == {"test_accuracy": 0.5}
    assert not list(store.root.glob(".writing*"))


def test_a_record_is_never_changed(store):
    store.write(KEY, {"status": "diverged"}, FILES)
    assert store.read(KEY)["status"] == "completed"
    assert not list(store.root.glob(".writing*"))


def test_a_missing_record_is_missing(store):
    assert not store.has("cd" * 16)
    assert not (store.root / ".damaged").exists()
    with pytest.raises(KeyError):
        store.read("cd" * 16)


def damage_content(folder):
    (folder / WEIGHTS).write_bytes(b"weightz" * 100)


def truncate(folder):
    (folder / PREDICTIONS).write_bytes(b"")


def remove_file(folder):
    (folder / WEIGHTS).unlink()


def change_metric(folder):
    text = (folder / RECORD).read_text()
    (folder / RECORD).write_text(text.replace("0.5", "0.9"))


def break_json(folder):
    (folder / RECORD).write_text("{")


def replace_json(folder):
    (folder / RECORD).write_text(json.dumps([1]))


@pytest.mark.parametrize("damage", [damage_content, truncate, remove_file, change_metric, break_json, replace_json])
def test_a_damaged_record_is_set_aside_and_can_be_written_again(store, damage):
    time.sleep(0.02)
    damage(store.folder(KEY))
    with pytest.raises(DamagedRecordError, match=KEY):
        store.read(KEY)
    assert not store.has(KEY)
    kept = list((store.root / ".damaged").iterdir())
    assert len(kept) == 1
    assert KEY in (kept[0] / "why.txt").read_text()
    store.write(KEY, {"status": "completed"}, FILES)
    assert store.has(KEY)


@pytest.mark.parametrize("damage", [damage_content, truncate, remove_file, change_metric, break_json, replace_json])
def test_looking_whether_a_record_is_whole_leaves_a_damaged_one_where_it_is(store, damage):
    assert store.is_whole(KEY)
    time.sleep(0.02)
    damage(store.folder(KEY))
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    assert not store.is_whole(KEY)
    assert not store.is_whole("cd" * 16)
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before


def test_damage_that_keeps_the_time_is_found_by_the_reader(store):
    path = store.folder(KEY) / WEIGHTS
    stamp = path.stat()
    damage_content(store.folder(KEY))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(DamagedRecordError, match=WEIGHTS):
        store.read(KEY)


def test_a_start_that_asks_twice_reads_a_record_once_until_it_changes(store, monkeypatch):
    read, peek = [], Store.peek
    monkeypatch.setattr(Store, "peek", lambda self, key: read.append(key) or peek(self, key))
    assert Store(store.root).is_whole(KEY)
    assert Store(store.root).status(KEY) == "completed"
    assert read == [KEY]
    change_metric(store.folder(KEY))
    assert not store.is_whole(KEY)
    assert store.status(KEY) == ""
    assert store.status("cd" * 16) == ""


def test_the_place_of_a_run_keeps_its_state_until_the_record_is_there(tmp_path):
    store = Store(tmp_path)
    with store.lock(KEY) as running:
        running.write_curves([{"epoch": 1}])
        running.state.write_bytes(b"half-way")
    assert store.running_curves(KEY) == [{"epoch": 1}]
    with store.lock(KEY) as running:
        assert running.state.read_bytes() == b"half-way"
        store.write(KEY, {"status": "completed"}, FILES)
    assert not running.folder.exists()
    assert store.running_curves(KEY) == []


def test_two_processes_do_not_hold_one_run(tmp_path):
    store, order = Store(tmp_path), []
    with store.lock(KEY):
        child = os.fork()
        if not child:
            with Store(tmp_path).lock(KEY):
                os._exit(0)
        time.sleep(0.3)
        order.append(os.waitpid(child, os.WNOHANG))
    order.append(os.waitpid(child, 0)[1])
    assert order == [(0, 0), 0]


def test_where_nothing_can_be_locked_two_jobs_train_a_run_twice_and_keep_one_record(tmp_path, monkeypatch, capfd):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    store = Store(tmp_path)
    with store.lock(KEY) as running:
        with store.lock(KEY) as other:
            other.write_curves([{"epoch": 1}])
            store.write(KEY, {"status": "completed"}, FILES)
        assert not running.folder.exists(), "the other one cleared the place"
        running.write_curves([{"epoch": 1}])
        running.write_state(lambda file: file.write(b"state"))
        store.write(KEY, {"status": "too late"}, FILES)
    assert store.read(KEY)["status"] == "completed"
    assert not running.folder.exists()
    said = capfd.readouterr().err
    assert said.count(f"{KEY} cannot be locked (No locks available)") == 2


def test_a_long_wait_for_a_run_says_who_trains_it(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("ablation.support.locks.FIRST", 0.1)
    with Store(tmp_path).lock(KEY):
        child = os.fork()
        if not child:
            with Store(tmp_path).lock(KEY):
                os._exit(0)
        time.sleep(1)
    assert os.waitpid(child, 0)[1] == 0
    assert f"waiting for run {KEY}, held by process {os.getpid()} of" in capfd.readouterr().err


class ListedLate:
    """A client of a network file system that remembers that names were missing until it reads their folder anew."""

    def __init__(self, monkeypatch, remembered, stubborn=0):
        self.remembered, self.left = {str(path) for path in remembered}, stubborn
        exists, listdir = Path.exists, os.listdir
        monkeypatch.setattr(Path, "exists", lambda path: str(path) not in self.remembered and exists(path))
        monkeypatch.setattr(os, "listdir", lambda folder: self.read(folder) or listdir(folder))

    def read(self, folder):
        self.left -= 1
        if self.left < 0:
            self.remembered = {path for path in self.remembered if Path(path).parent != Path(folder)}


def test_a_record_of_another_machine_is_seen_at_once(store, monkeypatch):
    ListedLate(monkeypatch, [store.folder(KEY)])
    assert store.has(KEY)


def test_a_record_that_is_listed_late_is_waited_for(store, monkeypatch):
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    ListedLate(monkeypatch, [store.folder(KEY)], stubborn=6)
    with pytest.raises(KeyError):
        store.read(KEY)
    assert store.read(KEY, patience=60)["status"] == "completed"


def test_what_never_comes_is_not_waited_for_longer_than_asked(tmp_path):
    begin = time.monotonic()
    assert not is_listed(tmp_path / "a/b", patience=0.2)
    assert 0.2 <= time.monotonic() - begin < 2


def test_two_machines_never_write_the_same_file_aside(tmp_path, monkeypatch):
    """Their process numbers may be equal."""
    path = tmp_path / "file"
    with write_whole(path) as first:
        monkeypatch.setattr(socket, "gethostname", lambda: "another-node")
        with write_whole(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
        first.write(b"first")
        monkeypatch.undo()
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch):
    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", refuse)
    with write_whole(tmp_path / "file") as file:
        file.write(b"text")
    assert (tmp_path / "file").read_bytes() == b"text"
