"""The mirror, against a real SQLite store."""

import dataclasses
import os
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from mirrored import assert_is_the_study, by_level, curves, everything, files
from mlflow.tracking import MlflowClient

from ablation.tracking import attempts
from ablation.tracking.address import RETRIES, Address, Redacted, receipt_is_stale
from ablation.tracking.lease import OtherWriterError


def test_runs_appear_while_they_train_and_end_with_their_record(study, uri):
    first = study.runs[0]
    with study.store.lock(first.key) as running:
        running.write_curves(curves(1))
        assert not study.mirror(uri).sync()
        found, history = everything(uri, study)
        training = [run for run in found.values() if run.data.tags.get("level") == "run"]
        assert [run.info.status for run in training] == ["RUNNING"]
        assert training[0].data.tags["status"] == "training"
        running.write_curves(curves(2))
        study.mirror(uri).sync()
    _, history = everything(uri, study)
    assert [step for step, *_ in history[training[0].info.run_id, "train_loss"]] == [1, 2]
    study.finish_all()
    assert study.mirror(uri).sync()
    found, history = everything(uri, study)
    assert [p[0] for p in history[training[0].info.run_id, "train_loss"]] == [1, 2, 3]
    assert found[training[0].info.run_id].info.status == "FINISHED"


def test_mirroring_again_changes_nothing(study, uri, tmp_path):
    study.finish_all()
    study.complete(study.mirror(uri))
    once = everything(uri, study)
    ledger = study.results / study.plan.name / "mlflow-ledger.jsonl"
    study.complete(study.mirror(uri))
    assert everything(uri, study)[1] == once[1]
    ledger.unlink()  # what was sent is found again by the runs' keys
    study.complete(study.mirror(uri))
    assert everything(uri, study)[1] == once[1]
    assert_is_the_study(study, MlflowClient(tracking_uri=uri), tmp_path / "down")


def test_a_lost_ledger_in_the_middle_sends_no_point_twice(study, uri, tmp_path):
    """Nor does a run that went on from an earlier epoch, whose points have other times now."""
    first = study.runs[0]
    with study.store.lock(first.key) as running:
        running.write_curves(curves(5))
        study.mirror(uri).sync()
    (study.results / study.plan.name / "mlflow-ledger.jsonl").unlink()
    with study.store.lock(first.key) as running:
        running.write_curves(curves(3) + curves(6, begin=1.8e9)[3:])
        study.mirror(uri).sync()
    _, history = everything(uri, study)
    steps = [[step for step, *_ in points] for (_, metric), points in history.items() if metric == "train_loss"]
    assert steps == [[1, 2, 3, 4, 5, 6]]


def test_a_deleted_database_is_filled_anew_in_spite_of_the_ledger(study, tmp_path):
    study.finish_all()
    for name in ("first.db", "second.db"):
        new = study.mirror(f"sqlite:///{tmp_path / name}")
        new.ledger.uri = "the same"  # as if the file had been deleted and made again in its place
        study.complete(new)
        assert len(everything(f"sqlite:///{tmp_path / name}", study)[0]) == 7


def test_a_run_that_was_made_and_not_noted_is_found_again(study, uri, monkeypatch):
    study.finish_all()
    interrupted = study.mirror(uri)

    def fail():
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupted.ledger, "note", fail)
    with pytest.raises(KeyboardInterrupt):
        interrupted.sync()
    assert study.mirror(uri).sync()
    assert len(everything(uri, study)[0]) == 7


def test_runs_are_nested_and_tagged(study, uri):
    study.finish_all()
    study_run = study.complete(study.mirror(uri))
    found, _ = everything(uri, study)
    by_level = {}
    for run in found.values():
        by_level.setdefault(run.data.tags["level"], []).append(run)
    variants = {run.info.run_id: run for run in by_level["variant"]}
    assert all(run.data.tags["mlflow.parentRunId"] == study_run for run in variants.values())
    for run in by_level["run"]:
        parent = variants[run.data.tags["mlflow.parentRunId"]]
        assert parent.data.tags["variant"] == run.data.tags["variant"]
        assert run.data.tags["factor.activation"] == run.data.params["activation"]
    assert sorted(run.data.tags["status"] for run in by_level["run"]) == ["completed"] * 3 + ["diverged"]
    assert {run.info.end_time - run.info.start_time for run in by_level["run"]} == {2500}


