"""
Everything that rules share: the study, where its files lie, and the functions that rules call.

NEEDS: config["study"], config["results"], config["shard_size"], config["max_runs"]
GIVES: OUTLINE, PLAN (in the process that plans), names of files and folders, functions for inputs, params and messages

Reading this needs what Snakemake itself needs and no more: the environment that runs Snakemake need not be the one that
trains. A job on a cluster reads it, too, and finds the outline that the start wrote instead of the study.
"""

import json
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The checkout that these rules lie in, wherever they are used from: its code runs, whatever is installed.
RULES = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).resolve()
CHECKOUT = RULES.parents[1]
SOURCE = str(CHECKOUT / "src")
if not Path(SOURCE).is_dir():
    raise WorkflowError(
        f"found no folder {SOURCE}: the rules call the package that lies beside them. Clone the repository, and name the "
        "Snakefile of the clone (snakefile: in a module, or --snakefile) instead of one at a Git host."
    )
sys.path.insert(0, SOURCE)

from ablation.jobs.devices import count_gpus
from ablation.support.digests import digest, file_digest
from ablation.data.folders import fingerprint
from ablation.data.manifests import stated_digest
from ablation.jobs.generations import next_generation
from ablation.jobs.outline import Outline
from ablation.jobs.results import outdated
from ablation.records.keys import references, sources
from ablation.report.figures.table import FIGURES, figures_of
from ablation.records.store import NewerRecordError, Store
from ablation.support.references import OwnCodeError
from ablation.tracking.address import receipt_is_stale

# It knows the prefix of a module; when a parameter is computed, the workflow has the modifier of the main Snakefile.
MODIFIER = workflow.modifier

RESULTS = config["results"].rstrip("/")
STARTED = f"{RESULTS}/{Path(config['study']).stem}/start"  # the study as it was when the last start began


def read_plan():
    """Read, validate and expand the study; what is wrong with it, or with code that it names, is said in its own words."""
    from ablation.jobs.shards import check_code
    from ablation.study.studyfile import (
        STUDIES,
        StudyFileError,
        locate_study,
        read_study,
    )

    folders = dict.fromkeys([STUDIES, CHECKOUT / STUDIES])
    try:
        path = locate_study(config["study"], list(folders))
        plan = read_study(path, config["max_runs"])
        check_code(plan)
        return plan
    except (StudyFileError, OwnCodeError) as error:
        raise WorkflowError(str(error)) from None


def was_planned():
    """Say whether this process works on a job that a start has planned; as a module, no start of ours has been there."""
    own_start = workflow.modifier.is_main_snakefile() and not workflow.is_main_process
    return own_start and Path(f"{STARTED}/outline.json").exists()


if was_planned():
    PLAN = None
    OUTLINE = Outline.read(Path(f"{STARTED}/outline.json"))
else:
    PLAN = read_plan()
    OUTLINE = Outline.of(PLAN, config["shard_size"], figures_of(PLAN))

STUDY = f"{RESULTS}/{OUTLINE.name}"
STATED = f"{STUDY}/plan/{OUTLINE.name}.stated.json"
SETTLED = f"{STUDY}/plan/{OUTLINE.name}.json"
ANSWERS = f"{STUDY}/plan/controls.json"
RECEIPT = f"{STUDY}/data.json"
MIRRORED = f"{STUDY}/mlflow.json"
DATA_SPEC = json.dumps(OUTLINE.data, sort_keys=True)
DATA = f"data/{OUTLINE.data_folder}"

# A cluster's profile says what its jobs get; else the GPUs of this machine count.
GPUS = config["gpus_per_job"] if "gpus_per_job" in config else count_gpus()

# Each GPU of this machine trains for one job at a time, unless --resources says otherwise.
if GPUS and "gpus_per_job" not in config and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", GPUS)


wildcard_constraints:
    variant=r"[A-Za-z0-9][A-Za-z0-9_.+-]*",
    shard=r"[0-9]+",


def planned(function):
    """Let a parameter be computed where the jobs are planned: where a job runs elsewhere, nobody compares it again."""

    def compute(wildcards):
        return function(wildcards) if PLAN else None

    return compute


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


def modified(path):
    """Return a path as it is within a module, where a prefix may stand before it."""
    return str(MODIFIER.modify_path(path))


