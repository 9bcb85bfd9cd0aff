"""Runs that fail by themselves: the study ends with its report, and they are tried again only when that is asked for."""

import json
import re

import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient
from workspace import STUDY, Workspace, copy_project

PARTS = """
from pathlib import Path

import torch

AUGMENTATIONS = {"noise": {"make": "noise", "text": "Noise.", "example": 10}}
LEVELS = {"norm": {"late": {"make": "Late", "text": "A norm that needs a file.", "shifts": False}}}


class Late(torch.nn.Module):
    def __init__(self, channels, epsilon):
        super().__init__()
        self.gain = float(Path("gain.txt").read_text())

    def forward(self, x):
        return self.gain * x


def noise(images, amount, generator):
    if amount > 50 and not Path("gain.txt").exists():
        raise RuntimeError("found no gain.txt")
    return images + amount / 100 * torch.randn(images.shape, generator=generator, device=images.device)
"""


@pytest.fixture
def fragile(tmp_path):
    """A study of which two variants fail for want of a file, and a third by itself: a batch of one image."""
    workspace = Workspace(tmp_path / "project")
    copy_project(workspace.path)
    text = yaml.safe_load((workspace.path / STUDY).read_text())
    text |= {"parts": ["parts.py"], "data": {"name": "digits", "per_class": 20}, "claims": {}}
    text["recipe"] |= {"epochs": 2, "augmentation": "noise10"}
    text["architectures"] = {
        "lenet": {"baseline": {"activation": "relu"}},
        "vgg": {
            "builder": "vgg_plan",
            "baseline": {"plan": "3x1 3x1 3x1 3x1", "width": 4, "norm": "batch", "hidden": 8},
        },
    }
    text["grid"] = [
        {"architectures": ["lenet"], "factors": {"augmentation": ["noise90"], "norm": ["late"]}},
        {"architectures": ["vgg"], "factors": {"batch_size": [1]}},
    ]
    (workspace.path / "config/studies/fragile.yaml").write_text(yaml.safe_dump(text))
    (workspace.path / "config/studies/parts.py").write_text(PARTS)
    return workspace


def statuses(workspace):
    runs = pd.read_parquet(workspace.path / "results/fragile/runs.parquet")
    return runs.groupby("variant")["status"].agg(lambda found: " ".join(sorted(set(found)))).to_dict()


def trained(output):
    return len(re.findall("(completed|stuck|diverged) after", output))


def mirrored(workspace):
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace.path}/results/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("fragile").experiment_id])
    return {(run.data.tags["level"], run.data.tags.get("variant"), run.data.tags.get("seed")): run for run in runs}


FAILED = {"lenet-augmentation.noise90", "lenet-norm.late", "vgg-batch_size.1"}


@pytest.mark.ways
def test_failed_runs_end_in_a_report_and_are_tried_again_when_asked(fragile):
    output = fragile.run(study="fragile")
    results = fragile.path / "results/fragile"
    assert {variant for variant, status in statuses(fragile).items() if status == "failed"} == FAILED
    assert "RuntimeError: found no gain.txt" in output
    assert "6 runs of 10 failed by an error of their own" in output
    page = (results / "report.html").read_text()
    assert "<h3>Failed runs</h3>" in page
    assert "Expected more than 1 value per channel when training" in page
    log = fragile.path / "results/fragile/logs/train_shard/lenet-norm.late/0.log"
    assert str(log.relative_to(fragile.path)) in page
    assert "FileNotFoundError" in log.read_text()
    assert "It cannot be built: FileNotFoundError" in (results / "plan/layers/lenet-norm.late.md").read_text()
    assert mirrored(fragile)["run", "lenet-norm.late", "0"].info.status == "FAILED"

    before = fragile.records()
    again = fragile.run(study="fragile")
    assert "Nothing to be done" in again
    assert again.count("6 runs of 10 failed by an error of their own") == 1

    (fragile.path / "gain.txt").write_text("0.5")
    assert "Nothing to be done" in fragile.run(study="fragile")
    output = fragile.run(study="fragile", retry_failed="true")
    assert trained(output) == 4
    assert {variant for variant, status in statuses(fragile).items() if status == "failed"} == {"vgg-batch_size.1"}
    after = fragile.records()
    changed = {key for key in after if after[key] != before[key]}
    runs = pd.read_parquet(results / "runs.parquet").set_index("variant")
    assert changed == set(runs.loc[sorted(FAILED), "key"])
    assert runs.loc["lenet-norm.late", "parameters"].notna().all(), "it can be measured now"
    assert json.loads((results / "plan/unmeasured.json").read_text()) == {}
    found = mirrored(fragile)
    assert found["run", "lenet-norm.late", "0"].info.status == "FINISHED"
    assert found["run", "vgg-batch_size.1", "0"].info.status == "FAILED"
    assert "Nothing to be done" in fragile.run(study="fragile")


def test_what_failed_is_said_once_by_a_start_and_not_where_nothing_is_started(fragile):
    result = fragile.path / "results/fragile/shards/lenet/0.json"
    result.parent.mkdir(parents=True)
    result.write_text(json.dumps({"runs": [{"variant": "lenet", "seed": 0, "key": "ab" * 16, "status": "failed"}]}))
    said = {option: fragile.run(option, study="fragile") for option in ("--dry-run", "--summary")}
    counts = {option: output.count("1 run of 10 failed by an error of their own") for option, output in said.items()}
    assert counts == {"--dry-run": 1, "--summary": 0}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("from pathlib import Path\n", "import beside\n", r"beside\.py, line 2: cannot be read: "),
        (
            '"make": "Late"',
            '"make": "ablation.nonexistent:thing"',
            r"line \d+.*ablation\.nonexistent:thing: found no module",
        ),
    ],
    ids=["a module beside the parts", "a reference"],
)
def test_code_that_cannot_be_read_is_refused_in_a_sentence(fragile, old, new, said):
    (fragile.path / "config/studies/beside.py").write_text("x = 1\ndef (:\n")
    fragile.edit("config/studies/parts.py", old, new)
    fragile.edit("config/studies/parts.py", "float(", "float(beside.x or ")
    output = fragile.run("--dry-run", study="fragile", ok=False)
    assert re.search(said, output)
    assert "Traceback" not in output
