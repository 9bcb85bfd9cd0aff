"""
How a study is cut into shards, and what their jobs are given: functions alone, for the rules and hooks.

NEEDS: settings.smk; when they are called, common.smk
GIVES: cut_runs, functions for inputs and params of shards
"""

from functools import cache

from ablation.jobs.prices import KeptCosts, known_prices


def planned(function):
    """Let a parameter be computed where the jobs are planned: where a job runs elsewhere, nobody compares it again."""

    def compute(wildcards):
        return function(wildcards) if PLAN else None

    return compute


PRICES = (
    {}
)  # of the variants, as far as they are known where runs are still to be trained


def cores():
    """Return how many cores of this machine the start was given."""
    return workflow.resource_settings.cores or 1


def slots():
    """Return how many trainings run at the same time: on a cluster, or on the cores and GPUs of this machine."""
    if workflow.resource_settings.nodes:
        return workflow.resource_settings.nodes
    each = max(1, cores() // config["threads"])
    return min(each, GPUS) if GPUS else each


def kept_costs():
    """Return the costs that were measured on this machine."""
    return KeptCosts(Path(modified(RESULTS)), bool(GPUS), config["threads"])


def cut_runs(plan):
    """Cut a study into shards; what the last start has cut stays as it is where its results are there.

    As a module the study is cut in the same way in each process, although no start notes it: by what the study and the
    settings say alone.
    """
    from ablation.jobs.cutting import Cut, cut, runs_of
    from ablation.jobs.inventory import cut_before, read_manifest

    minutes = config.get("job_minutes")
    by = Cut(
        size=config["shard_size"],
        seconds=minutes and 60 * minutes,
        slots=slots(),
        most=config["most_jobs"],
    )
    own_start, prices = workflow.modifier.is_main_snakefile(), {}
    kept = cut_before(Path(f"{RESULTS}/{plan.name}")) if own_start else []
    done = {run for shard in kept for run in runs_of(shard)}
    left = dict.fromkeys(
        variant
        for variant in plan.variants
        for seed in plan.study.seeds
        if (variant, seed) not in done
    )
    if left and own_start:
        manifest = read_manifest(Path(modified(f"{RESULTS}/data/{plan.data_folder}")))
        PRICES.update(
            known_prices(plan, plan.variants, manifest, Path(RESULTS), kept_costs())
        )
        prices = {variant: price.seconds for variant, price in PRICES.items()}
    return cut(plan, by, prices, kept)


def memory_to_train(wildcards, attempt):
    """Ask for the megabytes that a shard's training takes, and twice as much at each further attempt."""
    prices = [PRICES.get(variant) for variant in OUTLINE.shards[wildcards.shard]]
    known = [price.memory for price in prices if price and price.memory]
    needed = 200 + round(1.25 * max(known)) if len(known) == len(prices) else 2000
    return needed * 2 ** (attempt - 1)


def minutes_to_train(wildcards):
    """Ask for three times the minutes that a shard's training takes on this machine, and four hours at least."""
    shard = OUTLINE.shards[wildcards.shard]
    seconds = sum(PRICES[v].seconds * len(s) for v, s in shard.items() if v in PRICES)
    return max(240, round(3 * seconds / 60))


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
