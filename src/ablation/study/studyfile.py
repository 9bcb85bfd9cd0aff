"""Reading a study file: YAML with line numbers, and errors that say where, what was found and what is allowed."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.study.parts import PartsError, with_parts
from ablation.study.plan import Plan
from ablation.study.schema import Problem, Strict, Study, StudyError, nearest

STUDIES = Path("config/studies")
STUDY_NAME = r"[a-z0-9][a-z0-9_-]*"
TAKEN = ("store", "data", "downloads", "mlartifacts")  # folders of results that are no study's


class StudyFileError(Exception):
    """A study file that cannot be used; the message names file, line, key, what was found and what is allowed."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's reading of plain words: `on` and `no` are levels, not truth values, and 1e-4 is a number."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def _lines(node: yaml.Node | None, key: tuple = (), above: tuple[yaml.Node, ...] = ()) -> dict[tuple, int]:
    """Map each key of a YAML document to its line; a key that stands twice or is no word is a Problem."""
    if node in above:
        raise Problem(key, f"found a reference to itself (line {node.start_mark.line + 1})")
    above = (*above, node)
    lines = {key: node.start_mark.line + 1} if node else {}
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise Problem(
                    key, f"found a list or mapping as a key (line {name.start_mark.line + 1}), expected a word"
                )
            inner = (*key, name.value)
            if inner in lines:
                raise Problem(
                    inner, f"found the key {name.value!r} twice (line {name.start_mark.line + 1}), expected it once"
                )
            lines |= _lines(value, inner, above) | {inner: name.start_mark.line + 1}
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            lines |= _lines(value, (*key, position), above)
    return lines


def _parse(text: str, path: Path) -> tuple[Any, dict[tuple, int]]:
    try:
        lines = _lines(yaml.compose(text, _Loader))
        return yaml.load(text, _Loader), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise StudyFileError(f"{path}{where}: not valid YAML: {what}") from None


def parse_value(text: str) -> Any:
    """Read a level as a study file would: numbers, true and false, words.

    Raises
    ------
    StudyFileError
        If the text is not YAML.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError:
        raise StudyFileError(f"found {text!r}, expected a number, true, false or a word") from None


def _key_text(key: tuple) -> str:
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the file"


def _models(annotation: Any) -> list[type[Strict]]:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _allowed_keys(key: tuple) -> list[str]:
    """List the keys of the mapping at `key`."""
    model = Study
    for part in key:
        nested = _models(model.model_fields[part].annotation) if part in model.model_fields else []
        model = nested[0] if nested else model
    return list(model.model_fields)


def _problems(error: ValidationError) -> list[Problem]:
    """Say each of pydantic's errors as what was found and what was expected."""
    problems = []
    for detail in error.errors():
        key, found, context = detail["loc"], detail["input"], detail.get("ctx", {})
        if detail["type"] == "extra_forbidden":
            allowed = _allowed_keys(key[:-1])
            hint = nearest(key[-1], allowed)
            problems.append(Problem(key, f"unknown key {key[-1]!r}{hint}; allowed: {', '.join(allowed)}"))
        elif detail["type"] == "name":
            name = getattr(found, "get", {}.get)(context["key"])
            allowed = context["allowed"]
            problems.append(
                Problem(
                    (*key, context["key"]), f"found {name!r}, expected {', '.join(allowed)}{nearest(name, allowed)}"
                )
            )
        elif detail["type"] == "missing":
            problems.append(Problem(key, "this key is missing"))
        elif detail["type"] == "literal_error":
            allowed = re.findall(r"'([^']*)'", context["expected"])
            problems.append(Problem(key, f"found {found!r}, expected {', '.join(allowed)}{nearest(found, allowed)}"))
        else:
            expected = re.sub(r"^(Input should be|Value error,) ?", "", detail["msg"])
            shown = found if isinstance(found, str | int | float | bool | list | None) else type(found).__name__
            if isinstance(found, dict):
                problems.append(Problem(key, f"expected {expected}" if expected.startswith("a ") else expected))
            else:
                problems.append(Problem(key, f"found {json.dumps(shown, default=str)}, expected {expected}"))
    return problems


def _report(path: Path, problems: list[Problem], lines: dict[tuple, int]) -> StudyFileError:
    rows = []
    for problem in dict.fromkeys(problems):
        key = problem.key
        while key and key not in lines:
            key = key[:-1]
        line = f"line {lines[key]}, " if key in lines else ""
        rows.append((lines.get(key, 0), f"  {line}{_key_text(problem.key)}: {problem.message}"))
    # The same mistake may be met once for each architecture of a block.
    return StudyFileError(
        "\n".join([f"{path} is not a study that can run:", *dict.fromkeys(r for _, r in sorted(rows))])
    )


def locate_study(name: str, folders: Sequence[Path] = (STUDIES,)) -> Path:
    """Return the file of a study that is given by name (in one of the folders, the first that has it) or by path.

    Raises
    ------
    StudyFileError
        If there is no such file, or if its name cannot be the name of a folder of results.
    """
    given, listed = str(name), " or ".join(map(str, folders))
    by_path = given.endswith((".yaml", ".yml"))
    candidates = [Path(given)] if by_path else [folder / f"{given}.yaml" for folder in folders]
    path = next((candidate for candidate in candidates if candidate.is_file()), candidates[0])
    if not path.is_file() and Path(given).is_dir():
        raise StudyFileError(
            f"study: found the folder {given!r}, expected the name of a file in {listed} or the path of a .yaml file"
        )
    if not re.fullmatch(STUDY_NAME, path.stem) or (not by_path and "/" in given):
        raise StudyFileError(
            f"study: found {given!r}, expected the name of a file in {listed} or the path of a .yaml file; "
            "the name is small letters, digits, - and _ (the results go to a folder of that name)"
        )
    if path.stem in TAKEN:
        raise StudyFileError(
            f"study: found {given!r}, expected another name: results/{path.stem} is a folder of all studies"
        )
    if not path.is_file():
        known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
        raise StudyFileError(
            f"study: no such file {path}{nearest(given, known)}; in {listed}: {', '.join(known) or 'none'}"
        )
    return path


def read_study(path: Path) -> Plan:
    """Read, validate and expand a study file. Nothing is written.

    Parameters
    ----------
    path : Path
        Its stem is the study's name.

    Returns
    -------
    Plan

    Raises
    ------
    StudyFileError
        With every mistake that was found: file, line, key, what was found and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    try:
        content, lines = _parse(text, path)
    except Problem as problem:
        raise _report(path, [problem], {}) from None
    if not isinstance(content, dict):
        raise StudyFileError(f"{path}: found {type(content).__name__}, expected a mapping with the keys of a study")
    catalogue = _read_own_parts(content, path, lines)
    try:
        return Plan(Study.model_validate(content, context=catalogue), path.stem, catalogue=catalogue)
    except ValidationError as error:
        raise _report(path, _problems(error), lines) from None
    except StudyError as error:
        raise _report(path, error.problems, lines) from None


def _read_own_parts(content: dict[str, Any], path: Path, lines: dict[tuple, int]) -> Catalogue:
    """Return what a study may name: our catalogue, and the parts that it states."""
    stated = content.get("parts", [])
    if not isinstance(stated, list) or not all(isinstance(file, str) for file in stated):
        return OURS  # which the models refuse with its line
    try:
        return with_parts([path.parent / file for file in stated])[0]
    except PartsError as error:
        raise _report(path, [Problem(("parts",), str(error))], lines) from None


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
        raise _report(path, error.problems, {}) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
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
    schema = Study.model_json_schema()
    seeds = schema["properties"]["seeds"]
    seeds.pop("type", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
