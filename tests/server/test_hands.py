"""What people and machines do to an experiment: delete it, delete its runs, write it from two places."""

import pytest
from mirrored import active_runs, assert_is_the_study, curves
from mlflow.tracking import MlflowClient
from proxy import Proxy

from ablation.records.running import Running
from ablation.tracking.lease import BEAT, SILENCE, TAG, Lease, OtherWriterError

pytestmark = pytest.mark.server


def key_of(runs, key):
    return next(identity for identity, run in runs.items() if run.data.tags["ablation.key"] == key)


def grow(study, planned, rows) -> None:
    """Show the curves of a run in training."""
    folder = study.store.root / ".running" / planned.key
    folder.mkdir(parents=True, exist_ok=True)
    Running(folder).write_curves(rows)


def test_what_was_deleted_by_hand_comes_back(server, client, synthetic, tmp_path):
    study = synthetic()
    done, training = study.runs[:2]
    study.finish(done)
    grow(study, training, curves(1))
    mirror = study.mirror(server.uri)
    mirror.sync()
    experiment = client.get_experiment_by_name(study.plan.name).experiment_id
    runs = active_runs(client, study.plan.name)

    client.delete_run(key_of(runs, done.key))
    client.delete_run(key_of(runs, training.key))
    grow(study, training, curves(2))
    with pytest.raises(Exception, match="must be in the 'active' state"):
        mirror.sync()
    mirror.sync()
    assert active_runs(client, study.plan.name).keys() == runs.keys(), "the same runs, restored"

    client.delete_experiment(experiment)
    study.finish_all()
    with pytest.raises(Exception, match="must be in the 'active' state"):
        mirror.sync()
    study.complete(mirror)
    assert client.get_experiment_by_name(study.plan.name).experiment_id == experiment
    assert_is_the_study(study, client, tmp_path / "down")


def test_what_was_removed_for_good_is_made_anew(server, client, synthetic, tmp_path):
    study, other = synthetic("results1", "runs-removed"), synthetic("results2", "experiment-removed")
    study.finish(study.runs[0])
    grow(study, study.runs[2], curves(2))
    mirror = study.mirror(server.uri)
    mirror.sync()
    runs = active_runs(client, study.plan.name)
    for planned in (study.runs[0], study.runs[2]):
        client.delete_run(key_of(runs, planned.key))
    other.finish_all()
    other.mirror(server.uri).sync()
    experiment = client.get_experiment_by_name(other.plan.name).experiment_id
    client.delete_experiment(experiment)
    server.gc()

    study.finish_all()
    with pytest.raises(Exception, match="not found"):
        mirror.sync()
    study.complete(mirror)
    assert_is_the_study(study, client, tmp_path / "down")
    other.complete(other.mirror(server.uri))
    assert client.get_experiment_by_name(other.plan.name).experiment_id != experiment
    assert_is_the_study(other, client, tmp_path / "down")


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time

    def wait(self, seconds):
        self.time += seconds


def machine(name, study, clock):
    lease = Lease(study.results, clock, clock.wait)
    lease.me["host"] = name
    return lease


def test_two_machines_with_one_study(server, client, synthetic, tmp_path):
    """The second looks on while the first lives, and goes on where it fell silent."""
    first, second = (synthetic(f"machine{n}", "shared-study") for n in (1, 2))
    clock, other_clock = Clock(), Clock()
    mirror = first.mirror(server.uri, machine("one", first, clock))
    other = second.mirror(server.uri, machine("two", second, other_clock))
    first.finish(first.runs[0], curves(3))
    grow(first, first.runs[2], curves(4))
    mirror.sync()

    # The other machine trains the same runs itself, a day later.
    second.finish_all(begin=1.7e9 + 86400, epochs=6)
    for _ in range(8):
        with pytest.raises(OtherWriterError, match=rf"mirrored by the machine one from {first.results}, and only one"):
            other.sync()
        clock.wait(BEAT)
        other_clock.wait(BEAT)
        mirror.sync()
    assert len(active_runs(client, "shared-study")) == 1 + 2 + 2

    with pytest.raises(OtherWriterError):  # from here on, the first says nothing
        other.sync()
    other_clock.wait(SILENCE)
    second.complete(other)
    clock.wait(BEAT)
    grow(first, first.runs[3], curves(1))
    with pytest.raises(OtherWriterError, match="mirrored by the machine two"):
        mirror.sync()
    other.release()
    assert TAG not in client.get_experiment_by_name("shared-study").tags

    runs = {run.data.tags["ablation.key"]: run for run in active_runs(client, "shared-study").values()}
    assert len(runs) == 1 + 2 + 4
    for planned in first.runs:
        identity = runs[planned.key].info.run_id
        # Each epoch once, from whichever machine sent it first.
        steps = [point.step for point in client.get_metric_history(identity, "train_loss")]
        assert steps == list(range(1, 4 if planned.key == first.runs[0].key else 7))
        assert len(client.get_metric_history(identity, "images_per_second")) == 1


def test_who_takes_the_sign_at_once_sees_who_has_it(server, client, synthetic):
    studies = [synthetic(f"machine{n}", "raced-study") for n in (1, 2)]
    clocks = [Clock(), Clock()]
    leases = [machine(name, study, clock) for name, study, clock in zip("ab", studies, clocks, strict=True)]
    experiment = client.create_experiment("raced-study")

    def other_signs_too(seconds):
        leases[1]._sign(MlflowClient(tracking_uri=server.uri), experiment)

    leases[0].sleep = other_signs_too
    with pytest.raises(OtherWriterError, match="the machine b"):
        leases[0].renew(client, experiment)
    leases[1].renew(client, experiment)


def test_a_sign_that_could_not_be_read_is_not_taken(server, client, synthetic):
    leases = [machine(name, synthetic(f"machine{name}", "unread-study"), Clock()) for name in "ab"]
    experiment = client.create_experiment("unread-study")
    leases[0].renew(client, experiment)
    with Proxy(server.port, lambda method, path: "behead") as line, pytest.raises(ConnectionError, match="cut off"):
        leases[1].renew(MlflowClient(tracking_uri=line.uri), experiment)
