"""
Everything that rules share: the study, where its files lie, and the functions that rules call.

NEEDS: settings.smk
GIVES: OUTLINE, PLAN (in the process that plans), names of files and folders, functions for inputs, params and messages

Reading this needs what Snakemake itself needs and no more: the environment that runs Snakemake need not be the one that
trains. A job on a cluster reads it, too, and finds the outline that the start wrote instead of the study.
"""

import json
from functools import cache

from ablation.data.folders import fingerprint
from ablation.jobs.devices import count_gpus
from ablation.jobs.outline import Outline
from ablation.jobs.starts import check_origin
from ablation.records.certificate import FILE as CERTIFICATE
from ablation.records.keys import references, sources
from ablation.report.figures.table import FIGURES, figures_of
from ablation.support.digests import digest, file_digest
from ablation.support.wording import UserError

RESULTS = config["results"].rstrip("/")
STARTED = f"{RESULTS}/{Path(config['study']).stem}/start"  # the study as it was when the last start began


def modified(path):
    """Return a path as it is within a module, where a prefix may stand before it."""
    return str(MODIFIER.modify_path(path))


def read_plan():
    """Read, validate and expand the study, and return its file, too.

    What is wrong with it, or with code that it names, is said in its own words.
    """
    from ablation.jobs.shards import check_code
    from ablation.study.studyfile import (
        STUDIES,
        locate_study,
        read_study,
    )

    try:
        path = locate_study(
            config["study"], list(dict.fromkeys([STUDIES, CHECKOUT / STUDIES]))
        )
        if workflow.is_main_process:
            check_origin(path, Path(modified(f"{RESULTS}/{path.stem}")))
        plan = read_study(path, config["max_runs"])
        check_code(plan)
        return path, plan
    except UserError as error:
        refuse(error)


def was_planned():
    """Say whether this process works on a job that a start has planned; as a module, no start of ours has been there."""
    own_start = workflow.modifier.is_main_snakefile() and not workflow.is_main_process
    return own_start and Path(f"{STARTED}/outline.json").exists()


# A cluster's profile says what its jobs get; else the GPUs of this machine count.
GPUS = config["gpus_per_job"] if "gpus_per_job" in config else count_gpus()

if was_planned():
    STUDY_FILE = PLAN = None
    OUTLINE = Outline.read(Path(f"{STARTED}/outline.json"))
else:
    STUDY_FILE, PLAN = read_plan()
    OUTLINE = Outline.of(PLAN, cut_runs(PLAN), figures_of(PLAN))

STUDY = f"{RESULTS}/{OUTLINE.name}"
STATED = f"{STUDY}/plan/{OUTLINE.name}.stated.json"
SETTLED = f"{STUDY}/plan/{OUTLINE.name}.json"
ANSWERS = f"{STUDY}/plan/controls.json"
RECEIPT = f"{STUDY}/data.json"
MIRRORED = f"{STUDY}/mlflow.json"
DATA_SPEC = json.dumps(OUTLINE.data, sort_keys=True)
DATA = f"data/{OUTLINE.data_folder}"
SEEN_RECORDS = f"{STARTED}/seen.json"  # what the last start saw of them
SEALS = []  # of the rules, with their wildcards
LOST = {}  # files to be made again: what of them or of what they name was lost

# Each GPU of this machine trains for one job at a time, unless --resources says otherwise.
if GPUS and "gpus_per_job" not in config and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", GPUS)


wildcard_constraints:
    shard=r"[A-Za-z0-9][A-Za-z0-9_.+-]*/[0-9]+",


def shared(name):
    """Return a function that names a folder beside those of the studies, as a parameter.

    It goes by the rule's output, so that it follows the prefix of a module; and what goes by the output makes nothing
    stale when the whole is moved elsewhere.
    """

    def name_folder(wildcards, output):
        before, _, _ = str(output[0]).rpartition(f"{STUDY}/")
        return f"{before}{RESULTS}/{name}"

    return name_folder


def source_folder(wildcards, output):
    """Return the folder of the code to run; going by the output, as above, it makes nothing stale."""
    return SOURCE


def runs_at_once(wildcards, output):
    """Return how many runs a job trains side by side; the bits do not depend on it, and it makes nothing stale."""
    return config["runs_at_once"]


def seal(rule):
    """Name the seal of a rule, its last output: `--seal {output:q}` lets its command write it (`ablation.support.seals`).

    A rule with wildcards has them here, too. What a seal was written with is looked at whenever a start begins.
    """
    SEALS.append(f"{STUDY}/seals/{rule}.json")
    return SEALS[-1]


def seals():
    """List the seals of all jobs."""
    each = (path.format(shard=shard) for path in SEALS for shard in OUTLINE.shards)
    return list(dict.fromkeys(each))


