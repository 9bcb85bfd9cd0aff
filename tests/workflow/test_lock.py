"""The lock of a study: who gets it, who is refused, and what becomes of Snakemake's own."""

import json
import subprocess

import pytest
from workspace import Workspace, copy_project

from ablation.support.locks import hold

RECEIPT = "results/miniature/data.json"
MODULE = """
module study:
    snakefile: "{snakefile}"
    config: {{"study": "miniature"}}
    prefix: "inner"

use rule * from study as study_*
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project without any results but the data, which the tests prepare."""
    workspace = Workspace(tmp_path_factory.mktemp("lock") / "project")
    copy_project(workspace.path)
    return workspace


def test_a_start_without_hooks_is_refused_like_any_other(project):
    with hold(project.path / "results/miniature/start/lock", what="the study"):
        said = project.refused("--no-hooks").splitlines()
    assert said[-1].startswith("the study miniature is held by process")


def test_a_start_without_hooks_notes_how_the_study_was_cut_for_jobs_elsewhere(project, tmp_path):
    folder = tmp_path / "others"  # the tests of this module share the project, and want it without data
    project.run("--no-hooks", f"{folder}/miniature/data.json", results=folder)
    shards = json.loads((folder / "miniature/start/outline.json").read_text())["shards"]
    assert shards["lenet/0"] == {"lenet": [0, 1]}


def test_a_study_is_locked_as_a_module_too(project, tmp_path):
    (tmp_path / "Snakefile").write_text(MODULE.format(snakefile=project.path / "Snakefile"))
    with hold(tmp_path / "inner/results/miniature/start/lock", what="the study"):
        command = [*project.command(), "--nolock", "study_all"]
        done = subprocess.run(command, cwd=tmp_path, env=project.environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("the study miniature is held by process")
    assert not (tmp_path / "inner/results/data").exists()


def test_a_lock_that_snakemake_left_stops_no_plain_start_and_any_other_with_a_remedy(project):
    locks = project.path / ".snakemake/locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text(f"{RECEIPT}\n")
    said = project.refused("--workflow-profile", "none", RECEIPT)
    assert "found Snakemake's own lock, which outlives a start that was killed" in said
    assert "--nolock goes on" in said
    said = project.run(RECEIPT)
    assert "Snakemake's own lock" not in said
    assert (project.path / RECEIPT).exists()


def test_two_starts_from_two_folders_do_not_work_on_the_same_results(project, tmp_path):
    shared = tmp_path / "shared"
    with hold(shared / "miniature/start/lock", what="the study"):
        said = project.refused(
            "--snakefile", str(project.path / "Snakefile"), "--directory", str(tmp_path), results=shared
        )
    assert said.splitlines()[-1].startswith("the study miniature is held by process")


def test_results_that_cannot_be_written_are_refused_with_a_remedy(project, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(results)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        said = project.refused(results=results)
    finally:
        subprocess.run(["umount", str(results)], check=True)
    assert f"{results}/miniature: cannot be written (Read-only file system); --config results=FOLDER" in said
    assert "Traceback" not in said
