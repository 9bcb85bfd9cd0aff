"""Reading a YAML file of ours by a pydantic model: mistakes with their line and key, what was found and what is allowed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from ablation.study.mistakes import sentence
from ablation.study.schema import Problem
from ablation.study.values import Strict
from ablation.study.yamlfile import Node, YamlError, compose
from ablation.support.files import TextError, read_text
from ablation.support.wording import cut, first_mistakes, listed, nearest, shown


class UnreadableError(Exception):
    """A file that is no YAML; the message names it and says where and why."""


def read_node(path: Path, most: int) -> Node:
    """Read a YAML file of at most so many bytes.

    Raises
    ------
    UnreadableError
        If it is not there, no text or not YAML.
    Problem
        If it holds what no file of ours may (`ablation.study.yamlfile.compose`).
    """
    try:
        return compose(read_text(path, most))
    except TextError as error:
        raise UnreadableError(f"{path}: {error}") from None
    except YamlError as error:
        raise UnreadableError(f"{path}{error}") from None


def problems_of(error: ValidationError, model: type[Strict], within: tuple = ()) -> list[Problem]:
    """Say each of pydantic's errors as what was found and what was expected.

    Parameters
    ----------
    error : pydantic.ValidationError
    model : type
        What was validated by it.
    within : tuple
        Where in the file that stands.
    """
    problems = []
    for detail in error.errors():
        key, context = detail["loc"], detail.get("ctx", {})
        if detail["type"] == "extra_forbidden":
            allowed = _allowed_keys(model, key[:-1])
            message = f"unknown key {shown(key[-1])}{nearest(key[-1], allowed)}; allowed: {', '.join(allowed)}"
        elif detail["type"] == "name":
            key, name, allowed = (*key, context["key"]), context["found"], context["allowed"]
            message = f"found {shown(name)}, expected {listed(allowed)}{nearest(name, allowed)}"
        elif detail["type"] == "missing" and isinstance(key[-1], str):
            message = "this key is missing"
        else:
            message = sentence(detail)
        problems.append(Problem((*within, *key), message))
    return problems


def report(header: str, problems: Sequence[Problem], node: Node | None = None) -> str:
    """List mistakes below a header, by their lines where the values of the file are given."""
    rows = []
    for problem in problems:
        line = node.line_of(problem.key) if node else 0
        where = f"line {line}, " if node and node.inner else ""
        rows.append((line, f"  {where}{_key_text(problem.key)}: {problem.message}"))
    # The same mistake may be met once for each architecture of a block.
    return "\n".join([header, *first_mistakes(row for _, row in sorted(rows))])


def _key_text(key: tuple) -> str:
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{repr(cut(part))[1:-1]}"
    return text.lstrip(".") or "the file"


def _models(annotation: Any) -> list[type[Strict]]:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _allowed_keys(model: type[Strict], key: tuple) -> list[str]:
    """List the keys of the mapping at `key` of what the model describes."""
    for part in key:
        nested = _models(model.model_fields[part].annotation) if part in model.model_fields else []
        model = nested[0] if nested else model
    return list(model.model_fields)