@cache
def generation(path, find_lost):
    """Return the generation of a file; the first answer stays, for Snakemake asks again when a job has removed the file."""
    return next_generation(Path(modified(path)), find_lost)


def lost_records(result):
    """List the records of a shard's result that are missing, damaged, no longer failed, or failed and to be tried again."""
    store = Store(Path(modified(f"{RESULTS}/store")))
    try:
        return outdated(result, store, RETRY_FAILED)
    except NewerRecordError as error:
        raise WorkflowError(str(error)) from None


def lost_data(receipt):
    """Name the prepared data of a receipt if they are gone, damaged as far as sizes show, or others."""
    there = stated_digest(Path(modified(f"{RESULTS}/{DATA}")))
    return ["data"] if receipt["digest"] != there else []


def lost_mirror(receipt):
    """Name the mirror of a receipt if it is gone or elsewhere."""
    return ["mirror"] if receipt_is_stale(receipt, Path(modified(RESULTS))) else []


@planned
def data_generation(wildcards):
    """Return how often the prepared data were lost: if they are now, this is another number than before."""
    return generation(RECEIPT, lost_data).number


@planned
def mirror_generation(wildcards):
    """Return how often the mirror was lost, as above."""
    return generation(MIRRORED, lost_mirror).number


def final_outputs(wildcards):
    """List what a finished study consists of.

    The shards are named although the report needs them anyway: Snakemake makes a file that lies between two others
    anew only if it is asked for, and a shard whose last training failed must be trained again.
    """
    pages = [
        f"{STUDY}/plan/variants.csv",
        f"{STUDY}/plan/layers.csv",
        f"{STUDY}/report.html",
        MIRRORED,
    ]
    return [*pages, *shard_results(wildcards)]


def shard_result(variant, shard):
    """Return the result file of a shard."""
    return f"{STUDY}/shards/{variant}/{shard}.json"


def shard_results(wildcards):
    """List the result files of all shards."""
    return [
        shard_result(variant, n)
        for variant in OUTLINE.variants
        for n in range(len(OUTLINE.shards))
    ]


@planned
def frozen_study(wildcards):
    """Return the validated study; its file is rewritten only when this text changes, so that jobs of one start agree."""
    return PLAN.frozen()


@planned
def frozen_spec(wildcards):
    """Return the spec of a shard; its file is rewritten only when this text changes.

    It does so when records were lost, too, by the generation: the training that reads the file, here or on a cluster,
    writes the same number into its result.
    """
    from ablation.jobs.shards import shard_spec

    result = shard_result(wildcards.variant, wildcards.shard)
    number = generation(result, lost_records).number
    seeds = OUTLINE.shards[int(wildcards.shard)]
    return shard_spec(PLAN, wildcards.variant, seeds, number)


def measured_results(wildcards):
    """List what is measured on trained networks, shard by shard; nothing if the study asks for no such metric."""
    shards = shard_results(wildcards) if OUTLINE.measures else []
    return [
        path.replace(f"{STUDY}/shards/", f"{STUDY}/measured/", 1) for path in shards
    ]


@planned
def measuring_code(wildcards):
    """Return the digest of the code that measures; what builds the networks makes their shards stale."""
    return sources().digest(
        ["ablation.jobs.measuring:measure", *OUTLINE.measures.values()]
    )


def warm_starts(wildcards):
    """List the shard that a shard's runs start from: the same seeds of another variant; none for a fresh start."""
    source = OUTLINE.variants[wildcards.variant]
    return [shard_result(source, wildcards.shard)] if source else []


def open_sizes(wildcards):
    """List the file with the sizes that a shard's spec leaves open; none for most."""
    return [ANSWERS] if wildcards.variant in OUTLINE.controls else []


@planned
def training_code(wildcards):
    """Return the digest of the code that trains a variant: editing some of it makes its shards stale."""
    from ablation.jobs.shards import shard_code

    return shard_code(PLAN, wildcards.variant)


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
        specs = [PLAN.spec(variant, OUTLINE.shards[0][0]) for variant in PLAN.variants]
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
    """Return the digest of the modules that write the report, and of its template."""
    template = Path(SOURCE) / "ablation/report/templates/report.html"
    return digest(
        [sources().digest(["ablation.cli.report:main"]), file_digest(template)]
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
