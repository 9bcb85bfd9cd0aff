"""Pages of studies: what is written on them, and that those of this repository are those of its code."""

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from invented import MANIFEST, failing, invented_runs, invented_tables
from verdicts import a_cell, a_claim, a_test, verdicts_of

from ablation.analysis.outcomes import VERDICTS, MagnitudeOutcome, SeedsNeeded
from ablation.analysis.published.comparison import compare_published
from ablation.analysis.published.ledger import FOLDER, read_ledger
from ablation.jobs.shards import planned_runs
from ablation.records import keys
from ablation.report.studypages import markdown
from ablation.report.studypages.content import MOST_COLUMNS, MOST_ROWS, Results, narrowed, page_content, without_folder
from ablation.report.studypages.folder import follow_up, read_pages
from ablation.report.studypages.outdated import differences
from ablation.study.studyfile import read_study

ROOT = Path(__file__).parents[2]
STUDIES, PAGES = ROOT / "config/studies", ROOT / "docs/studies"
PUBLISHED = {content["study"]: content for content in read_pages(PAGES)}

STUDY = """\
title: Is ReLU | better?
question: q
data: {name: digits}
recipe: {epochs: 4, batch_size: 64, lr: 0.1}
architectures:
  lenet: {}
grid:
  - {factors: {activation: [relu], norm: [batch]}}
seeds: 3
smallest_effect: 0.01
"""
BOOK = """\
title: t
question: q
data: {name: fashion_mnist, validation: 0, standardised: false}
recipe: {epochs: 10, batch_size: 256, lr: 0.9}
architectures:
  lenet: {baseline: {initialisation: xavier}}
seeds: 3
"""
CLAIMS = """\
claims:
  relu-better:
    {statement: s, source: t, factor: activation, level: relu, against: sigmoid, metric: test_accuracy, direction: greater}
"""


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_page_is_that_of_the_code_or_says_by_which_version_it_was_made(name):
    page = PUBLISHED[name]
    changed = [] if page["kept"] else differences(page, read_study(STUDIES / f"{name}.yaml"))
    assert changed == [], f"run it again and say ./do ablation publish {name}, or publish it with --keep"


def test_pages_their_index_the_readme_and_headers_of_studies_say_what_the_content_says():
    texts = follow_up(PAGES, ROOT / "README.md", STUDIES)
    assert ROOT / "README.md" in texts, "found no marks for the table"
    old = [str(path) for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    assert old == [], "say ./do ablation publish"
    assert {path.name for path in PAGES.glob("*.md")} == {path.name for path in texts if path.parent == PAGES}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    path = tmp_path_factory.mktemp("studies") / "study.yaml"

    def read(text):
        path.write_text(text)
        return read_study(path)

    return read


@pytest.fixture(scope="module")
def tables(read):
    """The tables of the study, invented once for all tests."""
    return tables_of(read(STUDY))


def with_keys(plan, runs):
    """The same runs with the keys that they have by the present code."""
    known = {(run.variant, run.seed): run.key for run in planned_runs(plan, MANIFEST["digest"])}
    return runs.assign(key=[known[run.variant, run.seed] for run in runs.itertuples()])


def tables_of(plan, runs=None):
    return invented_tables(plan, runs=with_keys(plan, invented_runs(plan) if runs is None else runs))


def content_of(tables, *claims, published=()):
    """The content of a page of invented results."""
    tables = replace(tables, verdicts=verdicts_of(*claims))
    found = Results(tables, MANIFEST, [], None, published, datetime(2026, 11, 22))
    return json.loads(json.dumps(page_content(found, "./do study study", None)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "seeds: 3",
            "seeds: [7, 8, 9]",
            "the study file says something else (seeds); 3 variants would be trained otherwise",
        ),
        ("lr: 0.1", "lr: 0.2", "3 variants would be trained otherwise: lenet, "),
        ("norm: [batch]", "norm: [layer]", "1 variant not on the page: lenet-norm.layer"),
        ("norm: [batch]", "norm: [layer]", "1 variant not of the study any more: lenet-norm.batch"),
        ("Is ReLU | better?", "Is it?", "the study file says something else (title)"),
        ("", CLAIMS, "the study file says something else (claims)"),
        ("", "diagnostics: [0]\n", "3 variants would be trained otherwise"),
    ],
)
def test_what_makes_a_page_out_of_date_is_named(read, tables, old, new, said):
    page = content_of(tables)
    assert differences(page, read(STUDY)) == []
    edited = STUDY.replace(old, new) if old else STUDY + new
    assert said in "; ".join(differences(page, read(edited)))


