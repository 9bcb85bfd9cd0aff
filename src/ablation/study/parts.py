"""Parts of one's own: architectures, levels, metrics, data sets and augmentations that a file of the author's describes.

The file is read, not run: its tables are literals, as `ablation.study.parttables` lists them, and what builds is named
in them and imported when it is built.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.entry import INEFFECTIVE, Architecture, Argument
from ablation.catalogue.factors import Factor, Saturation
from ablation.catalogue.metrics import Metric
from ablation.catalogue.sources import Source
from ablation.study.literals import LiteralFile, PartsError, Place, located
from ablation.study.mistakes import expected as expected_of
from ablation.study.parttables import TABLES, OwnArchitecture, OwnArgument, Table
from ablation.study.schema import Recipe
from ablation.support.definitions import PACKAGE, Sources
from ablation.support.digests import digest
from ablation.support.references import OwnCodeError
from ablation.support.wording import coded, first_mistakes, listed, nearest, printable

NEEDS = ("diagnostics", "threshold")  # entries of a study that a metric may need
MOST_NAME = 64  # characters of a part's name, which joins the names of variants
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # what pydantic calls a key that there is not
# What `runs.parquet` states of a run beside its levels and metrics.
COLUMNS = (
    *("variant", "architecture", "baseline", "seed", "key", "status", "epochs", "training_seconds"),
    *("evaluate_seconds", "diagnostics_seconds", "images_per_second", "device", "processor", "threads", "torch"),
    *("instructions", "cuda", "python", "git", "metric_errors", "error", "traceback", "log", "stopped_at", "began"),
)
# By the key of an entry: what its numbers may be.
BOUNDS = {
    "digits": (0, 12),
    "scale": (1e-12, 1e12),
    "smallest_effect": (1e-12, 1e12),
    "diverged": (-1e12, 1e12),
    "bounds": (-1e12, 1e12),
    "shape": (1, 4096),
    "classes": (2, 100_000),
    "published": (1, 4096),
    "smallest_side": (1, 4096),
    "example": (1, 4096),
    "most": (1, 4096),
}
BELOW = {"saturation": Saturation, "arguments": OwnArgument}  # by the key of an entry: what is stated below it
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
    lines : dict
        By place: the line in the file.
    """

    path: str
    entries: Mapping[Place, Any]
    lines: Mapping[Place, int]

    def of(self, table: str) -> dict[Place, Any]:
        """Return the entries of a table, by the keys below it."""
        return {place[1:]: entry for place, entry in self.entries.items() if place[0] == table}


def _error(path: str | Path, mistakes: Iterable[str]) -> PartsError:
    return PartsError("\n  ".join([f"{path} is no file of parts that can be used:", *first_mistakes(mistakes)]))


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
    path = Path(path)
    if path.suffix != ".py":
        raise PartsError(
            f"{printable(str(path))}: found a file that ends in {coded(path.suffix)}, expected a Python file, .py"
        )
    file = LiteralFile(path, TABLES)
    if not file.tables and not file.mistakes:
        hints = "".join(nearest(name, TABLES) for name in sorted(file.names) if name.isupper())
        raise PartsError(f"{path}: found no table, expected one or more of {', '.join(TABLES)} as literal dicts{hints}")
    # Relative where it can be: a study that moves with its parts stays the same.
    whole = Path(os.path.abspath(path))
    named = os.path.relpath(whole) if whole.is_relative_to(Path.cwd()) else str(whole)
    entries = {}
    for name, content in file.tables.items():
        for place, stated in _entries(file, (name,), content, TABLES[name].depth):
            entry = _validated(file, place, stated, TABLES[name], named)
            if entry is not None:
                entries[place] = entry
    if file.mistakes:
        raise _error(path, file.mistakes.values())
    return Parts(named, entries, file.lines)


def _entries(file: LiteralFile, place: Place, content: Any, depth: int) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """List the entries of a table with their places; what is no mapping, or has no proper name, is noted."""
    table = TABLES[place[0]]
    if not isinstance(content, dict):
        file.refuse(place, f"found {coded(content)}, expected a dict")
    elif depth == 0:
        if not re.fullmatch(table.name, place[-1]) or len(place[-1]) > MOST_NAME:
            expected = f"{table.named}, at most {MOST_NAME}"
            file.refuse(place, f"found the name {coded(place[-1])}, expected {expected}")
        yield place, content
    else:
        for name, inner in content.items():
            yield from _entries(file, (*place, name), inner, depth - 1)


