"""Parts of one's own: architectures, levels, metrics, data sets and augmentations that a file of the author's describes.

The file is read, not run: its tables are literals, as `TABLES` lists them, and what builds is named in them and imported
when it is built.
"""

import ast
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.entry import Architecture, Argument, Scalar
from ablation.catalogue.factors import Level
from ablation.catalogue.metrics import Metric
from ablation.catalogue.recipes import Augmentation
from ablation.catalogue.sources import Source
from ablation.study.schema import nearest

NAME = r"[A-Za-z][A-Za-z0-9_]*"
Place = tuple[str, ...]  # of a value in a file: its table, then keys


class PartsError(Exception):
    """Parts that cannot be used; the message names the file, and for each mistake line, key, what was found and expected."""


class OwnArgument(BaseModel):
    """An argument of an architecture, as a table states it."""

    model_config = ConfigDict(extra="forbid")
    reference: Scalar
    text: str
    choices: tuple[Scalar, ...] = ()


class OwnArchitecture(BaseModel):
    """An architecture, as a table states it.

    `small` are levels that make it small enough to be checked in seconds, `others` other values of its texts to try.
    """

    model_config = ConfigDict(extra="forbid")
    builder: str
    text: str
    layers: dict[str, str] = {}
    arguments: dict[str, OwnArgument] = {}
    lacks: dict[str, str] = {}
    excluded: dict[str, str] = {}
    smallest_side: int = 8
    published: tuple[int, int, int] = (3, 32, 32)
    names_sources: bool = False
    small: dict[str, Any] = {}
    others: dict[str, Any] = {}


@dataclass(frozen=True)
class Table:
    """What a table of a file of parts may hold.

    Attributes
    ----------
    depth : int
        Keys before an entry: a level stands below its factor.
    kind : type
        What an entry is validated as.
    code : tuple of str
        The keys of an entry that name code.
    joins : str
        The attribute of a `Catalogue` that its entries join.
    """

    depth: int
    kind: type
    code: tuple[str, ...]
    joins: str


TABLES: dict[str, Table] = {
    "ARCHITECTURES": Table(1, OwnArchitecture, ("builder",), "architectures"),
    "LEVELS": Table(2, Level, ("make",), "factors"),
    "METRICS": Table(1, Metric, ("measure", "compute"), "metrics"),
    "DATA_SETS": Table(1, Source, ("reader",), "sources"),
    "AUGMENTATIONS": Table(1, Augmentation, ("make",), "augmentations"),
}


# What an entry of each table is called.
KINDS = {
    "ARCHITECTURES": "architecture",
    "LEVELS": "level",
    "METRICS": "metric",
    "DATA_SETS": "data set",
    "AUGMENTATIONS": "augmentation",
}


@dataclass(frozen=True)
class Parts:
    """The parts of one file.

    Attributes
    ----------
    path : str
        Of the file, as references to its code name it.
    entries : dict
        By place, such as ``("LEVELS", "norm", "rms")``: the validated entry.
    """

    path: str
    entries: Mapping[Place, Any]

    def of(self, table: str) -> dict[Place, Any]:
        """Return the entries of a table, by the keys below it."""
        return {place[1:]: entry for place, entry in self.entries.items() if place[0] == table}


