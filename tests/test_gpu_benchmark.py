"""The benchmark for GPUs, as far as a CPU can try it: every measurement runs, is kept, and stands in the table."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ablation.study.schema import Recipe

HERE = Path(__file__).resolve().parents[1] / "benchmarks/gpu"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(HERE))
    import run

    yield run
    sys.path.remove(str(HERE))
    for name in ("run", "cases", "measures", "page", "protocol", "pack"):
        sys.modules.pop(name, None)


def call(benchmark, out, *words):
    threads = torch.get_num_threads()
    benchmark.main(
        ["--device", "cpu", "--minutes", "2", "--seconds", "0.01", "--seeds", "1", "2", "--out", str(out), *words]
    )
    torch.set_num_threads(threads)
    return json.loads((out / "gpu.json").read_text())["found"]


def test_the_recipe_is_that_of_studies(benchmark):
    from cases import PUBLISHED, RECIPE

    for entries in (RECIPE, {**RECIPE, **PUBLISHED}):
        assert Recipe(**entries).model_dump() == entries


def test_speeds_are_measured_and_kept_and_go_on_where_they_were_left(benchmark, tmp_path, capsys):
    found = call(benchmark, tmp_path, "--only", "digits")
    assert list(found) == [f"speed/digits network, 8x8/{way}" for way in ("eager/1", "graph/1", "graph/2")]
    assert all(value["found"]["images_per_second"] > 0 and not value["found"]["refused"] for value in found.values())
    page = (tmp_path / "gpu.md").read_text()
    assert "| graph | 2 |" in page
    capsys.readouterr()
    assert call(benchmark, tmp_path, "--only", "digits") == found
    assert capsys.readouterr().out == ""
    assert call(benchmark, tmp_path, "--only", "digits", "--again", "graph/2") != found
    call(benchmark, tmp_path, "--only", "digits", "--again", "digits", "--minutes", "0")
    assert "call it again for the rest" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["LeNet, max pooling, Adam", "VGG, dropout", "ResNet-20, every augmentation"])
def test_bits_are_compared(benchmark, tmp_path, name):
    (found,) = call(benchmark, tmp_path, "--only", f"bits/{name}").values()
    ways = {way: found["found"][way] for way in ("again", "resumed", "captured", "side_by_side")}
    assert ways == dict.fromkeys(ways, True)
    assert bool(found["found"]["refused"]) == (name == "VGG, dropout")
    assert "| same | same | same | same |" in (tmp_path / "gpu.md").read_text()


def test_a_measurement_that_fails_is_kept_and_the_others_go_on(benchmark, tmp_path, monkeypatch):
    works, measured = "LeNet, max pooling, Adam", benchmark.measures.determinism
    monkeypatch.setattr(
        benchmark.measures, "determinism", lambda device, name: measured(device, name) if name == works else 1 // 0
    )
    found = call(benchmark, tmp_path, "--only", "bits/")
    assert found["bits/NiN"]["error"].startswith("ZeroDivisionError")
    assert {name for name, value in found.items() if "found" in value} == {f"bits/{works}"}
    assert len(found) > 5
    assert "- bits/NiN: ZeroDivisionError" in (tmp_path / "gpu.md").read_text()


def test_the_protocol_goes_on_from_its_states_with_data_in_pieces(benchmark, tmp_path, monkeypatch):
    import protocol
    from pack import pack
    from protocol import read_data

    folder, draw = tmp_path / "data", np.random.default_rng(0)
    folder.mkdir()
    arrays = {}
    for part, count in (("train", 20), ("validation", 4), ("test", 6)):
        arrays[f"{part}_images"] = draw.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        arrays[f"{part}_labels"] = draw.integers(0, 10, count)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    manifest = {
        "mean": [0.5] * 3,
        "std": [0.2] * 3,
        "classes": [str(n) for n in range(10)],
        "data": {"standardised": True},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert pack(folder, tmp_path / "pieces", 0.03) == 4
    read, same = read_data(tmp_path / "pieces")
    assert same == manifest
    assert all(np.array_equal(read[name], array) for name, array in arrays.items())
    words = ("--only", "protocol", "--protocol-seeds", "1", "--data", str(tmp_path / "pieces"))
    # A clock that goes on whenever it is asked.
    monkeypatch.setattr(benchmark.time, "monotonic", lambda: 0.0)
    end = 120.0
    monkeypatch.setattr(protocol, "time", SimpleNamespace(monotonic=itertools.count(end - 20).__next__))
    (first,) = call(benchmark, tmp_path, *words).values()
    monkeypatch.setattr(protocol, "time", SimpleNamespace(monotonic=itertools.count(end - 20).__next__))
    (second,) = call(benchmark, tmp_path, *words).values()
    for label in ("ResNet-20, seed 0", "plain-20, seed 0"):
        assert 0 < first["found"][label]["epochs"] < second["found"][label]["epochs"] < 182
    assert "| ResNet-20, seed 0 |" in (tmp_path / "gpu.md").read_text()
    (tmp_path / "pieces/piece-000.npz").unlink()
    with pytest.raises(ValueError, match="found 3 pieces, expected 4"):
        read_data(tmp_path / "pieces")


def test_it_needs_torch_and_numpy_alone(tmp_path):
    missing = ("pydantic", "yaml", "snakemake", "mlflow", "safetensors", "pandas", "scipy", "sklearn", "matplotlib")
    words = ["run.py", "--device", "cpu", "--only", "bits/LeNet, max", "--out", str(tmp_path)]
    program = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({missing})); sys.argv = {words}; "
        f"runpy.run_path({str(HERE / 'run.py')!r}, run_name='__main__')"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"CUDA_VISIBLE_DEVICES": ""})
    assert "found" in json.loads((tmp_path / "gpu.json").read_text())["found"]["bits/LeNet, max pooling, Adam"]


def test_without_a_gpu_nothing_is_written(tmp_path):
    command = [sys.executable, HERE / "run.py", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env={"CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 1
    assert "torch finds no GPU" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_page_is_that_of_what_was_measured(benchmark, tmp_path):
    kept = HERE / "gpu.json"
    content = json.loads(kept.read_text()) if kept.exists() else {"machine": {}, "found": {}}
    benchmark.write_page(tmp_path / "gpu.md", content["machine"], content["found"])
    assert (tmp_path / "gpu.md").read_text() == (HERE / "gpu.md").read_text()
