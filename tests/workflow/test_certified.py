"""What a job trained comes out the same when it is certified, and the report says so after the next start."""

import subprocess
import sys

import pytest


@pytest.mark.ways
def test_a_certificate_is_in_the_report_after_the_next_start(workspace):
    times = workspace.records()
    done = subprocess.run(
        [sys.executable, "-m", "ablation", "certify", "miniature", "--sample", "2"],
        cwd=workspace.path,
        env={**workspace.environment, "PYTHONPATH": "src", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "miniature: 2 bitwise equal" in done.stdout
    assert workspace.records() == times
    assert workspace.planned() == {"write_report": 1, "mirror_records": 1, "all": 1, "total": 3}
    workspace.run()
    assert "2 runs of 10 trained again on" in (workspace.path / "results/miniature/report.html").read_text()
    assert "Nothing to be done" in workspace.run()
