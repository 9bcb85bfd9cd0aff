"""The page of factors: every architecture with its layer factors, levels and arguments, from the catalogue.

What a level is, is said in its row of `ablation.catalogue.factors`.
"""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

from ablation.catalogue.architectures import CATALOGUE, FAMILIES
from ablation.catalogue.entry import INEFFECTIVE, MOST, SMALL_SIDE, Architecture, Argument, Family
from ablation.catalogue.factors import FACTORS, Level
from ablation.study.schema import Recipe

SOURCES = "../src/ablation"  # seen from the page
COLUMNS = 5  # of factors: more of them do not fit beside each other on a screen
MISTAKE = "A mistake of the study notes"
HEAD = """\
<!-- Written by ./do factors from the code; a change here is lost. -->
# Architectures and factors

A study varies the **layer factors** of an architecture, its **arguments** and the **entries of the recipe**; all are
written alike, as `factor: [level, …]`. The tables show the reference level of each layer factor, which holds unless a
study says otherwise, or why there is none: the numbers lead to the list below them. What an architecture cannot have is
refused with the same reason. `./do show vgg --set norm=batch` shows what a level makes of a network.
"""
ARGUMENTS = f"""\
## Architectures and their arguments

The reference values are those of a published form. Every architecture takes squares from 8x8 pixels, any number of
channels and any number of classes. Networks for large images have an argument `stem`: `fit` builds the published stem
for inputs of {SMALL_SIDE} pixels or more and a small one below; `published` and `small` build theirs, and an input that the
published stem would leave nothing of is refused. A study
that varies `stem` names the one that `fit` does not choose.
"""
NO_EFFECT = """\
## What would change nothing

A variant is refused if it changes a factor that has no effect at its other levels:
"""
RECIPE = """\
## Entries of the recipe

Each can be a factor, of every architecture. One without a default must be stated.
"""
TYPES = {int: "whole number from 1", float: "number from 0", bool: "true, false", str: "text"}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table as Markdown, unaligned: a change of one row is a change of one line."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(value: Any) -> str:
    """Write a value as a study file states it."""
    text = str(value).lower() if isinstance(value, bool) else str(list(value) if isinstance(value, tuple) else value)
    return f"`{text}`"


def link(name: str) -> str:
    """Write a link to the section of an architecture or a factor."""
    return f"[{name}](#{name})"


def prose(text: str) -> str:
    """Write a text of several lines as Markdown: paragraphs unwrapped, names marked once."""
    paragraphs = inspect.cleandoc(text).replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def describe_level(level: Level) -> str:
    """Say what a level is, in a sentence with its source."""
    return level.text.replace(MISTAKE, f"**{MISTAKE}**")


def shared_levels() -> dict[str, str]:
    """Return the layer factors that every architecture has at the same reference level, with that level."""
    levels = {factor: {entry.layers.get(factor) for entry in CATALOGUE.values()} for factor in FACTORS}
    return {factor: found.pop() for factor, found in levels.items() if len(found) == 1}


def matrix() -> str:
    """Write the architectures against their layer factors, and why some are missing."""
    shared, reasons = shared_levels(), []
    factors = [factor for factor in FACTORS if factor not in shared]

    def cell(entry: Architecture, factor: str) -> str:
        if factor in entry.layers:
            return entry.layers[factor]
        if entry.lacks[factor] not in reasons:
            reasons.append(entry.lacks[factor])
        return f"– ({reasons.index(entry.lacks[factor]) + 1})"

    def part(factors: Sequence[str]) -> str:
        rows = [[link(name), *(cell(entry, factor) for factor in factors)] for name, entry in CATALOGUE.items()]
        return table(["", *map(link, factors)], rows)

    text = "\n".join(part(factors[start : start + COLUMNS]) for start in range(0, len(factors), COLUMNS))
    text += "\nWhy a factor is missing:\n\n" + "".join(f"{place}. {why}\n" for place, why in enumerate(reasons, 1))
    listed = " and ".join(f"{link(factor)} ({code(level)})" for factor, level in shared.items())
    return f"{text}\nEvery architecture has {listed}.\n"


def levels_section(factor: str) -> str:
    """Write the levels of a layer factor."""
    rows = [[code(name), describe_level(level)] for name, level in FACTORS[factor].levels.items()]
    return f"### {factor}\n\n{FACTORS[factor].text}\n\n{table(['level', 'what it is'], rows)}"


def argument_row(name: str, argument: Argument) -> list[str]:
    """Write an argument as a row of its architecture's table."""
    kind = type(argument.reference)
    bound = f", at most {argument.largest(name):,}" if kind in (int, float) and name in MOST else ""
    allowed = ", ".join(map(code, argument.choices)) or TYPES[kind] + bound
    text = f"{argument.text} `match` can scale it." if argument.scales else argument.text
    return [f"`{name}`", code(argument.reference), allowed, text]


def architecture_section(name: str, entry: Architecture) -> str:
    """Write what a study may ask of an architecture."""
    notes = [entry.text, f"Published input: {'x'.join(map(str, entry.published))}."]
    if entry.stem_side > entry.smallest_side:
        notes.append(f"The published stem needs {entry.stem_side} pixels or more.")
    text = f"#### {name}\n\n{' '.join(notes)}\n\n"
    text += table(
        ["argument", "reference", "allowed", "what it is"], map(argument_row, entry.arguments, entry.arguments.values())
    )
    listed = [rule.text for rule in entry.rules]
    listed += [f"Not `{level.replace('.', ': ', 1)}`: {why}." for level, why in entry.excluded.items()]
    return text + ("\n" + "".join(f"- {line}\n" for line in listed) if listed else "")


def family_section(name: str, family: Family) -> str:
    """Write the architectures of a family, with its source and deviations, and links to its two files."""
    files = [f"{room}/families/{name}.py" for room in ("catalogue", "networks")]
    title = " and ".join(f"[{file}]({SOURCES}/{file})" for file in files)
    sections = [architecture_section(*item) for item in family.architectures.items()]
    return f"### {title}\n\n{prose(family.text)}\n\n" + "\n".join(sections)


def ineffective_section() -> str:
    """Write at which levels a factor changes nothing: the common rows of the catalogue, and those of architectures."""
    found: dict[str, dict[str, None]] = {}
    for row in (*INEFFECTIVE, *(row for entry in CATALOGUE.values() for row in entry.no_effect)):
        found.setdefault(row.factor, {})[row.reason] = None
    return "".join(f"- `{factor}`, if {'; or if '.join(reasons)}\n" for factor, reasons in found.items())


def recipe_section() -> str:
    """Write the entries of the recipe."""

    def row(name: str, entry: Any) -> list[str]:
        choices = f" One of {', '.join(map(code, get_args(entry.annotation)))}." * (
            get_origin(entry.annotation) is Literal
        )
        default = "" if entry.default is PydanticUndefined else code(entry.default)
        return [f"`{name}`", default, f"{entry.description}{choices}"]

    return table(["entry", "default", "what it is"], [row(*entry) for entry in Recipe.model_fields.items()])


def page() -> str:
    """Write the whole page."""
    return "\n".join(
        [
            HEAD,
            matrix(),
            "## Levels of the layer factors\n",
            *(levels_section(factor) for factor in FACTORS),
            ARGUMENTS,
            *(family_section(*family) for family in FAMILIES.items()),
            NO_EFFECT,
            ineffective_section(),
            RECIPE,
            recipe_section(),
        ]
    )
