"""The table of verdicts says what `verdicts.json` says."""

from dataclasses import replace
from pathlib import Path

import pytest
from invented import invented_outcomes, invented_runs

from ablation.report.claimtable import claim_table, p_text, to_latex, to_markdown
from ablation.study.studyfile import read_study

STUDY = Path(__file__).parents[2] / "config/studies/miniature.yaml"


@pytest.fixture(scope="module")
def found():
    plan = read_study(STUDY)
    return invented_outcomes(plan, invented_runs(plan))


def with_test(found, claim=None, **changes):
    """The verdicts, of which the first claim and its first test say something else."""
    first = found.claims[0]
    test = replace(first.tests[0], **changes)
    return replace(found, claims=(replace(first, tests=(test, *first.tests[1:]), **(claim or {})), *found.claims[1:]))


def test_there_is_a_row_for_every_test_of_every_claim_in_every_form(found):
    table = claim_table(found)
    assert len(table) == sum(len(claim.tests) for claim in found.claims) > 0
    for (_, row), claim in zip(table.iterrows(), found.claims, strict=True):
        assert (row["claim"], row["metric"], row["verdict"]) == (claim.claim, claim.label, claim.tests[0].verdict)
        assert claim.tests[0].compared in row["contrast"]
        for text in (to_markdown(found), to_latex(found)):
            assert claim.claim in text
            assert claim.tests[0].verdict in text


@pytest.mark.parametrize(
    ("claim", "changes", "p"),
    [
        ({}, {"verdict": "supported", "p_adjusted": 0.0123, "equivalence_p_adjusted": 0.9}, "0.012"),
        ({}, {"verdict": "equivalent", "p_adjusted": 0.5, "equivalence_p_adjusted": 0.0123}, "0.012"),
        (
            {"direction": "equivalent"},
            {"verdict": "undecided", "p_adjusted": 0.5, "equivalence_p_adjusted": 0.2},
            "0.20",
        ),
        ({}, {"verdict": "not testable", "p_adjusted": None, "equivalence_p_adjusted": None}, "–"),
    ],
)
def test_the_p_value_is_that_which_decides(found, claim, changes, p):
    assert claim_table(with_test(found, claim, **changes))["p (adjusted)"].iloc[0] == p


def test_what_is_exploratory_or_has_no_effect_says_so(found):
    nothing = dict.fromkeys(("effect", "effect_least", "effect_most", "low_adjusted", "high_adjusted"))
    row = claim_table(with_test(found, {"exploratory": "it was not registered"}, **nothing)).iloc[0]
    assert row["claim"].endswith(" (exploratory)")
    assert row["effect [interval]"] == "–"


def test_a_study_without_claims_has_an_empty_table(found):
    empty = replace(found, claims=(), family=0)
    assert to_markdown(empty).startswith("| claim ")
    assert r"\bottomrule" in to_latex(empty)


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1.00"), (0.25, "0.25"), (0.0456, "0.046"), (0.001, "0.001"), (2e-5, "< 0.001"), (0.0, "< 0.001")],
)
def test_p_values_have_two_digits(p, text):
    assert p_text(p) == text
