"""What the result of a shard says, and which of its records a start has to see to."""

import json
from pathlib import Path

import pytest

from ablation.jobs.results import failed_runs, outdated, shard_result, training_log
from ablation.records.store import Store

COMPLETED, FAILED, MISSING, MENDED = ("ab" * 16, "cd" * 16, "ef" * 16, "01" * 16)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    for key, status in ((COMPLETED, "completed"), (FAILED, "failed"), (MENDED, "completed")):
        store.write(key, {"status": status, "error": {"time": 1.7e9}}, {})
    return store


def result(**statuses):
    keys = {"completed": COMPLETED, "failed": FAILED, "missing": MISSING, "mended": MENDED}
    return {"runs": [{"seed": 0, "key": keys[name], "status": status} for name, status in statuses.items()]}


def test_failed_records_are_left_alone(store):
    assert outdated(result(completed="completed", failed="failed", missing="stuck"), store) == [MISSING]


def test_a_result_is_outdated_if_another_study_has_tried_its_run_again(store):
    assert outdated(result(mended="failed"), store) == [MENDED]


def test_a_record_that_was_discarded_is_missing(store):
    store.remove(FAILED)
    assert outdated(result(failed="failed"), store) == [FAILED]
    assert not store.has_failed(FAILED)
    store.remove(FAILED)  # by whoever comes second
    assert [path.name for path in store.root.iterdir() if path.name.startswith(".pruned")] == []


def test_failed_runs_are_counted_over_all_results_that_can_be_read(tmp_path):
    shard = {"variant": "lenet", "runs": [{"seed": 0}, {"seed": 1}]}
    written = shard_result(shard, [COMPLETED, FAILED], [{"status": "completed"}, {"status": "failed"}])
    for name, text in (("0.json", json.dumps(written)), ("1.json", "{"), ("2.json", "[]")):
        (tmp_path / name).write_text(text)
    assert failed_runs(tmp_path / f"{number}.json" for number in range(4)) == 1


def test_the_log_of_a_shard_lies_where_the_rule_writes_it():
    rule = (Path(__file__).parents[2] / "workflow/rules/train.smk").read_text()
    assert 'f"{STUDY}/logs/train_shard/{{variant}}/{{shard}}.log"' in rule
    log = training_log(Path("inner/results/digits/shards/vgg-norm.none/3.json"))
    assert log == Path("inner/results/digits/logs/train_shard/vgg-norm.none/3.log")
