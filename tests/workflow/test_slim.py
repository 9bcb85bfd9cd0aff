"""A start in an environment of Snakemake that lacks what the jobs have in theirs, by `--use-conda`."""

import pytest
from workspace import Workspace, copy_project

RECEIPT = "results/miniature/data.json"
# Python imports this by itself; the jobs find it too, and have everything.
LACKING = """
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

if "snakemake" in sys.orig_argv:
    sys.meta_path.insert(0, Lacking())
"""


@pytest.mark.parametrize("package", ["pyarrow"])  # others, and all of them, are lacking in the tests of --use-conda
def test_a_start_whose_snakemake_lacks_a_package_says_where_the_power_of_its_claims_is_said(tmp_path, package):
    workspace = Workspace(tmp_path / "project")
    copy_project(workspace.path)
    (tmp_path / "sitecustomize.py").write_text(LACKING.format(package=package))
    workspace.environment["PYTHONPATH"] = str(tmp_path)
    said = workspace.run(RECEIPT)
    assert "miniature: `ablation power miniature` says what its claims can decide" in said
    assert (workspace.path / RECEIPT).exists()
