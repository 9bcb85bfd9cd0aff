"""Prepared data that were damaged in any way are refused in words, and seen by the next start."""

import io
import json
import os
import shutil
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ablation.catalogue.sources import DataError
from ablation.data import datasets, manifests
from ablation.data.images import Images
from ablation.study.schema import Data
from ablation.support.digests import digest

WORDS = r"the prepared data cannot be used \(.*\); start again to prepare them anew$"
common = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A small folder of prepared data."""
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    source = Images(images, np.arange(40) % 2, None, ("a", "b"), "made up")
    folder = tmp_path_factory.mktemp("whole") / "data"
    datasets.write(folder, *datasets.arrange(source, Data(name="digits").model_dump()), source)
    return folder


@pytest.fixture
def prepared(whole, tmp_path):
    """A copy of it, anew at each call."""

    def copy():
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        return shutil.copytree(whole, tmp_path / "data")

    return copy


def read_or_refuse(folder, whole):
    """Read; return whether that went well, with the data as they were, or was refused in the right words."""
    before = {path.name for path in folder.iterdir()} | {manifests.MANIFEST}
    try:
        arrays, manifest = datasets.read(folder)
    except DataError as error:
        refused = str(error)
    else:
        expected, stated = datasets.read(whole)
        assert manifest == stated
        assert all(np.array_equal(arrays[name], expected[name]) for name in expected)
        return True
    assert refused.startswith(f"{folder}: the prepared data cannot be used (")
    assert refused.endswith("; start again to prepare them anew")
    assert {path.name for path in folder.iterdir()} | {manifests.MANIFEST} == before, "no file is left behind"
    assert manifests.stated_digest(folder) is None, "the next start sees it"
    return False


def test_whole_data_are_read(whole):
    assert read_or_refuse(whole, whole)
    assert manifests.stated_digest(whole) == datasets.read(whole)[1]["digest"]


FILES = [
    "manifest.json",
    *(f"{p}_{w}.npy" for p in ("train", "validation", "test") for w in ("images", "labels", "positions")),
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.3, 0.99, None])
def test_a_truncated_or_missing_file_is_refused_and_seen_at_the_start(name, share, prepared, whole):
    folder = prepared()
    if share is None:
        (folder / name).unlink()
    else:
        os.truncate(folder / name, int(share * (folder / name).stat().st_size))
    assert manifests.stated_digest(folder) is None
    assert not read_or_refuse(folder, whole)


HEAD = 128  # bytes of an array's file before its content


@common
@example("validation_labels.npy", 0.5, ord(" ") ^ ord("\t"))
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_byte_of_another_value_is_refused_or_says_the_same(prepared, whole, name, place, change):
    """White space in a manifest, or in the head of an array, may be another."""
    folder = prepared()
    content = bytearray((folder / name).read_bytes())
    position = int(place * len(content))
    content[position] ^= change
    (folder / name).write_bytes(content)
    read = read_or_refuse(folder, whole)
    assert not read or name == "manifest.json" or position < HEAD


@common
@given(st.sampled_from(FILES), st.binary(max_size=300))
def test_other_bytes_are_refused(prepared, whole, name, content):
    folder = prepared()
    (folder / name).write_bytes(content)
    assert not read_or_refuse(folder, whole)


HEADS = st.fixed_dictionaries(
    {
        "descr": st.sampled_from(
            ["|u1", "<i8", "<f4", ">i8", "|O", "|V0", "<U5", "|S0", "x", [("a", "<i4"), ("b", "|u1")]]
        ),
        "fortran_order": st.booleans(),
        "shape": st.lists(st.integers(-3, 10**12), max_size=5).map(tuple),
    }
)


@pytest.mark.filterwarnings("ignore")  # numpy is astonished at some
@common
@example("train_images.npy", {"descr": "|S0", "fortran_order": True, "shape": (10**6, 10**6)})
@example("train_labels.npy", {"descr": "|V0", "fortran_order": False, "shape": (10**12,)})
@given(st.sampled_from(FILES[1:]), HEADS)
def test_arrays_of_another_form_are_refused(prepared, whole, name, head):
    """The file has the size that the manifest states: only what it contains is wrong."""
    folder = prepared()
    size, text = (folder / name).stat().st_size, io.BytesIO()
    np.lib.format.write_array_header_1_0(text, head)
    (folder / name).write_bytes(text.getvalue().ljust(size, b"\0")[:size])
    assert not read_or_refuse(folder, whole)


@pytest.mark.parametrize("kind", ["archive", "pickle"])
def test_what_numpy_would_unpack_is_refused(kind, prepared, whole):
    folder = prepared()
    name, saved = folder / "train_images.npy", io.BytesIO()
    if kind == "archive":
        np.savez(saved, np.zeros(3))
    else:
        np.save(saved, np.array([{}], object), allow_pickle=True)
    name.write_bytes(saved.getvalue().ljust(name.stat().st_size, b"\0"))
    assert not read_or_refuse(folder, whole)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@common
@given(st.data(), values)
def test_a_manifest_with_another_value_is_refused(prepared, whole, data, value):
    folder = prepared()
    content = json.loads((folder / "manifest.json").read_text())
    key = data.draw(st.sampled_from(sorted(content)))
    changed = deepcopy(content)
    if data.draw(st.booleans()):
        del changed[key]
    else:
        changed[key] = value
    (folder / "manifest.json").write_text(json.dumps(changed))
    assert read_or_refuse(folder, whole) == (changed == content)


@common
@given(values)
def test_what_is_no_manifest_is_refused(prepared, whole, value):
    folder = prepared()
    (folder / "manifest.json").write_text(json.dumps(value))
    assert not read_or_refuse(folder, whole)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 50_000, "1" * 10_000, "NaN", '"\\ud800"', '{"certificate": 1e999}']
)
def test_a_manifest_that_is_hard_to_read_is_refused(text, prepared, whole):
    folder = prepared()
    (folder / "manifest.json").write_text(text)
    assert not read_or_refuse(folder, whole)


@pytest.mark.parametrize("version", ["before formats", "another format"])
def test_data_of_another_version_are_said_to_be_so(version, prepared, whole):
    folder = prepared()
    content = json.loads((folder / "manifest.json").read_text())
    del content["certificate"]
    if version == "another format":
        content["format"] += 1
        content["certificate"] = digest(content)
    else:
        del content["format"], content["bytes"]
    (folder / "manifest.json").write_text(json.dumps(content))
    assert manifests.stated_digest(folder) is None
    with pytest.raises(DataError, match=r"manifest.json is of another version of this program, expected format \d"):
        datasets.read(folder)
    assert (folder / "manifest.json").exists(), "the program that wrote them may be using them"


def test_damage_that_no_size_shows_takes_the_manifest_away(prepared):
    folder = prepared()
    path = folder / "train_images.npy"
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    assert manifests.stated_digest(folder), "a start does not read the arrays"
    with pytest.raises(DataError, match=WORDS):
        datasets.read(folder)
    assert manifests.stated_digest(folder) is None
    with pytest.raises(DataError, match=r"manifest.json: No such file"):
        datasets.read(folder)


def test_data_that_were_prepared_anew_meanwhile_keep_their_manifest(prepared):
    folder = prepared()
    manifests.discard(folder, "the digest of what was read before")
    assert manifests.stated_digest(folder)


def test_an_older_manifest_goes_before_the_first_new_array_comes(prepared, digits, monkeypatch):
    folder, seen = prepared(), []
    saved = np.save
    monkeypatch.setattr(
        np, "save", lambda file, array: (seen.append((folder / "manifest.json").exists()), saved(file, array))
    )
    datasets.write(folder, *digits)
    assert seen == [False] * 9
    assert datasets.read(folder)[1] == digits[1]
