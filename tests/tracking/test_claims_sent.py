"""What MLflow's runs of variants and studies answer: the numbers of the tables, verdicts, and what was registered."""

import csv
import json
import time
from types import SimpleNamespace

import pytest
from mirrored import Synthetic, active_runs, curves
from mlflow.tracking import MlflowClient
from scipy import stats

from ablation.jobs.registration import FILE, content_of, register, registrations
from ablation.support.digests import digest
from ablation.tracking import sending
from ablation.tracking.claims import verdict_counts, verdict_text, verdicts_of_variants

SUPPORTED, UNDECIDED = "supported", "undecided"


def runs_of(uri, study, level):
    """Metrics and tags of the runs of variants, by variant, or of the one run of the study."""
    found = active_runs(MlflowClient(tracking_uri=uri), study.plan.name).values()
    return {run.data.tags.get("variant"): run.data for run in found if run.data.tags["level"] == level}


def tags(data, kind):
    return {name: value for name, value in data.tags.items() if name.startswith(f"{kind}.")}


def compared(study):
    """The rows of the table as it is written, by variant."""
    with open(study.results / "tables" / "comparison.csv", newline="") as file:
        return {row["variant"]: row for row in csv.DictReader(file)}


def differing(study):
    """Rows of runs, each with an accuracy of its own."""
    table = study.table()
    values = [0.1 + 0.7 / (3 + place) for place in range(len(table))]
    return table.assign(test_accuracy=values, train_loss=[1 - value**2 for value in values], status="completed")


def test_numbers_are_those_of_the_tables_to_the_last_digit(study, uri):
    study = Synthetic(
        study.results, study.plan.name, edits={"claims:": "metrics: [test_accuracy, train_loss]\nclaims:"}
    )
    study.finish_all()
    table = differing(study)
    study.complete(study.mirror(uri), table)
    rows, variants = compared(study), runs_of(uri, study, "variant")
    assert list(rows) == list(study.plan.variants)
    for name, row in rows.items():
        shown = variants[name].metrics
        columns = {f"test_accuracy_{part}": f"test_accuracy_{part}" for part in ("mean", "sd", "n")}
        columns |= {f"{part}_runs": part for part in ("failed", "diverged", "stuck")} | {"runs": "runs"}
        ends = {"": "effect", ".low": "low", ".high": "high"}
        columns |= {f"effect.test_accuracy{end}": f"test_accuracy_{part}" for end, part in ends.items()}
        expected = {metric: float(row[column]) for metric, column in columns.items() if row[column]}
        assert {metric: shown.get(metric) for metric in expected} == expected
        assert ("effect.test_accuracy" in shown) == (name != "lenet"), "the baseline has none"
        assert_bounds_the_mean(shown, table[table["variant"] == name])


def assert_bounds_the_mean(shown, rows):
    """Over seeds alone for a loss that is known as a mean, and over test images, too, for an accuracy."""
    low, high = {}, {}
    for metric in ("test_accuracy", "train_loss"):
        values = rows[metric]
        low[metric], high[metric] = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert shown["train_loss_mean.low"] == pytest.approx(low["train_loss"])
    assert shown["train_loss_mean.high"] == pytest.approx(high["train_loss"])
    centre = (shown["test_accuracy_mean.low"] + shown["test_accuracy_mean.high"]) / 2
    assert centre == pytest.approx(shown["test_accuracy_mean"])
    assert shown["test_accuracy_mean.low"] != pytest.approx(low["test_accuracy"])


def test_numbers_that_change_are_sent_again_and_those_that_are_gone_are_none(study, uri):
    study.finish_all()
    table = differing(study)
    study.complete(study.mirror(uri), table)
    other = table.assign(test_accuracy=0.9 * table["test_accuracy"] ** 2)
    study.complete(study.mirror(uri), other)
    (tanh,) = (name for name in study.plan.variants if name != "lenet")
    shown = runs_of(uri, study, "variant")[tanh].metrics
    assert shown["effect.test_accuracy"] == float(compared(study)[tanh]["test_accuracy_effect"])
    assert shown["test_accuracy_mean"] == float(compared(study)[tanh]["test_accuracy_mean"])
    table.loc[table["variant"] == tanh, "test_accuracy"] = None
    study.complete(study.mirror(uri), table)
    shown = runs_of(uri, study, "variant")[tanh].metrics
    names = ("test_accuracy_mean", "test_accuracy_mean.low", "test_accuracy_sd", "effect.test_accuracy.high")
    assert all(shown[name] != shown[name] for name in names), "an effect that cannot be tested is not the one of before"
    assert shown["test_accuracy_n"] == 0


