"""
What becomes of runs that failed by themselves or were killed, and the last words of a start: functions alone, for the rules
and hooks.

NEEDS: common.smk, config["retry_failed"]
GIVES: RETRY_FAILED, UNMEASURED, MIXTURE, functions for params and messages
"""

import atexit
import contextlib
import shlex
import sys

from ablation.jobs.results import failed_runs
from ablation.records.store import FAILED
from ablation.support.formatting import plural

RETRY_FAILED = str(config["retry_failed"]).lower() == "true"
UNMEASURED = f"{STUDY}/plan/unmeasured.json"
MIXTURE = f"{STUDY}/tables/mixture.txt"
AT_HOME = Path.cwd() == CHECKOUT and RESULTS == "results"


def failed_records(result):
    """List the records of a shard's result whose runs failed."""
    return [run["key"] for run in result["runs"] if run["status"] == FAILED]


def failed_measures(measured):
    """List the metrics whose code failed on some network of a shard."""
    return sorted({name for run in measured["runs"] for name in run["errors"]})


def retry_option(wildcards, output):
    """Return the option that has failed runs trained again; going by the output, it makes nothing stale."""
    return "--retry-failed" if RETRY_FAILED else ""


def words_of_a_kill(wildcards, output):
    """Return what a training cannot say itself any more; going by the output, other words make nothing stale."""
    return (
        "The training was killed (exit status 137, SIGKILL), by somebody or because the memory of this machine was used "
        "up: the system's log says so (dmesg). Then let fewer jobs run at once (--cores), or on a cluster ask for more "
        "memory (--set-resources train_shard:mem_mb=…). Finished runs and saved states are kept: start again to go on."
    )


@cache
def close_with_what_failed():
    """Have said once, as the last words of this process, what failed and what the runs mix: no hook of Snakemake runs if
    nothing is to be done."""
    results = [Path(modified(path)).absolute() for path in shard_results(None)]
    atexit.register(tell_what_failed, results)
    atexit.register(tell_mixture, Path(modified(MIXTURE)).absolute())


def tell_mixture(path):
    """Say in what the machines of the study's runs differ, as the tables have it; nothing if they do not."""
    with contextlib.suppress(OSError, ValueError):
        tell(path.read_text(encoding="utf-8"))


def tell_what_failed(results):
    """Say how many runs of the study are recorded as failed, and how to have them tried again; nothing if none is."""
    if failed := failed_runs(results):
        option = (
            "./do study NAME --retry-failed"
            if AT_HOME
            else "--config retry_failed=true"
        )
        again = option.replace("NAME", shlex.quote(str(config["study"])))
        print(
            f"{plural(failed, 'run')} of {OUTLINE.runs} failed by an error of their own, which the report shows. "
            f"To try again: {again}",
            file=sys.stderr,
        )
