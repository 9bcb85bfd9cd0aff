"""Entries of the ledger, checked against the catalogue and in the recorded units of their metrics."""

import csv
import math
import re
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ablation.analysis.published.entries import ELSEWHERE, NAME, UNITS, Entry
from ablation.catalogue.catalogue import OURS
from ablation.catalogue.metrics import Metric
from ablation.study.levels import read_level, recipe_entry
from ablation.study.mistakes import sentence
from ablation.study.schema import Problem, Recipe
from ablation.support.wording import listed, nearest, shown


@dataclass(frozen=True)
class Published:
    """An entry of the ledger, checked against the catalogue, in the recorded unit of its metric.

    Attributes
    ----------
    id : str
    entry : Entry
        As the file states it.
    levels : mapping
        The level of every factor of the builder, but the initialisation; empty without a builder.
    recipe : mapping
        The entries of a recipe that the source states.
    each : tuple of float
        The value of each printed run; empty where only a summary is printed.
    """

    id: str
    entry: Entry
    levels: Mapping[str, Any]
    recipe: Mapping[str, Any]
    each: tuple[float, ...]

    @property
    def value(self) -> float:
        """The published value, of printed runs their mean; NaN where only a spread is printed."""
        if self.each:
            return statistics.fmean(self.each)
        return math.nan if self.entry.printed is None else self.entry.value_of(self.entry.printed)

    @property
    def runs(self) -> int | None:
        """Of how many runs it is; None where the source does not say."""
        return len(self.each) or self.entry.runs or (1 if self.statistic == "run" else None)

    @property
    def statistic(self) -> str:
        """What the value is of its runs: ``run``, ``mean``, ``median`` or ``best``."""
        return "mean" if len(self.each) > 1 else self.entry.statistic

    @property
    def sd(self) -> float:
        """Standard deviation over runs; NaN where it is not known."""
        if self.each:
            return statistics.stdev(self.each) if len(self.each) > 1 else math.nan
        spread = self.entry.spread
        if spread is None or spread.of not in ("sd", "se"):
            return math.nan
        printed = abs(UNITS[self.entry.unit].factor) * spread.printed
        return printed * math.sqrt(self.entry.runs) if spread.of == "se" else printed

    @property
    def of_best_epoch(self) -> bool:
        """Whether the epoch was chosen on the very images that the value was measured on."""
        return self.entry.protocol.epoch == "best_on_test"

    @property
    def resolution(self) -> float:
        """Half a unit of the last printed digit: by so much a number that was rounded to it may differ."""
        decimals = len(f"{self.entry.printed:.12g}".partition(".")[2]) if self.entry.printed is not None else 12
        return abs(UNITS[self.entry.unit].factor) * 0.5 * 10.0**-decimals


def resolve(name: str, entry: Entry, folder: Path) -> tuple[Published | None, list[Problem]]:
    """Check an entry against the catalogue.

    Parameters
    ----------
    name : str
        Its id.
    entry : Entry
    folder : Path
        In which tables of printed runs lie.

    Returns
    -------
    published : Published or None
        None where something is wrong.
    problems : list of Problem
    """
    problems = list(_name_problems(name, entry))
    levels, recipe, each = {}, {}, ()
    if not problems:
        levels, recipe, wrong = _stated_levels(name, entry)
        problems += wrong
        try:
            each = _printed_runs(name, entry, folder)
        except Problem as problem:
            problems.append(problem)
    published = Published(name, entry, levels, recipe, each)
    problems += [] if problems else _value_problems(published)
    return (None if problems else published), problems


def refuse_repetition(found: Mapping[str, Published]) -> Iterator[Problem]:
    """Note entries that state the same number of the same source twice."""
    seen: dict[str, str] = {}
    for name, published in found.items():
        text = published.entry.model_dump_json(exclude={"printed", "note", "sure"})
        if text in seen:
            yield Problem((name,), f"found the same as in {seen[text]!r} but for the number, expected an entry once")
        seen[text] = name


def _name_problems(name: str, entry: Entry) -> Iterator[Problem]:
    """Note names that neither the catalogue nor the ledger knows."""
    if not re.fullmatch(NAME, name):
        yield Problem((name,), f"found the name {shown(name)}, expected small letters, digits, -, _ and .")
    names = [
        (("data",), entry.data, [*OURS.sources, *ELSEWHERE]),
        (("metric",), entry.metric, OURS.metrics),
        (("protocol", "initialisation"), entry.protocol.initialisation, OURS.factors["initialisation"].levels),
        (("architecture", "builder"), entry.architecture.builder, OURS.architectures),
    ]
    for key, word, known in names:
        if word is not None and word not in known:
            yield Problem((name, *key), f"found {shown(word)}, expected {listed(known)}{nearest(word, known)}")
    for factor in entry.architecture.levels if entry.architecture.builder is None else ():
        yield Problem((name, "architecture", "levels", factor), "found a level without a builder, expected none")


