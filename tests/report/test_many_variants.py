"""Studies with more variants than anyone reads: main effects, the largest differences, and tables to search."""

import json
import math
import re

import pytest
from invented import MANIFEST, failing, invented_runs, invented_tables, with_rates

from ablation.analysis.maineffects import MANY, comparisons, main_effects
from ablation.report import tables
from ablation.report.figures.panels import MOST_PANELS, first_of_each, panels_of
from ablation.report.figures.summaries import LARGEST, differences_by_factor
from ablation.report.figures.table import draw, figures_of
from ablation.report.htmltables import MOST_ROWS, SHOWN, searchable_table
from ablation.report.page import write_report
from ablation.study.plan import Plan
from ablation.study.studyfile import read_study

STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 3, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {activation: relu}}}
grid:
  - design: DESIGN
    factors: {activation: [tanh, gelu, silu], lr: [0.01, 0.02, 0.05, 0.2], weight_decay: [0.1, 0.2, 0.3, 0.4, 0.5]}
seeds: 3
diagnostics: [0, 3]
claims:
"""
CLAIM = """\
  relu-{n}:
    {{statement: "ReLU </script> {n}", source: s, factor: activation, level: relu, against: tanh,
      given: {{lr: {lr}, weight_decay: {decay}}}, metric: test_accuracy, direction: greater}}
