"""Claims and their verdicts on the page: in sentences, drawn, side by side, and with all their numbers."""

import math
import re
from dataclasses import replace

import claimed
import pytest
from invented import MANIFEST, invented_tables

from ablation.analysis.outcomes import VERDICTS, SeedsNeeded, WithdrawnClaim
from ablation.report import intervals
from ablation.report.claimdetails import cells_table, claim_details, mechanism_table, p_text
from ablation.report.claims import claim_groups, contradict, css_of, same_runs, tally
from ablation.report.figures.table import figures_of
from ablation.report.findings import MEANINGS, finding, metric_of, sureness_text
from ablation.report.intervals import Interval, draw, limits, round_up
from ablation.report.page import SECTIONS, claim_parts, template_file, write_report
from ablation.report.verdicts import attempt_words, remark, seeds_words, verdict_lines, withdrawn_words
from ablation.study.studyfile import read_study


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "gallery.yaml"
    path.write_text(claimed.STUDY)
    plan = read_study(path)
    runs = claimed.runs_of(plan)
    return invented_tables(plan, runs=runs, verdicts=claimed.invented_verdicts(plan, runs))


@pytest.fixture(scope="module")
def page(tables):
    return write_report(tables, MANIFEST, dict.fromkeys(figures_of(tables.plan), "<svg></svg>"))


@pytest.fixture(scope="module")
def claims(tables):
    return {claim.claim: claim for claim in tables.verdicts.claims}


def said(tables, claim, test=None):
    test = test or claim.tests[0]
    return finding(claim, test, metric_of(tables.plan, claim, test))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "relu-better",
            r"The runs agree: test accuracy higher by 21\.00 points \(between \+6\.30 and \+35\.70 points\)\.",
        ),
        ("relu-worse", r"The runs say otherwise: training accuracy higher by 21\.00 points \(between .*\)\."),
        ("norm-helps", r"There is a difference, but it is too small to matter: .* which is within ±1\.00 points\)\."),
        ("norm-idle", r"No difference that matters|There is a difference, but it is too small to matter"),
        (
            "bn-frees",
            r"These runs do not tell: the effect may be anything between −.* points\. 8 to 15 seeds would probably decide\.",
        ),
        ("wider", r"These runs do not tell: .* The test images limit it, however many the seeds\."),
        ("calmer", r"These runs do not tell: the effect may be anything between 0\.04 and 1\.16 times\."),
        ("fewer", r"The runs agree: parameters lower by 2 k\."),
        ("broken", r"This cannot be tested here: 1 of 3 runs of lenet-width\.12 failed: <error>\."),
    ],
)
def test_what_was_found_is_said_in_a_sentence(tables, claims, name, expected):
    assert re.match(expected, said(tables, claims[name]))


def test_every_verdict_has_a_meaning_a_shape_and_a_colour():
    shapes, styles = template_file("shapes.html"), template_file("page.css")
    assert set(MEANINGS) == set(VERDICTS)
    for verdict in VERDICTS:
        assert f'id="is-{css_of(verdict)}"' in shapes
        assert re.search(rf"\.{css_of(verdict)}\b", styles)


def test_the_first_screen_counts_all_tests_and_says_how_sure_they_are(tables, page):
    tests = [test for claim in tables.verdicts.claims for test in claim.tests]
    assert sum(row["count"] for row in tally(tables.verdicts)) == len(tests) == 11
    assert f"Of 11 tests of {len(tables.verdicts.claims)} claims:" in page
    assert "Each variant was trained 3 times" in page
    assert "and tested on 5 images" in page
    assert "10 tests count together" in page, "one is exploratory"
    assert "1 of 10 claims was stated after results were seen" in page
    alone = replace(tables.verdicts, claims=tables.verdicts.claims[:1], family=1)
    assert "count together" not in sureness_text(alone, [3], 5)