def _stated_levels(name: str, entry: Entry) -> tuple[dict[str, Any], dict[str, Any], list[Problem]]:
    """Return the levels of the builder's factors and the entries of the recipe, and what is wrong with them."""
    problems, recipe, builder = [], {}, entry.architecture.builder
    for word, value in entry.protocol.recipe.items():
        key = (name, "protocol", "recipe", word)
        try:
            if word not in Recipe.model_fields:
                expected = f"expected an entry of a recipe: {listed(Recipe.model_fields)}"
                raise Problem(key, f"found {shown(word)}, {expected}{nearest(word, Recipe.model_fields)}")
            recipe[word] = recipe_entry(word).validate_python(value, context=OURS)
        except ValidationError as error:
            problems.append(Problem(key, sentence(error.errors()[0])))
        except Problem as problem:
            problems.append(problem)
    if builder is None:
        return {}, recipe, problems
    levels = {f: level for f, level in OURS.architectures[builder].references.items() if f != "initialisation"}
    for factor, level in entry.architecture.levels.items():
        key = (name, "architecture", "levels", factor)
        try:
            if factor not in levels:
                raise Problem(key, f"found {shown(factor)}, expected {listed(levels)}{nearest(factor, levels)}")
            levels[factor] = read_level(OURS, key, entry.architecture.name, builder, factor, level)
        except Problem as problem:
            problems.append(problem)
    if not problems and (reason := OURS.architectures[builder].refuse({**levels, "initialisation": "default"})):
        problems.append(Problem((name, "architecture", "levels"), f"found {shown(levels, 300)}: {reason}"))
    return levels, recipe, problems


@cache
def read_table(path: Path) -> tuple[Mapping[str, str], ...]:
    """Read a CSV file of printed runs: a mapping per row; raises OSError where it cannot be read."""
    with open(path, encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _printed_runs(name: str, entry: Entry, folder: Path) -> tuple[float, ...]:
    """Return the value of each printed run; raises the Problem with where they stand."""
    if entry.table is None:
        return tuple(map(entry.value_of, entry.each))
    key = (name, "table")
    try:
        rows = read_table(folder / entry.table.file)
    except OSError as error:
        raise Problem((*key, "file"), f"found {shown(entry.table.file)}: {error.strerror}") from None
    for column in (entry.table.column, *entry.table.rows):
        if not rows or column not in rows[0]:
            columns = list(rows[0]) if rows else []
            raise Problem(
                key, f"found the column {shown(column)}, expected {listed(columns)}{nearest(column, columns)}"
            )
    chosen = [row for row in rows if all(_is(row[column], value) for column, value in entry.table.rows.items())]
    if not chosen:
        raise Problem((*key, "rows"), f"found no row with {shown(entry.table.rows)}, expected one or more")
    try:
        return tuple(entry.value_of(float(row[entry.table.column])) for row in chosen)
    except ValueError as error:
        raise Problem((*key, "column"), f"found {error}, expected numbers") from None


def _is(text: str, value: str | float) -> bool:
    """Say whether a cell holds a value: 10 is 10.0, and an empty cell is no number."""
    try:
        return text == value if isinstance(value, str) else float(text) == value
    except ValueError:
        return False


def _value_problems(published: Published) -> list[Problem]:
    """Note numbers that cannot be values of the metric."""
    entry, metric = published.entry, OURS.metrics[published.entry.metric]
    if not _fits(entry.unit, metric):
        fitting = [unit for unit in UNITS if _fits(unit, metric)]
        return [Problem((published.id, "unit"), f"found {entry.unit!r} of {entry.metric}, expected {listed(fitting)}")]
    values = published.each or (published.value,)
    beyond = [value for value in values if value < 0 or (metric.unit == "%" and value > 1)]
    if beyond:
        key = "printed" if entry.printed is not None else "each" if entry.each else "table"
        return [
            Problem((published.id, key), f"found {beyond[0]:g} as {metric.label}, expected a value that it can have")
        ]
    if entry.spread is not None and entry.spread.of == "se" and entry.runs is None:
        return [Problem((published.id, "runs"), "this key is missing: the standard error is one of so many runs")]
    return []


def _fits(unit: str, metric: Metric) -> bool:
    """Say whether a metric can be printed in a unit."""
    return (
        metric.unit == "%"
        if unit in ("percent", "error_percent")
        else metric.exact
        if unit in ("count", "millions")
        else not metric.exact
    )
