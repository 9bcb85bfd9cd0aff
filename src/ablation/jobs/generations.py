"""Generations: a number in a result or receipt that counts how often something it names was lost.

As a parameter of the rule that writes the file, it makes Snakemake see a loss of what it does not know of itself, such as
a record of the store: the number that the file is to have differs from the one it was made with. Nothing has to be
deleted for that, and once the file is written anew, both agree again. Imports the standard library alone.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Generation:
    """The number that a file is to have, and what was lost since it was written; empty if nothing."""

    number: int
    lost: tuple[str, ...] = ()


def next_generation(path: Path, find_lost: Callable[[Mapping[str, Any]], Iterable[str]]) -> Generation:
    """Return the generation of a file as it has to be: one more than it says if something was lost.

    Parameters
    ----------
    path : Path
        JSON with the key ``generation``; without it, or without a file, the generation is 0.
    find_lost : callable
        Given the content, names what is lost of all that it speaks of.

    Returns
    -------
    Generation
        Of a file that cannot be read, the number is its time in seconds, which is no count that was recorded before.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Generation(0)
    try:
        stated = json.loads(content)
        lost = tuple(find_lost(stated))
        return Generation(stated.get("generation", 0) + bool(lost), lost)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Generation(int(path.stat().st_mtime), ("the file itself",))
