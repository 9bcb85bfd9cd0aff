"""A bit that a disk lost is found in every kind of file, although no time and no size has changed."""

import json
import os
import time

import numpy as np
import pytest
import torch

from ablation.cli import entry
from ablation.data import datasets, manifests
from ablation.data.images import Images
from ablation.records.certificate import FILE, write_certificate
from ablation.records.store import DIAGNOSTICS, PREDICTIONS, RECORD, WEIGHTS, Store
from ablation.study.schema import Data
from ablation.support.files import write_whole
from ablation.support.locks import hold
from ablation.support.seals import damaged_files, write_seal

KEY, OTHER = "ab" * 16, "cd" * 16
FILES = {PREDICTIONS: b"bits" * 20, WEIGHTS: b"weights" * 100, DIAGNOSTICS: b'{"epoch": [1]}'}
DATA = [f"{part}_{what}.npy" for part in ("train", "validation", "test") for what in ("images", "labels", "positions")]
OUTPUT = ["runs.parquet", "report.html", "data.json"]


@pytest.fixture
def results(tmp_path):
    """The results of a study of two records, one of which another study has, too."""
    results, place = tmp_path / "results", tmp_path / "results/study"
    store = Store(results / "store")
    for key in (KEY, OTHER):
        store.write(key, {"status": "completed", "metrics": {"train_loss": 0.5}}, FILES)
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    source = Images(images, np.arange(40) % 2, None, ("a", "b"), "made up")
    arrays, manifest = datasets.arrange(source, Data(name="digits").model_dump())
    datasets.write(results / "data/digits", arrays, manifest, source)
    (place / "shards/lenet").mkdir(parents=True)
    (place / "seals").mkdir()
    run = {"seed": 0, "key": KEY, "status": "completed"}
    (place / "shards/lenet/0.json").write_text(json.dumps({"runs": [{"variant": "lenet", **run}]}))
    for name in OUTPUT:
        (place / name).write_text(json.dumps({"digest": manifest["digest"], "name": name}))
    write_seal(place / "seals/all.json", [place / name for name in OUTPUT])
    write_certificate(place / FILE, dict.fromkeys(("study", "date", "revision", "environment", "sample", "runs"), ""))
    with store.lock("ef" * 16) as running:
        running.write_state(lambda file: torch.save({"weights": torch.arange(1000.0)}, file))
    return results


