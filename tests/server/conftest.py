import os
import re
import shutil
import tempfile
from pathlib import Path

import lab
import pytest
from mirrored import Synthetic
from mlflow.tracking import MlflowClient


@pytest.fixture(scope="session")
def postgres():
    """A private PostgreSQL, always stopped."""
    reason = lab.missing()
    if reason:
        pytest.skip(reason)
    # Not below pytest's own folder: PostgreSQL must not be root, and nobody else may enter that.
    folder = Path(tempfile.mkdtemp(prefix="ablation-server-"))
    folder.chmod(0o711)
    cluster = lab.Postgres(folder / "postgres")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database(postgres):
    """The address of a database with MLflow's tables, made once, before anybody works in parallel."""
    address = postgres.database("mlflow")
    lab.make_tables(address)
    return address


@pytest.fixture(scope="session")
def shared_server(postgres, database):
    server = lab.Server(postgres.folder.parent / "open", database)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def server(shared_server):
    """A server that answers, whatever the test before did to it."""
    if shared_server.group is None:
        shared_server.start()
    return shared_server


@pytest.fixture
def client(server):
    return MlflowClient(tracking_uri=server.uri)


@pytest.fixture
def synthetic(tmp_path, request):
    """A maker of studies whose names no other test has."""

    def make(results="results", name=None, seeds=2):
        return Synthetic(tmp_path / results, name or re.sub("[^a-z]+", "-", request.node.name).strip("-"), seeds)

    return make


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Do not wait long for what will not come."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_TRACKING")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0.1")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
