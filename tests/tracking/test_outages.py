"""What may happen to MLflow's database and to the mirror: the next pass catches up, nothing twice, nothing missing."""

import contextlib
import os
import random
import signal
import sqlite3
import tempfile
import time
import traceback
from pathlib import Path

import pytest
from mirrored import Synthetic, assert_is_the_study, curves
from mlflow.tracking import MlflowClient

from ablation.records.changes import Changes
from ablation.records.store import Store
from ablation.support.digests import digest
from ablation.tracking import attempts, database, sending
from ablation.tracking.address import Address


@pytest.fixture
def path(tmp_path, tables):
    place = tmp_path / "mlflow.db"
    place.write_bytes(tables)
    return place


@pytest.fixture
def study(tmp_path, request):
    return Synthetic(tmp_path / "results", "s" + digest(request.node.name)[:12])


def through_the_client(monkeypatch):
    monkeypatch.setattr(database, "open_database", lambda *_: None)


def compare(study, path, folder):
    assert_is_the_study(study, MlflowClient(tracking_uri=f"sqlite:///{path}"), folder)


def killed_within(seconds, work):
    """Do some work in a process that is killed after so many seconds, and say whether it was too late."""
    started, begun = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(begun, b"x")
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.read(started, 1)
    os.close(started)
    os.close(begun)
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    assert ended in (0, signal.SIGKILL)
    return ended == 0


@pytest.mark.parametrize(("client", "longest"), [(False, 0.15), (True, 1.5)], ids=["written", "through the client"])
def test_a_mirror_that_is_killed_ten_times_sends_all_once(tmp_path, path, client, longest, monkeypatch):
    """In between, the trainings are killed, too: what they train again has other times."""
    if client:
        through_the_client(monkeypatch)
    monkeypatch.setattr(sending, "TOGETHER", 2)
    study, moments = Synthetic(tmp_path / "results", "killed", 4), random.Random(0)
    uri = f"sqlite:///{path}"
    too_late = []
    with contextlib.ExitStack() as trainings:
        running = [trainings.enter_context(study.store.lock(planned.key)) for planned in study.runs[2:]]
        for planned in study.runs[:2]:
            study.finish(planned, curves(30))
        for attempt in range(10):
            for place, one in enumerate(running):
                one.write_curves(curves(20 + attempt + place, begin=1.7e9 + 1000 * attempt))
            moment = moments.uniform(0, longest / 2 ** (attempt % 5))
            too_late.append(killed_within(moment, lambda: study.mirror(uri).sync()))
    assert not all(too_late), "no mirror was killed while it worked"
    # MLflow keeps the times at which each epoch was first sent; what it must not have is an epoch twice.
    assert study.mirror(uri).sync() is False
    there = MlflowClient(tracking_uri=uri)
    experiment = there.get_experiment_by_name("killed").experiment_id
    growing = [run for run in there.search_runs([experiment]) if run.data.tags["level"] == "run"]
    assert len(growing) == len(study.runs)
    for run in growing:
        steps = [point.step for point in there.get_metric_history(run.info.run_id, "train_loss")]
        place = next(n for n, planned in enumerate(study.runs) if planned.key == run.data.tags["ablation.key"])
        assert sorted(steps) == list(range(1, (30 if place < 2 else 29 + place - 2) + 1))


@pytest.mark.parametrize("client", [False, True], ids=["written", "through the client"])
def test_a_mirror_that_is_killed_while_it_sends_records(tmp_path, path, client, monkeypatch):
    if client:
        through_the_client(monkeypatch)
    monkeypatch.setattr(sending, "TOGETHER", 2)
    study, moments = Synthetic(tmp_path / "results", "killed-records", 6), random.Random(1)
    study.finish_all(epochs=200)
    uri = f"sqlite:///{path}"
    for _ in range(10):
        killed_within(moments.uniform(0, 1.5 if client else 0.1), lambda: study.mirror(uri).sync())
    study.complete(study.mirror(uri))
    compare(study, path, tmp_path / "down")