def test_verdicts_are_tags_that_follow_the_verdicts(study, uri):
    study.finish_all()
    study.words |= {"tanh-better": SUPPORTED}
    study.complete(study.mirror(uri))

    def shown():
        whole = runs_of(uri, study, "study")[None]
        return (
            [tags(data, "verdict") for data in runs_of(uri, study, "variant").values()],
            tags(whole, "verdict"),
            whole,
        )

    expected = {"verdict.tanh-better": SUPPORTED, "verdict.relu-better": UNDECIDED}
    variants, own, whole = shown()
    assert [*variants, own] == [expected] * 3, "both variants take part in both claims"
    assert (whole.metrics["verdicts.supported"], whole.metrics["verdicts.refuted"]) == (1, 0)
    study.words = {"tanh-better": "not testable"}  # and the other claim is taken back
    study.complete(study.mirror(uri))
    variants, own, whole = shown()
    assert [*variants, own] == [{"verdict.tanh-better": "not testable"}] * 3
    assert (whole.metrics["verdicts.not_testable"], whole.metrics["verdicts.undecided"]) == (1, 0)


def test_verdicts_that_stay_are_not_sent_again(study, uri, monkeypatch):
    study.finish_all()
    study.complete(study.mirror(uri))
    sent, before = [], runs_of(uri, study, "variant")
    opened = sending.open_experiment

    def watched(*given):
        found = opened(*given)
        monkeypatch.setattr(found, "log", lambda *content, **named: sent.append((content, named)))
        monkeypatch.setattr(found, "remove_tags", lambda *content: sent.append(content))
        monkeypatch.setattr(found, "create", lambda *content: pytest.fail("made again"))
        return found

    monkeypatch.setattr(sending, "open_experiment", watched)
    study.complete(study.mirror(uri))
    assert sent == []
    assert runs_of(uri, study, "variant").keys() == before.keys()


def test_claims_are_there_as_soon_as_they_are_registered(study, uri, monkeypatch):
    folder = study.results / study.plan.name
    begun = time.time()
    register(study.plan, folder)
    assert not study.mirror(uri).sync()
    whole = runs_of(uri, study, "study")[None]
    for one in registrations(folder):
        assert whole.tags[f"registered.{one.claim}.digest"] == digest(content_of(study.plan, one.claim))
        shown = time.strptime(whole.tags[f"registered.{one.claim}"], "%Y-%m-%dT%H:%M:%S+00:00")
        assert abs(time.mktime(shown) - time.timezone - begun) < 60
    assert tags(whole, "exploratory") == {}
    with monkeypatch.context() as watched:
        watched.setattr(sending, "open_experiment", lambda *_: pytest.fail("opened"))
        study.mirror(uri).sync()
    study.finish_all()
    study.exploratory["relu-better"] = "a run that it needs was trained before it was registered"
    study.complete(study.mirror(uri))
    again = runs_of(uri, study, "study")[None]
    assert tags(again, "registered") == tags(whole, "registered")
    assert tags(again, "exploratory") == {"exploratory.relu-better": study.exploratory["relu-better"]}
    study.exploratory["relu-better"] = ""  # fresh seeds
    study.complete(study.mirror(uri))
    assert tags(runs_of(uri, study, "study")[None], "exploratory") == {}


def test_a_claim_that_comes_after_the_results_is_exploratory_at_once(study, uri):
    folder = study.results / study.plan.name
    study.finish_all()
    study.complete(study.mirror(uri))
    shard = folder / "shards" / "lenet" / "0.json"
    shard.parent.mkdir(parents=True)
    shard.write_text(json.dumps({"runs": [{"variant": "lenet", "seed": 0}]}))
    register(study.plan, folder)
    study.mirror(uri).sync()
    whole = runs_of(uri, study, "study")[None]
    assert set(tags(whole, "exploratory").values()) == {"results of 1 of its 2 seeds were there when it was registered"}
    assert tags(whole, "verdict"), "what is known of verdicts stays"


def test_a_registration_that_was_cut_off_is_sent_once_it_is_whole(study, uri):
    folder = study.results / study.plan.name
    study.finish(study.runs[0], curves(3))
    register(study.plan, folder)
    whole = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(whole[: len(whole) // 3])
    study.mirror(uri).sync()
    assert tags(runs_of(uri, study, "study")[None], "registered") == {}
    (folder / FILE).write_bytes(whole)
    study.mirror(uri).sync()
    assert len(tags(runs_of(uri, study, "study")[None], "registered")) == 4


def a_test(architecture, verdict, *variants):
    cells = [SimpleNamespace(variant=one) for one in variants]
    return SimpleNamespace(architecture=architecture, verdict=verdict, cells=cells)


def test_architectures_that_differ_are_named():
    lenet, vgg = a_test("lenet", SUPPORTED, "lenet", "lenet-x"), a_test("vgg", "refuted", "vgg", "vgg-x")
    assert verdict_text([lenet, a_test("vgg", SUPPORTED)]) == SUPPORTED
    assert verdict_text([lenet, vgg]) == "lenet: supported, vgg: refuted"
    outcomes = SimpleNamespace(claims=[SimpleNamespace(claim="x", tests=[lenet, vgg])])
    assert verdicts_of_variants(outcomes) == {
        **{variant: {"verdict.x": SUPPORTED} for variant in ("lenet", "lenet-x")},
        **{variant: {"verdict.x": "refuted"} for variant in ("vgg", "vgg-x")},
    }
    counted = {name: number for name, number in verdict_counts(outcomes).items() if number}
    assert counted == {"verdicts.supported": 1, "verdicts.refuted": 1}
