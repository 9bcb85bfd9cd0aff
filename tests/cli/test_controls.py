"""Controls of equal size on the command line: what is said of their sizes, and what the table of variants shows."""

import json

import pandas as pd
import pytest

from ablation.cli import entry
from ablation.study.studyfile import read_frozen, read_study

STUDY = """\
title: A title
question: A question?
data: {name: digits}
recipe: {epochs: 2, batch_size: 64, lr: 0.1}
architectures:
  lenet: {}
  vgg11: {builder: vgg, baseline: {width: 4, hidden: 16}}
grid:
  - {architectures: [vgg11], factors: {depth: [19]}, match: parameters}
seeds: 2
smallest_effect: 0.01
claims:
  smaller:
    {statement: s, source: t, factor: architecture, level: lenet, against: vgg11, match: parameters, by: hidden,
     metric: test_accuracy, direction: greater}
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "mine.yaml").write_text(STUDY)
    (tmp_path / "stated.json").write_text(read_study(tmp_path / "mine.yaml").frozen())
    manifest = {"shape": [1, 8, 8], "classes": list(range(10)), "counts": {"train": 1000}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    def run(verb, **options):
        words = [word for name, file in options.items() for word in (f"--{name}", str(tmp_path / file))]
        entry.run([verb, "--manifest", str(tmp_path / "manifest.json"), *words])

    return run


def test_the_start_and_the_table_say_how_large_controls_are(run, tmp_path, capsys):
    run("controls", study="stated.json", kept="kept.json", answers="answers.json", settled="settled.json")
    said = capsys.readouterr().out.splitlines()
    plan = read_frozen(tmp_path / "settled.json")
    run("plan", study="settled.json", variants="variants.csv", unmeasured="unmeasured.json")
    table = pd.read_csv(tmp_path / "variants.csv").set_index("variant")
    assert said[0] == "mine: 2 controls of equal size"
    assert len(said) == 1 + len(plan.matched) == 3
    for sentence, contrast in zip(said[1:], plan.matched, strict=True):
        row, wanted = table.loc[contrast.reference], table.loc[contrast.variant, "parameters"]
        assert (row["control_of"], row["size_ratio"]) == (contrast.variant, row["parameters"] / wanted)
        off = f"({100 * (row['size_ratio'] - 1):+.1f} %)"
        assert sentence.startswith(f"{contrast.variant} has {wanted:,} parameters; its control {contrast.reference}, ")
        assert sentence.endswith(f"{row['parameters']:,}: the size was not reached {off}") == ("lenet" in sentence)
        assert sentence.endswith(off)
    assert table.loc[["lenet", "vgg11", "vgg11-depth.19"], ["control_of", "size_ratio"]].isna().to_numpy().all()


def test_a_network_that_would_say_nothing_is_refused_in_a_sentence(run, tmp_path):
    text = STUDY.replace("lenet: {}", "lenet: {baseline: {hidden: 1, norm: layer}}").split("claims:")[0]
    (tmp_path / "mine.yaml").write_text(text.replace(", match: parameters", ""))
    (tmp_path / "stated.json").write_text(read_study(tmp_path / "mine.yaml").frozen())
    with pytest.raises(SystemExit, match=r"lenet \(width 6, hidden 1, .*\): found a GroupNorm of 1 group"):
        run("plan", study="stated.json", variants="variants.csv", unmeasured="unmeasured.json")
