import re
from dataclasses import replace

import pytest
from invented import invented_outcomes, invented_runs
from workspace import ROOT

from ablation.analysis.outcomes import outcomes_text
from ablation.cli import entry
from ablation.report.verdicts import verdict_table
from ablation.study.studyfile import read_study


@pytest.fixture(name="results")
def make_results(tmp_path):
    plan = read_study(ROOT / "config/studies/miniature.yaml")
    found = invented_outcomes(plan, invented_runs(plan))
    (tmp_path / "miniature").mkdir()
    (tmp_path / "miniature/verdicts.json").write_text(outcomes_text(found))
    return tmp_path, found


def verdict(results, *options):
    entry.run(["verdict", "miniature", "--results", str(results[0]), *options])


def test_verdicts_are_printed_in_words(results, capsys):
    verdict(results)
    text, claim = capsys.readouterr().out, results[1].claims[0]
    assert claim.statement in text
    assert f"  {claim.tests[0].verdict.upper()}  lenet  " in text
    assert "corrected for 1 test (Holm, 5 %)" in text


def test_a_start_ends_with_a_line_for_each_verdict(results):
    text = verdict_table(results[1])
    assert text.splitlines()[2].startswith("undecided  relu-better  lenet      test accuracy  ")
    assert text.endswith("1 undecided; corrected for 1 test (Holm, 5 %); ./do ablation verdict miniature says more")
    assert verdict_table(replace(results[1], claims=())) == ""


def test_what_is_required_decides_the_exit_status(results, capsys):
    name, found = results[1].claims[0].claim, results[1].claims[0].tests[0].verdict
    verdict(results, "--require", f"{found}={name}", "--require", f"refuted,{found}={name}@lenet")
    other = "refuted" if found != "refuted" else "supported"
    with pytest.raises(SystemExit) as error:
        verdict(results, "--require", f"{other}={name}")
    assert error.value.code == 1
    assert f"required: {name} on lenet: found {found}, expected {other}" in capsys.readouterr().err


def test_an_exploratory_claim_meets_nothing_unless_it_may(results, capsys):
    path, claim = results[0] / "miniature/verdicts.json", results[1].claims[0]
    path.write_text(path.read_text().replace('"exploratory": ""', '"exploratory": "it was seen"'))
    wanted = ["--require", f"{claim.tests[0].verdict}={claim.claim}"]
    with pytest.raises(SystemExit):
        verdict(results, *wanted)
    assert "found an exploratory claim (it was seen)" in capsys.readouterr().err
    verdict(results, *wanted, "--exploratory")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("suported=relu-better", "found 'suported', expected supported, refuted, .* did you mean 'supported'"),
        ("supported=relu-bettr", "found 'relu-bettr', expected a claim of miniature: relu-better"),
        ("supported=relu-better@vgg", "found 'vgg', expected a network of the claim: lenet"),
    ],
)
def test_a_requirement_that_names_nothing_is_refused(results, wanted, message):
    with pytest.raises(SystemExit) as error:
        verdict(results, "--require", wanted)
    assert re.search(message, str(error.value.code))
