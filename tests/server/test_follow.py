"""The command itself beside trainings: followers of two machines on one server that is killed in the middle."""

import contextlib
import json
import re
import time

import pytest
from commands import Commands
from mirrored import active_runs, assert_is_the_study

pytestmark = pytest.mark.server

# Loaded by Python at its start: notes every address that the process connects to.
WITNESS = """
import os, socket
connect = socket.socket.connect

def noted(self, address):
    if self.family != socket.AF_UNIX:
        with open(os.environ["WITNESS"], "a") as file:
            file.write(f"{address[0]}:{address[1]}\\n")
    return connect(self, address)

socket.socket.connect = noted
look_up = socket.getaddrinfo

def looked_up(host, *rest, **options):
    with open(os.environ["WITNESS"], "a") as file:
        file.write(f"{host}:{rest[0]}\\n")
    return look_up(host, *rest, **options)

socket.getaddrinfo = looked_up
"""


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)


def epochs_there(client, study):
    if client.get_experiment_by_name(study.plan.name) is None:
        return 0
    return sum(run.data.metrics.get("lr") is not None for run in active_runs(client, study.plan.name).values())


def test_followers_of_a_server_that_is_killed(server, client, synthetic, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    studies = [synthetic(f"machine{n}", f"followed-{n}") for n in (1, 2)]
    witness = {"WITNESS": str(tmp_path / "connections"), "path": str(tmp_path)}
    commands = [Commands(study, server.uri, **witness) for study in studies]
    with contextlib.ExitStack() as followers:
        for command in commands:
            followers.enter_context(command.following())
        trainings = [thread for study in studies for thread in study.train(2, epochs=20, pause=0.4)]
        wait_for(lambda: all(epochs_there(client, study) for study in studies))
        server.kill()
        # A follower that pauses does not notice at once.
        wait_for(
            lambda: all(command.log.exists() and "cannot be reached" in command.log.read_text() for command in commands)
        )
        server.start(wait=False)
        for thread in trainings:
            thread.join()
        server.wait()
        # The end meets followers that still live.
        finishing = [command.finish() for command in commands]
        outputs = [process.communicate()[0] for process in finishing]
    assert [process.returncode for process in finishing] == [0, 0], outputs
    for study, command in zip(studies, commands, strict=True):
        said = command.log.read_text().splitlines()
        # The end of the server may meet a request in the middle of its answer, its new start one of the next.
        outages = [re.search(r"cannot be reached: (.+)\. Trying again until it can\.$", line) for line in said]
        assert all(outages), said
        reasons = [outage[1] for outage in outages]
        assert "Connection refused" in reasons, said
        assert set(reasons) <= {"Connection refused", "the connection broke"}, said
        assert json.loads(command.receipt.read_text())["uri"] == server.uri
        assert_is_the_study(study, client, tmp_path / "down")
    connections = set((tmp_path / "connections").read_text().split())
    assert connections == {server.uri.removeprefix("http://")}
