"""Tables that a Python file states as literals: read with the line of each key, without running the file."""

import ast
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Place = tuple[str, ...]  # of a value in a file: its table, then keys
DEFINING = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class PartsError(Exception):
    """Parts that cannot be used; the message names the file, and for each mistake line, key, what was found and expected."""


def located(lines: Mapping[Place, int], place: Place, message: str) -> str:
    """Lead a message with its place and with the line of that or, where it has none, of what is around it."""
    known = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    return f"{f'line {lines[known]}, ' if known else ''}{'.'.join(place)}: {message}"


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
                        code = ast.unparse(statement).splitlines()[0][:60]
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
            return json.loads(json.dumps(ast.literal_eval(node), allow_nan=False))
        except (ValueError, TypeError, MemoryError, RecursionError):
            found = ast.unparse(node)[:60]
            expected = "a literal of texts, numbers, True, False, None, lists and dicts: the file is read, not run"
            self.refuse(place, f"found {found!r}, expected {expected}")
            return None

    def _items(self, node: ast.Dict, place: Place) -> Iterator[tuple[str, Any]]:
        seen = set()
        for key, value in zip(node.keys, node.values, strict=True):
            name = key.value if isinstance(key, ast.Constant) else None
            if not isinstance(name, str):
                found = f"**{ast.unparse(value)}" if key is None else ast.unparse(key)
                line = (key or value).lineno
                self.refuse(place, f"found {found!r} as a key (line {line}), expected a text")
            elif name in seen:
                self.refuse((*place, name), f"found {name!r} twice (line {key.lineno}), expected it once")
            else:
                seen.add(name)
                self.lines[*place, name] = key.lineno
                yield name, self._literal(value, (*place, name))


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8-sig"), str(path))
    except FileNotFoundError:
        raise PartsError(f"{path}: found no such file, expected a Python file with parts") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PartsError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if getattr(error, "lineno", None) else ""
        raise PartsError(f"{path}{line}: not valid Python: {getattr(error, 'msg', error)}") from None


def _assigned(statement: ast.stmt) -> str | None:
    """Return the one name that an assignment gives a value."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value:
        target = statement.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def _bound(statement: ast.stmt) -> Iterable[str]:
    """List the names that a top-level statement binds, also within `if` and `try`."""
    if isinstance(statement, DEFINING):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in statement.names)
    else:
        yield from (n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        inner = (node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt))
        yield from (name for node in inner for name in _bound(node))
