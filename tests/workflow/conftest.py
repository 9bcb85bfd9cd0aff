import shutil

import pytest
from workspace import Workspace, copy_project

from ablation.support.locks import hold


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """The miniature study, run once from nothing, for all processes of the tests; whoever changes it takes a copy."""
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    workspace, output = Workspace(shared / "finished/project"), shared / "finished/output.txt"
    with hold(shared / "finished.lock", what="the finished study"):
        if not output.exists():
            copy_project(workspace.path)
            output.write_text(workspace.run())
    workspace.output = output.read_text()
    return workspace


@pytest.fixture
def workspace(finished, tmp_path):
    path = tmp_path / "project"
    shutil.copytree(finished.path, path)
    return Workspace(path)
