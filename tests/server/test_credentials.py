"""A server that asks who we are: MLflow's usual variables, and what must never be seen of them."""

import base64
import json

import lab
import pytest
import requests
from commands import Commands
from mirrored import assert_is_the_study
from mlflow.tracking import MlflowClient

from ablation.tracking.address import Address

pytestmark = pytest.mark.server
psycopg2 = pytest.importorskip("psycopg2", reason="psycopg2 is not installed (uv sync --group server)")

PASSWORD = "open-sesame/twelve+chars"
QUOTED = "open-sesame%2Ftwelve%2Bchars"
BASIC = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def guarded(postgres, database):
    server = lab.Server(postgres.folder.parent / "guarded", database, PASSWORD)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def run(command):
    process = command.finish()
    return process.communicate()[0], process.returncode


def assert_kept(secrets, study, outputs, database=None):
    """Look for secrets in all that was said, written and sent."""
    places = {"output": "\n".join(outputs)}
    places |= {
        str(path): path.read_bytes().decode(errors="replace") for path in study.results.rglob("*.*") if path.is_file()
    }
    assert any("ledger" in place for place in places) or database is None
    if database:
        for table in ("tags", "params", "experiment_tags", "datasets", "runs", "experiments"):
            database.execute(f"SELECT * FROM {table}")
            places[table] = str(database.fetchall())
    assert [(place, secret) for place, text in places.items() for secret in secrets if secret in text] == []


def test_a_password_is_used_and_never_seen(guarded, synthetic, tmp_path, monkeypatch):
    study = synthetic(seeds=1)
    study.finish_all()
    place = guarded.uri.removeprefix("http://")
    # In the address itself; MLflow prints the address of a server at every end of a run, and in every error.
    command = Commands(study, f"http://admin:{QUOTED}@{place}")
    with command.following():
        output, code = run(command)
    assert code == 0, output
    assert json.loads(command.receipt.read_text())["uri"] == guarded.uri
    with psycopg2.connect(guarded.database.replace("+psycopg2", "")) as connection:
        outputs = [output, (guarded.folder / "server.log").read_text()]
        assert_kept([PASSWORD, QUOTED, BASIC], study, outputs, connection.cursor())
    # In the variables.
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    study.complete(study.mirror(guarded.uri))
    assert_is_the_study(study, MlflowClient(tracking_uri=guarded.uri), tmp_path / "down")


def test_who_may_not_is_told_in_a_sentence(guarded, synthetic):
    study = synthetic()
    study.finish_all()
    sentence = f"MLflow at {guarded.uri} does not accept who we are"
    with pytest.raises(Exception, match="401") as error:
        study.mirror(guarded.uri).sync()
    address = Address.of(study.results, {"MLFLOW_TRACKING_URI": guarded.uri})
    assert address.explain(error.value).startswith(sentence)

    wrong = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "wrong-password"}
    output, code = run(Commands(study, guarded.uri, **wrong))
    assert code == 1
    assert sentence in output
    assert "MLFLOW_TRACKING_USERNAME" in output
    assert "Traceback" not in output
    assert output.count("\n") == 2, "said once, not tried again"
    assert_kept(["wrong-password", base64.b64encode(b"admin:wrong-password").decode()], study, [output])


def test_one_who_may_only_read_is_told(guarded, synthetic, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    study, admin = synthetic(seeds=1), MlflowClient(tracking_uri=guarded.uri)
    study.finish_all()
    admin.create_experiment(study.plan.name)
    reader = {"username": "reader", "password": PASSWORD}
    requests.post(
        f"{guarded.uri}/api/2.0/mlflow/users/create", json=reader, auth=("admin", PASSWORD)
    ).raise_for_status()
    place = guarded.uri.removeprefix("http://")
    output, code = run(Commands(study, f"http://reader:{QUOTED}@{place}"))
    assert code == 1
    assert f"MLflow at {guarded.uri} knows us and does not let us write" in output
    assert_kept([PASSWORD, QUOTED], study, [output])
