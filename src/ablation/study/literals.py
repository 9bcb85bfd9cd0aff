"""Tables that a Python file states as literals: read with the line of each key, without running the file."""

import ast
import codecs
import io
import json
import re
import tokenize
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ablation.support.files import TextError, read_text
from ablation.support.wording import UserError, coded, printable

MOST_BYTES = 1_000_000  # of a file of parts
UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters and lone surrogates
Place = tuple[str, ...]  # of a value in a file: its table, then keys
DEFINING = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class PartsError(UserError):
    """Parts that cannot be used; the message names the file, and for each mistake line, key, what was found and expected."""


def located(lines: Mapping[Place, int], place: Place, message: str) -> str:
    """Lead a message with its place and with the line of that or, where it has none, of what is around it."""
    known = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    return f"{f'line {lines[known]}, ' if known else ''}{'.'.join(coded(part)[1:-1] for part in place)}: {message}"


class LiteralFile:
    """A Python file with tables, read.

    Parameters
    ----------
    path : Path
    wanted : collection of str
        Names of the tables; other statements are left alone.

    Attributes
    ----------
    tables : dict
        By name; what is no literal is left out.
    lines : dict of Place to int
        Of every key.
    names : set of str
        What the file binds at its top level.
    mistakes : dict of Place to str
        What is wrong, with its line; a place has one mistake.

    Raises
    ------
    PartsError
        If it cannot be read as Python.
    """

    def __init__(self, path: Path, wanted: Collection[str]):
        self.tables: dict[str, Any] = {}
        self.lines: dict[Place, int] = {}
        self.mistakes: dict[Place, str] = {}
        tree = _parse(path)
        self.names = {name for statement in tree.body for name in _bound(statement)}
        for statement in tree.body:
            name = _assigned(statement)
            if name in wanted and name not in self.tables:
                self.tables[name] = self._literal(statement.value, (name,))
            elif not isinstance(statement, DEFINING):
                # What such a statement would make of a table when the file is run, nobody would see.
                for used in sorted({node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}):
                    if used in wanted:
                        code = _code(statement).splitlines()[0]
                        message = f"found {code!r} (line {statement.lineno}), expected it once, as a literal"
                        self.refuse((used,), f"{message}: the file is read, not run")

    def refuse(self, place: Place, message: str) -> None:
        """Note a mistake with its line, unless its place has one already."""
        self.mistakes.setdefault(place, located(self.lines, place, message))

    def wrong(self, place: Place) -> bool:
        """Say whether something at or below a place is wrong."""
        return any(known[: len(place)] == place for known in self.mistakes)

    def _literal(self, node: ast.expr, place: Place) -> Any:
        """Return the value of a literal, as JSON has it, and note the line of each of its keys."""
        self.lines.setdefault(place, node.lineno)
        if isinstance(node, ast.Dict):
            return dict(self._items(node, place))
        try:
            stated = json.dumps(ast.literal_eval(node), allow_nan=False, ensure_ascii=False)
        except (ValueError, TypeError, MemoryError, RecursionError):
            expected = "a literal of texts, numbers, True, False, None, lists and dicts: the file is read, not run"
            self.refuse(place, f"found {_code(node)!r}, expected {expected}")
            return None
        # JSON escapes control characters, and not the two that a text may have.
        value = json.loads(stated)
        if any(UNWRITABLE.search(text) for text in _texts(value)):
            self.refuse(place, f"found {coded(value)}, expected text without control characters")
            return None
        return value

    def _items(self, node: ast.Dict, place: Place) -> Iterator[tuple[str, Any]]:
        seen = set()
        for key, value in zip(node.keys, node.values, strict=True):
            name = key.value if isinstance(key, ast.Constant) else None
            if not isinstance(name, str):
                found = f"**{_code(value)}" if key is None else _code(key)
                line = (key or value).lineno
                self.refuse(place, f"found {found!r} as a key (line {line}), expected a text")
            elif UNWRITABLE.search(name):
                self.refuse(place, f"found the key {coded(name)}, expected text without control characters")
            elif name in seen:
                self.refuse((*place, name), f"found {coded(name)} twice (line {key.lineno}), expected it once")
            else:
                seen.add(name)
                self.lines[*place, name] = key.lineno
                yield name, self._literal(value, (*place, name))


def _texts(value: Any) -> Iterator[str]:
    """List all texts of plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (text for inner in value for text in _texts(inner))
    elif isinstance(value, dict):
        yield from (text for item in value.items() for inner in item for text in _texts(inner))


def _code(node: ast.AST) -> str:
    """Return the beginning of the code of a node."""
    try:
        return printable(ast.unparse(node)[:60])
    except (RecursionError, ValueError):  # nested more deeply than it can be written, a number of too many digits
        return "…"


def _parse(path: Path) -> ast.Module:
    try:
        text = read_text(path, MOST_BYTES)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(text.encode()).readline)
        if codecs.lookup(encoding).name != "utf-8":
            raise PartsError(f"{path}: found the encoding {encoding!r} in a comment, expected a file in UTF-8")
        with warnings.catch_warnings(action="ignore"):  # of a text such as "\\d"
            return ast.parse(text, str(path))
    except TextError as error:
        missing = ", expected a Python file with parts" if "no such file" in str(error) else ""
        raise PartsError(f"{printable(str(path))}: {error}{missing}") from None
    except (MemoryError, RecursionError):
        raise PartsError(f"{path}: not valid Python: nested too deeply") from None
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if getattr(error, "lineno", None) else ""
        what = printable(str(getattr(error, "msg", error)))[:200]
        raise PartsError(f"{path}{line}: not valid Python: {what}") from None


def _assigned(statement: ast.stmt) -> str | None:
    """Return the one name that an assignment gives a value."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value:
        target = statement.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def _bound(statement: ast.stmt) -> Iterator[str]:
    """List the names that a top-level statement binds, also within `if` and `try`, but not within what it defines."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, DEFINING):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        todo += ast.iter_child_nodes(node)
