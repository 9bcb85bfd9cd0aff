"""What a user of --use-conda has: Snakemake in an environment of its own, and conda, or its stand-in where there is none."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import snakemake
from oneslurm import start_slurm  # noqa: F401 (a fixture)

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """An environment with Snakemake and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("plain") / "env"
    venv.create(folder, with_pip=True)
    packages = ["-m", "pip", "install", "--quiet", f"snakemake=={snakemake.__version__}"]
    subprocess.run([folder / "bin/python", *packages], check=True)
    return folder / "bin"


@pytest.fixture(scope="session")
def conda(tmp_path_factory, plain):
    """The environment variables under which Snakemake finds conda with the channels that the project names."""
    if shutil.which("conda"):
        return {}
    folder = tmp_path_factory.mktemp("conda")
    command = [plain / "python", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "pip"]
    subprocess.run(command, check=True)
    pytest.importorskip("rattler")
    from channel import make_channel

    make_channel(folder / "channels/conda-forge", next(folder.glob("pip-*.whl")))
    (folder / "bin").mkdir()
    shutil.copy(HERE / "activate", folder / "bin/activate")
    script = folder / "bin/conda"
    script.write_text(f'#!/bin/sh\nPYTHONPATH= exec {sys.executable} {HERE / "standin.py"} "$@"\n')
    script.chmod(0o755)
    return {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "LOCAL_CHANNELS": str(folder / "channels"),
        "RATTLER_CACHE_DIR": str(folder / "cache"),
        "CONDA_ROOT": str(folder),
    }