class _File:
    """A file of parts being read: its tables with the line of each value, its top-level names, and what is wrong with it."""

    def __init__(self, path: Path):
        self.path, self.lines, self.mistakes = path, {}, []
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise PartsError(f"{path}: cannot be read as UTF-8 text: {error}") from None
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if getattr(error, "lineno", None) else ""
            raise PartsError(f"{path}{line}: not valid Python: {getattr(error, 'msg', error)}") from None
        self.names = {name for statement in tree.body for name in _bound(statement)}
        self.tables = {}
        for statement in tree.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and target.id in TABLES:
                    self.tables[target.id] = self._literal(statement.value, (target.id,))

    def refuse(self, place: Place, message: str) -> None:
        """Note a mistake with its line."""
        known = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in self.lines), None)
        line = f"line {self.lines[known]}, " if known else ""
        self.mistakes.append(f"{line}{'.'.join(place)}: {message}")

    def _literal(self, node: ast.expr, place: Place) -> Any:
        """Return the value of a literal, and note the line of each of its keys."""
        self.lines[place] = node.lineno
        if isinstance(node, ast.Dict):
            found = {}
            for key, value in zip(node.keys, node.values, strict=True):
                name = key.value if isinstance(key, ast.Constant) else None
                if not isinstance(name, str):
                    line = (key or value).lineno
                    self.refuse(place, f"found a key that is no text (line {line}), expected a literal table")
                elif name in found:
                    self.refuse((*place, name), f"found {name!r} twice, expected it once")
                else:
                    found[name] = self._literal(value, (*place, name))
            return found
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, MemoryError, RecursionError):
            self.refuse(place, f"found {ast.unparse(node)[:60]!r}, expected a literal: the file is read, not run")
            return None


def _bound(statement: ast.stmt) -> Iterable[str]:
    """List the names that a top-level statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in statement.names)
    else:
        names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        yield from (node.id for node in names if isinstance(node.ctx, ast.Store))


def read_parts(path: Path) -> Parts:
    """Read a file of parts without running it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Parts

    Raises
    ------
    PartsError
        With every mistake: file, line, key, what was found and what was expected.
    """
    file = _File(path)
    if not file.tables and not file.mistakes:
        raise PartsError(f"{path}: found no table, expected one or more of {', '.join(TABLES)} as literal dicts")
    # Relative where it can be: a study that moves with its parts stays the same.
    shown = os.path.relpath(path) if Path(path).resolve().is_relative_to(Path.cwd()) else str(Path(path).resolve())
    entries = {}
    for name, content in file.tables.items():
        for place, stated in _entries(file, (name,), content, TABLES[name].depth):
            entry = _validated(file, place, stated, TABLES[name], shown)
            if entry is not None:
                entries[place] = entry
    if file.mistakes:
        raise PartsError("\n  ".join([f"{path} is no file of parts that can be used:", *file.mistakes]))
    return Parts(shown, entries)


def _entries(file: _File, place: Place, content: Any, depth: int) -> Iterable[tuple[Place, Mapping[str, Any]]]:
    """List the entries of a table with their places; what is no mapping, or has no name, is noted."""
    if not isinstance(content, dict):
        if content is not None:
            file.refuse(place, f"found {content!r}, expected a mapping")
    elif depth == 0:
        yield place, content
    else:
        for name, inner in content.items():
            if not re.fullmatch(NAME, name) and place[0] != "LEVELS":
                file.refuse((*place, name), f"found the name {name!r}, expected letters, digits and _, a letter first")
            yield from _entries(file, (*place, name), inner, depth - 1)


def _validated(file: _File, place: Place, stated: Mapping[str, Any], table: Table, path: str) -> Any:
    """Return an entry as what it is, with references in the place of names of the file's own; None if it is wrong."""
    named = dict(stated)
    for key in table.code:
        code = stated.get(key)
        if isinstance(code, str) and code and ":" not in code:
            if code not in file.names:
                hint = nearest(code, file.names)
                expected = f"a function or class of this file, or module:name{hint}"
                file.refuse((*place, key), f"found {code!r}, expected {expected}")
            named[key] = f"{path}:{code}"
    try:
        return TypeAdapter(table.kind).validate_python(named)
    except ValidationError as error:
        for detail in error.errors():
            where = (*place, *map(str, detail["loc"]))
            allowed = TypeAdapter(table.kind).json_schema()["properties"] if len(detail["loc"]) == 1 else {}
            if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
                hint = f"; allowed: {', '.join(allowed)}{nearest(where[-1], allowed)}" if allowed else ""
                file.refuse(where, f"unknown key{hint}")
            elif detail["type"] in ("missing", "missing_argument"):
                file.refuse(where, "this key is missing")
            else:
                file.refuse(where, f"found {detail['input']!r}: {detail['msg'].lower()}")
        return None


