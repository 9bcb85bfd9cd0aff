"""Published numbers on the page of a study that has some."""

from pathlib import Path

import pytest
from invented import MANIFEST, invented_curves, invented_runs, invented_tables

from ablation.report.page import write_report
from ablation.report.published import comparison_rows, published_parts
from ablation.study.studyfile import read_study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study():
    plan = read_study(ROOT / "config/studies/d2l_lenet.yaml")
    runs = invented_runs(plan).assign(train_loss=1.0, validation_accuracy=0.5)
    return plan, runs, invented_curves(runs)


def test_they_stand_beside_ours_with_the_reasons_why_they_may_differ(study):
    plan, runs, curves = study
    parts = published_parts(plan, runs, curves)
    assert {row["variant"] for row in parts["rows"]} <= set(plan.variants)
    assert parts["rows"]
    assert {one["entry"] for one in parts["why"]} == {row["entry"] for row in parts["rows"]}
    assert all(one["lines"] and one["source"] for one in parts["why"])
    page = write_report(invented_tables(plan, runs=runs, curves=curves), MANIFEST, {})
    section = page.partition('<section id="published"')[2].partition("</section>")[0]
    for row in parts["rows"]:
        assert row["entry"] in section
        assert row["published"] in section
    assert section.count("Why numbers may differ") == len(parts["why"])


def test_a_study_without_any_has_no_rows(study):
    plan, runs, curves = study
    assert published_parts(plan, runs[:0], curves[:0])["rows"] == []
    assert comparison_rows([]) == []
