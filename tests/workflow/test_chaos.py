"""A study that is killed at random moments, as `benchmarks/chaos.py` does it, in short."""

import subprocess
import sys

import pytest
from workspace import ROOT


@pytest.mark.ways
def test_a_killed_study_goes_on_by_plain_starts_and_ends_as_if_nothing_had_happened(tmp_path):
    script = [sys.executable, str(ROOT / "benchmarks/chaos.py"), "--kills", "4", "--epochs", "20", "--seeds", "2"]
    done = subprocess.run([*script, "--folder", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kill -9 of") == 4
