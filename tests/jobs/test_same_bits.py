"""The bits of a run depend on its spec, the machine and the stated number of threads, and on nothing else of its job."""

import json
import os
import subprocess
import sys

import pytest
from specs import make_shard, make_spec, prepared_digits

from ablation.data import datasets
from ablation.records.keys import run_key
from ablation.records.store import Store

# All that a user, a site or Snakemake may have set for other programs.
HOSTILE = {
    "OMP_NUM_THREADS": "1",
    "OMP_DYNAMIC": "true",
    "OMP_THREAD_LIMIT": "1",
    "MKL_NUM_THREADS": "1",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "ATEN_CPU_CAPABILITY": "default",
}


@pytest.fixture
def train(tmp_path):
    """A function that trains seeds in a process and a store of their own and returns their records and what was said."""
    arrays, manifest = prepared_digits()
    arrays = {name: array[:96] for name, array in arrays.items()}
    manifest = {**manifest, "digest": datasets.data_digest(arrays, manifest)}
    datasets.write(tmp_path / "data", arrays, manifest)

    def train_in(name, *seeds, threads=2, **environment):
        folder = tmp_path / name
        folder.mkdir()
        runs = [make_spec(seed=seed, recipe={"epochs": 2, "batch_size": 32}, activation="relu") for seed in seeds]
        (folder / "spec.json").write_text(json.dumps(make_shard(*runs)))
        places = {"spec": "spec.json", "data": "../data", "store": "store", "result": "result.json"}
        options = [word for option, place in places.items() for word in (f"--{option}", str(folder / place))]
        done = subprocess.run(
            [sys.executable, "-m", "ablation", "train", *options, "--threads", str(threads)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            preexec_fn=(lambda: os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])) if environment else None,
        )
        assert done.returncode == 0, done.stderr
        store = Store(folder / "store")
        return {spec["seed"]: store.read(run_key(spec, manifest["digest"])) for spec in runs}, done.stderr

    return train_in


def bits(record):
    """Return what has to be equal: the digests of all files, and the curves without times."""
    timed = ("seconds", "time")
    return record["files"], [{k: v for k, v in row.items() if k not in timed} for row in record["curves"]]


def test_neither_the_environment_nor_the_free_cores_nor_earlier_runs_of_the_job_change_a_bit(train):
    alone, _ = train("alone", 0)
    among, said = train("among", 1, 0, **HOSTILE)
    assert bits(among[0]) == bits(alone[0])
    assert bits(among[1]) != bits(alone[0])
    assert [record["environment"]["threads"] for record in (alone[0], among[0])] == [2, 2]
    assert alone[0]["environment"]["instructions"] == among[0]["environment"]["instructions"]
    assert "ATEN_CPU_CAPABILITY, MKL_CBWR, OMP_DYNAMIC, OMP_THREAD_LIMIT, ONEDNN_MAX" in said
    assert "OMP_NUM_THREADS" not in said, "Snakemake sets it for every job"
