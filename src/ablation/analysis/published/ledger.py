"""The ledger: files of published numbers beside this module, read and checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ablation.analysis.published.entries import NAME, Entry
from ablation.analysis.published.numbers import Published, refuse_repetition, resolve
from ablation.study.filemistakes import UnreadableError, problems_of, read_node, report
from ablation.study.schema import Problem
from ablation.study.yamlfile import Node
from ablation.support.wording import UserError, shown

FOLDER = Path(__file__).parent
MOST_BYTES = 1_000_000


class LedgerError(UserError):
    """A file of published numbers that cannot be used; the message names file, entry, key, found and expected."""


def read_ledger(*folders: Path) -> dict[str, Published]:
    """Read all files of published numbers; by id, in the order of folders, files and entries.

    Parameters
    ----------
    *folders : Path
        Where they lie; without any, ours.

    Raises
    ------
    LedgerError
        If a folder has none; or with every mistake of the first file that has any.
    """
    ledger: dict[str, Published] = {}
    for folder in folders or (FOLDER,):
        paths = sorted(folder.glob("*.yaml"))
        if not paths:
            raise LedgerError(f"{folder}: found no file of published numbers, expected one or more (.yaml)")
        for path in paths:
            found = read_file(path)
            if twice := next((name for name in found if name in ledger), None):
                raise LedgerError(f"{path}: found {twice!r}, which another file has, expected another name")
            ledger |= found
    return ledger


def read_file(path: Path) -> dict[str, Published]:
    """Read one file of published numbers, by id; raises LedgerError with every mistake that was found."""
    header = f"{path} is not a file of published numbers:"
    try:
        node = read_node(path, MOST_BYTES)
    except UnreadableError as error:
        raise LedgerError(str(error)) from None
    except Problem as problem:
        raise LedgerError(report(header, [problem], Node(None, 1))) from None
    if not isinstance(node.content, dict) or not node.content:
        raise LedgerError(f"{path}: found {shown(node.content)}, expected a mapping of entries by name")
    found, problems = _resolve_all(node.content, path.parent)
    if problems:
        raise LedgerError(report(header, problems, node))
    return found


def _resolve_all(content: Mapping[str, Any], folder: Path) -> tuple[dict[str, Published], list[Problem]]:
    """Return the entries of a file that are right, and what is wrong with the others."""
    found, problems = {}, []
    for name, stated in content.items():
        try:
            entry = Entry.model_validate(stated)
        except ValidationError as error:
            problems += problems_of(error, Entry, (name,))
            continue
        published, wrong = resolve(name, entry, folder)
        problems += wrong
        if published is not None:
            found[name] = published
    return found, [*problems, *refuse_repetition(found)]


def ledger_schema() -> dict[str, Any]:
    """Return the JSON schema of a file of published numbers, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Published numbers",
        "description": "Entries of the ledger of published numbers, by name.",
        **TypeAdapter(dict[str, Entry]).json_schema(),
        "propertyNames": {"pattern": f"^{NAME}$"},
    }