def test_a_run_that_stopped_half_way_does_not_look_as_if_it_trained(study, uri):
    def statuses():
        return [run.info.status for run in everything(uri, study)[0].values() if run.data.tags["level"] == "run"]

    with study.store.lock(study.runs[0].key) as running:
        running.write_curves(curves(3))
        half = study.mirror(uri)
        half.sync()
        half.pause()
        half.sync()
        assert statuses() == ["KILLED"]
        running.write_curves(curves(2, begin=4e9))  # it goes on from an earlier epoch
        half.sync()
    assert statuses() == ["RUNNING"]


def test_losses_that_are_no_numbers_have_no_points(study, uri):
    rows = curves(2)
    rows[1] |= {"train_loss": float("inf"), "validation_loss": float("nan")}
    with study.store.lock(study.runs[0].key) as running:
        running.write_curves(rows)
        study.mirror(uri).sync()
    _, history = everything(uri, study)
    steps = {metric: [step for step, *_ in points] for (_, metric), points in history.items()}
    assert (steps["train_loss"], steps["validation_loss"], steps["lr"]) == ([1], [1], [1, 2])


def test_a_damaged_record_keeps_no_other_from_the_mirror(study, uri, capsys):
    study.finish_all()
    (study.store.folder(study.runs[0].key) / "record.json").write_text("{}")
    assert not study.mirror(uri).sync()
    assert "it has to be trained again" in capsys.readouterr().err
    assert sum(run.data.tags["level"] == "run" for run in everything(uri, study)[0].values()) == 3


def test_a_run_of_an_earlier_study_may_be_deleted(study, uri):
    study.finish_all()
    everybody, study.runs = study.runs, study.runs[:3]
    study.complete(study.mirror(uri))
    study.runs = everybody
    study.complete(study.mirror(uri))
    study.runs = everybody[1:]
    study.complete(study.mirror(uri))
    client = MlflowClient(tracking_uri=uri)
    old = [run for run in everything(uri, study)[0].values() if run.data.tags.get("superseded") == "true"]
    assert [run.data.tags["ablation.key"] for run in old] == [everybody[0].key]
    client.delete_run(old[0].info.run_id)
    study.complete(study.mirror(uri))
    assert len(everything(uri, study)[0]) == 6


def test_a_server_that_is_down_is_said(study, monkeypatch):
    monkeypatch.setenv(RETRIES, "0")
    address = Address.of(study.results, {"MLFLOW_TRACKING_URI": "http://me:secret@127.0.0.1:9"})
    study.finish(study.runs[0])
    with pytest.raises(Exception, match="refused") as error:
        study.mirror(address.uri).sync()
    assert address.explain(error.value) == "MLflow at http://127.0.0.1:9 cannot be reached: Connection refused."
    assert not (study.results / study.plan.name / "mlflow-ledger.jsonl").exists()


def test_a_server_that_ends_in_the_middle_of_an_answer_is_said(study, monkeypatch):
    monkeypatch.setenv(RETRIES, "0")
    study.finish(study.runs[0])
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        closing = threading.Thread(target=lambda: server.accept()[0].close())
        closing.start()
        address = Address.of(study.results, {"MLFLOW_TRACKING_URI": f"http://{host}:{port}"})
        with pytest.raises(Exception, match="aborted") as error:
            study.mirror(address.uri).sync()
        closing.join()
    assert address.explain(error.value).endswith("cannot be reached: the connection broke.")


@pytest.mark.parametrize(
    ("uri", "given", "public", "user", "password"),
    [
        ("http://host:5000", "http://host:5000", "http://host:5000", None, None),
        ("https://me:p%40ss@host/x", "https://host/x", "https://host/x", "me", "p@ss"),
        ("https://me:a/b#c?d@e@host", "https://host", "https://host", "me", "a/b#c?d@e"),
        ("http://me@host", "http://host", "http://host", "me", "from-variable"),
        ("postgresql+psycopg2://me:pw@db/x?sslmode=on", None, "postgresql+psycopg2://db/x", None, None),
        ("sqlite:///my.db", None, "sqlite:///my.db", None, None),
        ("databricks", None, "databricks", None, None),
    ],
)
def test_what_is_secret_in_an_address_goes_no_further(uri, given, public, user, password, tmp_path):
    variables = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_PASSWORD": "from-variable"}
    address = Address.of(tmp_path, variables)
    assert (address.uri, address.public) == (given or uri, public)
    assert address.environment.get("MLFLOW_TRACKING_USERNAME") == user
    assert address.environment["MLFLOW_TRACKING_PASSWORD"] == (password or "from-variable")
    said = address.redact(f"no way to {uri} with {password} or from-variable")
    written = uri.split("//")[-1].rpartition("@")[0].partition(":")[2]
    assert [secret for secret in (password, written, "from-variable") if secret and secret in said] == []


