"""The threads of a training are those that are stated, whatever cores Snakemake has; a mixture is said at every end."""

import pandas as pd
import pytest
from workspace import RUNS, STUDY

from ablation.records.store import Store


def test_threads_are_as_stated_on_fewer_cores(workspace):
    workspace.edit(STUDY, "seeds: 2", "seeds: 3")
    output = workspace.run("--dry-run", "--printshellcmds", "--quiet", "host", "--cores", "1", threads=2)
    assert (
        "each training computes with 2 processor threads, as the setting threads says, and not as --cores 1" in output
    )
    assert output.count("--threads 2 ") == 5, "one shard of each variant"


@pytest.mark.ways
def test_a_mixture_is_said_by_every_start_and_in_the_report(workspace):
    store, key = Store(workspace.path / "results/store"), pd.read_parquet(workspace.path / RUNS)["key"][0]
    record = store.read(key)
    files = {name: (store.folder(key) / name).read_bytes() for name in record["files"]}
    store.remove(key)
    store.write(key, {**record, "environment": {**record["environment"], "threads": 2}}, files)
    (workspace.path / RUNS).unlink()
    said = "The runs mix thread counts (1: 9, 2: 1): the same spec may give other bits on each."
    for output in (workspace.run(), workspace.run()):
        assert output.splitlines()[-1] == said
    assert "Nothing to be done" in output
    assert said in (workspace.path / "results/miniature/report.html").read_text()
