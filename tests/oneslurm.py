"""A real Slurm of one node on this machine, for the tests of the cluster."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "cluster/one_node_slurm.sh"
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch")
SYSTEM_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def lacking():
    """Say what a cluster lacks here; empty if nothing."""
    missing = [command for command in NEEDED if not shutil.which(command, path=SYSTEM_PATH)]
    if not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        missing.append("snakemake-executor-plugin-slurm")
    if os.geteuid():
        missing.append("root, which its daemons run as")
    return ", ".join(missing)


def free_ports(count):
    """Return the first of several ports in a row that nobody uses."""
    for port in range(36817, 60000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, each in enumerate(sockets):
                each.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
        return port
    raise RuntimeError("no free ports")


class Slurm:
    """A cluster of one node with two GPUs behind which there is nothing."""

    def __init__(self, folder):
        self.folder = folder
        own = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        self.environment = {
            **own,
            "PATH": f"{folder}/bin:{Path(sys.executable).parent}:{SYSTEM_PATH}",
            "SLURM_CONF": f"{folder}/slurm.conf",
        }

    def control(self, verb):
        settings = {"CPUS": "4", "GPUS": "2", "MEMORY": "64000", "PORT": str(free_ports(3))} if verb == "start" else {}
        subprocess.run([SCRIPT, verb, self.folder], env={**self.environment, **settings}, check=True, timeout=60)

    def ask(self, *command):
        done = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout

    def jobs(self):
        """Return all jobs that Slurm remembers, as tuples of number, state, memory and comment."""
        lines = self.ask("squeue", "--all", "--states=all", "--noheader", "--format=%A %T %m %k").splitlines()
        return sorted((int(job), state, memory, comment) for job, state, memory, comment in map(str.split, lines))

    def last_job(self, of, state="RUNNING"):
        """Return the newest job of a rule that is in a state, or None."""
        found = [job for job, now, _, comment in self.jobs() if of in comment and now == state]
        return found[-1] if found else None


@pytest.fixture(scope="session", name="slurm")
def start_slurm(tmp_path_factory):
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        slurm.control("start")
        yield slurm
    finally:
        slurm.control("stop")
