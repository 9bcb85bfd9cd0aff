"""
How a study is cut into shards, and what their jobs are given: functions alone, for the rules and hooks.

NEEDS: settings.smk; when they are called, common.smk
GIVES: cut_runs, functions for inputs and params of shards
"""

from functools import cache


def planned(function):
    """Let a parameter be computed where the jobs are planned: where a job runs elsewhere, nobody compares it again."""

    def compute(wildcards):
        return function(wildcards) if PLAN else None

    return compute


def cut_runs(plan):
    """Cut a study into shards; what the last start has cut stays as it is where its results are there."""
    from ablation.jobs.cutting import Cut, cut
    from ablation.jobs.inventory import cut_before

    minutes, resources = config.get("job_minutes"), workflow.resource_settings
    by = Cut(
        size=config["shard_size"],
        seconds=minutes and 60 * minutes,
        slots=resources.nodes or resources.cores or 1,
        most=config["most_jobs"],
    )
    return cut(plan, by, {}, cut_before(Path(modified(f"{RESULTS}/{plan.name}"))))


def shard_result(shard):
    """Return the result file of a shard."""
    return f"{STUDY}/shards/{shard}.json"


def shard_results(wildcards):
    """List the result files of all shards."""
    return [shard_result(shard) for shard in OUTLINE.shards]


def measured_results(wildcards):
    """List what is measured on trained networks, shard by shard; nothing if the study asks for no such metric."""
    shards = shard_results(wildcards) if OUTLINE.measures else []
    return [
        path.replace(f"{STUDY}/shards/", f"{STUDY}/measured/", 1) for path in shards
    ]


def warm_starts(wildcards):
    """List the shards whose runs a shard's runs start from; none for a fresh start."""
    return [shard_result(shard) for shard in OUTLINE.starts.get(wildcards.shard, [])]


def open_sizes(wildcards):
    """List the file with the sizes that a shard's spec leaves open; none for most."""
    return [ANSWERS] if wildcards.shard in OUTLINE.controls else []


@cache
def spec_text(shard):
    """Return the spec of a shard."""
    from ablation.jobs.shards import shard_spec

    return shard_spec(PLAN, OUTLINE.shards[shard])


@planned
def frozen_spec(wildcards):
    """Return the spec of a shard; its file is rewritten only when this text changes."""
    return spec_text(wildcards.shard)


@planned
def training_code(wildcards):
    """Return the digest of the code that trains a shard: editing some of it makes the shard stale."""
    codes = [code_of_variant(variant) for variant in OUTLINE.shards[wildcards.shard]]
    return codes[0] if len(codes) == 1 else digest(codes)


@cache
def code_of_variant(variant):
    """Return the digest of the code that trains a variant."""
    from ablation.jobs.shards import shard_code

    return shard_code(PLAN, variant)


@planned
def measuring_code(wildcards):
    """Return the digest of the code that measures; what builds the networks makes their shards stale."""
    return sources().digest(
        ["ablation.jobs.measuring:measure", *OUTLINE.measures.values()]
    )
