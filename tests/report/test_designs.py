"""Figures of claims about more than two variants, of sizes and of times."""

import claimed
import numpy as np
import pytest
from invented import failing, invented_tables

from ablation.report.figures import designs, times, tradeoffs
from ablation.report.figures.tradeoffs import pareto_front
from ablation.study.studyfile import read_study


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "gallery.yaml"
    path.write_text(claimed.STUDY)
    plan = read_study(path)
    runs = claimed.runs_of(plan)
    return invented_tables(plan, runs=runs, verdicts=claimed.invented_verdicts(plan, runs))


def mean(tables, variant):
    return 100 * tables.runs.loc[tables.runs["variant"] == variant, "test_accuracy"].mean()


def test_an_interaction_is_two_lines_between_the_means_of_its_cells(tables):
    (axis,) = designs.interactions(tables).axes
    normed, plain = [line for line in axis.lines if not line.get_label().startswith("_")]
    assert normed.get_label() == "norm batch (1 diverged, 2 stuck of 6)"
    assert plain.get_label() == "norm none"
    assert normed.get_ydata() == pytest.approx([mean(tables, claimed.BOTH), mean(tables, claimed.NORM)])
    assert plain.get_ydata() == pytest.approx([mean(tables, claimed.SIGMOID), mean(tables, claimed.BASE)])
    assert [text.get_text() for text in axis.get_xticklabels()] == ["sigmoid", "relu"]
    assert axis.get_title(loc="left") == "bn-frees: undecided"


def test_a_trend_has_its_levels_in_order_and_the_line_that_is_tested(tables):
    (axis,) = designs.trends(tables).axes
    assert [text.get_text() for text in axis.get_xticklabels()] == ["3", "6", "12", "24"]
    (line,) = [line for line in axis.lines if line.get_color() == designs.COLOURS[1]]
    (test,) = [test for _, test in designs.tests_of(tables, "trend")]
    ends = line.get_ydata()
    assert ends[-1] - ends[0] == pytest.approx(100 * test.effect)
    assert np.mean(ends) == pytest.approx(np.mean([mean(tables, variant) for variant in claimed.WIDTHS]))


@pytest.mark.parametrize(
    ("sizes", "values", "higher", "front"),
    [
        ([1, 2, 3], [1, 2, 3], True, [0, 1, 2]),
        ([1, 2, 3], [3, 2, 1], True, [0]),
        ([1, 2, 3], [3, 2, 1], False, [0, 1, 2]),
        ([2, 1, 1], [5, 4, 6], True, [2]),
        ([1, np.nan, 3], [1, 9, np.nan], True, [0]),
        ([], [], True, []),
    ],
)
def test_the_front_is_what_nothing_beats(sizes, values, higher, front):
    assert pareto_front(sizes, values, higher) == front


def test_no_point_is_beaten_by_one_of_the_front_that_it_is_not_on():
    rng = np.random.default_rng(0)
    sizes, values = rng.integers(1, 20, 60), rng.integers(1, 20, 60)
    front = pareto_front(list(sizes), list(values))
    for place in range(60):
        beaten = [
            (sizes[one] <= sizes[place] and values[one] > values[place])
            or (sizes[one] < sizes[place] and values[one] >= values[place])
            for one in range(60)
        ]
        twin = any(sizes[one] == sizes[place] and values[one] == values[place] for one in front)
        assert (place in front) <= (not any(beaten))
        assert any(beaten) or twin


def test_labels_cover_neither_each_other_nor_a_point(tables):
    figure = tradeoffs.accuracy_against_size(tables)
    means = tradeoffs.means_of(tables, "test_accuracy")
    for axis, size in zip(figure.axes, ("parameters", "multiply_adds"), strict=True):
        front = pareto_front(list(means[size]), list(means["mean"]))
        boxes = tradeoffs.place_labels(axis, tables, means, size, front)
        assert len(boxes) >= len(front)
        assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
        points = axis.transData.transform(means[[size, "mean"]].to_numpy()) * 72 / figure.dpi
        assert not any(box.left < x < box.right and box.bottom < y < box.top for box in boxes for x, y in points)


def test_the_curve_of_times_is_the_share_that_has_not_come_so_far(tables):
    (axis,) = times.epochs_to_threshold(tables).axes
    base, failed = axis.lines[:2]
    assert base.get_label() == "baseline"
    assert base.get_xdata().tolist() == [0, 1, 2, 3, 4]
    assert base.get_ydata() == pytest.approx([100, 200 / 3, 100 / 3, 0, 0])
    assert failed.get_ydata() + times.APART / 7 == pytest.approx([100, 100]), (
        "what diverged or was stuck never comes so far"
    )


def test_runs_that_failed_by_an_error_are_no_evidence_of_slowness(tables):
    runs = failing(tables.runs, [claimed.BASE], [0, 1])
    (group,) = [group for panel in times.panels_of(tables) for group in panel.groups if group.reference]
    curve = times.curve_of(invented_tables(tables.plan, runs=runs, verdicts=tables.verdicts), group)
    assert curve.share.tolist() == [1, 0]
