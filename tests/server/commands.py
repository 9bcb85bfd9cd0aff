"""The command that mirrors, run on a synthetic study as the workflow runs it."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from mirrored import MANIFEST

SOURCE = Path(__file__).parents[2] / "src"


class Commands:
    """Runs the command on a synthetic study, as the workflow does.

    Parameters
    ----------
    study : Synthetic
    uri : str
    environment : str
        More variables; `path` is a folder for PYTHONPATH.
    """

    def __init__(self, study, uri, **environment):
        self.study = study
        # As on a user's machine: within tests and continuous integration, MLflow sends no usage data anyway.
        kept = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST") and n not in ("CI", "GITHUB_ACTIONS")}
        path = f"{SOURCE}:{environment.pop('path', SOURCE)}"
        self.environment = {**kept, "MLFLOW_TRACKING_URI": uri, "PYTHONPATH": path, **environment}
        self.manifest = study.results / "manifest.json"
        self.manifest.write_text(json.dumps(MANIFEST))
        self.log, self.receipt = study.results / "follow.log", study.results / "mlflow.json"

    def _command(self, *more):
        module = [sys.executable, "-m", "ablation", "mirror"]
        known = ["--study", self.study.file, "--answers", self.study.results / "controls.json"]
        known += ["--variants", self.study.variants]
        return [*module, *known, "--manifest", self.manifest, "--store", self.study.store.root, *more]

    @contextlib.contextmanager
    def following(self):
        """Run a follower below a parent process that ends with the block, and wait until the follower has ended, too."""
        words = " ".join(f"'{word}'" for word in self._command("--follow", "--log", self.log))
        ended, held = os.pipe()
        parent = subprocess.Popen(
            ["sh", "-c", f"{words} --parent $$ & read -r _"],
            stdin=subprocess.PIPE,
            env=self.environment,
            pass_fds=[held],  # the follower has it, too, and nobody else
        )
        os.close(held)
        try:
            yield
        finally:
            parent.communicate()
            os.read(ended, 1)
            os.close(ended)

    def finish(self):
        given = vars(self.study.write_results())
        files = [
            word
            for name in ("runs", "examples", "comparison", "verdicts", "layers")
            for word in (f"--{name}", given[name])
        ]
        files += ["--artifacts", *given["artifacts"]]
        command = self._command(*files, "--receipt", self.receipt)
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=self.environment, **output)