def remake_what_is_lost(wildcards):
    """Have Snakemake make again what is lost or damaged, as --forcerun would; as an input, nothing.

    What it learns while it lays out the jobs, it takes into account. A job elsewhere has no say in it. It is also the first
    to know whether jobs are to be run: while the workflow is read, a start looks like a dry run or --summary.
    """
    workflow.dag.forcefiles.update(map(modified, LOST))
    if (
        workflow.is_main_process and workflow.executor_plugin
    ):  # none for --summary, --report and the like
        close_with_what_failed()
        if workflow.dryrun:
            tell_outlook()
        else:
            lock_study()
            if MODIFIER.is_main_snakefile():
                note_the_start()
    return []


def final_outputs(wildcards):
    """List what a finished study consists of.

    All is named although the report needs most of it anyway: Snakemake makes a file that lies between two others anew
    only if it is asked for. What a seal stands for is made anew with it.
    """
    pages = [
        f"{STUDY}/plan/variants.csv",
        f"{STUDY}/plan/layers.csv",
        f"{STUDY}/report.html",
        MIRRORED,
    ]
    return [*pages, *shard_results(wildcards), *frozen_texts(), *seals()]


def frozen_texts():
    """Return by file what jobs are given: the study, and the spec of each shard."""
    specs = {
        f"{STUDY}/specs/{shard}.json": spec_text(shard) for shard in OUTLINE.shards
    }
    return {STATED if OUTLINE.controls else SETTLED: PLAN.frozen(), **specs}


@planned
def frozen_study(wildcards):
    """Return the validated study; its file is rewritten only when this text changes, so that jobs of one start agree."""
    return PLAN.frozen()


def certificate(wildcards):
    """List the certificate of the study, if there is one: when it comes, changes or goes, the report is written again."""
    path = f"{STUDY}/{CERTIFICATE}"
    return [path] if exists(modified(path)) else []


@planned
def data_source(wildcards):
    """Return where the data come from."""
    return PLAN.source.text()


@planned
def data_origin(wildcards):
    """Return a digest of what data are made with beside their spec: the code, and the images of a folder of one's own."""
    folder = OUTLINE.data["folder"]
    images = fingerprint(Path(folder)) if folder else None
    code = sources().digest([PLAN.source.reader, "ablation.data.datasets:arrange"])
    return digest([code, images])


def code_of(*definitions):
    """Return a function that digests definitions of the package and all that they reach, for the params of a rule."""

    @planned
    def digest_code(wildcards):
        return sources().digest(f"ablation.{name}" for name in definitions)

    return digest_code


def network_code(*definitions):
    """Return a function that digests definitions of the package together with those that build the study's networks."""

    @planned
    def digest_code(wildcards):
        specs = [PLAN.spec(variant, PLAN.study.seeds[0]) for variant in PLAN.variants]
        used = {reference for spec in specs for reference in references(spec)}
        return sources().digest([*(f"ablation.{name}" for name in definitions), *used])

    return digest_code


@planned
def collection_code(wildcards):
    """Return the digest of the code that gathers the records, and of the metrics that are computed from them."""
    computed = [metric.compute for metric in PLAN.metrics.values() if metric.compute]
    return sources().digest(["ablation.cli.collect:main", *computed])


@planned
def figure_code(wildcards):
    """Return the digest of the code that draws the study's figures, which the table of figures names as text."""
    drawing = [FIGURES[name].draw for name in OUTLINE.figures]
    return sources().digest(["ablation.cli.figures:main", *drawing])


@planned
def report_code(wildcards):
    """Return the digest of the modules that write the report, of its templates, and of the published numbers on it."""
    package = Path(SOURCE) / "ablation"
    files = [
        *(package / "report/templates").glob("**/*.*"),
        *(package / "analysis/published").glob("*.[cy]*"),
    ]
    return digest(
        [
            sources().digest(["ablation.cli.report:main"]),
            *map(file_digest, sorted(files)),
        ]
    )


def study_size(wildcards):
    """Return the counts that captions speak of."""
    return {
        "runs": OUTLINE.runs,
        "variants": len(OUTLINE.variants),
        "seeds": OUTLINE.seeds,
    }


def gpus(wildcards):
    """Ask for a GPU where there is one, on this machine or by the word of a cluster's profile."""
    return min(1, GPUS)


def growing(megabytes):
    """Return a request for memory that doubles with each attempt: a job that was killed for its memory gets more."""

    def memory(wildcards, attempt):
        return megabytes * 2 ** (attempt - 1)

    return memory


def figure(name):
    """Mark a figure for Snakemake's report."""
    return report(
        f"{STUDY}/figures/{name}.svg",
        caption="../report/figure.rst",
        category="Figures",
        labels={"figure": name, "study": OUTLINE.name},
    )
