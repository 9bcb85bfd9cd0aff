"""Studies that run through a real Slurm of one node, as a user would start them."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from oneslurm import lacking, start_slurm  # noqa: F401 (a fixture)
from workspace import copy_project

STUDY = """\
title: {name}
question: Does it run on a cluster?
data: {{name: digits}}
recipe: {{epochs: {epochs}, batch_size: 64, lr: 0.1}}
architectures:
  lenet: {{baseline: {{activation: relu}}}}
grid: {grid}
seeds: 1
metrics: [test_accuracy]
smallest_effect: 0.01
"""


def pytest_collection_modifyitems(items):
    reason = lacking()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("cluster")
            if reason:
                item.add_marker(pytest.mark.skip(reason=f"no cluster to test with; missing: {reason}"))


class Start:
    """A start of Snakemake in the background."""

    def __init__(self, command, log, **options):
        self.log = log
        with open(log, "w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, **options)

    def end(self, ok=True, seconds=600):
        """Wait for the end and return all that was said."""
        code = self.process.wait(timeout=seconds)
        text = self.log.read_text()
        assert (code == 0) == ok, text
        return text

    def until(self, condition, seconds=300):
        """Wait for something and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := condition():
                return found
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.5)
        raise AssertionError(f"in vain; so far: {self.log.read_text()}")


class ClusterWorkspace:
    """A copy of the project in a folder of its own."""

    def __init__(self, path, slurm):
        self.path, self.slurm, self.started = path, slurm, []
        hidden = ("MLFLOW_TRACKING_URI", "CUDA_VISIBLE_DEVICES", "PYTHONPATH")
        self.environment = {name: value for name, value in slurm.environment.items() if name not in hidden}

    def study(self, name, epochs, grid="[]"):
        """Write a study of LeNets on digits, an epoch of which takes a twentieth of a second or longer."""
        (self.path / f"{name}.yaml").write_text(STUDY.format(name=name, epochs=epochs, grid=grid))
        return f"{name}.yaml"

    def start(self, *options, study="miniature", profile="slurm-cpu", partition="main", default=()):
        """Start as the README says, only that a status is asked for sooner."""
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", f"profiles/{profile}", *options]
        command += ["--slurm-init-seconds-before-status-checks", "2", "--config", f"study={study}"]
        command += ["--default-resources", f"slurm_partition={partition}", *default]
        log = self.path / f"start{len(self.started)}.log"
        self.started.append(Start(command, log, cwd=self.path, env=self.environment))
        return self.started[-1]

    def curves(self):
        """Count the epochs so far of the run in training."""
        files = list(self.path.glob("results/store/.running/*/curves.jsonl"))
        return len(files[0].read_text().splitlines()) if files else 0

    def training_log(self, variant="lenet"):
        return next(self.path.glob(f"results/*/logs/train_shard/{variant}/0.log")).read_text()


@pytest.fixture
def workspace(slurm, tmp_path):
    path = tmp_path / "project"
    copy_project(path)
    workspace = ClusterWorkspace(path, slurm)
    yield workspace
    for start in workspace.started:
        if start.process.poll() is None:
            start.process.kill()
            start.process.wait()
    for job, state, *_ in slurm.jobs():
        if state in ("RUNNING", "PENDING"):
            slurm.ask("scancel", str(job))


@pytest.fixture
def gpu_jobs(workspace):
    """Note what each training job was given; behind the GPUs is nothing, so it then trains on the CPU.

    The only thing that is not as on a real cluster: a program named python, first on the PATH, that notes the job, its
    variables and its times, and takes the GPU out of the command.
    """
    folder, log = workspace.path / "noted", workspace.path / "gpu_jobs.txt"
    folder.mkdir()
    (folder / "python").write_text(
        f"""#!/bin/bash
note() {{ echo "$1 $SLURM_JOB_ID $CUDA_VISIBLE_DEVICES $(date +%s.%N) ${{asked[*]}}" >> {log}; }}
[[ "$*" == *"ablation train"* ]] || exec {sys.executable} "$@"
given=("$@") asked=()
for n in "${{!given[@]}}"; do
    case ${{given[n]}} in --gpus) asked+=("${{given[n + 1]}}"); given[n + 1]=0 ;; --gres) given[n + 1]= ;; esac
done
note begin
{sys.executable} "${{given[@]}}"
code=$?
note end
exit $code
"""
    )
    (folder / "python").chmod(0o755)
    workspace.environment["PATH"] = f"{folder}:{workspace.environment['PATH']}"

    def read():
        """Return by job: the devices it saw, GPUs asked for, begin and end."""
        lines = re.findall(r"^(begin|end) (\d+) (\S*) ([\d.]+) (\d)$", log.read_text(), re.MULTILINE)
        begun = {job: (devices, asked, float(at)) for what, job, devices, at, asked in lines if what == "begin"}
        ended = {job: float(at) for what, job, _, at, _ in lines if what == "end"}
        return {job: (*begun[job], ended[job]) for job in ended}

    return read