def test_what_libraries_print_has_no_secret(capsys, tmp_path):
    variables = {"MLFLOW_TRACKING_URI": "http://host", "MLFLOW_TRACKING_USERNAME": "me"}
    variables |= {"MLFLOW_TRACKING_PASSWORD": "pass word", "MLFLOW_TRACKING_TOKEN": "token-1"}
    stream = Redacted(sys.stdout, Address.of(tmp_path, variables))
    print("pass word, token-1, Basic bWU6cGFzcyB3b3Jk, http://x:y@proxy", file=stream, flush=True)
    assert capsys.readouterr().out == "***, ***, Basic ***, http://***@proxy\n"


def test_without_a_variable_runs_go_beside_the_results(tmp_path):
    address = Address.of(tmp_path, {"MLFLOW_TRACKING_URI": ""})
    assert (address.uri, address.default, address.local) == (f"sqlite:///{tmp_path / 'mlflow.db'}", True, True)


def test_a_receipt_of_another_place_is_stale(tmp_path):
    there, here = {"uri": "http://host"}, {"uri": "sqlite:///results/mlflow.db"}
    server = {"MLFLOW_TRACKING_URI": "http://me:secret@host"}
    assert not receipt_is_stale(there, tmp_path, server)
    assert not receipt_is_stale(there, tmp_path, {})
    assert receipt_is_stale(here, tmp_path, server)
    assert receipt_is_stale(here, tmp_path, {})
    (tmp_path / "mlflow.db").touch()
    assert not receipt_is_stale(here, tmp_path, {})


@pytest.fixture
def patient(monkeypatch):
    """Count the seconds that are waited without waiting them."""
    waited = []
    monkeypatch.setattr(attempts.time, "sleep", waited.append)
    monkeypatch.setenv(RETRIES, "2")
    return waited


def failing(*errors):
    """Return something to do that fails in these ways before it does not."""
    left = list(errors)

    def do():
        if left:
            raise left.pop(0)
        return "done"

    return do


def test_the_end_outlasts_a_server_that_is_started_again(patient, tmp_path, monkeypatch):
    address = Address.of(tmp_path, {})
    assert attempts.persist(failing(OSError(), OSError(), OSError()), address) == "done"
    assert patient == list(attempts.PAUSES)
    with pytest.raises(OSError, match="fourth"):
        attempts.persist(failing(OSError(), OSError(), OSError(), OSError("fourth")), address)
    monkeypatch.setenv(RETRIES, "0")
    patient.clear()
    with pytest.raises(OSError, match="first"):
        attempts.persist(failing(OSError("first")), address)
    assert patient == []


def test_the_end_waits_for_another_machine_only_while_it_may_be_dead(patient, tmp_path):
    address, silent, alive = Address.of(tmp_path, {}), OtherWriterError("x", False), OtherWriterError("x", True)
    assert attempts.persist(failing(*[silent] * 12), address) == "done"
    assert patient == [attempts.LOOK] * 12
    with pytest.raises(OtherWriterError):
        attempts.persist(failing(silent, alive), address)


def test_a_refusal_is_not_asked_again(patient, tmp_path):
    error = OSError("no")
    error.response = SimpleNamespace(status_code=401)
    with pytest.raises(OSError, match="no"):
        attempts.persist(failing(error), Address.of(tmp_path, {}))
    assert patient == []