def flip(path, share=0.5):
    """Change one bit of a file and nothing else that a system call shows."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[min(int(share * len(content)), len(content) - 1)] ^= 4
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def scrub(results, *options):
    entry.run(["scrub", "--results", str(results), *options])


def found(results, capsys, *options):
    """Return what a scrub that finds damage says, a line each."""
    with pytest.raises(SystemExit) as ended:
        scrub(results, *options)
    assert ended.value.code == 1
    return capsys.readouterr().out.splitlines()


def contents(results):
    return {
        path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file() and "locks" not in path.parts
    }


def test_what_is_whole_is_said_to_be_and_stays_as_it_is(results, capsys):
    before = contents(results)
    scrub(results)
    assert capsys.readouterr().out == "2 records, 1 folder of data and the output of 1 study: nothing damaged\n"
    scrub(results, "study")
    assert capsys.readouterr().out == "1 record, 1 folder of data and the output of 1 study: nothing damaged\n"
    assert contents(results) == before


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
@pytest.mark.parametrize("name", [RECORD, *FILES])
def test_a_lost_bit_of_a_record_is_found_and_the_record_set_aside(results, name, share, capsys):
    store = Store(results / "store")
    flip(store.folder(KEY) / name, share)
    said, *_, last = found(results, capsys, "--report-only")
    assert KEY in said
    assert said.endswith("left as it is")
    assert last.endswith("1 damaged")
    assert store.folder(KEY).exists()
    said = found(results, capsys)[0]
    assert name in said
    assert said.endswith("the next start trains it again")
    assert not store.is_whole(KEY)
    assert [path.name.split("-")[0] for path in (store.root / ".damaged").iterdir()] == [KEY]
    assert store.is_whole(OTHER)
    scrub(results)


@pytest.mark.parametrize("share", [0.05, 0.5, 1])
@pytest.mark.parametrize("name", [*DATA, "split.csv", "manifest.json"])
def test_a_lost_bit_of_the_data_is_found_and_they_are_prepared_anew(results, name, share, capsys):
    folder = results / "data/digits"
    flip(folder / name, share)
    assert "data/digits" in found(results, capsys, "--report-only")[0]
    said = found(results, capsys)
    assert (name if name in DATA else "data/digits") in said[0]
    assert len(said) == 2
    assert manifests.stated_digest(folder) is None, "the next start sees it"


def test_data_of_a_manifest_without_digests_are_looked_at_as_a_whole(results, capsys, monkeypatch):
    folder = results / "data/digits"
    content = json.loads((folder / "manifest.json").read_bytes())
    del content["files"], content["certificate"]
    content["certificate"] = manifests.digest(content)
    (folder / "manifest.json").write_text(json.dumps(content))
    scrub(results)
    capsys.readouterr()
    flip(folder / "test_images.npy", 1)
    assert "its arrays" in found(results, capsys)[0]


@pytest.mark.parametrize("name", [*OUTPUT, "seals/all.json"])
def test_a_lost_bit_of_the_output_is_found_and_seen_by_the_next_start(results, name, capsys):
    path, seal = results / "study" / name, results / "study/seals/all.json"
    flip(path)
    if path != seal:
        assert damaged_files(seal) == [], "its time says nothing"
    assert found(results, capsys, "--report-only")[0] == f"{path}: missing or damaged; left as it is"
    assert found(results, capsys)[0] == f"{path}: missing or damaged; the next start writes it again"
    assert damaged_files(seal) == [path]


def test_a_lost_bit_of_the_certificate_is_found(results, capsys):
    path = results / "study" / FILE
    flip(path)
    assert found(results, capsys)[0] == f"{path}: damaged; set aside as {path.with_name(f'damaged-{FILE}')}"
    scrub(results)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_lost_bit_of_a_saved_state_is_found_unless_its_run_is_in_training(results, share, capsys):
    store = Store(results / "store")
    (path,) = store.root.glob(".running/*/state.pt")
    flip(path, share)
    with hold(store.root / ".running/locks" / path.parent.name, what="the run"):
        scrub(results)
    assert found(results, capsys)[-2] == f"{path}: damaged; deleted; the run starts anew"
    assert not path.exists()


def test_a_record_that_is_named_and_gone_is_said(results, capsys):
    Store(results / "store").remove(KEY)
    assert "is named by its study and is not there" in found(results, capsys, "study")[0]


def test_a_damaged_record_whose_run_is_in_training_is_left_to_it(results, capsys):
    store = Store(results / "store")
    flip(store.folder(KEY) / WEIGHTS)
    with hold(store.root / ".running/locks" / KEY, what=f"run {KEY}"):
        assert "left as it is: run" in found(results, capsys)[0]
    assert store.folder(KEY).exists()


def test_a_record_of_a_newer_version_is_said_and_is_no_damage(results, capsys):
    store = Store(results / "store")
    content = json.loads((store.folder(KEY) / RECORD).read_bytes())
    del content["seal"]
    with write_whole(store.folder(KEY) / RECORD) as file:
        content["format"] = 99
        file.write(json.dumps({**content, "seal": manifests.digest(content)}).encode())
    scrub(results)
    assert "a newer version of this program wrote it" in capsys.readouterr().out


def test_no_store_is_said(tmp_path):
    with pytest.raises(SystemExit, match="found no store"):
        scrub(tmp_path / "nothing")


def test_a_thousand_records_take_seconds(tmp_path):
    store = Store(tmp_path / "store")
    curves = [{"epoch": epoch, "train_loss": 0.1, "validation_loss": 0.2} for epoch in range(50)]
    for number in range(100):
        store.write(f"{number:032x}", {"status": "completed", "curves": curves}, FILES)
    begin = time.monotonic()
    scrub(tmp_path)
    assert time.monotonic() - begin < 6
