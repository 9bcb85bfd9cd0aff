"""Words that errors are made of: what was found, cut to a line and printable, and what was probably meant."""

import difflib
import json
from collections.abc import Iterable
from typing import Any

MOST_SHOWN = 80  # characters of a value that an error shows
MOST_LISTED = 60  # names that an error lists
MOST_MISTAKES = 20  # mistakes that an error lists
MOST_LINE = 1000  # characters of each


class UserError(Exception):
    """What only the user can mend: its message says all, and commands print it without a traceback."""


def nearest(word: Any, allowed: Iterable[str]) -> str:
    """Say which allowed word was probably meant; empty when none is near."""
    match = difflib.get_close_matches(str(word)[:MOST_SHOWN], list(allowed), n=1, cutoff=0.6)
    return f"; did you mean {match[0]!r}?" if match else ""


def printable(text: str) -> str:
    """Return a text whose every character can be written to a terminal: what cannot is escaped."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def cut(text: str, most: int = MOST_SHOWN) -> str:
    """Return a text that is no longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shown(value: Any, most: int = MOST_SHOWN) -> str:
    """Write a value as a file would state it, on one line of at most `most` characters."""
    if isinstance(value, str):
        return repr(cut(value, most))
    try:
        return cut(printable(json.dumps(value, ensure_ascii=False, default=str)), most)
    except (ValueError, TypeError, RecursionError):  # a number of too many digits, keys that are no texts
        return f"a value of the type {type(value).__name__}"


def coded(value: Any) -> str:
    """Write a value as a Python file would state it, on one line."""
    return repr(cut(value)) if isinstance(value, str) else cut(printable(repr(value)))


def listed(names: Iterable[Any]) -> str:
    """List what is allowed, at most so many that a reader still looks at them."""
    names = [str(name) for name in names]
    more = f" … ({len(names) - MOST_LISTED} more)" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more


def first_mistakes(rows: Iterable[str]) -> list[str]:
    """Return the first mistakes of a file, each once, and how many there are beside them."""
    rows = list(dict.fromkeys("\n".join(cut(line, MOST_LINE) for line in printable(row).split("\n")) for row in rows))
    left = len(rows) - MOST_MISTAKES
    more = [f"  … and {left} more {'mistakes' if left > 1 else 'mistake'}"] if left > 0 else []
    return [*rows[:MOST_MISTAKES], *more]
