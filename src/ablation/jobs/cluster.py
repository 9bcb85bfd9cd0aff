"""What can be known of a start on a Slurm cluster before the first job is submitted.

Runs in the process that parses the Snakefile: standard library only.
"""

import difflib
import getpass
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ablation.support.wording import UserError

# What the plugin calls. Without one of them it waits for ever instead of failing.
COMMANDS = ("sbatch", "squeue", "sinfo", "scontrol", "scancel")
PROFILES = "profiles/slurm (GPU nodes) or profiles/slurm-cpu"
PATIENCE = 60.0  # seconds for an answer of Slurm


class ClusterError(UserError):
    """The start cannot succeed; the message says each reason in a sentence."""


@dataclass
class Partition:
    """A partition as `sinfo` describes it: whether it takes jobs, its longest time in minutes (None: any), its GPUs."""

    available: bool
    minutes: float | None
    gpu_models: set[str] = field(default_factory=set)
    gpus: int = 0


def check_cluster(requests: Mapping[str, Mapping[str, Any]], profile: str | None, arrays: str | None = None) -> None:
    """Refuse a start that cannot succeed, as far as Slurm tells.

    Parameters
    ----------
    requests : mapping of str to mapping
        By rule: the resources of one of its jobs that will be submitted.
    profile : str or None
        The key ``profile`` of the config, which `machine.yaml` of each profile sets.
    arrays : str, optional
        The rules whose jobs are to go to Slurm in arrays, as the plugin's option names them.

    Raises
    ------
    ClusterError
        With every reason that was found.
    """
    if not requests:
        return  # all that is left to do is done here
    if profile is None or not profile.startswith("slurm"):
        raise ClusterError(
            f"the jobs go to Slurm, but the settings are those of the profile {profile!r}, which is for one machine: "
            f"start with --workflow-profile {PROFILES}. A profile given with --profile has the default one laid over it, "
            "and --configfile takes the place of the profile's own: name its machine.yaml there, too"
        )
    missing = [command for command in COMMANDS if not shutil.which(command)]
    if missing:
        raise ClusterError(
            f"not found on this machine: {', '.join(missing)}. Start where jobs can be submitted, on a login node, after "
            "loading Slurm's module if the site has one"
        )
    problems = list(dict.fromkeys([*array_problems(arrays), *_problems(requests, profile)]))
    if problems:
        raise ClusterError("\n".join(problems))


def _problems(requests: Mapping[str, Mapping[str, Any]], profile: str) -> Iterator[str]:
    yield from gpu_problems(requests, profile)
    if any(request.get(name) for request in requests.values() for name in ("cluster", "clusters", "slurm_cluster")):
        return  # what follows is about the cluster at hand
    partitions, default = read_partitions(ask("sinfo", "--all", "--noheader", "--format=%P|%a|%l|%G"))
    named: dict[str, dict[str, Mapping[str, Any]]] = {}
    for rule, request in requests.items():
        named.setdefault(str(request.get("slurm_partition") or default or ""), {})[rule] = request
    for names, asking in named.items():
        yield from partition_problems(names, asking, partitions)
    yield from account_problems(requests)


def array_problems(arrays: str | None) -> Iterator[str]:
    """Say why jobs cannot go to Slurm in arrays, if they are to (issue 473 of the plugin)."""
    if arrays:
        yield (
            f"--slurm-array-jobs={arrays}: up to its version 2.8 the plugin gives all jobs of an array the memory of the "
            "first, and waits for ever where more jobs are ready than --jobs allows. Leave it out: short trainings share a "
            "job (job_minutes, most_jobs)"
        )


