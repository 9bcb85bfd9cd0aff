"""
What happens when a start begins and ends, apart from the jobs: the watch and the mirror that follow the training, the
closing words.

NEEDS: common.smk, lock.smk
GIVES: results/<study>/start/{outline,study}.json, which all processes of this start read, and origin.json
"""

import os
import shlex
import shutil
import subprocess
import sys

from snakemake.settings.types import DeploymentMethod

from ablation.jobs.cluster import ClusterError, check_cluster
from ablation.jobs.inventory import (
    RECORDED,
    outlook,
    read_manifest,
    recorded_speeds,
    run_states,
    settled_plan,
)
from ablation.jobs.starts import note_origin
from ablation.records.store import Store
from ablation.support.files import write_whole
from ablation.tracking.address import Address


def requests():
    """Return by rule what one of its jobs asks the cluster for; nothing if all run on this machine."""
    return {
        job.rule.name: dict(job.resources.items())
        for job in workflow.dag.needrun_jobs()
        if not job.is_local
    }


def refuse_what_slurm_would():
    """Say at the start what would fail each job in turn, or let them wait for ever."""
    if workflow.executor_plugin.name == "slurm":
        try:
            check_cluster(requests(), config.get("profile"))
        except ClusterError as error:
            refuse(error)


def ask_for_a_warning():
    """Have Slurm tell trainings to save their state, so many seconds before their time ends.

    The plugin's way, slurm_extra in the profile, would be lost with any --set-resources of the command line.
    """
    if workflow.executor_plugin.name == "slurm":
        os.environ.setdefault("SBATCH_SIGNAL", "TERM@120")


def rules_python():
    """Return the Python that rules run: that of their conda environment, if they have one, or that on the PATH."""
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        for (
            environment
        ) in workflow.dag.conda_envs.values():  # every rule names the same
            python = Path(environment.address) / "bin/python"
            if python.exists():  # not if it lies in a container
                return str(python)
    return shutil.which("python") or sys.executable


def accompany(*command):
    """Start a command of the package that follows the training and ends with this process."""
    arguments = ["--study", f"{STARTED}/study.json", "--manifest", RECEIPT]
    arguments += ["--answers", ANSWERS, "--store", f"{RESULTS}/store"]
    subprocess.Popen(
        [
            rules_python(),
            "-m",
            "ablation",
            *command,
            *arguments,
            "--parent",
            str(os.getpid()),
        ],
        env={**os.environ, "PYTHONPATH": SOURCE},
        start_new_session=True,  # an interrupt is for the trainings; these end when this process does
    )


@cache
def tell_outlook():
    """Say once what a start trains, and what that costs."""
    store = Store(Path(modified(f"{RESULTS}/store")))
    plan = settled_plan(PLAN, Path(modified(ANSWERS)))
    manifest = read_manifest(Path(modified(f"{RESULTS}/{DATA}")))
    lost = {name for names in LOST.values() for name in names}
    without = OUTLINE.controls if plan.questions and plan is PLAN else []
    states = run_states(plan, manifest, store, lost, without)
    left = dict.fromkeys(run.variant for run in states if run.state != RECORDED)
    shards = Path(modified(f"{STUDY}/shards"))
    speeds = recorded_speeds(left, shards, store, bool(GPUS))
    tell(outlook(plan, states, manifest and manifest["counts"]["train"], speeds))


def note_the_start():
    """Write what all processes of this start read, and which file it is the study of."""
    try:
        note_origin(STUDY_FILE, Path(STUDY))
        for name, text in (("study", PLAN.frozen()), ("outline", OUTLINE.text())):
            with write_whole(Path(f"{STARTED}/{name}.json")) as file:
                file.write(text.encode())
        Path(f"{STUDY}/logs").mkdir(exist_ok=True)
    except OSError as error:
        refuse(
            f"{error.filename}: cannot be written ({error.strerror}); --config results=FOLDER names another folder"
        )


onstart:
    lock_study()  # only where data are no part of what was asked for; else it was locked before the jobs were laid out
    refuse_what_slurm_would()
    ask_for_a_warning()
    note_the_start()
    tell_outlook()
    accompany("watch")
    # The mirror while it trains; the rule mirror_records completes it, whatever becomes of this process.
    log = f"{STUDY}/logs/mirror_follow.log"
    variants = f"{STUDY}/plan/variants.csv"
    accompany("mirror", "--follow", "--log", log, "--variants", variants)


def print_summary():
    """End a study on the terminal: the few columns that fit, and where the report lies."""
    summary = Path(f"{STUDY}/tables/summary.txt").read_text()
    print(f"\n{OUTLINE.title}\n\n{summary}", file=sys.stderr)
    address = Address.of(Path(RESULTS))
    command = [f"{CHECKOUT}/do", "mlflow", "--results", str(Path(RESULTS).resolve())]
    command = "./do mlflow" if AT_HOME else shlex.join(command)
    runs = command if address.default else address.public
    print(f"Report: {STUDY}/report.html    MLflow: {runs}", file=sys.stderr)


def report_is_whole():
    """Say whether the report is there and no data or shard is missing or newer: then only the mirror can have failed."""
    page = Path(f"{STUDY}/report.html")
    sources = [Path(path) for path in (RECEIPT, *shard_results(None))]
    if not all(path.exists() for path in (page, *sources)):
        return False
    return all(path.stat().st_mtime <= page.stat().st_mtime for path in sources)


onsuccess:
    if Path(f"{STUDY}/report.html").exists():
        print_summary()


onerror:
    if report_is_whole():
        print_summary()
    print(
        f"\nSomething failed; its log stands above and under {STUDY}/logs. Start again to go on from here.",
        file=sys.stderr,
    )
