"""What the result of a shard says, and which of its records a start has to see to."""

import json
from pathlib import Path

import pytest
from specs import make_shard

from ablation.jobs.results import failed_runs, lost, outdated, shard_result, training_log
from ablation.jobs.starts import lost_of
from ablation.records.store import FORMAT, RECORD, NewerRecordError, Store
from ablation.support.digests import digest

COMPLETED, FAILED, MISSING, MENDED = ("ab" * 16, "cd" * 16, "ef" * 16, "01" * 16)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    for key, status in ((COMPLETED, "completed"), (FAILED, "failed"), (MENDED, "completed")):
        store.write(key, {"status": status, "error": {"time": 1.7e9}}, {})
    return store


def result(**statuses):
    keys = {"completed": COMPLETED, "failed": FAILED, "missing": MISSING, "mended": MENDED}
    return {
        "runs": [
            {"variant": "lenet", "seed": 0, "key": keys[name], "status": status} for name, status in statuses.items()
        ]
    }


def test_failed_records_are_left_alone(store):
    found = result(completed="completed", failed="failed", missing="stuck")
    assert lost(found, store) == [MISSING]
    assert outdated(found, store) == []


@pytest.mark.parametrize("before", [{"mended": "failed"}, {"failed": "completed"}], ids=["mended", "failed again"])
def test_a_result_is_outdated_if_another_study_has_tried_its_run_again(store, before):
    assert outdated(result(**before), store) == ["lenet, seed 0"]
    assert lost(result(**before), store) == [], "nothing is trained for it"


@pytest.mark.parametrize("find", [lost, outdated])
def test_a_record_of_a_newer_version_is_neither_lost_nor_passed_over(store, tmp_path, find):
    content = {"key": COMPLETED, "format": FORMAT + 1}
    (store.folder(COMPLETED) / RECORD).write_text(json.dumps({**content, "seal": digest(content)}))
    (tmp_path / "0.json").write_text(json.dumps(result(completed="completed")))
    with pytest.raises(NewerRecordError, match="a newer version of this program wrote it"):
        lost_of(tmp_path / "0.json", lambda read: find(read, store))


def test_a_record_that_was_discarded_is_missing(store):
    store.remove(FAILED)
    assert lost(result(failed="failed"), store) == [FAILED]
    assert not store.has_failed(FAILED)
    store.remove(FAILED)  # by whoever comes second
    assert [path.name for path in store.root.iterdir() if path.name.startswith(".pruned")] == []


def test_failed_runs_are_counted_over_all_results_that_can_be_read(tmp_path):
    shard = make_shard({"seed": 0}, {"seed": 1})
    written = shard_result(shard, [COMPLETED, FAILED], [{"status": "completed"}, {"status": "failed"}])
    for name, text in (("0.json", json.dumps(written)), ("1.json", "{"), ("2.json", "[]")):
        (tmp_path / name).write_text(text)
    assert failed_runs(tmp_path / f"{number}.json" for number in range(4)) == 1


def test_the_log_of_a_shard_lies_where_the_rule_writes_it():
    rule = (Path(__file__).parents[2] / "workflow/rules/train.smk").read_text()
    assert 'f"{STUDY}/logs/train_shard/{{shard}}.log"' in rule
    log = training_log(Path("inner/results/digits/shards/vgg-norm.none/3.json"))
    assert log == Path("inner/results/digits/logs/train_shard/vgg-norm.none/3.log")
