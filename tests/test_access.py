"""What a study left behind, from Python: the example of the README, and what is not there."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from specs import make_shard

import ablation
from ablation.analysis.collection import collect
from ablation.data import datasets
from ablation.jobs.lookup import NotThereError
from ablation.jobs.results import shard_result
from ablation.jobs.training import origin, write_record
from ablation.records.keys import run_key
from ablation.records.store import NoWeightsError, Store
from ablation.study.studyfile import read_study
from ablation.training.evaluation import put_on_device
from ablation.training.run import Run

ROOT = Path(__file__).parents[1]
VARIANT = "vgg-norm.none"


ERROR = {"type": "ValueError", "message": "no good", "where": "", "traceback": "", "time": 1.7e9}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, digits, parts):
    """A folder of results with one trained run of the default study, and a second one that failed."""
    folder = tmp_path_factory.mktemp("access")
    results, store = folder / "results", Store(folder / "results/store")
    plan, (arrays, manifest) = read_study(ROOT / "config/studies/digits.yaml"), digits
    spec = plan.spec(VARIANT, 0)
    spec["recipe"]["epochs"] = 1
    run = Run(spec, parts | {"test": full_test(arrays, manifest)}, 10)
    run.epoch()
    specs = [spec, {**spec, "seed": 1}]
    keys = [run_key(one, manifest["digest"]) for one in specs]
    made = origin(VARIANT, spec, manifest, torch.device("cpu"))
    write_record(store, keys[0], made, len(manifest["classes"]), run.result(keep_logits=True))
    record = store.read(keys[0])
    failed = {name: record[name] for name in ("variant", "spec", "data", "timings", "environment")}
    store.write(keys[1], {**failed, "seed": 1, "status": "failed", "error": ERROR, "metrics": {}, "curves": []}, {})
    datasets.write(results / "data/digits-0", arrays, manifest)
    study = results / "digits"
    (study / f"shards/{VARIANT}").mkdir(parents=True)
    (study / "start").mkdir()
    shard = shard_result(make_shard(*specs, variant=VARIANT), keys, map(store.read, keys))
    for path, content in (
        ("data.json", manifest),
        (f"shards/{VARIANT}/0.json", shard),
        ("start/outline.json", {"variants": list(plan.variants)}),
    ):
        (study / path).write_text(json.dumps(content))
    sizes = {VARIANT: {"parameters": 1, "multiply_adds": 2}}
    tables = collect(plan, store, [(VARIANT, key) for key in keys], sizes, manifest["classes"])
    for name in ("runs", "curves", "diagnostics", "classes"):
        getattr(tables, name).to_parquet(study / f"{name}.parquet")
    return folder, run.network.eval()


def full_test(arrays, manifest):
    return put_on_device(arrays, manifest, torch.device("cpu"), ["test"])["test"]


@pytest.fixture
def place(finished, tmp_path, monkeypatch):
    """A copy of it, as the working directory."""
    shutil.copytree(finished[0], tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def readme_example():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(r"```python\n(import ablation\n.*?)```", text, re.DOTALL)[1]


def test_the_example_of_the_readme_runs(place, finished):
    names = {}
    exec(readme_example(), names)
    with torch.no_grad():
        # Trained in another layout of memory, which rounds otherwise.
        assert torch.allclose(names["network"](names["images"][:1]), finished[1](names["images"][:1]), atol=1e-5)
    assert not names["network"].training


def test_what_the_network_says_of_the_images_is_what_was_recorded(place):
    network, (images, labels) = ablation.load("digits", VARIANT, seed=0), ablation.images("digits")
    results = ablation.results("digits")
    table = results.predictions
    with torch.no_grad():
        logits = network(images)
    assert table["seed"].unique().tolist() == [0], "a failed run has none"
    assert table["labels"].tolist() == labels.tolist()
    assert table["predicted"].tolist() == logits.argmax(1).tolist()
    recorded = torch.tensor(results.predictions_of(VARIANT, 0).logits).float()
    assert torch.allclose(recorded, logits - logits.amax(1, keepdim=True), atol=0.05)
    run = results.runs.set_index("seed").loc[0]
    assert run["test_accuracy"] == (table["rank"] == 0).mean()
    assert Path(run["record"], "record.json").is_file()
    assert len(results.classes) == 10
    assert results.predictions_of(VARIANT, 1) is None


def test_every_part_of_the_data_is_there(place, parts):
    for part, expected in parts.items():
        images, labels = ablation.images("digits", part)
        assert torch.equal(images[:200], expected.images)
        assert torch.equal(labels[:200], expected.labels)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: ablation.load("digit", VARIANT),
            "study: found 'digit', expected one with results in results: digits; did you",
        ),
        (lambda: ablation.load("", VARIANT), "study: found '', expected one with results"),
        (
            lambda: ablation.load("digits", "vgg-norm.non"),
            "variant: found 'vgg-norm.non', expected a variant of digits: ",
        ),
        (lambda: ablation.load("digits", "vgg-norm.non"), "; did you mean 'vgg-norm.none'?"),
        (lambda: ablation.load("digits", "vgg"), "vgg of digits is not trained yet: start the study"),
        (lambda: ablation.load("digits", VARIANT, seed=7), "seed: found 7, expected one that is trained: 0, 1"),
        (
            lambda: ablation.images("digits", "tests"),
            "part: found 'tests', expected a part of the data: train, validation, test; did you",
        ),
        (lambda: ablation.results("other"), "study: found 'other', expected one with results in results: digits"),
        (lambda: ablation.results("digits").predictions_of("vgg"), "run: found 'vgg, seed 0', expected one of: vgg"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(place, ask, said):
    with pytest.raises(NotThereError) as caught:
        ask()
    assert said in str(caught.value)


def test_what_went_missing_is_said(place):
    with pytest.raises(NoWeightsError, match=r"vgg-norm.none, seed 1: found no weights: the run ended as failed"):
        ablation.load("digits", VARIANT, seed=1)
    (place / "results/digits/curves.parquet").unlink()
    with pytest.raises(NotThereError, match=r"curves.parquet: found no such table: digits has not come so far"):
        ablation.results("digits")
    shutil.rmtree(place / "results/data")
    with pytest.raises(NotThereError, match=r"found no data of the digest .*: start digits again"):
        ablation.images("digits")
    shutil.rmtree(place / "results/store")
    with pytest.raises(NotThereError, match=r"its record .* is gone: start digits again"):
        ablation.load("digits", VARIANT)
    (place / f"results/digits/shards/{VARIANT}/0.json").write_text("{")
    with pytest.raises(NotThereError, match=r"0.json: cannot be read"):
        ablation.load("digits", VARIANT)


def test_loading_a_network_draws_nothing(place):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    ablation.load("digits", VARIANT)
    assert torch.equal(torch.rand(1), expected)


def test_importing_the_package_is_cheap():
    """It is imported by Snakemake, where torch and pandas may be missing."""
    code = "import sys, ablation; print(sorted({'torch', 'numpy', 'pandas', 'pydantic', 'yaml'} & set(sys.modules)))"
    environment = {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert {"load", "images", "results"} <= set(dir(ablation))
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        ablation.lode  # noqa: B018