def ask(*command: str) -> str:
    """Return what a command of Slurm prints; raises ClusterError if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"Slurm does not answer: {command[0]} took longer than {PATIENCE:.0f} seconds") from None
    if done.returncode:
        raise ClusterError(f"Slurm does not answer: {' '.join(command[:1])} says: {done.stderr.strip()}")
    return done.stdout


def read_partitions(listed: str) -> tuple[dict[str, Partition], str | None]:
    """Read the lines ``name|available|time|gres`` of `sinfo`, of which a partition has one for each kind of node.

    Returns
    -------
    partitions : dict of str to Partition
    default : str or None
        The partition of jobs that name none.
    """
    partitions: dict[str, Partition] = {}
    default = None
    for line in listed.splitlines():
        name, available, time, gres = line.strip().split("|")
        if name.endswith("*"):
            name = default = name[:-1]
        partition = partitions.setdefault(name, Partition(available == "up", read_minutes(time)))
        for model, count in re.findall(r"(?:^|,)gpu:(?:([^:(,]+):)?(\d+)", gres):
            partition.gpus += int(count)
            partition.gpu_models |= {model} - {""}
    return partitions, default


def read_minutes(time: str) -> float | None:
    """Read ``[days-]hours:minutes:seconds``, ``minutes:seconds`` or ``infinite``, which is None."""
    if not re.fullmatch(r"[\d:-]+", time):
        return None
    days, _, clock = time.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return 1440 * int(days or 0) + seconds / 60


def asks_gpu(request: Mapping[str, Any]) -> bool:
    """Say whether a job asks for a GPU, in either of the two ways."""
    return bool(request.get("gpu")) or "gpu" in str(request.get("gres") or "")


def gpu_problems(requests: Mapping[str, Mapping[str, Any]], profile: str) -> Iterator[str]:
    """Say which requests for GPUs contradict themselves or the profile."""
    for rule, request in requests.items():
        if request.get("gpu") and "gpu" in str(request.get("gres") or ""):
            yield (
                f"{rule} asks for GPUs twice: gpu={request['gpu']} and gres={request['gres']}. "
                f"Keep gpu and name the kind with gpu_model, or set {rule}:gpu=0 beside gres"
            )
    training = requests.get("train_shard")
    if training is not None and asks_gpu(training) != (profile == "slurm"):
        found, other = ("no GPU", "slurm-cpu") if profile == "slurm" else ("a GPU", "slurm")
        yield f"the profile is {profile}, but train_shard asks for {found}: start with --workflow-profile profiles/{other}"


def partition_problems(
    named: str, requests: Mapping[str, Mapping[str, Any]], partitions: Mapping[str, Partition]
) -> Iterator[str]:
    """Say why the partition that jobs name, or would get, cannot run them; it may be several with commas between."""
    if not named:
        yield (
            "no partition is named and the cluster has no default one: add --default-resources "
            f"slurm_partition=…, one of {', '.join(sorted(partitions))}"
        )
        return
    unknown = [name for name in named.split(",") if name not in partitions]
    for name in unknown:
        yield f"found the partition {name!r}, expected one of {', '.join(sorted(partitions))}{suggest(name, partitions)}"
    if unknown:
        return
    chosen = [partitions[name] for name in named.split(",")]
    if not any(partition.available for partition in chosen):
        yield f"the partition {named} takes no jobs at present: sinfo says that it is not up"
    limits = [partition.minutes for partition in chosen]
    longest = float("inf") if None in limits else max(limits)
    too_long = [rule for rule, request in requests.items() if as_minutes(request.get("runtime")) > longest]
    if too_long:
        less = " ".join(f"{rule}:runtime={longest:.0f}" for rule in sorted(too_long))
        yield (
            f"the partition {named} allows {longest:.0f} minutes, and longer jobs would wait for ever: name another "
            f"partition, or ask for less time: --set-resources {less}"
        )
    for rule, request in requests.items():
        if asks_gpu(request):
            yield from model_problems(rule, request, named, chosen)


def as_minutes(runtime: object) -> float:
    """Return a job's runtime; 0 for none, or one that is not a number of minutes."""
    return runtime if isinstance(runtime, int) else 0


def model_problems(rule: str, request: Mapping[str, Any], named: str, chosen: Iterable[Partition]) -> Iterator[str]:
    """Say that a partition has no GPU, or not of the kind that a job names."""
    models = {model for partition in chosen for model in partition.gpu_models}
    if not any(partition.gpus for partition in chosen):
        yield (
            f"{rule} asks for a GPU, and the partition {named} has none: name another one, or start with "
            "--workflow-profile profiles/slurm-cpu"
        )
        return
    typed = re.fullmatch(r"gpu:([^:]*[^:\d][^:]*)(:\d+)?", str(request.get("gres") or ""))
    wanted = request.get("gpu_model") or (typed[1] if typed else None)
    # A cluster need not tell the kinds of its GPUs; then nothing is known.
    if wanted and models and wanted not in models:
        yield (
            f"{rule} asks for a GPU of the kind {wanted!r}, and the partition {named} has {', '.join(sorted(models))}"
            f"{suggest(wanted, models)}"
        )


def account_problems(requests: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say which accounts this user does not have, where the cluster keeps accounts."""
    named = {
        name
        for request in requests.values()
        for name in re.split(r"[,\s]+", str(request.get("slurm_account") or ""))
        if name
    }
    if not named:
        if not shutil.which("sacct"):
            yield "no account is named and there is no sacct to find one: add --default-resources slurm_account=…"
        return
    known = known_accounts()
    for name in sorted(named):
        if known and name.lower() not in known:
            yield f"found the account {name!r}, expected one of {', '.join(sorted(known))}{suggest(name, known)}"


def known_accounts() -> set[str]:
    """List the accounts of this user; empty where the cluster keeps none or does not tell."""
    if not shutil.which("sacctmgr"):
        return set()
    try:
        listed = ask("sacctmgr", "-n", "-s", "list", "user", getpass.getuser(), "format=account%256")
    except ClusterError:
        return set()
    return {line.strip().lower() for line in listed.splitlines() if line.strip()}


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a guess at what was meant, or nothing."""
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
