"""What a shard's jobs are given, and which predictions their records keep."""

import json
from pathlib import Path

import pytest
from specs import make_shard, make_spec

from ablation.jobs import training
from ablation.jobs.shards import planned_runs, shard_spec
from ablation.jobs.stopping import Stop
from ablation.records.keys import run_key
from ablation.records.runs import read_run
from ablation.records.store import NoWeightsError, Store
from ablation.study.studyfile import read_study

STUDY = Path(__file__).parents[2] / "config/studies/miniature.yaml"
SPEC = make_spec(activation="relu", recipe={"epochs": 1, "batch_size": 512})


@pytest.fixture
def plans(tmp_path):
    """A study, and the same one that asks for all logits and for other metrics."""
    text = STUDY.read_text()
    (tmp_path / "more.yaml").write_text(
        text.replace("metrics: [test_accuracy, test_loss]", "metrics: [shifted_accuracy, macro_f1]\nlogits: true")
    )
    return read_study(STUDY), read_study(tmp_path / "more.yaml")


def test_neither_metrics_nor_logits_are_part_of_a_key(plans):
    first, more = ([run.key for run in planned_runs(plan, "d" * 32)] for plan in plans)
    assert first == more


def test_a_shard_is_told_of_logits_beside_its_runs(plans):
    first, more = (json.loads(shard_spec(plan, {"lenet": [0, 1]})) for plan in plans)
    assert more.pop("logits") is True
    assert more == first


def trained(folder, digits, shard):
    store, key = Store(folder), run_key(SPEC, digits[1]["digest"])
    training.train_missing(shard, [key], *digits, store, Stop(), gpu=False)
    return read_run(store, key).predictions


@pytest.mark.parametrize(("limit", "asked", "kept"), [(3590, {}, True), (3589, {}, False), (0, {"logits": True}, True)])
def test_logits_are_kept_where_they_are_few_or_asked_for(tmp_path, digits, monkeypatch, limit, asked, kept):
    monkeypatch.setattr(training, "LOGITS", limit)
    assert len(digits[0]["test_labels"]) * 10 == 3590
    found = trained(tmp_path, digits, make_shard(SPEC, **asked))
    assert (found.logits is not None) == kept
    assert found.labels.tolist() == digits[0]["test_labels"].tolist()


def test_a_warm_start_from_weights_that_were_freed_is_refused_with_a_sentence(tmp_path, digits):
    shard = make_shard(SPEC)
    trained(tmp_path, digits, shard)
    Store(tmp_path).free_weights(run_key(SPEC, digits[1]["digest"]))
    with pytest.raises(
        NoWeightsError, match=r"lenet, seed 0: its weights were freed .*, delete .* and start the study"
    ):
        training.starting_weights(Store(tmp_path), SPEC, digits[1]["digest"])
