"""A file of results held against the same one made again: equal, or where the first difference is and how large."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablation.support.wording import cut

RELATIVE = 1e-9  # by how much of the larger one two numbers may differ: libraries of other versions round otherwise
NAMES = ("claim", "architecture", "variant")  # entries by which plain data in a list are called, instead of by number
CONTEXT, MOST_SHOWN = 20, 100  # characters of a line before what differs, and of a text in all
# In texts, the folders of Python files and of logs: where they lay is no result, and differs between machines.
FOLDERS = re.compile(r"[^\s\"'(]*/(?=[\w.+-]+\.(?:py|log)\b)")


def difference(one: Path, other: Path) -> str:
    """Say where a file differs from the same one made again; empty if it does not.

    Numbers of tables, of arrays and of JSON are equal within `RELATIVE`, with missing equal to missing; texts are
    equal by every character but those of `FOLDERS`.

    Parameters
    ----------
    one, other : Path
        As it was, and made again; what the file is, its suffix says.
    """
    missing = [path for path in (one, other) if not path.is_file()]
    if missing:
        return "not there before" if missing == [one] else "not made again" if missing == [other] else ""
    compare = {".parquet": _tables, ".csv": _tables, ".npy": _arrays, ".json": _contents}.get(one.suffix, _texts)
    return compare(one, other)


def _tables(one: Path, other: Path) -> str:
    before, now = _read(one), _read(other)
    if list(before) != list(now):
        lost, new = [name for name in before if name not in now], [name for name in now if name not in before]
        other = f"{_named('without', lost)}{_named('with', new)}".rstrip(", ")
        return f"columns: {other}" if other else "columns in another order"
    if len(before) != len(now):
        return f"{len(before):,} rows, {len(now):,} made again"
    unequal = {name: _unequal(before[name], now[name]) for name in before}
    cells = sum(int(each.sum()) for each in unequal.values())
    if not cells:
        return ""
    row, name = min((int(each.argmax()), name) for name, each in unequal.items() if each.any())
    label = f" ({before.iloc[row, 0]})" if before.columns[0] != name else ""
    values = f"{_shown(before[name].iloc[row])}, made again {_shown(now[name].iloc[row])}"
    return f"row {row + 1}{label}, {name}: {values}; {cells:,} of {before.size:,} cells differ"


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def _unequal(one: pd.Series, other: pd.Series) -> np.ndarray:
    """Say of each row whether two columns differ there."""
    if all(pd.api.types.is_numeric_dtype(each) for each in (one, other)):
        return ~_close(one.to_numpy(float, na_value=np.nan), other.to_numpy(float, na_value=np.nan))
    absent, present = one.isna() ^ other.isna(), one.notna() & other.notna()
    return absent.to_numpy() | np.array(
        [there and _plain(a) != _plain(b) for there, a, b in zip(present, one, other, strict=True)], dtype=bool
    )


def _close(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.isclose(one, other, rtol=RELATIVE, atol=0, equal_nan=True) | (one == other)


def _plain(value: Any) -> Any:
    """Return a value without the folders that stand in it if it is a text."""
    return FOLDERS.sub("", value) if isinstance(value, str) else value


def _arrays(one: Path, other: Path) -> str:
    before, now = np.load(one, allow_pickle=False), np.load(other, allow_pickle=False)
    if before.shape != now.shape:
        return f"of shape {before.shape}, made again {now.shape}"
    unequal = ~_close(before.astype(float), now.astype(float))
    if not unequal.any():
        return ""
    first = tuple(int(place) for place in np.argwhere(unequal)[0])
    values = f"{before[first]}, made again {now[first]}"
    return f"at {first}: {values}; {int(unequal.sum()):,} of {before.size:,} differ"


def _contents(one: Path, other: Path) -> str:
    before, now = (dict(_leaves(json.loads(path.read_bytes()))) for path in (one, other))
    unequal = [place for place in {**before, **now} if not _same(before, now, place)]
    if not unequal:
        return ""
    values = [_shown(each[unequal[0]]) if unequal[0] in each else "nothing" for each in (before, now)]
    return f"{unequal[0]}: {values[0]}, made again {values[1]}; {len(unequal):,} of {len(before):,} entries differ"


def _leaves(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """List the values of plain data by their places, such as ``claims[relu-better].tests[lenet].effect``."""
    if content and isinstance(content, dict):
        for name, inner in content.items():
            yield from _leaves(inner, f"{place}.{name}" if place else name)
    elif content and isinstance(content, list):
        for number, inner in enumerate(content):
            names = [inner[name] for name in NAMES if name in inner] if isinstance(inner, dict) else []
            yield from _leaves(inner, f"{place}[{names[0] if names else number}]")
    else:
        yield place, content


def _same(before: dict[str, Any], now: dict[str, Any], place: str) -> bool:
    if place not in before or place not in now:
        return False
    one, other = before[place], now[place]
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other)):
        return math.isclose(one, other, rel_tol=RELATIVE) or (math.isnan(one) and math.isnan(other))
    return _plain(one) == _plain(other) and type(one) is type(other)


def _texts(one: Path, other: Path) -> str:
    before, now = (path.read_text(encoding="utf-8").splitlines() for path in (one, other))
    for number, (line, again) in enumerate(zip(before, now, strict=False), 1):
        if _plain(line) != _plain(again):
            begin = max(0, _common(line, again) - CONTEXT)
            return f"line {number}: {_shown(line[begin:])}, made again {_shown(again[begin:])}"
    return "" if len(before) == len(now) else f"{len(before)} lines, {len(now)} made again"


def _common(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _named(what: str, names: list[str]) -> str:
    return f"{what} {', '.join(names)}, " if names else ""


def _shown(value: Any) -> str:
    """Write a value with all digits of a number."""
    if isinstance(value, float | np.floating):
        return repr(float(value))
    text = str(value) if isinstance(value, int | np.integer | type(None)) else repr(str(value))
    return cut(text, MOST_SHOWN)
