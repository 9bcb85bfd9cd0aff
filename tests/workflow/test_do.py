"""The script `do`: how it calls Snakemake."""

import shutil
import subprocess

import pytest
from workspace import ROOT


@pytest.fixture
def asked(tmp_path):
    """What Snakemake is given when `do` is called with some words, with nothing set up and nothing run."""
    shutil.copy2(ROOT / "do", tmp_path / "do")
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    for name, line in (("uv", "exit 0"), ("snakemake", """printf '%s\\n' "$@" """)):
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)

    def call(*words):
        environment = {"PATH": f"{tools}:/usr/bin:/bin"}
        done = subprocess.run([tmp_path / "do", *words], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return call


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["--config", "study=digits"]),
        (["--dry-run"], ["--dry-run", "--config", "study=digits"]),
        (["vgg", "--retry-failed", "-n"], ["-n", "--config", "study=vgg", "retry_failed=true"]),
        (["a b.yaml", "--retry-failed"], ["--config", "study=a b.yaml", "retry_failed=true"]),
        # Snakemake heeds the last --config alone.
        (
            ["vgg", "--config", "results=x y", "-n"],
            ["--config", "study=vgg", "results=x y", "-n"],
        ),
        (["vgg", "-C", "a=1", "--retry-failed"], ["-C", "study=vgg", "retry_failed=true", "a=1"]),
    ],
)
def test_a_study_is_named_beside_whatever_else_snakemake_is_told(asked, words, expected):
    assert asked("study", *words) == ["--cores", "all", *expected]