def test_what_was_withdrawn_is_said_wherever_the_tests_are_counted(tables):
    def gone(*tests):
        withdrawn = [WithdrawnClaim(claim=f"gone-{n}", registered="then", tests=n) for n in tests]
        return replace(tables.verdicts, withdrawn=tuple(withdrawn))

    words = "2 registered claims were withdrawn or changed: gone-1, gone-2; their 3 tests still count"
    assert withdrawn_words(gone(1, 2)) == words
    assert words in verdict_lines(gone(1, 2))[0]
    assert sureness_text(gone(1, 2), [3], 5).count(f"{words}.") == 1
    assert withdrawn_words(gone(1)).endswith("claim was withdrawn or changed: gone-1; its 1 test still counts")
    assert withdrawn_words(gone(0)).endswith("changed: gone-0"), "what is counted is no test"
    assert withdrawn_words(gone()) == ""
    assert verdict_lines(replace(gone(1, 2), claims=())) == [f"{tables.verdicts.study}: no claims; {words}"]
    without = replace(tables, verdicts=replace(gone(1, 2), claims=()))
    assert claim_parts(without, {"rows": [], "summary": ""}, 5)["found"].endswith(f" {words}.")


def test_an_attempt_with_fresh_seeds_is_said(page, claims):
    claim, again = claims["relu-better"], claims["bn-frees"]
    assert (claim.attempt, attempt_words(claim)) == (1, "")
    words = "second attempt with fresh seeds"
    assert page.count(f'<span class="reason">{words}</span>') == 1
    assert page.count(f"before its runs. {words.capitalize()}.") == len(again.tests)
    assert remark(again, again.tests[0]).endswith(words)
    assert attempt_words(replace(claim, attempt=12)) == "12th attempt with fresh seeds"


def test_a_seed_range_that_is_open_says_so(tables, claims):
    claim = claims["bn-frees"]
    test = replace(claim.tests[0], seeds_needed=SeedsNeeded(low=8, high=None, limit="effect"))
    assert said(tables, claim, test).endswith(f" {seeds_words(test)}.")


def test_claims_about_the_same_runs_stand_side_by_side(tables, claims):
    groups = [[claim.claim for claim in group] for group in same_runs(tables.verdicts.claims)]
    assert ["norm-helps", "norm-idle"] in groups
    assert [name for group in groups for name in group] == list(claims), "else in the study's order"
    helps, idle = claims["norm-helps"], claims["norm-idle"]
    assert contradict([helps, idle])
    assert not contradict([helps, helps])
    cells = tuple(replace(cell, weight=-cell.weight) for cell in helps.tests[0].cells)
    turned = replace(helps, direction="less", tests=(replace(helps.tests[0], cells=cells),))
    assert not contradict([helps, turned]), "the same said the other way round"


def test_exploratory_claims_are_marked_wherever_they_stand(page):
    article = page.partition('aria-labelledby="claim-relu-worse"')[2].partition("</article>")[0]
    assert ">exploratory</span>" in article
    assert "its runs were there before" in article
    assert page.count(">exploratory</span>") == 1


def test_cells_show_every_run(tables, claims):
    table = cells_table(tables, claims["norm-helps"], claims["norm-helps"].tests[0]).set_index("variant")
    runs = tables.runs[tables.runs["variant"] == claimed.NORM]
    assert (runs["status"] != "completed").all(), "the second variant of the study is the one that fails"
    row = table.loc[claimed.NORM]
    assert (row["n"], row["diverged"], row["stuck"], row["weight"]) == ("3", "1", "2", "+1")
    assert row["each run, by seed"].startswith("0: 10.00 (diverged), 1: ")
    assert row["mean (%)"] == f"{100 * runs['test_accuracy'].mean():.2f}"


def test_all_that_was_estimated_is_listed_and_nothing_that_was_not(tables):
    rows = {one["name"]: {n: v for n, v, _ in one["tests"][0]["rows"]} for one in claim_details(tables, [])}
    assert rows["relu-better"]["interval that decides"] == "[+6.30, +35.70]"
    assert rows["relu-better"]["95 % interval"] == "[+10.50, +31.50]"
    assert rows["relu-better"]["share of the test images"] == "31 %"
    assert "rate of failures" not in rows["relu-better"], "none failed"
    assert rows["norm-helps"]["rate of failures"] == "+40 [−20, +80] points"
    assert list(rows["fewer"]) == ["effect"]
    assert "3.2 times" in rows["faster"]["claimed size"]


@pytest.mark.parametrize(
    ("p", "text"), [(None, "–"), (1e-6, "< 0.0001"), (0.0123, "0.012"), (0.31, "0.31"), (1.0, "1.00")]
)
def test_p_values_are_short(p, text):
    assert p_text(p) == text