def _validated(file: LiteralFile, place: Place, stated: Mapping[str, Any], table: Table, path: str) -> Any:
    """Return an entry as what it is, with references in the place of names of the file's own; None if it is wrong."""
    named = dict(stated)
    for key in table.code:
        code = stated.get(key)
        beside = isinstance(code, str) and re.fullmatch(r"(\w+):(\w+)", code)
        if beside and os.path.isfile(Path(path).with_name(f"{beside[1]}.py")):
            named[key] = f"{Path(path).with_name(beside[1])}.py:{beside[2]}"
        elif isinstance(code, str) and ":" in code and not re.fullmatch(r"[\w.]+:[\w.]+", code):
            file.refuse(
                (*place, key), f"found {coded(code)}, expected a function or class of this file, or module:name"
            )
        elif code == "" or (isinstance(code, str) and ":" not in code and code not in file.names):
            expected = f"a function or class of this file, or module:name{nearest(code, file.names)}"
            file.refuse((*place, key), f"found {coded(code)}, expected {expected}")
        elif isinstance(code, str) and ":" not in code:
            named[key] = f"{path}:{code}"
        elif isinstance(code, str) and code.startswith(f"{PACKAGE}."):
            try:
                Sources().check(code)
            except OwnCodeError as error:
                file.refuse((*place, key), str(error))
    if file.wrong(place):
        return None
    try:
        # Through JSON, whose strict mode takes a list for a tuple and a dict for a dataclass, but no text for a number.
        entry = TypeAdapter(table.kind).validate_json(json.dumps(named), strict=True)
    except ValidationError as error:
        for where, message in _wrong_values(error, table, stated):
            file.refuse((*place, *where), message)
        return None
    if place[:2] == ("LEVELS", "norm") and "shifts" not in stated:
        file.refuse(
            place, "found no shifts, expected true or false: without a shift of the norm, convolutions keep biases"
        )
    for where, message in _senseless(entry):
        file.refuse((*place, *where), message)
    return entry


