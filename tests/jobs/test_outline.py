"""What the workflow is told of a study."""

from pathlib import Path

import pytest

from ablation.jobs.cutting import Cut, cut
from ablation.jobs.outline import Outline
from ablation.report.figures.table import figures_of
from ablation.study.studyfile import read_study

STUDIES = sorted((Path(__file__).parents[2] / "config/studies").glob("*.yaml"))
CHAIN = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 1, batch_size: 64, lr: 0.1}
architectures:
  small: {builder: vgg, baseline: {width: 4, hidden: 16}}
  large: {builder: vgg, baseline: {depth: 13, width: 4, hidden: 16}}
grid:
  - {architectures: [small], factors: {depth: [16]}, match: parameters}
  - {architectures: [large], factors: {warm_start: [small-width.parameters_of_depth.16, small]}}
seeds: [3, 1, 2]
smallest_effect: 0.01
"""


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_an_outline_reads_as_it_was_written(path, tmp_path):
    plan = read_study(path)
    outline = Outline.of(plan, cut(plan, Cut(2), {}), figures_of(plan))
    (tmp_path / "outline.json").write_text(outline.text())
    assert Outline.read(tmp_path / "outline.json") == outline
    assert outline.variants == list(plan.variants)
    assert outline.runs == sum(len(seeds) for shard in outline.shards.values() for seeds in shard.values())


def test_a_run_waits_for_the_sizes_that_its_spec_or_its_start_leaves_open(tmp_path):
    (tmp_path / "chain.yaml").write_text(CHAIN)
    plan = read_study(tmp_path / "chain.yaml")
    outline = Outline.of(plan, cut(plan, Cut(2), {}), ["curves"])
    control = "small-width.parameters_of_depth.16"
    waiting = f"large-warm_start.{control.replace('-', '_')}"
    assert outline.variants == ["small", "small-depth.16", control, "large", waiting, "large-warm_start.small"]
    assert outline.shards == {f"{one}/{seeds[0]}": {one: seeds} for one in plan.variants for seeds in ([3, 1], [2])}
    assert outline.starts == {
        f"{one}/{seed}": [f"{source}/{seed}"]
        for one, source in ((waiting, control), ("large-warm_start.small", "small"))
        for seed in (3, 2)
    }
    assert plan.unsettled == [control, waiting]
    assert outline.controls == [f"{one}/{seed}" for one in plan.unsettled for seed in (3, 2)]
    assert outline.figures == ["curves"]
    assert outline.measures == {}