def describe_part(entry: Any) -> str:
    """Say in a sentence what a part is."""
    if isinstance(entry, Metric):
        return f"{entry.title}, {'higher' if entry.higher_is_better else 'lower'} is better"
    if isinstance(entry, Source):
        shape = "x".join(map(str, entry.shape)) if entry.shape else "any shape"
        return f"images of {shape}, {entry.classes or 'any number of'} classes"
    return entry.text


def with_parts(paths: Sequence[Path], known: Catalogue = OURS) -> tuple[Catalogue, list[Parts]]:
    """Let the parts of some files join a catalogue.

    Returns
    -------
    catalogue : Catalogue
    parts : list of Parts

    Raises
    ------
    PartsError
        If a file is no file of parts, or names what is taken or is not there.
    """
    files = [read_parts(path) for path in paths]
    for parts in files:
        known = _joined(known, parts)
    return known, files


def _joined(known: Catalogue, parts: Parts) -> Catalogue:
    """Return a catalogue with the parts of one file."""
    factors = dict(known.factors)
    mistakes = []
    for (factor, name), level in parts.of("LEVELS").items():
        if factor not in factors:
            mistakes.append(f"LEVELS.{_no_factor(factor, factors)}")
        elif name in factors[factor].levels:
            mistakes.append(f"LEVELS.{factor}.{name}: found {name!r}, which {factor} has already: choose another name")
        else:
            factors[factor] = replace(factors[factor], levels={**factors[factor].levels, name: level})
    joined: dict[str, Any] = {"factors": factors}
    for table in ("ARCHITECTURES", "METRICS", "DATA_SETS", "AUGMENTATIONS"):
        attribute = TABLES[table].joins
        taken, own = getattr(known, attribute), {place[0]: entry for place, entry in parts.of(table).items()}
        mistakes += [
            f"{table}.{name}: found {name!r}, which is taken: choose another name" for name in own if name in taken
        ]
        joined[attribute] = {**taken, **own}
    for name, entry in joined["architectures"].items():
        if isinstance(entry, OwnArchitecture):
            mistakes += [f"ARCHITECTURES.{name}.{mistake}" for mistake in _mistaken_levels(entry, factors)]
            joined["architectures"][name] = _architecture(entry, factors)
    if mistakes:
        raise PartsError("\n  ".join([f"{parts.path} is no file of parts that can be used:", *mistakes]))
    return replace(known, **joined, parts=(*known.parts, parts.path))


def _no_factor(name: str, factors: Iterable[str]) -> str:
    return f"{name}: found {name!r}, expected a factor: {', '.join(factors)}{nearest(name, factors)}"


def _mistaken_levels(entry: OwnArchitecture, factors: Mapping[str, Any]) -> Iterable[str]:
    """Say which layer factors and levels of an architecture there are not."""
    for factor, level in entry.layers.items():
        if factor not in factors:
            yield f"layers.{_no_factor(factor, factors)}"
        elif level not in factors[factor].levels:
            levels = factors[factor].levels
            yield f"layers.{factor}: found {level!r}, expected a level{nearest(level, levels)}: {', '.join(levels)}"
    for name in {"initialisation", "output"} - set(entry.layers):
        yield f"layers: found no {name}, expected a reference level of it: every network has one"
    for name in set(entry.small) - {*entry.layers, *entry.arguments}:
        yield f"small.{name}: found {name!r}, expected one of its factors: {', '.join([*entry.layers, *entry.arguments])}"


def _architecture(entry: OwnArchitecture, factors: Mapping[str, Any]) -> Architecture:
    """Return the entry of the catalogue that a table states; factors that it does not list it lacks."""
    missing = [factor for factor in factors if factor not in entry.layers]
    lacks = {factor: entry.lacks.get(factor, "its entry does not list it") for factor in missing}
    return Architecture(
        builder=entry.builder,
        text=entry.text,
        layers=entry.layers,
        arguments={name: Argument(a.reference, a.text, a.choices) for name, a in entry.arguments.items()},
        lacks=lacks,
        excluded=entry.excluded,
        smallest_side=entry.smallest_side,
        published=entry.published,
        names_sources=entry.names_sources,
    )
