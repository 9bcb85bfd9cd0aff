"""Reading a study file: YAML with line numbers, and errors that say where, what was found and what is allowed."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.study.filemistakes import UnreadableError, problems_of, read_node, report
from ablation.study.parts import PartsError, with_parts
from ablation.study.plan import Plan
from ablation.study.schema import Problem, Study, StudyError
from ablation.study.yamlfile import Node, YamlError, compose
from ablation.support.wording import UserError, cut, listed, nearest, printable, shown

STUDIES = Path("config/studies")
STUDY_NAME = r"[a-z0-9][a-z0-9_-]*"
MOST_BYTES = 500_000  # of a study file
MOST_NAME = 100  # characters of a study's name
TAKEN = ("store", "data", "downloads", "mlartifacts")  # folders of results that are no study's


class StudyFileError(UserError):
    """A study file that cannot be used; the message names file, line, key, what was found and what is allowed."""


def parse_value(text: str) -> Any:
    """Read a level as a study file would: numbers, true and false, words.

    Raises
    ------
    StudyFileError
        If the text is not YAML.
    """
    try:
        return compose(text).content
    except (YamlError, Problem):
        raise StudyFileError(f"found {shown(text)}, expected a number, true, false or a word") from None


def _report(path: Path, problems: list[Problem], node: Node | None = None) -> StudyFileError:
    return StudyFileError(report(f"{path} is not a study that can run:", problems, node))


def locate_study(name: str, folders: Sequence[Path] = (STUDIES,)) -> Path:
    """Return the file of a study that is given by name (in one of the folders, the first that has it) or by path.

    Raises
    ------
    StudyFileError
        If there is no such file, or if its name cannot be the name of a folder of results.
    """
    given, places = str(name), " or ".join(map(str, folders))
    by_path = given.endswith((".yaml", ".yml"))
    candidates = [Path(given)] if by_path else [folder / f"{given}.yaml" for folder in folders]
    path = next((candidate for candidate in candidates if os.path.isfile(candidate)), candidates[0])
    if not os.path.isfile(path) and os.path.isdir(given):
        raise StudyFileError(
            f"study: found the folder {shown(given, 400)}, expected the name of a file in {places} or the path of a .yaml "
            "file"
        )
    if not re.fullmatch(STUDY_NAME, path.stem) or len(path.stem) > MOST_NAME or (not by_path and "/" in given):
        raise StudyFileError(
            f"study: found {shown(given)}, expected the name of a file in {places} or the path of a .yaml file; the name "
            f"is small letters, digits, - and _, at most {MOST_NAME} (the results go to a folder of that name)"
        )
    if path.stem in TAKEN:
        raise StudyFileError(
            f"study: found {shown(given)}, expected another name: results/{path.stem} is a folder of all studies"
        )
    if os.path.exists(path) and not os.path.isfile(path):
        raise StudyFileError(f"study: found {printable(str(path))}, which is a folder, device or pipe, expected a file")
    if not os.path.isfile(path):
        known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
        missing = f"{cut(printable(str(path)), 400)}{nearest(given, known)}"
        raise StudyFileError(f"study: no such file {missing}; in {places}: {listed(known) or 'none'}")
    return path


def read_study(path: Path, most_runs: int | None = None) -> Plan:
    """Read, validate and expand a study file. Nothing is written.

    Parameters
    ----------
    path : Path
        Its stem is the study's name.
    most_runs : int, optional
        How many runs it may have; without it, as many as it states.

    Returns
    -------
    Plan

    Raises
    ------
    StudyFileError
        With every mistake that was found: file, line, key, what was found and what is allowed.
    """
    try:
        node = read_node(path, MOST_BYTES)
    except UnreadableError as error:
        raise StudyFileError(str(error)) from None
    except Problem as problem:
        raise _report(path, [problem], Node(None, 1)) from None
    if not isinstance(node.content, dict):
        found = "an empty file" if node.content is None else shown(node.content)
        raise StudyFileError(f"{path}: found {found}, expected a mapping with the keys of a study")
    catalogue = _read_own_parts(node, path)
    try:
        plan = Plan(Study.model_validate(node.content, context=catalogue), path.stem, catalogue=catalogue)
    except ValidationError as error:
        raise _report(path, problems_of(error, Study), node) from None
    except StudyError as error:
        raise _report(path, error.problems, node) from None
    if most_runs is not None and plan.runs > most_runs:
        raise StudyFileError(
            f"{path} would be {len(plan.variants):,} variants x {len(plan.study.seeds):,} seeds = {plan.runs:,} runs, "
            f"expected {most_runs:,} or fewer; if it is meant so: --config max_runs={plan.runs}"
        )
    return plan


def _read_own_parts(node: Node, path: Path) -> Catalogue:
    """Return what a study may name: our catalogue, and the parts that it states."""
    stated = node.content.get("parts", [])
    if not isinstance(stated, list) or not all(isinstance(file, str) for file in stated):
        return OURS  # which the models refuse with its line
    try:
        return with_parts([path.parent / file for file in stated])[0]
    except PartsError as error:
        raise _report(path, [Problem(("parts",), str(error))], node) from None


def read_frozen(path: Path) -> Plan:
    """Read a plan that `ablation.study.plan.Plan.frozen` wrote.

    Raises
    ------
    StudyFileError
        If it is none, or none of this version; or if a control of equal size turned out to make no sense.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        catalogue = with_parts([Path(file) for file in content["parts"]])[0]
        study = Study.model_validate(content["study"], context=catalogue)
        return Plan(study, content["name"], content["answers"], catalogue)
    except PartsError as error:
        raise StudyFileError(str(error)) from None
    except StudyError as error:
        raise _report(path, error.problems) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"{error.error_count()} keys do not fit" if isinstance(error, ValidationError) else error
        raise StudyFileError(f"{path}: not a frozen study ({why}); start the study again to write it anew") from None


def read_started(path: Path, answers: Path) -> Plan | None:
    """Read the frozen plan of a start that is under way; None while the sizes of its controls are still sought."""
    plan = read_frozen(path)
    if not plan.questions:
        return plan
    try:
        found = json.loads(answers.read_text())
    except (OSError, ValueError):
        return None
    return plan.settled(found) if set(plan.questions) <= set(found) else None


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of a study file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