def test_a_page_is_out_of_date_when_the_code_of_its_runs_is_edited(read, tables, monkeypatch):
    page = content_of(tables)
    monkeypatch.setattr(keys, "TRAINING", keys.TRAINING[:-1])  # as if every training reached other code
    assert differences(page, read(STUDY)) == ["3 variants would be trained otherwise: " + ", ".join(page["keys"])]


def test_comments_and_the_order_of_keys_make_no_page_out_of_date(read, tables):
    page = content_of(tables)
    lines = STUDY.splitlines()
    assert differences(page, read("\n".join(["# Asks: much.", lines[1], lines[0], *lines[2:]]))) == []


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("/home/me/data/FashionMNIST/raw, read by torchvision 0.29", "a local folder, read by torchvision 0.29"),
        ("scikit-learn 1.9.1", "scikit-learn 1.9.1"),
        ("cpu (AMD EPYC, AVX512/VNNI)", "cpu (AMD EPYC, AVX512/VNNI)"),
    ],
)
def test_a_page_names_no_folder_of_the_machine(said, written):
    assert without_folder(said) == written


def test_every_kind_of_verdict_is_written_with_what_it_rests_on(tables):
    diverged = (a_cell(1.0), a_cell(-1.0, diverged=3))
    unknown = {"effect": None, "effect_least": -0.03, "effect_most": 0.09, "low_adjusted": -0.05, "high_adjusted": 0.11}
    epochs = {"label": "epochs to 75 %", "unit": "epochs", "scale": 1, "digits": 1}
    six = MagnitudeOutcome(claimed=6, measured_as="ratio", value=3.412, low=2.1, high=5.0, holds=False)
    content = content_of(
        tables,
        a_claim(
            a_test(cells=diverged),
            a_test("undecided", architecture="vgg", seeds_needed=SeedsNeeded(low=8, high=15, limit=None)),
        ),
        a_claim(
            a_test("undecided", seeds_needed=SeedsNeeded(low=None, high=None, limit="images")),
            exploratory="it was not registered as it stands",
        ),
        a_claim(a_test("refuted", effect=-4.2, low_adjusted=-6.1, high_adjusted=-2.3, magnitude=six), **epochs),
        a_claim(a_test("equivalent", equivalence_low=-0.003, equivalence_high=0.005)),
        a_claim(a_test("undecided", **unknown), label="gap"),
        a_claim(a_test(kind="spread", effect=0.5, low_adjusted=0.25, high_adjusted=0.75)),
        a_claim(a_test(kind="trend", cells=(a_cell(1.0),) * 5)),
        a_claim(
            a_test("not testable", effect=None, low_adjusted=None, high_adjusted=None, why="vgg: 1 of 5 runs failed")
        ),
    )
    text = markdown.page(content).replace(markdown.GLUE, " ")
    for said in (
        "8 claims in 9 tests: 3 supported, 1 refuted, 1 equivalent, 3 undecided, 1 not testable.",
        "One of the claims is exploratory: only fresh seeds can confirm.",
        "**Supported:** lenet, activation: relu − sigmoid: test accuracy +4.00 [+2.00, +6.00] points, 5 + 5 runs "
        "(0 + 3 diverged).\n",
        "5 + 5 runs; 8 to 15 seeds would probably decide.",
        "*Exploratory: it was not registered as it stands.*",
        "5 + 5 runs; the test images limit it",
        "epochs to 75 % −4.2 [−6.1, −2.3] epochs, 5 + 5 runs; claimed 6 times, found 3.4 times [2.1, 5.0], ",
        "[−0.30, +0.50] points, 5 + 5 runs, which lies within ±1.00 points; it differs, by too little",
        "gap −3.00 to +9.00 [−5.00, +11.00] points, 5 + 5",
        "spread of test accuracy × 0.50 [0.25, 0.75], 5 + 5",
        "points, 5 × 5 runs.",
        "**Not testable:** lenet, activation: relu − sigmoid: test accuracy; vgg: 1 of 5 runs failed.",
        "Brackets hold the interval that decides; corrected for 9 tests (Holm, 5 %).",
    ):
        assert said in text