@pytest.mark.parametrize("client", [False, True], ids=["written", "through the client"])
def test_what_was_sent_and_not_noted_is_not_sent_again_with_other_times(study, path, client, monkeypatch):
    if client:
        through_the_client(monkeypatch)
    uri, first = f"sqlite:///{path}", study.runs[0]
    with study.store.lock(first.key) as running:
        running.write_curves(curves(2))
        killed = study.mirror(uri)
        killed.sync()
        running.write_curves(curves(5))
        monkeypatch.setattr(killed.ledger, "note", lambda: None)
        killed.sync()
        running.write_curves(curves(3) + curves(6, begin=1.8e9)[3:])  # it went on from an earlier epoch
        study.mirror(uri).sync()
    there = MlflowClient(tracking_uri=uri)
    experiment = there.get_experiment_by_name(study.plan.name).experiment_id
    (run,) = [run for run in there.search_runs([experiment]) if run.data.tags["level"] == "run"]
    assert [point.step for point in there.get_metric_history(run.info.run_id, "train_loss")] == [1, 2, 3, 4, 5, 6]


def test_a_locked_database_is_said_and_written_once_it_is_free(study, path, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY", 0.1)
    address = Address.of(study.results, {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"})
    study.finish_all()
    mirror = study.mirror(address.uri)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as error:
        mirror.sync()
    assert address.explain(error.value).endswith("another program holds its file (database is locked).")
    other.execute("ROLLBACK")
    other.close()
    study.complete(mirror)
    compare(study, path, tmp_path / "down")


def test_a_database_that_is_deleted_while_it_is_written_is_filled_anew(study, path, tables, tmp_path):
    uri = f"sqlite:///{path}"
    study.finish(study.runs[0])
    mirror = study.mirror(uri)
    mirror.sync()
    path.unlink()
    path.write_bytes(tables)
    study.finish_all()
    with pytest.raises(Exception, match="was deleted or replaced"):
        mirror.sync()
    study.complete(mirror)
    compare(study, path, tmp_path / "down")


@pytest.mark.skipif(os.getuid() != 0, reason="takes another user's rights, which only root may")
def test_a_read_only_database_is_said_and_written_once_it_may_be(tables, tmp_path):
    with tempfile.TemporaryDirectory() as place:  # not below pytest's own folder, which nobody else may enter
        os.chmod(place, 0o755)
        path, study = Path(place) / "mlflow.db", Synthetic(Path(place) / "results", "read-only")
        path.write_bytes(tables)
        address = Address.of(study.results, {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"})
        study.finish_all()
        client = MlflowClient(tracking_uri=address.uri)
        client.create_experiment("read-only", artifact_location=str(study.results / "artifacts"))
        mirror = study.mirror(address.uri)
        os.chown(study.results, 65534, -1)
        os.seteuid(65534)
        try:
            with pytest.raises(sqlite3.OperationalError) as error:
                mirror.sync()
        finally:
            os.seteuid(0)
        assert address.explain(error.value).endswith("its file is read-only, or was taken away while it was open.")
        study.complete(mirror)
        compare(study, path, tmp_path / "down")


def test_tables_of_another_version_are_left_alone(study, path, tmp_path):
    address = Address.of(study.results, {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"})
    study.finish_all()
    mirror = study.mirror(address.uri)

    def set_revision(revision):
        with contextlib.closing(sqlite3.connect(path)) as there, there:
            there.execute("UPDATE alembic_version SET version_num = ?", (revision,))

    set_revision("0123456789ab")
    before = path.read_bytes()
    with pytest.raises(Exception, match="schema") as error:
        mirror.sync()
    assert (
        address.explain(error.value)
        .partition(" `mlflow")[0]
        .endswith(f"found 0123456789ab, expected {database.REVISION}.")
    )
    assert path.read_bytes() == before
    set_revision(database.REVISION)
    study.complete(mirror)
    compare(study, path, tmp_path / "down")


def test_tables_that_cannot_be_made_leave_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "mlflow.py").write_text("raise SystemExit('no room for tables')")
    with pytest.raises(RuntimeError, match="tables could not be made: no room for tables"):
        database.make_tables(tmp_path / "mlflow.db")
    assert not list(tmp_path.glob("*mlflow.db*"))


def contents(path):
    """All rows that tell of the runs of a database: their ids replaced by names, and times of writing left out."""
    with contextlib.closing(sqlite3.connect(path)) as there:
        names = {row[0]: f"run {row[1]}" for row in there.execute("SELECT run_uuid, name FROM runs")}
        names |= {row[0]: f"data {row[1]}" for row in there.execute("SELECT dataset_uuid, digest FROM datasets")}
        names |= {
            row[0]: f"input of {names[row[1]]}"
            for row in there.execute("SELECT input_uuid, destination_id FROM inputs")
        }
        queries = {
            "runs": "run_uuid, source_type, source_name, entry_point_name, user_id, status, source_version, lifecycle_stage",
            "experiment_tags": "key, value",
            **dict.fromkeys(("tags", "params"), "run_uuid, key, value"),
            **dict.fromkeys(("metrics", "latest_metrics"), "run_uuid, key, value, step, is_nan"),
            "datasets": "dataset_uuid, name, digest, dataset_source_type, dataset_source, dataset_schema, dataset_profile",
            "inputs": "input_uuid, source_type, source_id, destination_type, destination_id, step",
            "input_tags": "input_uuid, name, value",
        }
        found = {}
        for table, columns in queries.items():
            rows = there.execute(f"SELECT {columns} FROM {table}")
            found[table] = sorted(([names.get(value, value) for value in row] for row in rows), key=repr)
        return found


def test_what_is_written_equals_what_the_client_writes(study, path, tables, tmp_path, monkeypatch):
    study.finish_all()
    study.complete(study.mirror(f"sqlite:///{path}"))
    other = tmp_path / "other.db"
    other.write_bytes(tables)
    through_the_client(monkeypatch)
    (study.results / study.plan.name / "mlflow-ledger.jsonl").unlink()
    study.complete(study.mirror(f"sqlite:///{other}"))
    found, expected = contents(path), contents(other)
    parents = {row[2] for row in found["tags"] + expected["tags"] if row[1] == "mlflow.parentRunId"}
    assert parents <= {f"run {name}" for name in (f"{study.plan.name} (study)", *study.plan.variants)}
    assert found == expected


def test_a_start_with_nothing_new_opens_nothing(study, path, monkeypatch):
    study.finish_all()
    uri = f"sqlite:///{path}"
    study.complete(study.mirror(uri))
    monkeypatch.setattr(sending, "open_experiment", lambda *_: pytest.fail("opened"))
    assert study.mirror(uri).sync()


def test_changes_names_what_came_grew_and_went(study):
    changes = Changes(study.store)
    first, second = study.runs[:2]
    assert changes.look() == set()
    with study.store.lock(first.key) as running:
        assert changes.look() == set()
        running.write_curves(curves(1))
        assert (changes.look(), changes.look()) == ({first.key}, set())
        running.write_curves(curves(2))
        assert changes.look() == {first.key}
        study.finish(first)
    study.finish(second)
    assert (changes.look(), changes.look()) == ({first.key, second.key}, set())
    study.store.remove(second.key)
    study.finish(second)
    assert changes.look() == {second.key}, "another record of the same run"
    study.store.remove(second.key)
    assert changes.look() == {second.key}
    assert Changes(Store(study.store.root)).look() == {first.key}


def test_a_follower_outlives_whatever_is_wrong(tmp_path, monkeypatch, capsys):
    """A whole study long: it says so once, waits longer each time, and ends with its parent."""
    waited, failing = [], [OSError("no way")] * 6

    class Broken:
        def sync(self):
            raise failing.pop() if failing else OSError("no way")

    monkeypatch.setattr(attempts, "wait_while_child_of", lambda parent, seconds: waited.append(seconds))
    monkeypatch.setattr(attempts.os, "getppid", lambda: 1 if failing else 2)
    attempts.follow(Broken, tmp_path / "lock", Address.of(tmp_path, {}), 1)
    assert waited == [4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert capsys.readouterr().err.count("Trying again until it can.") == 1
