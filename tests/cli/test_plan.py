"""The variants of a study, measured before anything is trained."""

import json

import pytest
from broken import LATE

from ablation.cli.entry import run
from ablation.study.studyfile import read_study

STUDY = """\
title: A title
question: A question?
data: {name: digits}
recipe: {epochs: 2, batch_size: 64, lr: 0.1}
architectures:
  large: {builder: vgg, baseline: {width: 4, hidden: 16, depth: 13}}
  small: {builder: vgg, baseline: {width: 4, hidden: 16}}
grid:
  - {architectures: [large], factors: {warm_start: [small]}}
seeds: 2
"""


@pytest.fixture
def plan(tmp_path):
    """Write the variants of a study of this text, and return their table."""

    def plan(text):
        study = tmp_path / "mine.yaml"
        study.write_text(text)
        frozen, manifest, table = (tmp_path / name for name in ("mine.json", "manifest.json", "variants.csv"))
        frozen.write_text(read_study(study).frozen())
        manifest.write_text(json.dumps({"shape": [1, 32, 32], "classes": list("0123456789"), "counts": {"train": 10}}))
        written = ["--variants", str(table), "--unmeasured", str(tmp_path / "unmeasured.json")]
        run(["plan", "--study", str(frozen), "--manifest", str(manifest), *written])
        return table.read_text()

    return plan


def test_every_variant_has_its_row(plan):
    assert [line.split(",")[0] for line in plan(STUDY).splitlines()] == [
        "variant",
        "large",
        "large-warm_start.small",
        "small",
    ]


def test_a_warm_start_from_a_network_without_a_kernel_in_common_is_refused_before_it_is_trained(plan, tmp_path):
    # What the two have in common are the biases of the classifier, one for each class.
    with pytest.raises(
        SystemExit, match=r"mine: large-warm_start\.small cannot start from the weights of small: no kernel"
    ):
        plan(STUDY.replace("width: 4, hidden: 16}", "width: 5, hidden: 17}"))
    assert not (tmp_path / "variants.csv").exists()


@pytest.mark.parametrize("source_first", [False, True])
def test_a_source_that_cannot_be_built_costs_no_other_run(plan, tmp_path, source_first):
    (tmp_path / "parts.py").write_text(LATE)
    large, small = (line for line in STUDY.splitlines(keepends=True) if "builder: vgg" in line)
    text = STUDY.replace(large + small, small + large) if source_first else STUDY
    text = text.replace("width: 4, hidden: 16}", "width: 4, hidden: 16, norm: late}")
    rows = dict(line.split(",", 1) for line in plan(f"{text}parts: [parts.py]\n").splitlines())
    assert set(rows) == {"variant", "large", "large-warm_start.small", "small"}
    assert list(json.loads((tmp_path / "unmeasured.json").read_text())) == ["small"]
