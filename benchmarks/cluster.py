"""What a cluster costs and what was proved on one: the miniature study in several ways, and the tests. Writes `cluster.md`.

python benchmarks/cluster.py    # needs what tests/cluster needs: Slurm, MUNGE, the plugin, root
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
SLURM = ROOT / "tests/cluster/one_node_slurm.sh"
PORT = 38817
PROFILE = ["--workflow-profile", "profiles/slurm-cpu"]
PARTITION = ["--default-resources", "slurm_partition=main"]
SLOW = ["--slurm-init-seconds-before-status-checks", "40"]  # as the plugin does by itself
SHORT = (
    "plan_study",
    "list_layers",
    "collect_records",
    "compare_variants",
    "write_tables",
    "draw_figures",
    "write_report",
)
SUBMITTED = [*PARTITION, "mem_mb=2000", "--groups"]
TOGETHER = [f"{rule}={'plan' if rule in SHORT[:2] else 'pages'}" for rule in SHORT]
WAYS = {
    "without a cluster, `--cores 2`": ["--cores", "2"],
    "`profiles/slurm-cpu`": [*PROFILE, *PARTITION],
    "the same, the short rules in two jobs": [*PROFILE, *SUBMITTED, *TOGETHER, "--group-components", "plan=2"],
    "the same, each short rule in a job of its own": [*PROFILE, *SUBMITTED, *(f"{rule}={rule}" for rule in SHORT)],
    "`profiles/slurm-cpu`, 40 s before a status is asked for": [*PROFILE, *PARTITION, *SLOW],
}


def copy(folder: Path) -> Path:
    """Lay the tracked files of the working tree into a folder."""
    folder.mkdir()
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True).stdout
    packing = ["tar", "c", "-C", ROOT, "--null", "-T", "-"]
    packed = subprocess.run(packing, input=listed, check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", folder], input=packed, check=True)
    return folder


def run(options: list[str], project: Path, environment: dict[str, str]) -> tuple[float, int, float]:
    """Run the miniature study and return its seconds, the jobs that Slurm had, and the machine's load meanwhile."""

    def jobs() -> int:
        asked = ["squeue", "--all", "--states=all", "--noheader", "--format=%A"]
        return len(subprocess.run(asked, check=True, capture_output=True, env=environment).stdout.split())

    before, start, loads = jobs(), time.perf_counter(), []
    with open(project / "log.txt", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", *options, "--config", "study=miniature"],
            cwd=project,
            env=environment,
            stdout=log,
            stderr=log,
        )
        while process.poll() is None:
            loads.append(os.getloadavg()[0])
            time.sleep(0.5)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit((project / "log.txt").read_text())
    return seconds, jobs() - before, statistics.mean(loads)


def test_table(folder: Path) -> list[str]:
    """Run the tests of the cluster and list each with its seconds."""
    report = folder / "tests.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "cluster",
        str(ROOT / "tests/cluster"),
        f"--junitxml={report}",
    ]
    subprocess.run([*command, f"--basetemp={folder / 'tests'}"], cwd=ROOT, check=True, stdout=sys.stderr)
    rows: dict[str, list[float]] = {}
    for case in xml.parse(report).iter("testcase"):
        name = case.get("name").split("[")[0].removeprefix("test_").replace("_", " ")
        rows.setdefault(name, []).append(float(case.get("time")))
    return [f"| {name} | {len(times)} | {sum(times):.0f} |" for name, times in rows.items()]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cluster-benchmark-") as name:
        folder = Path(name)
        slurm = folder / "slurm"
        path = f"{slurm}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
        environment = {**os.environ, "PATH": path, "SLURM_CONF": f"{slurm}/slurm.conf", "PORT": str(PORT)}
        for hidden in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH"):
            environment.pop(hidden, None)
        rows, lines = {}, []
        subprocess.run([SLURM, "start", slurm], env=environment, check=True)
        try:
            for n, (text, options) in enumerate(WAYS.items()):
                rows[text] = run(options, copy(folder / f"project{n}"), environment)
                print(text, rows[text], flush=True)
        finally:
            subprocess.run([SLURM, "stop", slurm], env=environment, check=True)
        first = next(iter(rows.values()))[0]
        for text, (seconds, jobs, load) in rows.items():
            lines.append(f"| {text} | {jobs} | {seconds:.0f} | {seconds / first:.1f} | {load:.1f} |")
        tests = test_table(folder)
    slurm_version = subprocess.run(["slurmctld", "-V"], capture_output=True, text=True, env=environment).stdout.strip()
    processor = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    text = f"""# What was run on a cluster

The miniature study (10 runs of about a second each, 5 training jobs) from nothing to its report, one way after the other
on one machine. The runs themselves take seconds: what is measured is what a cluster adds, chiefly the start of two
Snakemakes a job and the time until a finished job is noticed.

| way | Slurm jobs | seconds | times the first | load of the machine |
|---|---:|---:|---:|---:|
{chr(10).join(lines)}

What the tests of `tests/cluster` prove there, with the seconds they took:

| what | cases | seconds |
|---|---:|---:|
{chr(10).join(tests)}

Measured by `benchmarks/cluster.py` on {os.cpu_count()} cores of {processor.split(": ")[1]}. Others used them at the same
time, and not evenly: the load counts all that wanted to run, and a way with less of it had more of the machine. With
{slurm_version}, one node and stand-in GPUs; Snakemake {version("snakemake")}, snakemake-executor-plugin-slurm
{version("snakemake-executor-plugin-slurm")}, Python {sys.version.split()[0]}. There was no real cluster and no real GPU.
"""
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
