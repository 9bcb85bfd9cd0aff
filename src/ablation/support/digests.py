"""Digests: of plain data, and of the source that determines a result."""

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "ablation"


def digest(content: Any) -> str:
    """Digest plain data (mappings, lists, text, numbers): 32 hexadecimal digits, the same in any process."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """Digest the bytes of a file: 32 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def normalise(source: str) -> str:
    """Strip a module's source of all that cannot change a result: comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    # Unparsed rather than dumped: the tree gains fields from one Python to the next, its text does not.
    return ast.unparse(tree)


@cache
def _module(name: str) -> tuple[str, frozenset[str]]:
    """Return a module's normalised source and the modules of this package that it imports."""
    path = _file(name)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return normalise(path.read_text(encoding="utf-8")), frozenset(
        name for name in imported if name.startswith(f"{PACKAGE}.") and _file(name)
    )


def _file(name: str) -> Path | None:
    """Return the file of a module of this package, found without importing anything; None if there is no such module."""
    place = Path(__file__).parents[1].joinpath(*name.split(".")[1:])
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)


def source_digest(roots: Iterable[str]) -> str:
    """Digest the source of modules and of every module of this package that they import.

    Parameters
    ----------
    roots : iterable of str
        Dotted names, such as ``ablation.training.run``.

    Returns
    -------
    str
        32 hexadecimal digits. A comment, a docstring or a reformatting does not change them.
    """
    pending, sources = list(roots), {}
    while pending:
        name = pending.pop()
        if name not in sources:
            sources[name], imported = _module(name)
            pending.extend(imported)
    return digest(sources)
