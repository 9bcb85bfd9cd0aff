"""
What happens when a start begins and ends, apart from the jobs: the watch and the mirror that follow the training, the
closing words.

NEEDS: common.smk, lock.smk
GIVES: results/<study>/start/{outline,study,prices}.json, which all processes of this start read, and origin.json
"""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

from snakemake.settings.types import DeploymentMethod

from ablation.jobs.cluster import ClusterError, check_cluster
from ablation.jobs.inventory import (
    outlook,
    read_manifest,
    run_states,
    seconds_left,
    settled_plan,
    work_left,
)
from ablation.jobs.prices import known_prices
from ablation.jobs.registration import register
from ablation.jobs.starts import note_origin
from ablation.records.store import Store
from ablation.support.accounting import begin, cpu_seconds, describe, read_starts
from ablation.support.files import write_whole
from ablation.support.formatting import duration, plural
from ablation.support.handover import VARIABLE, fresh_socket
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
            arrays = getattr(workflow.executor_settings, "array_jobs", None)
            check_cluster(requests(), config.get("profile"), arrays)
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


FOLLOWERS = {}  # what runs beside the jobs of this start, by its verb
BEGUN = time.monotonic()


def accompany(*command):
    """Start a command of the package that ends with this process."""
    parent = ["--parent", str(os.getpid())]
    FOLLOWERS[command[0]] = subprocess.Popen(
        [rules_python(), "-m", "ablation", *command, *parent],
        env={**os.environ, "PYTHONPATH": SOURCE},
        start_new_session=True,  # an interrupt is for the trainings; these end when this process does
    )


def follow(*command):
    """Start a command of the package that follows the training and ends with this process."""
    arguments = ["--study", f"{STARTED}/study.json", "--manifest", RECEIPT]
    arguments += ["--answers", ANSWERS, "--store", f"{RESULTS}/store"]
    accompany(*command, *arguments)


def start_worker():
    """Start the warm worker, to which the jobs on this machine hand their commands over; a cluster's are far away."""
    if workflow.executor_plugin.name == "local":
        path = fresh_socket()
        accompany("worker", "--socket", path)
        os.environ[VARIABLE] = path


@cache
def look_ahead():
    """Return once what there is of each run, the training images, and the prices of what is left."""
    results = Path(modified(RESULTS))
    plan = settled_plan(PLAN, Path(modified(ANSWERS)))
    manifest = read_manifest(Path(modified(f"{RESULTS}/{DATA}")))
    lost = {name for names in LOST.values() for name in names}
    states = run_states(plan, manifest, Store(results / "store"), lost, plan.unsettled)
    prices = known_prices(plan, work_left(states), manifest, results, kept_costs())
    return states, manifest and manifest["counts"]["train"], prices


@cache
def tell_outlook():
    """Say once what a start trains, and what that costs."""
    tell(outlook(PLAN, *look_ahead(), slots()))


def refuse_what_costs_too_much():
    """Ask before a study is started whose training takes longer than is allowed; without a terminal, refuse it."""
    hours = config.get("budget_hours")
    planned = {job.rule.name for job in workflow.dag.needrun_jobs()}
    if hours is None or "train_shard" not in planned:
        return
    states, _, prices = look_ahead()
    seconds = seconds_left(states, prices, guess=True)
    if seconds is not None and seconds <= 3600 * hours:
        return
    what = "an unknown time" if seconds is None else f"about {duration(seconds)}"
    sentence = f"{OUTLINE.name}: its training takes {what} in all, and budget_hours allows {hours:g} h"
    if sys.stdin.isatty():
        tell(sentence)
        if input("Train it all the same? [y/N] ").strip().lower() in ("y", "yes"):
            return
    if seconds is None:
        refuse(
            f"{sentence}. `ablation price` measures it, once `--until plan_study` has prepared the data"
        )
    refuse(f"{sentence}. --config budget_hours=HOURS allows more")


