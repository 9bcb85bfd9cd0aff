"""The table of accuracies by class."""

from pathlib import Path

import pytest
from invented import MANIFEST, invented_classes, invented_runs, invented_tables

from ablation.report.byclass import COLUMNS, DARKEST, class_table
from ablation.report.page import write_report
from ablation.study.studyfile import read_study


@pytest.fixture(scope="module")
def plan():
    return read_study(Path(__file__).parents[2] / "config/studies/miniature.yaml")


def test_it_has_the_mean_over_seeds_of_each_class(plan):
    runs = invented_runs(plan)
    classes = invented_classes(runs[runs["status"] != "diverged"])
    table = class_table(plan, classes, runs)
    assert (table.classes, table.left_out) == (["class 0", "class 1", "class 2"], 0)
    assert list(table.rows) == list(plan.variants)
    own = classes[(classes["variant"] == "lenet") & (classes["class"] == "class 1")]["accuracy"].mean()
    assert table.rows["lenet"][1].text == f"{100 * own:.2f}"
    assert table.rows["lenet"][1].shade == pytest.approx(DARKEST * (1 - own), abs=1e-3)
    assert list(table.counts.values())[:2] == [(3, 0, 0), (2, 1, 2)], "one that diverged predicts nothing"
    shades = [cell.shade for cell in table.rows["lenet"]]
    assert shades == sorted(shades, reverse=True), "the worse, the darker"


def test_of_many_classes_it_shows_the_worst(plan):
    table = class_table(plan, invented_classes(invented_runs(plan), 100), invented_runs(plan))
    assert (table.classes, table.left_out) == ([f"class {place}" for place in range(COLUMNS)], 100 - COLUMNS)


def test_a_variant_without_a_value_has_dashes_and_a_study_without_any_has_no_table(plan):
    runs = invented_runs(plan)
    classes = invented_classes(runs)
    table = class_table(plan, classes[classes["variant"] != "lenet"], runs)
    assert {cell.text for cell in table.rows["lenet"]} == {"–"}
    assert class_table(plan, classes[:0], runs) is None


def test_it_is_on_the_page(plan):
    page = write_report(invented_tables(plan), MANIFEST, {})
    assert "<summary>Test accuracy by class (%), mean over seeds</summary>" in page
    runs = invented_runs(plan)
    page = write_report(invented_tables(plan, classes=invented_classes(runs, 100)), MANIFEST, {})
    assert f"the {COLUMNS} classes with the lowest, of 100</summary>" in page
    assert "Test accuracy by class" not in write_report(
        invented_tables(plan, classes=invented_classes(runs)[:0]), MANIFEST, {}
    )
