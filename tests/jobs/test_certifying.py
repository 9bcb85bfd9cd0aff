"""A sample of runs is trained again: what is equal, what differs, and what cannot be told."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from specs import make_shard, make_spec, prepared_digits

from ablation.catalogue.factors import Level
from ablation.cli import certify, entry
from ablation.data import datasets
from ablation.jobs import certifying
from ablation.jobs.certifying import choose
from ablation.jobs.training import train_missing
from ablation.records.certificate import (
    CONSISTENT,
    DIFFERENT,
    EQUAL,
    FILE,
    UNJUDGED,
    CertificateError,
    read_certificate,
    said,
    write_certificate,
)
from ablation.records.comparison import compare
from ablation.records.keys import run_key
from ablation.records.runs import read_run
from ablation.records.store import WEIGHTS, Store

OWN = """
from torch import nn


class Unmade(nn.Module):
    def __init__(self, *arguments):
        raise KeyError("channels")
"""
RECIPE = {"epochs": 2, "batch_size": 32}


class StopNever:
    asked = ""

    def postponed(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The results of a study of four variants: sound, one that starts from another's weights, diverged, and failed."""
    results = tmp_path_factory.mktemp("results")
    (results / "own.py").write_text(OWN)
    arrays, manifest = prepared_digits()
    arrays = {name: array[:96] for name, array in arrays.items()}
    manifest = {**manifest, "digest": datasets.data_digest(arrays, manifest)}
    datasets.write(results / "data/digits", arrays, manifest)
    arrays, manifest = datasets.read(results / "data/digits")  # as a job has them: strides change bits, too
    sound = [make_spec(seed=seed, recipe=RECIPE, activation="relu") for seed in (0, 1, 2)]
    wild = make_spec(recipe={**RECIPE, "lr": 1e5}, activation="relu")
    broken = make_spec(recipe=RECIPE)
    broken["architecture"]["layers"]["norm"] = {"level": "own", **Level(f"{results}/own.py:Unmade", "").spec()}
    warm = {**make_spec(seed=0, recipe={**RECIPE, "lr": 0.01}, activation="relu"), "warm_start": sound[0]}
    variants = {"lenet": sound, "lenet-warm": [warm], "lenet-lr.wild": [wild], "vgg-norm.own": [broken]}
    for variant, specs in variants.items():
        keys = [run_key(spec, manifest["digest"]) for spec in specs]
        store, shard = Store(results / "store"), make_shard(*specs, variant=variant)
        train_missing(shard, keys, arrays, manifest, store, StopNever(), False)
        rows = [{"seed": spec["seed"], "key": key} for spec, key in zip(specs, keys, strict=True)]
        path = results / f"study/shards/{variant}/0.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"runs": [{"variant": variant, **row} for row in rows]}))
    (results / "study/data.json").write_text(json.dumps(manifest))
    return results


@pytest.fixture
def study(trained, tmp_path, monkeypatch):
    """The results, in a folder that a test may change."""
    shutil.copytree(trained, tmp_path / "results")
    monkeypatch.setattr(certify, "Stop", StopNever)
    return tmp_path / "results"


def run(results, *options):
    entry.run(["certify", "study", "--results", str(results), *options])
    return read_certificate(results / "study" / FILE)


def change(results, variant, edit):
    """Write the first record of a variant anew after an edit of its content, sealed as if it had been trained so."""
    run = json.loads((results / f"study/shards/{variant}/0.json").read_text())["runs"][0]
    store, key = Store(results / "store"), run["key"]
    record = store.read(key)
    files = {name: (store.folder(key) / name).read_bytes() for name in record["files"]}
    edit(record, files)
    store.remove(key)
    store.write(key, {name: value for name, value in record.items() if name not in ("format", "files", "key")}, files)


def test_runs_of_every_kind_come_out_bitwise_equal_again(study, capsys):
    before = {path: path.stat().st_mtime_ns for path in (study / "store").rglob("*")}
    certificate = run(study, "--sample", "9")
    assert {(row["variant"], row["status"]) for row in certificate["runs"]} >= {
        ("lenet-lr.wild", "diverged"),
        ("vgg-norm.own", "failed"),
    }
    assert [row["outcome"] for row in certificate["runs"]] == [EQUAL] * 6
    assert certificate["environment"]["torch"]
    assert certificate["sample"] == {"asked": 9, "seed": 0, "of": 6}
    assert "study: 6 bitwise equal" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (study / "store").rglob("*")} == before
    assert [path.name for path in (study / "study/certify").iterdir()] == ["lock"]


