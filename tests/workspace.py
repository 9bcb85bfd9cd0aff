"""A copy of the project in a folder of its own, for tests that run it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUDY = "config/studies/miniature.yaml"
RUNS = "results/miniature/runs.parquet"
COLLECT = ("--until", "collect_records")  # as far as the records matter


def copy_project(folder):
    """Copy what git tracks and what is new and not ignored."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in listed:
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class Workspace:
    """A copy of the project in a folder of its own."""

    def __init__(self, path):
        self.path = path
        hidden = ("MLFLOW_TRACKING_URI", "PYTHONPATH")  # the rules find the code of their checkout by themselves
        self.environment = {name: value for name, value in os.environ.items() if name not in hidden}

    def command(self, *arguments):
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    def run(self, *arguments, study="miniature", ok=True, **settings):
        config = [f"{key}={value}" for key, value in {"study": study, **settings}.items()]
        done = subprocess.run(
            self.command(*arguments, "--config", *config),
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, output
        return output

    def refused(self, *arguments, study="miniature", **settings):
        """Return what a start that is refused says itself, beside what Snakemake says of every start."""
        lines = self.run(*arguments, study=study, ok=False, **settings).splitlines()
        usual = ("Using workflow specific profile", "Config file ", "host:", "Building DAG", "Assuming unrestricted")
        return "\n".join(line for line in lines if not line.startswith(usual))

    def planned(self, study="miniature", options=(), **settings):
        """Count the jobs that a dry run announces, by rule."""
        output = self.run("--dry-run", *options, study=study, **settings)
        return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}

    def edit(self, path, old, new):
        text = (self.path / path).read_text()
        assert old in text
        (self.path / path).write_text(text.replace(old, new, 1))

    def records(self):
        return {path.parent.name: path.stat().st_mtime_ns for path in self.path.glob("results/store/??/*/record.json")}
