"""Records that were cut, edited or written by somebody else: the reader has the right result or says what is wrong."""

import json
import os
import shutil

import numpy as np
import predicted
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablation.records.runs import read_run
from ablation.records.store import (
    CORRECT,
    DIAGNOSTICS,
    FORMAT,
    PREDICTIONS,
    RECORD,
    WEIGHTS,
    DamagedRecordError,
    NewerRecordError,
    Store,
)
from ablation.support.digests import digest, file_digest

KEY = "ab" * 16
ROW = {"epoch": 1, "train_loss": 0.5, "train_accuracy": 0.9, "validation_loss": None, "seconds": 1.0}
CONTENT = {
    "variant": "lenet",
    "seed": 0,
    "spec": {"architecture": {"name": "lenet"}},
    "data": "d" * 32,
    "status": "completed",
    "metrics": {"train_accuracy": 0.5, "gradient_ratio": None},
    "timings": {"train_seconds": 1.0},
    "environment": {"device": "cpu"},
    "curves": [ROW, {**ROW, "epoch": 2}],
}
DIAGNOSED = {"epoch": [0], "layer": ["a"], "depth": [1], "kind": ["affine"], "quantity": ["q"], "value": [0.5]}
FILES = {**predicted.files(True, False), DIAGNOSTICS: json.dumps(DIAGNOSED).encode(), WEIGHTS: b"weights"}
NAMES = (RECORD, *FILES)
FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)),
    st.sampled_from([0, -1, 2**70, "completed", "diverged", "failed", "/etc/passwd", "../x", "", ".", RECORD, WEIGHTS]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.write(KEY, CONTENT, FILES)
    return store


def renewed(store):
    """The store as it was before an example of hypothesis."""
    shutil.rmtree(store.root)
    store.write(KEY, CONTENT, FILES)
    return store.folder(KEY)


def reseal(folder, content):
    text = json.dumps({**content, "seal": digest(content)})
    (folder / RECORD).write_text(text)


def read(store):
    """What the reader makes of it: the record, or one of the errors that it promises."""
    try:
        return read_run(store, KEY)
    except (KeyError, DamagedRecordError, NewerRecordError):
        return None


def assert_it_heals(store):
    """What is no record can be set aside and written again; a newer one stays."""
    try:
        if not store.has(KEY):
            store.write(KEY, CONTENT, FILES)
        assert store.is_whole(KEY)
    except NewerRecordError:
        assert store.folder(KEY).is_dir()
    assert not list(store.root.glob(".writing*"))


def is_original(run):
    whole = {name: run.content[name] for name in CONTENT} == CONTENT
    return whole and run.correct.tolist() == [True, False] and run.diagnostics == DIAGNOSED


@FUZZ
@given(name=st.sampled_from(NAMES), share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_is_never_used(store, name, share):
    path = renewed(store) / name
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert read(store) is None
    assert_it_heals(store)


@FUZZ
@given(name=st.sampled_from(NAMES), data=st.data())
def test_a_file_with_other_bytes_is_never_used(store, name, data):
    path = renewed(store) / name
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    run = read(store)
    assert run is None or is_original(run)
    assert_it_heals(store)


@FUZZ
@given(name=st.sampled_from(NAMES), kind=st.sampled_from(["gone", "folder", "link to nothing", "another"]))
def test_a_file_that_is_something_else_is_never_used(store, name, kind):
    path = renewed(store) / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "link to nothing":
        path.symlink_to("nowhere")
    elif kind == "another":
        shutil.copy(path.with_name(next(other for other in NAMES if other != name)), path)
    assert read(store) is None
    assert_it_heals(store)


@FUZZ
@given(
    content=VALUES | st.binary(max_size=40) | st.sampled_from(["[" * 100_000, '{"a": ' + "9" * 5000 + "}", '"\\ud800"'])
)
def test_a_record_that_is_something_else_is_never_used(store, content):
    raw = (
        content
        if isinstance(content, bytes)
        else content.encode()
        if isinstance(content, str)
        else json.dumps(content).encode()
    )
    (renewed(store) / RECORD).write_bytes(raw)
    assert read(store) is None
    assert_it_heals(store)


def places(content, above=()):
    """Every place in plain data: keys and positions."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place for name, value in inner for place in [(*above, name), *places(value, (*above, name))]]


def changed(content, place, value, gone):
    copy = json.loads(json.dumps(content))
    target = copy
    for name in place[:-1]:
        target = target[name]
    if gone:
        del target[place[-1]]
    else:
        target[place[-1]] = value
    return copy


@FUZZ
@given(value=VALUES, gone=st.booleans(), data=st.data())
def test_nonsense_under_a_right_seal_is_refused_or_read_as_it_is(store, value, gone, data):
    folder = renewed(store)
    sealed = store.read(KEY)
    place = data.draw(st.sampled_from(places(sealed)))
    edited = changed(sealed, place, value, gone)
    reseal(folder, edited)
    run = read(store)
    if run:
        assert run.content == {"format": 1, **edited}
        assert run.correct is None or run.correct.dtype == bool
    assert_it_heals(store)


@FUZZ
@given(name=st.sampled_from([PREDICTIONS, DIAGNOSTICS]), content=st.binary(max_size=64) | VALUES, data=st.data())
def test_a_strange_file_under_a_right_seal_is_refused(store, name, content, data):
    folder = renewed(store)
    sealed = store.read(KEY)
    original = FILES[name]
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    cut = data.draw(st.integers(0, len(original)))
    (folder / name).write_bytes(original[:cut] + raw)
    reseal(folder, {**sealed, "files": {**sealed["files"], name: file_digest(folder / name)}})
    run = read(store)
    assert run is None or (run.predictions.labels.shape == run.correct.shape and set(run.diagnostics) == set(DIAGNOSED))


@pytest.mark.parametrize("what", ["file", "empty folder", "link to nothing"])
def test_what_lies_in_the_place_of_a_record_is_set_aside(store, what):
    folder = store.folder(KEY)
    shutil.rmtree(folder)
    {"file": folder.touch, "empty folder": folder.mkdir, "link to nothing": lambda: folder.symlink_to("nowhere")}[
        what
    ]()
    with pytest.raises((KeyError, DamagedRecordError)):
        store.read(KEY)
    assert_it_heals(store)


def test_a_newer_record_is_refused_with_a_sentence_and_left_alone(store):
    folder = store.folder(KEY)
    reseal(folder, {"format": FORMAT + 1, "key": KEY, "whatever": 1})
    before = (folder / RECORD).read_bytes()
    for ask in (store.read, store.has, store.is_whole, lambda key: read_run(store, key)):
        with pytest.raises(
            NewerRecordError, match=f"{KEY}.*: found format {FORMAT + 1}, expected {FORMAT} or less: a newer"
        ):
            ask(KEY)
    store.write(KEY, CONTENT, FILES)
    assert (folder / RECORD).read_bytes() == before
    assert not (store.root / ".damaged").exists()


def test_a_record_of_format_1_is_read_as_far_as_it_goes(store):
    folder = store.folder(KEY)
    sealed = store.read(KEY)
    del sealed["format"]
    (folder / PREDICTIONS).unlink()
    np.save(folder / CORRECT, np.array([False, True]))
    files = {name: file_digest(folder / name) for name in (CORRECT, DIAGNOSTICS, WEIGHTS)}
    reseal(folder, {**sealed, "metrics": {"test_accuracy": 0.5}, "files": files})
    os.utime(folder / RECORD)
    assert store.is_whole(KEY)
    run = read_run(store, KEY)
    assert (run.content["format"], run.predictions, run.correct.tolist()) == (1, None, [False, True])
    assert run.content["metrics"] == {"test_accuracy": 0.5}
