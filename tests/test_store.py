import json
import os
import time

import pytest

from ablation.store import CORRECT, RECORD, WEIGHTS, DamagedRecordError, Store

KEY = "ab" * 16
FILES = {CORRECT: b"bits", WEIGHTS: b"weights" * 100}


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
    with pytest.raises(KeyError):
        store.read("cd" * 16)


def damage_content(folder):
    (folder / WEIGHTS).write_bytes(b"weightz" * 100)


def truncate(folder):
    (folder / CORRECT).write_bytes(b"")


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


def test_damage_that_keeps_the_time_is_found_by_the_reader(store):
    path = store.folder(KEY) / WEIGHTS
    stamp = path.stat()
    damage_content(store.folder(KEY))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(DamagedRecordError, match=WEIGHTS):
        store.read(KEY)


def test_the_place_of_a_run_keeps_its_state_until_the_record_is_there(tmp_path):
    store = Store(tmp_path)
    with store.claim(KEY) as running:
        running.write_curves([{"epoch": 1}])
        running.state.write_bytes(b"half-way")
    assert store.running_curves(KEY) == [{"epoch": 1}]
    with store.claim(KEY) as running:
        assert running.state.read_bytes() == b"half-way"
        store.write(KEY, {"status": "completed"}, FILES)
    assert not running.folder.exists()
    assert store.running_curves(KEY) == []


def test_two_processes_do_not_hold_one_run(tmp_path):
    store, order = Store(tmp_path), []
    with store.claim(KEY):
        child = os.fork()
        if not child:
            with Store(tmp_path).claim(KEY):
                os._exit(0)
        time.sleep(0.3)
        order.append(os.waitpid(child, os.WNOHANG))
    order.append(os.waitpid(child, 0)[1])
    assert order == [(0, 0), 0]
