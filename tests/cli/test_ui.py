"""The MLflow UI, on this machine alone."""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from mirrored import Synthetic

from ablation.cli import ui
from ablation.tracking.address import LEDGER
from ablation.tracking.view import link


def start(results, *words, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return subprocess.Popen(
        [sys.executable, "-m", "ablation", "ui", "--results", results, *words],
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def answer(url, host=None):
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_runs_are_served_to_this_machine_alone(tmp_path):
    study = Synthetic(tmp_path / "my results", "looked-at")
    study.finish_all()
    study.mirror(f"sqlite:///{study.results / 'mlflow.db'}").sync()
    server = start(study.results)
    try:
        said = ""
        while not (found := re.search(r"open (http://127\.0\.0\.1:(\d+)) ", said)):
            line = server.stdout.readline()
            assert line, f"it ended: {said}"
            said += line
        url, port = found[1], int(found[2])
        # Its address is given before the UI answers, with that of each study's table.
        assert server.stdout.readline().startswith(f"variants of looked-at: {url}/#/experiments/1/runs?")
        deadline = time.monotonic() + 60
        while ui.is_free(port) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer(f"{url}/ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=looked-at") == 200
        assert answer(url, "elsewhere.example.org") == 403
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.communicate()


def test_what_cannot_be_served_is_said(tmp_path):
    output, _ = start(tmp_path).communicate()
    assert output == f"there are no runs yet: {tmp_path / 'mlflow.db'} comes with the first training\n"
    output, _ = start(tmp_path, MLFLOW_TRACKING_URI="https://me:secret@host/x").communicate()
    assert output == "MLFLOW_TRACKING_URI names a server, where the runs are: open https://host/x\n"
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / LEDGER).write_text('{"uri": "https://host/x", "experiment": "7"}\n')
    output, _ = start(tmp_path, MLFLOW_TRACKING_URI="https://me:secret@host/x").communicate()
    assert output.splitlines()[1] == f"variants of sent: {link('https://host/x', '7')}"


def test_a_port_that_is_taken_is_not_fought_for(monkeypatch):
    with socket.create_server((ui.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"port {port} is taken by another program"):
            ui.choose_port(port)
        monkeypatch.setattr(ui, "PORT", port)
        assert ui.choose_port(None) > port


def test_the_ui_sends_no_usage_data(tmp_path, monkeypatch):
    (tmp_path / "mlflow.db").touch()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    started = []
    monkeypatch.setattr(ui.os, "execve", lambda *given: started.append(given))
    ui.main(argparse.Namespace(results=tmp_path, port=None))
    ((_, words, environment),) = started
    assert words[1:4] == ["-m", "mlflow", "server"]
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
