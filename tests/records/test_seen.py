import json

import pytest

from ablation.records.seen import SEEN, keep, recall
from ablation.records.store import RECORD, Store

KEYS = ["ab" * 16, "cd" * 16]
FILES = {"predictions.safetensors": b"p", "weights.safetensors": b"w"}


@pytest.fixture
def store(tmp_path):
    SEEN.clear()
    store = Store(tmp_path / "store")
    for key in KEYS:
        store.write(key, {"status": "completed"}, FILES)
    yield store
    SEEN.clear()


def see(store, path):
    """See all records, keep it, and forget it as another process would."""
    assert all(map(store.is_whole, KEYS))
    keep(path)
    SEEN.clear()


def test_what_an_earlier_start_saw_is_not_read_again(store, tmp_path, monkeypatch):
    see(store, tmp_path / "seen.json")
    assert recall(tmp_path / "seen.json") == len(KEYS)
    monkeypatch.setattr(Store, "peek", lambda *arguments: pytest.fail("read again"))
    assert all(map(store.is_whole, KEYS))
    assert store.status(KEYS[0]) == "completed"


def test_what_has_changed_since_is_read_again(store, tmp_path):
    see(store, tmp_path / "seen.json")
    record = store.folder(KEYS[0]) / RECORD
    record.write_text(record.read_text().replace("completed", "diverged"))
    (store.folder(KEYS[1]) / "weights.safetensors").unlink()
    recall(tmp_path / "seen.json")
    assert not any(map(store.is_whole, KEYS))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("completed", "diverged"),
        lambda text: "[]",
        lambda text: json.dumps({"seen": [[1]], "seal": "0"}),
    ],
    ids=["cut off", "changed", "another file", "other rows"],
)
def test_a_damaged_note_says_nothing(store, tmp_path, damage):
    path = tmp_path / "seen.json"
    see(store, path)
    path.write_text(damage(path.read_text()))
    assert recall(path) == 0
    assert not SEEN
    assert store.status(KEYS[0]) == "completed"


def test_nothing_was_kept_yet(tmp_path):
    assert recall(tmp_path / "seen.json") == 0