def test_the_mechanism_is_that_of_the_diagnostics(tables):
    table = mechanism_table(tables, [claimed.BASE]).iloc[0]
    rows = tables.diagnostics[(tables.diagnostics["variant"] == claimed.BASE) & (tables.diagnostics["epoch"] == 0)]
    dead = rows.loc[rows["quantity"] == "dead", "value"].mean()
    assert table["dead units, before training"] == f"{100 * dead:.0f} %"
    flow = rows[rows["quantity"] == "gradient_rms"].pivot_table(index="seed", columns="depth", values="value")
    ratio = (flow[1] / flow[5]).map(math.log10).mean()
    assert table["gradient, first over last layer, before training"] == f"10^{ratio:.1f}".replace("-", "−")
    assert mechanism_table(replace(tables, diagnostics=tables.diagnostics[:0]), [claimed.BASE]).shape[1] == 1


def interval(effect, half, margin=1.0, ratio=False):
    ends = (effect - half, effect + half)
    return Interval(effect, *ends, *ends, math.nan, math.nan, margin, ratio)


def test_the_scales_of_a_metric_are_few_and_hold_what_they_show():
    found = limits([interval(80, 5), interval(60, 20), interval(2, 1), interval(0.1, 0.2)], "%")
    assert found == [100, 100, 5, 5]
    assert limits([interval(3, 900)], "%") == [20], "an interval that says nothing leaves the scale"
    assert limits([interval(0.001, 0, margin=math.nan)], "nats") == [0.001]
    assert round_up(3.1) == 5
    assert limits([], "%") == []


@pytest.mark.parametrize(("value", "place"), [(0, 50), (-10, 5), (10, 95), (5, 72.5), (1000, 97.7), (-1000, 2.3)])
def test_places_are_percentages_and_stay_within_the_drawing(value, place):
    assert interval(0, 1).x(value, 10) == pytest.approx(place)


def test_a_ratio_is_drawn_around_one():
    one = interval(2.0, 1.0, ratio=True)
    assert one.x(1.0, 2) == 50
    assert one.x(4.0, 2) - 50 == pytest.approx(50 - one.x(0.25, 2))


def test_a_drawing_says_what_it_shows_and_marks_what_leaves_it(tables, claims):
    claim = claims["relu-better"]
    metric = tables.plan.metrics[claim.metric]
    drawn = draw(claim, claim.tests[0], metric, 50)
    assert 'aria-label="Effect +21.00 points; 95 % interval [+10.50, +31.50]; ' in drawn
    assert "claimed: this way →" in drawn
    assert "▸" not in drawn
    assert "▸" in draw(claim, claim.tests[0], metric, 20)
    assert 'class="near"' not in drawn, "the equivalence test does not matter here"
    idle = draw(claims["norm-idle"], claims["norm-idle"].tests[0], metric, 5)
    assert 'class="near"' in idle
    assert 'class="region claimed" x="41.0%" y="14" width="18.00%"' in idle
    assert set(re.findall(r'class="(\w+)', drawn)) <= set(re.findall(r"\.(\w+)", template_file("page.css")))


def test_an_effect_with_missing_values_is_all_that_it_could_be(tables, claims):
    claim = claims["relu-better"]
    test = replace(claim.tests[0], effect=None, effect_least=0.1, effect_most=0.3)
    assert "values are missing, and the effect on test accuracy is between +10.00 and +30.00" in said(
        tables, claim, test
    )
    drawn = draw(claim, test, tables.plan.metrics[claim.metric], 50)
    assert 'class="point"' not in drawn
    assert 'x1="59.0%" x2="77.0%"' in drawn


def test_what_is_not_testable_has_no_drawing(tables):
    views = {view["name"]: view for group in claim_groups(tables.plan, tables.verdicts) for view in group["claims"]}
    assert views["broken"]["tests"][0]["drawing"] == ""
    assert all(test["drawing"] for name, view in views.items() if name != "broken" for test in view["tests"])
    assert intervals.HALF > 0


def test_every_section_of_the_page_is_in_the_contents_and_every_link_leads_somewhere(tables, page):
    ids = re.findall(r' id="([^"]+)"', page)
    links = re.findall(r'href="#([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(links) <= set(ids)
    there = [section.id for section in SECTIONS if f'<section id="{section.id}"' in page]
    assert [link for link in links if link in {section.id for section in SECTIONS}][: len(there)] == there
    assert there == [section.id for section in SECTIONS if section.id != "published"]
    bare = write_report(tables, MANIFEST, {})
    assert not [name for name in ("size", "designs", "times", "mechanisms") if f'<section id="{name}"' in bare]