def another_second_epoch(record, files):
    record["curves"][1]["train_loss"] += 1e-12


def another_weight(record, files):
    files[WEIGHTS] = files[WEIGHTS][:-1] + bytes([files[WEIGHTS][-1] ^ 1])


def another_error(record, files):
    record["error"]["type"] = "ValueError"


def divergence_an_epoch_later(record, files):
    record["curves"].append({**record["curves"][-1], "epoch": 2})


@pytest.mark.parametrize(
    ("variant", "edit", "epoch", "why"),
    [
        ("lenet", another_second_epoch, 2, "from epoch 2 on: curves"),
        ("lenet-lr.wild", another_weight, None, "after equal curves: weights"),
        ("vgg-norm.own", another_error, None, "error (ValueError, now KeyError)"),
        ("lenet-lr.wild", divergence_an_epoch_later, 2, "from epoch 2 on: curves"),
    ],
)
def test_what_is_different_on_the_same_machine_is_said_with_its_first_epoch_and_fails(
    study, variant, edit, epoch, why, capsys
):
    change(study, variant, edit)
    with pytest.raises(SystemExit) as ended:
        run(study, "--sample", "9")
    assert ended.value.code == 1
    (row,) = [row for row in read_certificate(study / "study" / FILE)["runs"] if row["outcome"] != EQUAL]
    assert (row["variant"], row["outcome"], row["epoch"]) == (variant, DIFFERENT, epoch)
    assert why in row["why"]
    assert f"different: {row['why']}" in capsys.readouterr().out


def test_freed_weights_are_not_compared_and_that_is_said(study):
    store = Store(study / "store")
    for path in study.glob("study/shards/lenet/*.json"):
        for row in json.loads(path.read_text())["runs"]:
            store.free_weights(row["key"])
    rows = {row["variant"]: row for row in run(study, "--sample", "9")["runs"]}
    assert rows["lenet-warm"]["outcome"] == UNJUDGED
    assert rows["lenet-warm"]["why"] == "the weights that it starts from were freed"
    assert rows["lenet"]["outcome"] == EQUAL
    assert rows["lenet"]["why"] == "predictions, curves; the weights were freed"


def test_a_run_of_another_code_is_refused_with_what_to_do(study, monkeypatch):
    monkeypatch.setattr(certifying, "run_key", lambda spec, data: "00")
    with pytest.raises(SystemExit, match=r"the code that trains it has changed .* start study again"):
        run(study)
    assert not (study / "study" / FILE).exists()


@pytest.fixture
def pair(trained):
    """Two equal trainings of a run as records, the store of both, and the records of its variant."""
    store = Store(trained / "store")
    rows = json.loads((trained / "study/shards/lenet/0.json").read_text())["runs"]
    peers = [read_run(store, row["key"]) for row in rows]
    return peers[0], replace(peers[0], content=copy.deepcopy(peers[0].content)), (store, store), peers


def elsewhere(again, **entries):
    again.content["environment"]["processor"] = "another"
    again.content["curves"][0]["train_loss"] += 1e-7
    again.content.update(entries)


def test_elsewhere_what_lies_within_rounding_and_spread_is_consistent(pair):
    one, again, stores, peers = pair
    elsewhere(again, first_loss=one.content["first_loss"] * (1 + 1e-6))
    found = compare(one, again, stores, peers)
    assert (found.outcome, found.epoch) == (CONSISTENT, 1)
    assert found.why.startswith(f"trained elsewhere (processor {one.content['environment']['processor']} and another)")
    assert "within 0.0001; test accuracy" in found.why
    assert "of 3 seeds" in found.why


def test_elsewhere_another_first_step_is_different(pair):
    one, again, stores, peers = pair
    elsewhere(again, first_loss=one.content["first_loss"] * 1.001)
    found = compare(one, again, stores, peers)
    assert found.outcome == DIFFERENT
    assert "is not" in found.why


