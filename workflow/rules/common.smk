"""
Everything that rules share: the study, where its files lie, and the functions that rules call.

NEEDS: config["study"], config["shard_size"]
GIVES: STUDY_FILE, PLAN, DATA, SHARDS, folders, and functions for inputs, params and messages
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Importable from the source tree too: the environment that runs Snakemake need not be the one that trains.
sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from ablation.digests import digest, file_digest, source_digest
from ablation.imagefolders import fingerprint
from ablation.shards import claimed_keys, code_digest, shard_spec
from ablation.store import Store
from ablation.studyfile import StudyFileError, locate_study, read_study

try:
    STUDY_FILE = locate_study(config["study"])
    PLAN = read_study(STUDY_FILE)
except StudyFileError as error:
    raise WorkflowError(str(error)) from None

RESULTS = "results"
STORE = f"{RESULTS}/store"
STUDY = f"{RESULTS}/{PLAN.name}"
DATA_SPEC = json.dumps(PLAN.study.data.model_dump(), sort_keys=True)
DATA = f"{RESULTS}/data/{PLAN.study.data.name}-{digest(DATA_SPEC)[:12]}"
FOLLOWED = f"{STUDY}/logs/{PLAN.name}.json"  # the study as it was at the start, for those who follow the training
SHARDS = PLAN.shards(config["shard_size"])


wildcard_constraints:
    variant=r"[A-Za-z0-9][A-Za-z0-9_.+-]*",
    shard=r"[0-9]+",


def final_outputs(wildcards):
    """List what a finished study consists of.

    The shards are named although the report needs them anyway: Snakemake makes a file that lies between two others
    anew only if it is asked for, and a shard whose record was lost must be trained again.
    """
    pages = [
        f"{STUDY}/plan/variants.csv",
        f"{STUDY}/plan/layers.csv",
        f"{STUDY}/report.html",
        f"{STUDY}/mlflow.json",
    ]
    return [*pages, *shard_results(wildcards)]


def shard_results(wildcards):
    """List the result files of all shards."""
    return [
        f"{STUDY}/shards/{variant}/{n}.json"
        for variant, shards in SHARDS.items()
        for n in range(len(shards))
    ]


def frozen_spec(wildcards):
    """Return the spec of a shard; its file is rewritten only when this text changes."""
    return shard_spec(
        PLAN, wildcards.variant, SHARDS[wildcards.variant][int(wildcards.shard)]
    )


def warm_starts(wildcards):
    """List the shard that a shard's runs start from: the same seeds of another variant; none for a fresh start."""
    source = PLAN.variants[wildcards.variant].levels["warm_start"]
    return (
        [] if source == "none" else [f"{STUDY}/shards/{source}/{wildcards.shard}.json"]
    )


def training_code(wildcards):
    """Return the digest of the modules that train a variant: editing one of them makes its shards stale."""
    return code_digest(PLAN.variants[wildcards.variant].architecture_spec())


def data_code(wildcards):
    """Return the digest of the modules that prepare data."""
    return source_digest(["ablation.datasets"])


def data_folder(wildcards):
    """Return the fingerprint of the study's own folder of images, if it has one: a changed image is prepared anew."""
    folder = PLAN.study.data.folder
    return fingerprint(Path(folder)) if folder else None


def gpus(wildcards):
    """Ask for a GPU where this machine has one; a profile for other machines sets the resource itself."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return int(visible not in ("", "-1"))
    listed = (
        shutil.which("nvidia-smi")
        and subprocess.run(["nvidia-smi", "-L"], capture_output=True).stdout
    )
    return int(bool(listed))


def frozen_study(wildcards):
    """Return the validated study; its file is rewritten only when this text changes, so that jobs of one start agree."""
    return PLAN.frozen()


def code_of(*modules):
    """Return a function that digests modules of the package, for the params of a rule."""

    def digest_code(wildcards):
        return source_digest([f"ablation.{module}" for module in modules])

    return digest_code


def network_code(*modules):
    """Return a function that digests modules of the package together with those that build the study's networks."""
    builders = {
        variant.architecture_spec()["builder"].split(":")[0]
        for variant in PLAN.variants.values()
    }

    def digest_code(wildcards):
        return source_digest(
            [*(f"ablation.{module}" for module in modules), *sorted(builders)]
        )

    return digest_code


def report_code(wildcards):
    """Return the digest of the modules that write the report, and of its template."""
    template = Path(workflow.basedir) / "src/ablation/templates/report.html"
    return digest([source_digest(["ablation.commands.report"]), file_digest(template)])


def study_size(wildcards):
    """Return the counts that captions speak of."""
    return {
        "runs": PLAN.runs,
        "variants": len(PLAN.variants),
        "seeds": len(PLAN.study.seeds),
    }


def figure(name):
    """Mark a figure for Snakemake's report."""
    return report(
        f"{STUDY}/figures/{name}.svg",
        caption="../report/figure.rst",
        category="Figures",
        labels={"figure": name, "study": PLAN.name},
    )


def withdraw_stale_results():
    """Remove result files that speak of records which are not in the store, so that Snakemake sees what is missing."""
    store = Store(Path(STORE))
    for path in map(Path, shard_results(None)):
        try:
            missing = [key for key in claimed_keys(path) if not store.has(key)]
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            missing = ["the result file itself"]
        if missing:
            print(
                f"{path}: missing or damaged: {', '.join(missing)}; it will be trained again",
                file=sys.stderr,
            )
            path.unlink()


def withdraw_stale_receipt():
    """Remove the receipt of a mirror whose database was deleted, so that Snakemake makes it anew."""
    if (
        "MLFLOW_TRACKING_URI" not in os.environ
        and not Path(f"{RESULTS}/mlflow.db").exists()
    ):
        Path(f"{STUDY}/mlflow.json").unlink(missing_ok=True)


if workflow.is_main_process:
    withdraw_stale_results()
    withdraw_stale_receipt()


def accompany(command, output):
    """Start a command of the package that follows the training and ends with this process."""
    arguments = ["--study", FOLLOWED, "--manifest", f"{DATA}/manifest.json"]
    arguments += ["--store", STORE, "--parent", str(os.getpid())]
    subprocess.Popen(
        [sys.executable, "-m", *command, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(workflow.basedir) / "src")},
        stdout=output,
        stderr=output,
        start_new_session=True,  # an interrupt is for the trainings; these end when this process does
    )


onstart:
    Path(f"{STUDY}/logs").mkdir(parents=True, exist_ok=True)
    Path(FOLLOWED).write_text(frozen_study(None))
    accompany(["ablation.commands.watch"], None)
    # The mirror while it trains; the rule mirror_records completes it, whatever becomes of this process.
    with open(f"{STUDY}/logs/mirror_follow.log", "w") as output:
        accompany(["ablation.commands.mirror", "--follow"], output)


def print_summary():
    """End a study on the terminal: the few columns that fit, and where the report lies."""
    print(
        f"\n{PLAN.study.title}\n\n{Path(f'{STUDY}/tables/summary.txt').read_text()}",
        file=sys.stderr,
    )
    print(f"Report: {STUDY}/report.html    MLflow: ./do mlflow", file=sys.stderr)


def report_is_whole():
    """Say whether the report is there and no data or shard is missing or newer: then only the mirror can have failed."""
    page = Path(f"{STUDY}/report.html")
    sources = [Path(path) for path in (f"{DATA}/manifest.json", *shard_results(None))]
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