"""
GIVEN = [(lr, decay) for lr in (0.01, 0.02, 0.05, 0.2) for decay in (0.1, 0.2, 0.3, 0.4, 0.5)]
GAIN = {"relu": 0.0, "tanh": -0.2, "gelu": 0.02, "silu": 0.01}  # by activation; a learning rate of 0.2 costs a tenth


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    def read(text):
        path = tmp_path_factory.mktemp("study") / "many.yaml"
        path.write_text(text)
        return read_study(path)

    return read


@pytest.fixture(scope="module")
def plan(read):
    claims = (CLAIM.format(n=n, lr=lr, decay=decay) for n, (lr, decay) in enumerate(GIVEN * 3))
    return read(STUDY.replace("DESIGN", "full_factorial") + "".join(claims))


def known_runs(plan: Plan):
    """Runs whose accuracy is the sum of an effect per level and one per seed."""
    runs = with_rates(invented_runs(plan), status="completed")
    levels = [plan.variants[variant].levels for variant in runs["variant"]]
    runs["test_accuracy"] = [0.7 + GAIN[level["activation"]] - 0.1 * (level["lr"] == 0.2) for level in levels]
    runs["test_accuracy"] += 0.01 * runs["seed"]
    return runs


@pytest.fixture(scope="module")
def study(plan):
    return invented_tables(plan, runs=known_runs(plan))


@pytest.fixture(scope="module")
def page(study):
    return write_report(study, MANIFEST, {name: f'<svg id="{name}"></svg>' for name in figures_of(study.plan)})


def searchable(page):
    """The data of every searchable table of a page, as rows of texts."""
    found = [
        json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    ]
    return [[[one["texts"][place] for place in row] for row in one["rows"]] for one in found]


def test_main_effects_are_those_of_the_levels(study):
    effects = main_effects(study.plan, study.runs, "test_accuracy").set_index(["factor", "level"])
    for level, gain in GAIN.items():
        row = effects.loc["activation", level]
        assert row["mean"] == pytest.approx(0.7 + gain - 0.02 + 0.01)  # a fifth of the settings has the rate 0.2
        assert row["difference"] == pytest.approx(gain)
        assert row["sd"] == pytest.approx(0.01)
        assert (row["settings"], row["runs"], row["n"]) == (30, 90, 90)
    assert effects.loc[("lr", "0.2"), "difference"] == pytest.approx(-0.1)
    assert effects.loc["weight_decay", "difference"].to_numpy() == pytest.approx(0)
    assert list(dict.fromkeys(effects.index.get_level_values(0))) == ["activation", "lr", "weight_decay"]


def test_levels_are_compared_over_the_settings_that_all_of_them_have(read):
    with_gap = STUDY.replace("DESIGN", "full_factorial").replace("claims:\n", "")
    with_gap = with_gap.replace("seeds:", "    exclude: [{activation: tanh, lr: 0.2}]\nseeds:")
    plan = read(with_gap)
    found = {one.factor: one for one in comparisons(plan)}
    assert found["activation"].settings == 24, "without the rate 0.2, which tanh was not trained at"
    row = main_effects(plan, known_runs(plan), "test_accuracy").set_index(["factor", "level"])
    assert row.loc[("activation", "relu"), "mean"] == pytest.approx(0.71)
    one_by_one = read(STUDY.replace("DESIGN", "one_at_a_time").replace("claims:\n", ""))
    assert [one.settings for one in comparisons(one_by_one)] == [1, 1, 1]
    assert {len(one.levels) for one in comparisons(one_by_one)} == {4, 5, 6}


def test_a_level_without_a_setting_in_common_is_left_out(read):
    pairs = ", ".join(f"{{activation: {name}, lr: 0.01}}" for name in ("tanh", "gelu"))
    text = re.sub(r"(?s)  - design.*?seeds", f"  - variants: [{pairs}, {{activation: silu}}]\nseeds", STUDY)
    (one,) = comparisons(read(text.replace("claims:\n", "")))
    assert (one.factor, one.levels, one.left_out) == (
        "activation",
        {"relu": ["lenet"], "silu": ["lenet-activation.silu"]},
        ["tanh", "gelu"],
    )


def test_runs_without_a_value_are_counted(study):
    runs = study.runs.copy()
    runs.loc[runs["variant"] == "lenet-activation.tanh", "test_accuracy"] = math.nan
    effects = main_effects(study.plan, runs, "test_accuracy").set_index(["factor", "level"])
    assert tuple(effects.loc[("activation", "tanh"), ["runs", "n"]]) == (90, 87)
    assert effects.loc[("activation", "tanh"), "difference"] == pytest.approx(-0.2, abs=0.01)


def test_no_figure_grows_with_the_number_of_variants(study):
    for name in figures_of(study.plan):
        figure = draw(name, study)
        figure.draw_without_rendering()
        assert figure.get_size_inches()[1] < 30
        assert max(len(axis.lines) for axis in figure.axes) < MANY
    labels = {group.label for panel in panels_of(study) for group in panel.groups}
    assert {*GAIN, "0.01", "0.5"} <= labels


def test_each_architecture_has_its_share_of_the_panels():
    assert first_of_each(["a"] * 20 + ["b"] * 2, 4) == [0, 1, 20, 21]
    assert len(first_of_each(["a"] * 20 + ["b"] * 20)) == MOST_PANELS


def test_the_largest_differences_are_of_one_factor_each(study):
    found = {factor: rows for _, factor, rows in differences_by_factor(study.plan, study.contrasts)}
    assert list(found) == ["activation", "lr", "weight_decay"]
    assert all(len(rows) <= LARGEST for rows in found.values())
    assert found["activation"]["effect"].to_numpy() == pytest.approx(-0.2)


def test_the_report_has_main_effects_and_every_row_to_search(study, page):
    assert len(page) < 600_000
    assert page.count("<tr") < 400
    assert 'aria-label="Main effects"' in page
    assert re.search(r"tanh</td><td>49.00 ± 1.00</td><td>−20.00</td><td>30</td>", page.replace(' class="text"', ""))
    claims, tests, every, contrasts = searchable(page)
    assert [row[0] for row in every] == list(study.plan.variants)
    assert (len(claims), len(tests)) == (60, 60)
    assert claims[0][1:4] == ["ReLU </script> 0", "s", "no"]
    assert len(contrasts) == len(study.plan.contrasts)
    assert "−30.00" in contrasts[0][3], "the largest first: tanh and the rate 0.2 together"


def test_variants_of_one_structure_share_their_entry(page):
    names = re.findall(r"<b>(lenet-[^<]*)</b> ([^:.]*)", page)
    assert [name for name, _ in names if "activation" in name] == [
        f"lenet-activation.{name}" for name in GAIN if name != "relu"
    ]
    assert all(
        text.startswith("and 29 variants more with the same layers") for name, text in names if "activation" in name
    )


def test_many_failures_are_searched_and_few_are_shown_whole(study):
    runs = failing(study.runs, list(study.plan.variants)[60:], measured=True)
    runs.loc[:149, "status"] = "diverged"
    runs = with_rates(runs)
    page = write_report(invented_tables(study.plan, runs=runs, layers=study.layers), MANIFEST, {})
    assert page.count("where it was raised") == MANY
    assert f"180 of {len(runs)} runs ended in an error" in page
    assert [len(rows) for rows in searchable(page) if rows[0][2] == "diverged"] == [150]
    assert tables.caption(study.plan, runs).count(" of lenet") == tables.MOST_NAMED


def test_the_summary_fits_a_terminal(study):
    lines = tables.summary(study.plan, study.comparison, study.runs).splitlines()
    assert len(lines) == 7
    assert lines[2].split() == ["lenet", "activation", "tanh", "49.00", "gelu", "71.00", "22.00", "none"]


def test_what_is_searched_cannot_end_its_script_and_is_bounded(study):
    table = study.runs[["variant"]].map(lambda _: "</script><b>")
    text = searchable_table(table, set(), "x.csv", "x")
    assert text.count("</script>") == 1
    assert text.count("<tr") == SHOWN + 1
    many = searchable_table(table.loc[table.index.repeat(60)], set(), "x.csv", "x")
    assert f"the first {MOST_ROWS:,} of {60 * len(table):,} rows" in many


def test_variants_that_share_no_setting_are_shown_by_the_highest_and_the_lowest(read):
    variants = ", ".join(f"{{lr: {n / 1000}, weight_decay: {n / 1000}}}" for n in range(1, 50))
    text = re.sub(r"(?s)  - design.*?seeds", f"  - variants: [{variants}]\nseeds", STUDY).replace("claims:\n", "")
    study = invented_tables(read(text))
    assert not comparisons(study.plan)
    names = [name for panel in panels_of(study) for group in panel.groups for name in group.variants]
    means = study.comparison.set_index("variant")["test_accuracy_mean"]
    assert len(names) == 10
    assert {means.idxmax(), means.idxmin()} < set(names)
    for name in figures_of(study.plan):
        draw(name, study).draw_without_rendering()
    page = write_report(study, MANIFEST, {})
    assert "Factor by factor" not in page
    assert max(map(len, searchable(page))) == 50
    assert "all 50 variants" in tables.summary(study.plan, study.comparison, study.runs)
