"""Where core-seconds went."""

import json

import pytest

from ablation.cli.entry import run as ablation
from ablation.support import accounting
from ablation.support.accounting import AROUND, SPENT, VARIABLE, Start, begin, describe, note, read_starts, score


@pytest.fixture(name="costs")
def make_costs(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(accounting, "SPENT", SPENT.__class__())
    path = tmp_path / "costs.jsonl"
    begin(path, 2, 1, 50.0)
    return path


def test_jobs_are_noted_with_what_they_trained(costs):
    accounting.SPENT.update(training=30.0, evaluation=5.0)
    note("train", 40.0)
    accounting.SPENT.clear()
    note("report", 3.0)
    (start,) = read_starts(costs)
    assert (start.cores, start.predicted) == (2, 50.0)
    assert start.parts == {"training": 30, "evaluation": 5, AROUND: 5, "report": 3}
    assert start.work == 35
    assert start.elapsed >= 0


def test_starts_are_apart_and_lines_that_were_cut_off_count_for_nothing(costs):
    note("plan", 1.0)
    with open(costs, "a") as file:
        file.write('[]\n{"verb": "x"}\n{"verb": "tr')
    begin(costs, 4, 2, None)
    note("plan", 2.0)
    note("train", 3.0)
    first, second = read_starts(costs)
    assert (first.parts["plan"], second.parts["plan"], second.cores) == (1.0, 2.0, 4)
    assert second.parts[AROUND] == 6.0, "two threads for three seconds"
    assert read_starts(costs.with_name("none")) == []


def test_shares_add_up_to_the_cores_that_were_given():
    parts = {"training": 150.0, "evaluation": 20.0, AROUND: 10.0, "plan": 8.0, "tables": 0.1}
    start = Start(2, 1, None, 100.0, accounting.Counter(parts))
    assert describe(start, 100.0, {"snakemake": 6.0}) == (
        "200 core-seconds (2 cores, 1 min 40 s): training and evaluation 85 %, around it 5 %, plan 4 %, snakemake 3 %, "
        "free or shared with others 3 %"
    )


def test_a_price_is_scored_where_there_was_one():
    trained = accounting.Counter(training=110.0)
    assert (
        score([Start(2, 2, 100.0, 60.0, accounting.Counter(training=220.0))])
        == "1 min 40 s predicted, 1 min 50 s taken (+10 %)"
    )
    assert score([Start(2, 1, None, 60.0, trained), Start(2, 1, 100.0, 1.0)]) == ""


def test_every_verb_notes_itself_and_what_follows_a_start_does_not(costs, tmp_path):
    with pytest.raises(SystemExit):
        ablation(["tables", "--study", str(tmp_path / "none")])
    before = costs.read_text()
    ablation(["list", "--results", str(tmp_path)])
    row = json.loads(costs.read_text()[len(before) :])
    assert row["verb"] == "list"
    assert row["seconds"] > 0
