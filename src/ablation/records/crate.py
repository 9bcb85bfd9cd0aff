"""The metadata of a bundle as an RO-Crate: which workflow made which files of what, when, and with what software.

The profile is Workflow Run Crate (https://w3id.org/ro/wfrun/workflow/0.5), which builds upon RO-Crate 1.1.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

METADATA, README = "ro-crate-metadata.json", "README.md"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"  # what the profiles add to the words of RO-Crate
ROCRATE, PROFILE = "1.1", "0.5"  # versions of the specification and of the profiles upon it
PROFILES = {
    f"https://w3id.org/ro/wfrun/process/{PROFILE}": ("Process Run Crate", PROFILE),
    f"https://w3id.org/ro/wfrun/workflow/{PROFILE}": ("Workflow Run Crate", PROFILE),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
SNAKEFILE = "Snakefile"
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".npy": "application/x-npy",
    ".parquet": "application/vnd.apache.parquet",
    ".py": "text/x-python",
    ".tex": "application/x-tex",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
# What the software of runs is called, by the entry of their environments.
SOFTWARE = {"python": ("Python", "https://www.python.org"), "torch": ("PyTorch", "https://pytorch.org")}
SOFTWARE |= {"numpy": ("NumPy", "https://numpy.org")}


@dataclass(frozen=True)
class Described:
    """What the metadata say of a study, beside its files.

    Attributes
    ----------
    name, title, question : str
        Of the study.
    license : str
        The SPDX identifier of the project's license.
    version, revision : str
        Of the project; the revision may be empty.
    span : tuple of str
        When its first job began and the last one ended (ISO 8601).
    environments : sequence of mapping
        Machines and versions of its runs.
    """

    name: str
    title: str
    question: str
    license: str
    version: str
    revision: str
    span: tuple[str, str]
    environments: Sequence[Mapping[str, Any]]


def crate_metadata(
    about: Described, files: Mapping[str, str], folders: Mapping[str, str], made: Iterable[str], used: Iterable[str]
) -> bytes:
    """Write the metadata of a bundle as JSON-LD; the same of the same study.

    Parameters
    ----------
    about : Described
    files, folders : mapping of str to str
        The names of files, and of folders of many files, in the bundle, with what they are; among them `SNAKEFILE`.
    made, used : iterable of str
        Which of these the run has made, and what of: names of files, and of folders with ``/`` at their end.
    """
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=ROCRATE)
    crate.metadata.extra_contexts.append(TERMS)
    root = crate.root_dataset
    crate.name, crate.description = about.title, about.question
    crate.datePublished = about.span[1]  # the library would take the time of today
    address = f"https://spdx.org/licenses/{about.license}"
    crate.license = _add(crate, address, "CreativeWork", name=about.license, url=address)
    root["conformsTo"] = [
        _add(crate, address, "CreativeWork", name=name, version=version)
        for address, (name, version) in PROFILES.items()
    ]
    entities = {}
    for name in sorted(files.keys() - {SNAKEFILE}):
        entities[name] = crate.add_file(dest_path=name, properties=_file(name, files[name]))
    for name, text in folders.items():
        entities[f"{name}/"] = crate.add_dataset(dest_path=name, properties={"name": name, "description": text})
    entities[README]["about"] = root
    action = crate.add_action(
        _workflow(crate, about, files[SNAKEFILE]),
        f"#run-of-{about.name}",
        object=[entities[name] for name in used],
        result=[entities[name] for name in made],
        properties=_action(about),
    )
    root["mentions"] = action
    content = crate.metadata.generate()
    content["@graph"].sort(key=lambda entity: entity["@id"])
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode()


def _add(crate: Any, address: str, kind: str, **properties: str) -> Any:
    """Add something that is no file."""
    from rocrate.model.contextentity import ContextEntity

    return crate.add(ContextEntity(crate, address, {"@type": kind, **properties}))


def _workflow(crate: Any, about: Described, text: str) -> Any:
    """Add the workflow with the software that the runs were trained with."""
    stated = {"name": "ablation", "description": text, "encodingFormat": "text/plain", "version": version_text(about)}
    workflow = crate.add_workflow(dest_path=SNAKEFILE, main=True, lang="snakemake", properties=stated)
    workflow["license"] = crate.license
    workflow["softwareRequirements"] = [
        _add(crate, f"{url}#{version}", "SoftwareApplication", name=name, url=url, softwareVersion=version)
        for name, url, version in software(about.environments)
    ]
    return workflow


def _action(about: Described) -> dict[str, str]:
    """Return what is said of the run of the workflow."""
    return {
        "name": f"The study {about.name}",
        "description": f"./do study {about.name}: trains the runs of the study and makes its tables, figures and report",
        "startTime": about.span[0],
        "endTime": about.span[1],
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _file(name: str, text: str) -> dict[str, str]:
    """Return what is said of a file."""
    kind = FORMATS.get(PurePosixPath(name).suffix, "text/plain")
    return {"name": PurePosixPath(name).name, "description": text, "encodingFormat": kind}


def version_text(about: Described) -> str:
    """Write the version of the project with its revision, as PEP 440 does; the revision of changed files says so."""
    revision = about.revision.replace("+", ".changed")
    return f"{about.version}+{revision}" if revision else about.version


def software(environments: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """List name, address and version of the software that runs were trained with, each version once."""
    found = {(*SOFTWARE[entry], one[entry]) for one in environments for entry in SOFTWARE if one.get(entry)}
    return sorted(found)
