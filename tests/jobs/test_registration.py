"""Which claims were registered before their runs were there."""

import json

import pytest

from ablation.jobs import registration
from ablation.jobs.registration import FILE, content_of, register, registrations, standings, withdrawn
from ablation.records.runs import began
from ablation.study.plan import Plan
from ablation.study.studyfile import read_study
from ablation.support.digests import digest

STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 1, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {activation: relu}}, vgg: {baseline: {width: 4, hidden: 16}}}
grid: [{architectures: [lenet], factors: {activation: [tanh, sigmoid]}}]
seeds: 3
smallest_effect: 0.01
claims:
  tanh:
    statement: Tanh is better.
    source: nobody
    factor: activation
    level: tanh
    against: relu
    metric: test_accuracy
    direction: greater
"""
MORE = """\
  sigmoid: {statement: s, source: s, factor: activation, level: sigmoid, against: relu, metric: test_loss, direction: less}
"""


@pytest.fixture(name="plan")
def make_plan(tmp_path):
    def read(text=STUDY):
        (tmp_path / "small.yaml").write_text(text)
        return read_study(tmp_path / "small.yaml")

    return read


def result(folder, variant, *seeds):
    path = folder / f"shards/{variant}/{seeds[0]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"runs": [{"variant": variant, "seed": seed} for seed in seeds]}))


def why_exploratory(plan, claim, folder, began):
    """The same times for the runs of every variant."""
    return standings(plan, folder, dict.fromkeys(plan.variants, began))[claim].exploratory


def test_a_claim_is_registered_once_and_is_then_a_test(plan, tmp_path):
    folder = tmp_path / "results"
    assert why_exploratory(plan(), "tanh", folder, []) == "it was not registered as it stands"
    (one,) = register(plan(), folder)
    assert (one.claim, one.seen) == ("tanh", ())
    result(folder, "lenet", 0, 1, 2)
    assert register(plan(), folder) == []
    assert registrations(folder) == [one]
    assert why_exploratory(plan(), "tanh", folder, [one.time, one.time + 1]) == ""


def test_a_study_that_is_moved_with_its_parts_claims_the_same(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(
            'LEVELS = {"activation": {"own": {"make": "own", "text": "t"}}}\ndef own(): 1\n'
        )
        (tmp_path / folder / "s.yaml").write_text(f"{STUDY.replace('tanh', 'own')}parts: [own.py]\n")
    here, there = (read_study(tmp_path / folder / "s.yaml") for folder in ("here", "there"))
    register(here, tmp_path / "results")
    assert register(there, tmp_path / "results") == []


def test_its_words_may_be_mended_afterwards(plan, tmp_path):
    register(plan(), tmp_path / "results")
    mended = plan(STUDY.replace("Tanh is better.", "Tanh is more accurate.").replace("nobody", "somebody"))
    assert register(mended, tmp_path / "results") == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("level: tanh", "level: sigmoid"),
        ("metric: test_accuracy", "metric: train_accuracy"),
        ("direction: greater", "direction: less"),
        ("smallest_effect: 0.01", "smallest_effect: 0.02"),
        ("seeds: 3", "seeds: 4"),
        ("epochs: 1", "epochs: 2"),
        ("metric: test_accuracy\n    direction: greater", "metric: epochs_to_threshold\n    direction: less"),
    ],
)
def test_what_it_commits_itself_to_may_not(plan, tmp_path, before, after):
    folder = tmp_path / "results"
    register(plan(), folder)
    result(folder, "lenet", 1, 2)
    changed = plan(STUDY.replace(before, after).replace("seeds:", "threshold: 0.9\nseeds:"))
    (one,) = register(changed, folder)
    assert one.seen == (1, 2)
    assert "2 of its" in why_exploratory(changed, "tanh", folder, [])


def test_only_runs_of_its_own_sides_count(plan, tmp_path):
    folder = tmp_path / "results"
    result(folder, "vgg", 0)
    result(folder, "lenet-activation.sigmoid", 0)
    register(plan(STUDY + MORE), folder)
    assert {one.claim: one.seen for one in registrations(folder)} == {"tanh": (), "sigmoid": (0,)}


def test_seeds_that_were_not_seen_can_test_a_claim_that_came_later(plan, tmp_path):
    folder = tmp_path / "results"
    result(folder, "lenet", 0, 1, 2)
    fresh = plan(STUDY.replace("seeds: 3", "seeds: [7, 8]"))
    register(fresh, folder)
    assert why_exploratory(fresh, "tanh", folder, []) == ""
    register(plan(), folder)
    assert (
        why_exploratory(plan(), "tanh", folder, []) == "results of 3 of its 3 seeds were there when it was registered"
    )


GREATER, LESS = STUDY, STUDY.replace("direction: greater", "direction: less")
WIDER = LESS.replace("smallest_effect: 0.01", "smallest_effect: 0.1")


def last_time(folder):
    return registrations(folder)[-1].time


def test_of_what_was_registered_before_the_runs_only_the_last_is_a_test(plan, tmp_path):
    texts = (GREATER, LESS, WIDER)
    for text in texts:
        register(plan(text), tmp_path)
    starts = [last_time(tmp_path) + 1]
    for times in (starts, []):
        found = [why_exploratory(plan(text), "tanh", tmp_path, times) for text in texts]
        assert found == ["it was registered otherwise, later and before its runs"] * 2 + [""]


def test_a_claim_that_is_mended_and_mended_back_before_its_runs_is_a_test(plan, tmp_path):
    for text in (GREATER, LESS, GREATER):
        assert len(register(plan(text), tmp_path)) == 1
    assert register(plan(GREATER), tmp_path) == []
    starts = [last_time(tmp_path) + 1]
    assert standings(plan(GREATER), tmp_path, {})["tanh"].time == last_time(tmp_path)
    assert why_exploratory(plan(GREATER), "tanh", tmp_path, starts) == ""
    assert why_exploratory(plan(LESS), "tanh", tmp_path, starts) != ""


@pytest.mark.parametrize("known", [True, False], ids=["known starts", "seen alone"])
def test_what_is_changed_and_changed_back_after_the_runs_is_the_test_it_was(plan, tmp_path, known):
    (one,) = register(plan(GREATER), tmp_path)
    began = [one.time + 1e-6] if known else []
    result(tmp_path, "lenet", 0, 1, 2)
    assert register(plan(LESS), tmp_path)
    assert "3 of its 3" in why_exploratory(plan(LESS), "tanh", tmp_path, began)
    assert register(plan(GREATER), tmp_path)
    assert why_exploratory(plan(GREATER), "tanh", tmp_path, began) == ""
    assert standings(plan(GREATER), tmp_path, dict.fromkeys(plan().variants, began))["tanh"].time == one.time


def test_a_clock_that_was_set_back_does_not_register_for_ever(plan, tmp_path, monkeypatch):
    register(plan(GREATER), tmp_path)
    with monkeypatch.context() as clock:
        clock.setattr("time.time", lambda: 1.0)
        (one,) = register(plan(LESS), tmp_path)
    assert register(plan(LESS), tmp_path) == []
    assert registrations(tmp_path)[-1] == one


def test_seeds_that_had_results_are_counted_as_attempts(plan, tmp_path):
    def attempt(seeds, text=STUDY):
        read = plan(text.replace("seeds: 3", f"seeds: {seeds}"))
        register(read, tmp_path)
        return standings(read, tmp_path, {})["tanh"].attempt

    assert attempt([0, 1]) == 1
    assert attempt([5, 6]) == 1, "no result was seen of the first"
    result(tmp_path, "lenet", 5, 6)
    assert attempt([7, 8]) == 2
    result(tmp_path, "lenet", 7, 8)
    assert attempt([9, 10]) == 3
    assert attempt([9, 10], LESS) == 1, "another claim"
    assert attempt([7, 8]) == 2, "the earlier attempt stays what it was"


def test_a_weight_that_was_not_rounded_is_the_same_attempt(plan, tmp_path):
    (one,) = register(plan(STUDY.replace("seeds: 3", "seeds: [0, 1]")), tmp_path)
    content = json.loads(json.dumps(one.content))
    content["tests"][0]["cells"][0][1] = 1 + 2**-52
    line = {**vars(one), "content": content, "digest": digest(content)}
    (tmp_path / FILE).write_text(json.dumps(line) + "\n")
    result(tmp_path, "lenet", 0, 1)
    register(plan(), tmp_path)
    assert standings(plan(), tmp_path, {})["tanh"].attempt == 2


def test_a_claim_on_what_is_counted_is_not_tried_again_by_seeds(plan, tmp_path):
    counted = STUDY.replace("test_accuracy", "parameters")
    register(plan(counted), tmp_path)
    result(tmp_path, "lenet", 0, 1, 2)
    fresh = plan(counted.replace("seeds: 3", "seeds: [7, 8]"))
    register(fresh, tmp_path)
    assert standings(fresh, tmp_path, {})["tanh"].attempt == 1


BOTH = STUDY + MORE


def gone(plan, folder, *times):
    return [(one.claim, one.tests) for one in withdrawn(plan, folder, dict.fromkeys(plan.variants, times))]


def test_a_claim_that_is_gone_after_its_runs_was_withdrawn(plan, tmp_path):
    register(plan(BOTH), tmp_path)
    after = last_time(tmp_path) + 1
    assert gone(plan(BOTH), tmp_path, after) == []
    (one,) = withdrawn(plan(), tmp_path, {})
    assert (one.claim, one.tests, one.time) == ("sigmoid", 1, last_time(tmp_path))
    assert gone(plan(), tmp_path, after, None) == [("sigmoid", 1)]
    assert gone(plan(), tmp_path, 0.0) == [], "it was exploratory"
    renamed = BOTH.replace("  sigmoid: {", "  other: {")
    assert gone(plan(renamed), tmp_path, after) == []
    register(plan(renamed), tmp_path)
    assert gone(plan(), tmp_path, after) == [("sigmoid", 1)], "under two names it is one claim"
    assert gone(plan(STUDY.replace("seeds: 3", "seeds: [7, 8]")), tmp_path) == [], "fresh seeds were no test of it"


def test_a_claim_that_came_after_the_results_is_not_missed(plan, tmp_path):
    register(plan(), tmp_path)
    result(tmp_path, "lenet-activation.sigmoid", 0)
    register(plan(BOTH), tmp_path)
    assert gone(plan(), tmp_path) == []


def test_a_claim_that_says_something_else_after_its_runs_was_withdrawn_as_it_was(plan, tmp_path):
    register(plan(GREATER), tmp_path)
    register(plan(LESS), tmp_path)
    after = last_time(tmp_path) + 1
    assert gone(plan(LESS), tmp_path, after) == [], "what it said before never had runs"
    assert gone(plan(WIDER), tmp_path, after) == [("tanh", 1)]


def test_of_what_is_counted_no_test_is_withdrawn(plan, tmp_path):
    register(plan(BOTH.replace("test_loss", "parameters")), tmp_path)
    assert gone(plan(), tmp_path) == [("sigmoid", 0)]


def test_the_plan_is_settled_and_the_file_is_read_once_for_all_claims(plan, tmp_path, monkeypatch):
    read, calls = plan(BOTH), []
    register(read, tmp_path)
    settled = Plan.settled
    monkeypatch.setattr(Plan, "settled", lambda self, answers: calls.append("settled") or settled(self, answers))
    monkeypatch.setattr(registration, "registrations", lambda folder: calls.append("read") or registrations(folder))
    assert len(standings(read, tmp_path, {})) == 2
    assert sorted(calls) == ["read", "settled"]


def test_what_is_registered_of_a_claim_stays_the_same(plan):
    content = content_of(plan(), "tanh")
    names = {"tests", "metric", "direction", "margin", "magnitude", "correction", "threshold", "seeds"}
    assert content.keys() == names
    assert content["tests"][0].keys() == {"kind", "cells"}
    assert {name: content[name] for name in names - {"tests"}} == {
        **{"metric": "test_accuracy", "direction": "greater", "margin": 0.01, "magnitude": None},
        **{"correction": "holm", "threshold": None, "seeds": [0, 1, 2]},
    }
    (one,) = content["tests"]
    assert [weight for _, weight in one["cells"]] == [1.0, -1.0]
    assert not {"seed", "diagnostics"} & one["cells"][0][0].keys()


@pytest.mark.parametrize("began", [0.0, None], ids=["earlier", "untold"])
def test_runs_that_another_study_trained_before_are_no_test(plan, tmp_path, began):
    (one,) = register(plan(), tmp_path)
    why = why_exploratory(plan(), "tanh", tmp_path, [one.time + 1, began])
    assert why == "a run that it needs was trained before it was registered"


def test_a_threshold_counts_where_the_metric_needs_it(plan, tmp_path):
    register(plan(), tmp_path)
    assert register(plan(STUDY.replace("seeds:", "threshold: 0.9\nseeds:")), tmp_path) == []


def test_what_was_cut_off_or_changed_registers_nothing(plan, tmp_path):
    register(plan(), tmp_path)
    file = tmp_path / FILE
    text = file.read_text()
    file.write_text(text.replace("greater", "less"))
    assert registrations(tmp_path) == []
    file.write_text(text[:-40])
    assert registrations(tmp_path) == []
    (one,) = register(plan(), tmp_path)
    assert registrations(tmp_path) == [one], "after a line that was cut off"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"status": "completed", "curves": [{"time": 10.0, "seconds": 4.0}, {"time": 20.0, "seconds": 4.0}]}, 6.0),
        ({"status": "failed", "curves": [], "error": {"time": 5.0}}, 5.0),
        ({"status": "completed", "curves": []}, None),
        ({"status": "diverged", "curves": [{"time": None, "seconds": 1.0}]}, None),
    ],
    ids=["trained", "failed", "no epoch", "no time"],
)
def test_a_record_says_when_its_run_began(content, expected):
    assert began(content) == expected
