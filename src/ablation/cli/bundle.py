"""Write one archive of a study, to give away: an RO-Crate from which every table and verdict can be made again.

It has the study with its parts, the registration of its claims, the records of all runs without their weights, the
environment, the tables, verdicts and the report, and the SHA-256 digest of each file. The images are not in it. A study that
did not change gives the same bytes again. The archive is then checked as `ablation recompute` does; the command ends with 1
if a table does not come out the same.
"""

import argparse
import sys
import tempfile
import tomllib
from pathlib import Path

from ablation.cli.recompute import recompute
from ablation.jobs.bundling import ABOUT, CHECKOUT, ENVIRONMENTS, OWN, BundleError, Contents, contents_of
from ablation.jobs.lookup import RESULTS, find_study
from ablation.records.archive import MANIFEST, write_archive
from ablation.records.crate import METADATA, README, SNAKEFILE, Described, crate_metadata
from ablation.records.store import DamagedRecordError
from ablation.support.formatting import file_size, plural

EPILOG = """examples:
  ./do ablation bundle digits                       results/digits/digits.zip
  ./do ablation bundle digits --output paper.zip    another file
  ./do ablation bundle digits --weights             with the weights, to go on training or to measure anything else
"""
# What the files of a bundle are, by their names: those of the results, and those beside them.
RESULT_TEXTS = {
    "data.json": "The manifest of the prepared data: source, split, digest",
    "registered.jsonl": "Which claims were registered, with what they commit themselves to, and when",
    "runs.parquet": "One row per run: variant, levels, seed, status, metrics, sizes, timings, hardware and versions",
    "curves.parquet": "One row per run and epoch",
    "diagnostics.parquet": "One row per run, epoch, layer and quantity",
    "classes.parquet": "One row per run and class of the test images",
    "examples.npy": "One bit per run and test image: whether it was classified correctly",
    "contrasts.csv": "The effect of every contrast on every metric, with its interval",
    "claims.csv": "The claims of the study and what the runs say of them",
    "verdicts.json": "The verdict on every claim, with all its numbers",
    "report.html": "The study on one page",
    "certificate.json": "What became of runs that were trained again",
    "plan/variants.csv": "The variants with their sizes and the price of training them",
    "plan/layers.csv": "Every layer of every variant",
    "start/costs.jsonl": "Where the core-seconds of the study went",
}
TEXTS = {
    README: "What this archive is, and how to check it",
    SNAKEFILE: "The workflow that trains the runs of a study and makes its tables, figures and report",
    ABOUT: "Which study this is, and by which code its tables were made",
    ENVIRONMENTS: "The machines and versions that the runs were trained on",
    MANIFEST: "The SHA-256 digest of every other file",
    "LICENSE": "The license of the project",
    "environment.yml": "The conda environment of the workflow",
    "pyproject.toml": "The dependencies of the project",
    "uv.lock": "The versions of all that the project depends on",
}
FOLDERS = {
    "workflow": "The rules of the workflow",
    "results/store": "The records of the runs: spec, curves, metrics, environment, predictions for the test images",
    "shards": "Which records belong to which runs of the study",
    "measured": "What was measured on the trained networks",
}
USED = ("data.json",)  # of the results, what the run of the workflow began with


def main(arguments: argparse.Namespace) -> None:
    """Write the archive, and say what it has."""
    place = find_study(arguments.study, arguments.results)
    path = arguments.output or place / f"{place.name}.zip"
    try:
        contents = contents_of(place, arguments.weights)
    except DamagedRecordError as error:
        raise BundleError(
            f"{error}: start {place.name} again, which trains this run anew, and bundle it then"
        ) from None
    write_archive(path, {**contents.files, README: readme(contents).encode(), METADATA: metadata(contents)})
    without = "with" if arguments.weights else "without"
    print(f"{path}: {plural(contents.about.runs, 'run')} {without} weights, {file_size(path.stat().st_size)}")
    with tempfile.TemporaryDirectory(prefix="ablation-recompute-") as folder:
        equal = recompute(path, Path(folder), trusted=True)
    if not equal:
        sys.exit(
            f"{path}: these tables were made by another version of the code than this one, or not from these records: start "
            f"{place.name} again, and bundle it then"
        )


def metadata(contents: Contents) -> bytes:
    """Write the metadata of an archive as an RO-Crate."""
    study, folder = contents.plan.study, f"results/{contents.plan.name}"
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = Described(
        **{"name": contents.plan.name, "title": study.title, "question": study.question},
        **{"license": project["license"], "version": project["version"], "revision": contents.about.revision or ""},
        **{"span": contents.span, "environments": contents.environments},
    )
    names = [README, MANIFEST, *contents.files]
    folders = {name: text for name, text in FOLDERS.items() if "/" in name or name == "workflow"}
    folders |= {f"{folder}/{name}": text for name, text in FOLDERS.items() if name not in folders}
    folders = {name: text for name, text in folders.items() if any(file.startswith(f"{name}/") for file in names)}
    single = [name for name in names if not name.startswith(tuple(f"{folder}/" for folder in folders))]
    files = {name: described(name, folder) for name in single}
    results = [name for name in files if name.startswith(f"{folder}/")]
    used = [name for name in files if name.startswith(f"{OWN}/") or name in [f"{folder}/{one}" for one in USED]]
    made = [*(name for name in results if name not in used), *(f"{name}/" for name in folders if name != "workflow")]
    return crate_metadata(about, files, folders, made, used)


def described(name: str, folder: str) -> str:
    """Say what a file of an archive is."""
    if name.startswith(f"{OWN}/"):
        return "The study" if name.endswith((".yaml", ".yml")) else "Parts of its author's own that the study names"
    inner = name.removeprefix(f"{folder}/")
    if inner.startswith("tables/"):
        return f"A table of the study: {inner.removeprefix('tables/')}"
    return TEXTS.get(name) or RESULT_TEXTS.get(inner) or "Part of the plan of the study"


def readme(contents: Contents) -> str:
    """Write what an archive says of itself."""
    study, about = contents.plan.study, contents.about
    return f"""# {study.title}

{study.question}

This archive is a Workflow Run RO-Crate ([{METADATA}]({METADATA})) of the study `{about.study}`: {about.runs} runs of
{len(contents.plan.variants)} variants, made with ablation {about.version}, revision {about.revision or "unknown"}.
[results/{about.study}/report.html](results/{about.study}/report.html) is the report. `{MANIFEST}` has the digest of
every file.

With ablation installed, this makes every table and every verdict again from the records and compares them with those in
here; nothing is trained:

    ablation recompute {about.study}.zip

The study file is `{about.file}`; `./do study` trains it anew in a checkout of that revision.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("study", help="a study with results, by its name or its file")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of all results")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="archive to write (in the study's results: STUDY.zip)"
    )
    parser.add_argument("--weights", action="store_true", help="take the weights of the runs along")
