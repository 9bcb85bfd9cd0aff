import pytest
from mirrored import Synthetic

from ablation.support.digests import digest
from ablation.tracking import database


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """An empty database, made once."""
    path = tmp_path_factory.mktemp("tables") / "mlflow.db"
    database.make_tables(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory, tables):
    place = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    place.write_bytes(tables)
    return place


@pytest.fixture(params=["written", "through the client"])
def uri(path, request, monkeypatch):
    """A database of MLflow, written as it is and as a server is."""
    if request.param == "through the client":
        monkeypatch.setattr(database, "open_database", lambda *_: None)
    return f"sqlite:///{path}"


@pytest.fixture
def study(tmp_path, request):
    """A study of two variants and two seeds with a name of its own."""
    return Synthetic(tmp_path / "results", "s" + digest(request.node.name)[:12])