def cells_of(text):
    """The number of cells in each row of each table of a page: one number per table if all is well."""
    return [
        {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line.startswith("|")}
        for block in text.split("\n\n")
        if block.startswith("|")
    ]


def test_a_study_of_failed_runs_without_claims_has_a_page(read):
    plan = read(STUDY)
    runs = failing(invented_runs(plan), ["lenet-norm.batch"], measured=False)
    runs["error"] = runs["error"].str.replace("<one>", "a | b")
    content = content_of(tables_of(plan, runs))
    text = markdown.page(content)
    assert content["summary"] == "no claims"
    assert "| lenet-norm.batch | 3 | 3 failed |" in text
    assert "- ValueError: a \\| b & \\\\two\\_ (own.py, line 7)" in text
    assert "# Is ReLU \\| better?" in text
    assert [len(widths) for widths in cells_of(text)] == [1] * len(cells_of(text))


@pytest.mark.parametrize(("n", "kept"), [("55", []), ("45", ["n"])])
def test_a_comparison_of_many_metrics_stays_narrow(n, kept):
    metrics = ["train (%)", "gap (points)", "loss (nats)", "F1 (%)", "top 5 (%)"]
    columns = ["variant", "n", "test (%)", "effect (points) [95 %]", *metrics, "completed alone: test (%)"]
    table = pd.DataFrame({name: ["–", "–"] for name in [*columns, "parameters", "multiply-adds", "failures"]})
    found = list(narrowed(table.assign(n=list(n))))
    assert found == ["variant", *kept, "test (%)", "effect (points) [95 %]", *metrics[: 4 - len(kept)]]
    assert len(found) == MOST_COLUMNS
    assert list(narrowed(table[["variant", "n", "parameters"]])) == ["variant", "n", "parameters"]
    both = table[["variant", "n", "parameters"]].assign(**{"parameters (k)": "1.0"})
    assert list(narrowed(both)) == ["variant", "n", "parameters (k)"]


@pytest.mark.parametrize(("epochs", "ending"), [(10, r"\)"), (3, r"\) by another protocol")])
def test_a_study_without_claims_is_held_against_published_numbers(read, epochs, ending):
    tables = tables_of(read(BOOK.replace("epochs: 10", f"epochs: {epochs}")))
    found = compare_published(tables.plan, tables.runs, tables.curves, read_ledger(FOLDER))
    content = content_of(tables, published=found)
    ours = r"test accuracy \(%\): lenet [\d.]+ ± [\d.]+ \(3 runs\)"
    assert re.fullmatch(rf"{ours}, published 80\.36 ± 1\.54 \(mean of 198{ending}", content["summary"])
    assert "## Published numbers\n\n| variant | entry |" in markdown.page(content)


def test_a_large_study_shows_its_first_variants(tables):
    content = content_of(replace(tables, comparison=pd.concat([tables.comparison] * MOST_ROWS)))
    assert len(content["comparison"]["rows"]) == MOST_ROWS
    assert f"{2 * MOST_ROWS} more variants are in the results" in markdown.page(content)


def test_a_table_of_studies_has_a_row_per_page_with_what_came_out(tables):
    first = content_of(tables, a_claim(a_test(), a_test("undecided"), exploratory="because"))
    second = {
        **content_of(tables),
        "study": "other",
        "kept": {"why": ["the study file says something else (seeds)"]},
    }
    found = markdown.studies_table([first, second], "docs/studies/").replace(markdown.GLUE, " ").splitlines()
    core_time = "22 s"  # of 9 runs of 2.5 s
    assert found[2:] == [
        f"| [study](docs/studies/study.md) | q | 9 | {core_time} | 1 supported, 1 undecided (all exploratory) |",
        f"| [other](docs/studies/other.md) | q | 9 | {core_time} | no claims, by an older version of the code |",
    ]
    assert "**Out of date.** Made by abc of 2026-11-22; the code has changed since" in markdown.page(second)


def test_the_words_of_verdicts_are_counted_in_their_order(tables):
    claims = [a_claim(*map(a_test, reversed(VERDICTS)), a_test("supported"))]
    counts = ["2 supported", *(f"1 {verdict}" for verdict in VERDICTS[1:])]
    assert content_of(tables, *claims)["summary"] == ", ".join(counts)