def what_seeds_can_decide():
    """Say what the claims can decide, as far as Snakemake's own environment has what that is computed with."""
    try:
        from ablation.analysis.detection import detectable
        from ablation.report.detection import power_sentence

        found = detectable(PLAN, Path(RESULTS))
    except ImportError:
        # The jobs have an environment of their own; pandas asks for what reads its files only when it reads.
        return f"`ablation power {OUTLINE.name}` says what its claims can decide"
    return (
        power_sentence(PLAN, found)
        or "its claims are about what is counted, which needs no seeds"
    )


@cache
def note_the_start():
    """Write what all processes of this start read, and which file it is the study of; once, and with --no-hooks, too."""
    try:
        note_origin(STUDY_FILE, Path(STUDY))
        if new := register(PLAN, Path(STUDY)):
            names = ", ".join(one.claim for one in new)
            tell(f"{OUTLINE.name}: registered {plural(len(new), 'claim')}: {names}")
            tell(f"{OUTLINE.name}: {what_seeds_can_decide()}")
        for name, text in (("study", PLAN.frozen()), ("outline", OUTLINE.text())):
            with write_whole(Path(f"{STARTED}/{name}.json")) as file:
                file.write(text.encode())
        Path(f"{STUDY}/logs").mkdir(exist_ok=True)
    except OSError as error:
        refuse(
            f"{error.filename}: cannot be written ({error.strerror}); --config results=FOLDER names another folder"
        )


def note_prices():
    """Write what the runs that are left cost, as far as it is known; the watch does without."""
    seconds = {name: price.seconds for name, price in look_ahead()[2].items()}
    path = Path(f"{STARTED}/prices.json")
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)  # those of another start are worse than none
        with write_whole(path) as file:
            file.write(json.dumps(seconds).encode())


onstart:
    lock_study()  # only where data are no part of what was asked for; else it was locked before the jobs were laid out
    refuse_what_slurm_would()
    ask_for_a_warning()
    refuse_what_costs_too_much()
    note_the_start()
    note_prices()
    account()
    tell_outlook()
    start_worker()
    follow("watch", "--prices", f"{STARTED}/prices.json", "--jobs", str(slots()))
    # The mirror while it trains; the rule mirror_records completes it, whatever becomes of this process.
    log = f"{STUDY}/logs/mirror_follow.log"
    variants = f"{STUDY}/plan/variants.csv"
    follow("mirror", "--follow", "--log", log, "--variants", variants)


def account():
    """Begin to account for the core-seconds of a start on this machine."""
    if workflow.executor_plugin.name == "local":
        states, _, prices = look_ahead()
        path = Path(f"{STARTED}/costs.jsonl")
        begin(path, cores(), config["threads"], seconds_left(states, prices))


def tell_costs():
    """Say where the core-seconds of this start went, if it trained something on this machine."""
    starts = read_starts(Path(f"{STARTED}/costs.jsonl"))
    if workflow.executor_plugin.name == "local" and starts and starts[-1].work:
        own = {name: cpu_seconds(one.pid) for name, one in FOLLOWERS.items()}
        beside = {"snakemake": sum(os.times()[:2]), **own}
        tell(f"\n{describe(starts[-1], time.monotonic() - BEGUN, beside)}")


def runs_table(address):
    """Return the address of the table of variants on a server; that of the server as long as the mirror is not complete."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        receipt = json.loads(Path(MIRRORED).read_text())
        if receipt["uri"] == address.public and receipt["table"].startswith("http"):
            return receipt["table"]
    return address.public


def print_summary():
    """End a study on the terminal: the few columns that fit, and where the report lies."""
    summary = Path(f"{STUDY}/tables/summary.txt").read_text()
    print(f"\n{OUTLINE.title}\n\n{summary}", file=sys.stderr)
    address = Address.of(Path(RESULTS))
    command = [f"{CHECKOUT}/do", "mlflow", "--results", str(Path(RESULTS).resolve())]
    command = "./do mlflow" if AT_HOME else shlex.join(command)
    runs = command if address.default else runs_table(address)
    tell_costs()
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
