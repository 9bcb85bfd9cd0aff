"""The page of factors: every architecture with its layer factors, levels and arguments, from the catalogue and docstrings.

What a level is, is said in its row of `ablation.catalogue.factors`.
"""

import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

from ablation.catalogue.architectures import CATALOGUE, SMALL_SIDE, Architecture, idle, refuse_shares
from ablation.catalogue.factors import FACTORS, Level
from ablation.study.schema import Recipe

SOURCES = "../src/ablation/networks/families"  # seen from the page
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
published stem would leave nothing of is refused. A
study that varies `stem` names the one that `fit` does not choose.
"""
SILENCED = """\
## What would change nothing

A variant is refused if it changes a factor that its other levels silence:
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
    """Write a docstring's text as Markdown: paragraphs unwrapped, names marked once."""
    paragraphs = inspect.cleandoc(text).replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def summary(documented: Any) -> str:
    """Return the first paragraph of a docstring."""
    return prose(documented.__doc__).partition("\n\n")[0]


def items(documented: Any) -> list[str]:
    """List what a docstring's bullets say."""
    lines = inspect.cleandoc(documented.__doc__).splitlines()
    return [line.removeprefix("- ") for line in lines if line.startswith("- ")]


def described(documented: Callable) -> dict[str, str]:
    """Return what a numpydoc docstring says of each parameter."""
    found, name = {}, None
    for line in inspect.getdoc(documented).partition("Parameters\n----------\n")[2].splitlines():
        if not line:
            break
        if line.startswith(" "):
            found[name] = prose(f"{found[name]} {line.strip()}")
        else:
            name = line.partition(" : ")[0]
            found[name] = ""
    return {name: text.strip() for name, text in found.items()}


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


def rules(entry: Architecture) -> list[str]:
    """List the rules that the levels of an architecture must keep: those about a factor that it has."""
    stated = dict.fromkeys([*items(entry.refuse), *items(refuse_shares)])
    return [rule for rule in stated if rule.split("`")[1] in entry.arguments]


def architecture_section(name: str, entry: Architecture) -> str:
    """Write what a study may ask of an architecture."""
    builder = pkgutil.resolve_name(entry.builder)
    what, texts = summary(builder).removeprefix("Build "), described(builder)
    rows = [
        [
            f"`{argument}`",
            code(reference),
            ", ".join(map(code, entry.choices[argument])) if argument in entry.choices else TYPES[type(reference)],
            texts[argument],
        ]
        for argument, reference in entry.arguments.items()
    ]
    notes = [f"Published input: {'x'.join(map(str, entry.published))}."]
    if entry.stem_side > entry.smallest_side:
        notes.append(f"The published stem needs {entry.stem_side} pixels or more.")
    text = f"#### {name}\n\n{what[0].upper()}{what[1:]} {' '.join(notes)}\n\n"
    text += table(["argument", "reference", "allowed", "what it is"], rows)
    listed = [*rules(entry), *(f"Not `{level.replace('.', ': ', 1)}`: {why}." for level, why in entry.without.items())]
    return text + ("\n" + "".join(f"- {rule}\n" for rule in listed) if listed else "")


def family_section(module: str, names: Iterable[str]) -> str:
    """Write the architectures of a module, with the source and the deviations that its docstring states."""
    file = f"{module.rpartition('.')[2]}.py"
    head = f"### [{file}]({SOURCES}/{file})\n\n{prose(pkgutil.resolve_name(module).__doc__)}\n\n"
    return head + "\n".join(architecture_section(name, CATALOGUE[name]) for name in names)


def changes(entry: Architecture) -> Iterable[Mapping[str, Any]]:
    """List the reference levels of an architecture, and those with one level changed."""
    reference = {**entry.layers, **entry.arguments}
    yield reference
    for factor, level in reference.items():
        switched = not level if isinstance(level, bool) else 0  # what a number can silence, it silences at zero
        for other in FACTORS[factor].levels if factor in FACTORS else entry.choices.get(factor) or [switched]:
            yield {**reference, factor: other}


def idle_section() -> str:
    """Write which levels would change nothing, as `ablation.catalogue.architectures.idle` finds of each architecture."""
    found: dict[str, dict[str, None]] = {}
    for entry in CATALOGUE.values():
        for levels in changes(entry):
            for factor, why in idle(levels).items():
                found.setdefault(factor, {})[why] = None
    return "".join(f"- `{factor}`, if {'; or if '.join(whys)}\n" for factor, whys in found.items())


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
    families = groupby(CATALOGUE, key=lambda name: CATALOGUE[name].builder.partition(":")[0])
    return "\n".join(
        [
            HEAD,
            matrix(),
            "## Levels of the layer factors\n",
            *(levels_section(factor) for factor in FACTORS),
            ARGUMENTS,
            *(family_section(module, names) for module, names in families),
            SILENCED,
            idle_section(),
            RECIPE,
            recipe_section(),
        ]
    )
