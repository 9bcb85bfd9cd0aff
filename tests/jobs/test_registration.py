"""Which claims were registered before their runs were there."""

import json

import pytest

from ablation.jobs.registration import FILE, register, registrations, why_exploratory
from ablation.records.runs import began
from ablation.study.studyfile import read_study

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