def test_elsewhere_final_values_beyond_the_spread_are_different(pair):
    one, again, stores, peers = pair
    elsewhere(again)
    again.content["curves"][-1]["train_loss"] = 50.0
    found = compare(one, again, stores, peers)
    assert found.outcome == DIFFERENT
    assert "training loss 50 outside [" in found.why


def test_elsewhere_one_seed_is_not_judged(pair):
    one, again, stores, peers = pair
    elsewhere(again)
    assert compare(one, again, stores, peers[:1]).outcome == UNJUDGED


def test_elsewhere_divergence_is_different_unless_a_seed_of_the_variant_diverged(pair):
    one, again, stores, peers = pair
    elsewhere(again, status="diverged")
    assert compare(one, again, stores, peers).outcome == DIFFERENT
    wild = replace(peers[1], content={**peers[1].content, "status": "diverged"})
    assert compare(one, again, stores, [peers[0], wild]).outcome == CONSISTENT


def test_on_another_device_a_first_step_that_draws_there_is_not_compared(pair):
    one, again, stores, peers = pair
    elsewhere(again, first_loss=one.content["first_loss"] * 2)
    again.content["environment"]["device"] = "a GPU"
    assert compare(one, again, stores, peers).outcome == DIFFERENT
    one.content["spec"]["code"]["augmentation"] = [["flip", 1]]
    found = compare(one, again, stores, peers)
    assert found.outcome == CONSISTENT
    assert "draws other numbers on another device" in found.why


def test_the_sample_is_random_even_over_architectures_and_stays_when_runs_are_added():
    runs = {(variant, seed): "" for variant in ("lenet", "lenet-norm.batch", "vgg") for seed in range(5)}
    sample = choose(runs, 4, 0)
    assert len(set(sample)) == 4
    assert sorted(variant.partition("-")[0] for variant, _ in sample) == ["lenet", "lenet", "vgg", "vgg"]
    assert choose(runs, 4, 0) == sample
    assert any(choose(runs, 4, seed) != sample for seed in range(1, 5))
    assert len(choose(runs, 99, 0)) == 15
    more = choose({**runs, ("lenet", 5): ""}, 99, 0)
    assert [one for one in more if one != ("lenet", 5)][:1] == choose(runs, 99, 0)[:1]


def test_a_certificate_says_what_it_shows_and_that_it_was_changed(tmp_path):
    row = {"variant": "a", "seed": 0, "key": "k", "status": "completed", "outcome": EQUAL, "why": "", "epoch": None}
    rows = [row, {**row, "key": "l", "seed": 1, "outcome": DIFFERENT, "why": "from epoch 3 on: curves", "epoch": 3}]
    certificate = {
        **{"study": "s", "date": "2026-01-02T03:04:05+00:00", "revision": "abc"},
        "environment": {"device": "cpu", "processor": "P", "torch": "2"},
        "sample": {"asked": 3, "seed": 7, "of": 20},
        "runs": rows,
    }
    path = tmp_path / FILE
    write_certificate(path, certificate)
    assert read_certificate(path) == certificate
    first, second = said(certificate, {"k", "l"})
    assert first == (
        "2 runs of 20 trained again on 2026-01-02 (seed of the sample 7; revision abc; cpu, P, torch 2): "
        "1 bitwise equal, 1 different"
    )
    assert second == "a, seed 1: different: from epoch 3 on: curves"
    assert said(certificate, {"k"})[0].endswith("1 of them the study has no more")
    path.write_text(path.read_text().replace('"different"', '"bitwise equal"'))
    with pytest.raises(CertificateError, match=FILE):
        read_certificate(path)


def test_the_interval_of_two_seeds_is_wide():
    from ablation.statistics.estimates import prediction_interval

    low, high = prediction_interval([0.0, 1.0], 0.99)
    assert (low, high) == pytest.approx((0.5 - 55.13, 0.5 + 55.13), abs=0.01)  # 63.657 * 0.70711 * 1.22474
    assert np.isfinite(prediction_interval([1.0, 1.0], 0.99, least=0.1)).all()
