"""A start in an environment of Snakemake that lacks what the jobs have in theirs, by `--use-conda`."""

from workspace import Workspace, copy_project

RECEIPT = "results/miniature/data.json"
# Python imports this by itself; the jobs find it too, and have everything.
LACKING = """
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

if "snakemake" in sys.orig_argv:
    sys.meta_path.insert(0, Lacking())
"""


def test_a_start_whose_snakemake_lacks_a_package_says_where_the_power_of_its_claims_is_said(tmp_path):
    """Of pyarrow, which pandas asks for only when it reads; that there is nothing at all is tried by the tests of conda."""
    workspace = Workspace(tmp_path / "project")
    copy_project(workspace.path)
    (tmp_path / "sitecustomize.py").write_text(LACKING)
    workspace.environment["PYTHONPATH"] = str(tmp_path)
    said = workspace.run(RECEIPT)
    assert "miniature: `ablation power miniature` says what its claims can decide" in said
    assert (workspace.path / RECEIPT).exists()