def test_a_python_without_mlflow_says_that_runs_come_at_the_end(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['mlflow'] = None")
    words = [
        "--study",
        "x",
        "--manifest",
        "x",
        "--variants",
        "x",
        "--store",
        "x",
        "--follow",
        "--log",
        tmp_path / "log",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "ablation", "mirror", *words],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (0, "", 1)
    assert "only at its end, when the rule mirror_records sends them" in done.stderr
    assert "has no mlflow" in done.stderr


def test_variants_that_come_out_the_same_share_a_record_and_have_a_run_each(study, uri):
    first, twin = (
        next(run for run in study.runs if (run.variant, run.seed) == (variant, 0)) for variant in study.plan.variants
    )
    study.runs[study.runs.index(twin)] = dataclasses.replace(twin, key=first.key)
    study.finish_all()
    assert study.mirror(uri).sync()
    assert study.mirror(uri).sync()
    found, _ = everything(uri, study)
    seeds = sorted(
        (run.data.tags["variant"], run.data.tags["seed"]) for run in found.values() if run.data.tags["level"] == "run"
    )
    assert seeds == sorted((run.variant, str(run.seed)) for run in study.runs)


@pytest.mark.parametrize("reached", [0, 2], ids=lambda epochs: f"after {epochs} epochs")
@pytest.mark.parametrize("remembers", [True, False], ids=["with its ledger", "without"])
def test_a_failed_run_is_one_of_mlflow_and_a_second_try_takes_its_place(study, uri, reached, remembers, tmp_path):
    first, *others = study.runs
    for planned in others:
        study.finish(planned)
    study.finish(first, curves(reached), "failed")
    study.complete(study.mirror(uri))
    seeds, variants, whole = by_level(uri, study)
    failed = seeds[first.variant, first.seed]
    assert (failed.info.status, failed.data.tags["status"]) == ("FAILED", "failed")
    assert failed.data.tags["error"] == "ValueError: no good (own.py, line 3)"
    assert "test_accuracy" not in failed.data.metrics
    sent = files(MlflowClient(tracking_uri=uri), failed, tmp_path)
    assert sent["error.txt"] == "ValueError: no good (own.py, line 3)\n\nTraceback"
    assert [run.info.status for run in (variants[first.variant], whole)] == ["FAILED", "FAILED"]
    assert variants[first.variant].data.metrics["failed_runs"] == 1
    assert {run.info.status for name, run in variants.items() if name != first.variant} == {"FINISHED"}

    def ledger_goes():
        if not remembers:
            (study.results / study.plan.name / "mlflow-ledger.jsonl").unlink()

    ledger_goes()
    before = everything(uri, study)[1]
    study.complete(study.mirror(uri))
    assert everything(uri, study)[1] == before, "the same failure is not sent twice"

    ledger_goes()
    study.store.remove(first.key)
    with study.store.lock(first.key) as running:
        running.write_curves(curves(1, begin=1.8e9))
        study.mirror(uri).sync()
        assert by_level(uri, study)[0][first.variant, first.seed].info.status == "RUNNING"
    study.finish(first, curves(3, begin=1.8e9))
    study.complete(study.mirror(uri))
    assert_is_the_study(study, MlflowClient(tracking_uri=uri), tmp_path / "down")


def test_metrics_added_or_changed_after_a_run_was_sent_reach_it(study, uri):
    """They are computed when records are collected: no run is trained again for them."""
    study.finish_all()
    study.complete(study.mirror(uri))
    table = study.table()
    has_value = table["status"] == "completed"
    table.loc[has_value, "test_accuracy"] = 0.25  # lower: its point has to be later than the one it replaces
    table.loc[has_value, "train_loss"] = 0.75
    table.loc[has_value, "macro_f1"] = 0.125
    added = "shifted_accuracy"
    assert added in study.plan.metrics
    assert added not in table
    table.loc[has_value, added] = 0.375

    def conclude():
        study.complete(study.mirror(uri), table)
        return everything(uri, study)

    found, history = conclude()
    runs = [run for run in found.values() if run.data.tags["level"] == "run"]
    names = ("test_accuracy", "final_train_loss", "macro_f1", added)
    shown = {tuple(run.data.metrics.get(name) for name in names) for run in runs}
    assert shown == {(0.25, 0.75, 0.125, 0.375), (None,) * 4}
    assert {run.data.metrics["train_loss"] for run in runs} == {1 / 3}, "that of the curve"
    assert conclude()[1] == history
