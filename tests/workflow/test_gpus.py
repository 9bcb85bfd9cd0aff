"""The GPUs of the machine at hand; behind them there is nothing."""

import sys

import pytest
from workspace import STUDY

pytestmark = pytest.mark.ways

NVIDIA_SMI = """\
#!/bin/sh
echo "GPU 0: Stand-in (UUID: GPU-0)"
echo "GPU 1: Stand-in (UUID: GPU-1)"
"""
# Behind the stand-ins there is nothing: it notes when a training begins and ends, and takes the GPU out of its command.
NOTING_PYTHON = """\
#!/bin/bash
[[ "$*" == *"ablation train"* ]] || exec {python} "$@"
[[ "$*" == *"--gpus 1"* ]] || exit 3
echo begin >> noted.txt
{python} "$@" --gpus 0
code=$?
echo end >> noted.txt
exit $code
"""


@pytest.mark.parametrize(("options", "at_once"), [((), 2), (("--resources", "gpu=1"), 1)], ids=["all", "as stated"])
def test_every_gpu_of_the_machine_trains_for_one_job_at_a_time(workspace, options, at_once):
    commands = workspace.path / "commands"
    commands.mkdir()
    for name, text in (("nvidia-smi", NVIDIA_SMI), ("python", NOTING_PYTHON.format(python=sys.executable))):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    workspace.environment["PATH"] = f"{commands}:{workspace.environment['PATH']}"
    workspace.environment.pop("CUDA_VISIBLE_DEVICES", None)
    workspace.edit(STUDY, "seeds: 2", "seeds: 3")
    workspace.run("--cores", "4", *options, "--until", "train_shard")
    training = most = 0
    for line in (workspace.path / "noted.txt").read_text().split():
        training += 1 if line == "begin" else -1
        most = max(most, training)
    assert most == at_once