def _wrong_values(error: ValidationError, table: Table, stated: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Say each of pydantic's errors as what was found and what was expected, one sentence for each key."""
    found: dict[Place, str] = {}
    expected: dict[Place, list[str]] = {}
    for detail in error.errors():
        where, content, kind = (), stated, detail["type"]
        for key in detail["loc"]:  # which goes on below the value where one of several types was expected
            if not isinstance(content, dict) or not (kind == "missing" or key in content):
                break
            where, content = (*where, str(key)), content.get(key)
        wanted = expected_of(detail)
        found[where] = coded(content)
        if kind in UNKNOWN:
            inner = BELOW[where[0]] if where[1:] else table.kind
            known = [entry.name for entry in fields(inner)]
            found[where], wanted = "an unknown key", f"one of {', '.join(known)}{nearest(where[-1], known)}"
        elif kind == "missing":
            # Also of a list that is too short.
            found[where], wanted = ("nothing", "this key") if content is None else (coded(content), "more entries")
        expected.setdefault(where, []).append(wanted)
    for where, wanted in expected.items():
        yield where, f"found {found[where]}, expected {' or '.join(wanted)}"


def _senseless(entry: Any) -> Iterator[tuple[Place, str]]:
    """Say what no study could use of an entry whose values have the right types."""
    if isinstance(entry, Metric):
        if bool(entry.measure) == bool(entry.compute):
            found = "both measure and compute" if entry.measure else "neither measure nor compute"
            yield (), f"found {found}, expected the one that its numbers come from"
        if entry.needs and entry.needs not in NEEDS:
            yield ("needs",), f"found {coded(entry.needs)}, expected {' or '.join(NEEDS)}{nearest(entry.needs, NEEDS)}"
        if entry.bounds and not entry.bounds[0] < entry.bounds[1]:
            yield ("bounds",), f"found {coded(entry.bounds)}, expected the least value and a greater one"
    for name, (least, most) in BOUNDS.items():
        stated = getattr(entry, name, None)
        numbers = stated if isinstance(stated, tuple) else [] if stated is None else [stated]
        if not all(isinstance(number, str) or least <= number <= most for number in numbers):
            yield (name,), f"found {coded(stated)}, expected from {least:,} to {most:,}"
    for name, argument in entry.arguments.items() if isinstance(entry, OwnArchitecture) else ():
        taken = {*Recipe.model_fields, *OURS.factors, *OURS.metrics, *COLUMNS, "runs", "training_multiply_adds"}
        if not name.isidentifier() or name in taken:
            expected = "another name: this is a layer factor, an entry of the recipe, a metric or a column of tables"
            yield ("arguments", name), f"found {coded(name)}, expected {expected}"
        if argument.scales and (type(argument.reference) is not int or argument.choices):
            found = f"scales, with the reference {coded(argument.reference)}" + " and choices" * bool(argument.choices)
            yield ("arguments", name, "scales"), f"found {found}, expected it only of whole numbers without choices"
        if argument.choices and argument.reference not in argument.choices:
            choices = ", ".join(map(coded, argument.choices))
            yield ("arguments", name, "reference"), f"found {coded(argument.reference)}, expected one of {choices}"


def describe_part(entry: Any) -> str:
    """Say in a sentence what a part is."""
    if isinstance(entry, Metric):
        return f"{entry.title}, {'higher' if entry.higher_is_better else 'lower'} is better"
    if isinstance(entry, Source):
        shape = "x".join(map(str, entry.shape)) if entry.shape else "any shape"
        return f"images of {shape}, {entry.classes or 'any number of'} classes"
    return entry.text


def with_parts(paths: Sequence[Path], known: Catalogue = OURS) -> tuple[Catalogue, list[Parts]]:
    """Let the parts of some files join a catalogue; a file may name what those before it brought.

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
    factors, mistakes = _with_levels(known.factors, parts)
    joined: dict[str, Any] = {"factors": factors}
    for table in ("ARCHITECTURES", "METRICS", "DATA_SETS", "AUGMENTATIONS"):
        there, own = getattr(known, TABLES[table].joins), parts.of(table)
        reserved = {"none"}
        if table == "METRICS":
            arguments = (name for entry in known.architectures.values() for name in entry.arguments)
            reserved = {*factors, *Recipe.model_fields, *COLUMNS, *arguments}
        for (name,) in own:
            if name in there or name in reserved:
                mistakes.append(((table, name), f"found {coded(name)}, which is taken: choose another name"))
        joined[TABLES[table].joins] = {**there, **{name: entry for (name,), entry in own.items()}}
    for (name,), entry in parts.of("ARCHITECTURES").items():
        mistakes += [(("ARCHITECTURES", name, *where), message) for where, message in _unknown_levels(entry, factors)]
        joined["architectures"][name] = _architecture(entry, factors)
    if mistakes:
        raise _error(parts.path, (located(parts.lines, place, message) for place, message in mistakes))
    stated = {
        ".".join(place): TypeAdapter(type(entry)).dump_python(entry, mode="json")
        for place, entry in parts.entries.items()
    }
    return replace(known, **joined, parts=(*known.parts, parts.path), digest=digest([known.digest, stated]))


def _with_levels(known: Mapping[str, Factor], parts: Parts) -> tuple[dict[str, Factor], list[tuple[Place, str]]]:
    """Return the factors with the levels of one file, and what is wrong with these."""
    factors, mistakes = dict(known), []
    for (factor, name), level in parts.of("LEVELS").items():
        if factor not in factors:
            mistakes.append((("LEVELS", factor), _no_factor(factor, factors)))
        elif name in factors[factor].levels:
            message = f"found {coded(name)}, which is taken in {factor}: choose another name"
            mistakes.append((("LEVELS", factor, name), message))
        else:
            factors[factor] = replace(factors[factor], levels={**factors[factor].levels, name: level})
    return factors, mistakes


def _no_factor(name: str, factors: Iterable[str]) -> str:
    return f"found {coded(name)}, expected a factor: {', '.join(factors)}{nearest(name, factors)}"


def _unknown_levels(entry: OwnArchitecture, factors: Mapping[str, Factor]) -> Iterator[tuple[Place, str]]:
    """Say which layer factors and levels that an architecture names there are not."""
    for key in ("layers", "lacks"):
        for factor in getattr(entry, key):
            if factor not in factors:
                yield (key, factor), _no_factor(factor, factors)
    named = [(("layers", factor), factor, level) for factor, level in entry.layers.items()]
    named += [(("excluded", name), *name.partition(".")[::2]) for name in entry.excluded]
    for where, factor, level in named:
        levels = factors[factor].levels if factor in factors else ()
        if where[0] == "excluded" and factor not in entry.layers:
            yield where, f"found {coded(factor)}, expected factor.level of its layers: {', '.join(entry.layers)}"
        elif factor in factors and level not in levels:
            yield where, f"found {coded(level)}, expected a level of {factor}: {listed(levels)}{nearest(level, levels)}"
    for name in ("output", "initialisation"):
        if name not in entry.layers:
            yield ("layers",), f"found no {name}, expected a reference level of it: every network has one"
    own = [*entry.layers, *entry.arguments]
    for key, name in [*(("small", name) for name in entry.small), *(("others", name) for name in entry.others)]:
        if name not in own:
            yield (key, name), f"found {coded(name)}, expected one of its factors: {listed(own)}{nearest(name, own)}"


def _architecture(entry: OwnArchitecture, factors: Mapping[str, Any]) -> Architecture:
    """Return the entry of the catalogue that a table states; factors that it does not list it lacks."""
    missing = [factor for factor in factors if factor not in entry.layers]
    lacks = {factor: entry.lacks.get(factor, "its entry does not list it") for factor in missing}
    return Architecture(
        builder=entry.builder,
        text=entry.text,
        layers=entry.layers,
        arguments={n: Argument(a.reference, a.text, a.choices, a.scales, a.most) for n, a in entry.arguments.items()},
        lacks=lacks,
        excluded=entry.excluded,
        smallest_side=entry.smallest_side,
        published=entry.published,
        names_sources=entry.names_sources,
        common=tuple(row for row in INEFFECTIVE if {row.factor, *row.when} <= {*factors}),
    )
