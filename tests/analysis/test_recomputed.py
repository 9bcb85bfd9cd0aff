"""Files of results held against the same ones made again."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from ablation.analysis.recomputed import difference

TABLE = pd.DataFrame(
    {
        "variant": ["a", "b", "c"],
        "effect": [0.1, math.nan, math.inf],
        "n": pd.array([1, None, 3], "Int64"),
        "why": pd.array(["x", None, "y"], "string"),
        "log": ["results/s/logs/0.log", None, None],
    }
)
ROUNDED = np.nextafter(0.1, 1)  # the last bit of it is another one


def write(path, content):
    """Write a table, an array, plain data or a text, as its name says."""
    match path.suffix:
        case ".parquet":
            content.to_parquet(path)
        case ".csv":
            content.to_csv(path, index=False)
        case ".npy":
            np.save(path, content)
        case ".json":
            path.write_text(json.dumps(content))
        case _:
            path.write_text(content)
    return path


@pytest.fixture
def compare(tmp_path):
    def hold(suffix, one, other):
        return difference(write(tmp_path / f"one{suffix}", one), write(tmp_path / f"other{suffix}", other))

    return hold


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("effect", TABLE["effect"], ""),
        ("effect", [ROUNDED, math.nan, math.inf], ""),
        ("effect", [0.1 + 1e-12, math.nan, math.inf], ""),
        ("log", ["/elsewhere/s/logs/0.log", None, None], ""),
        (
            "effect",
            [0.1 + 1e-8, math.nan, math.inf],
            r"row 1 \(a\), effect: 0\.1, made again 0\.10000001; 1 of 15 cells",
        ),
        ("effect", [0.1, 5.0, -math.inf], r"row 2 \(b\), effect: nan, made again 5\.0; 2 of 15 cells differ"),
        ("n", pd.array([1, None, 4], "Int64"), r"row 3 \(c\), n: 3.*, made again 4"),
        ("why", pd.array(["x", "z", "y"], "string"), r"row 2 \(b\), why: .*, made again 'z'"),
        ("variant", ["a", "B", "c"], r"row 2, variant: 'b', made again 'B'"),
        ("log", ["results/s/logs/1.log", None, None], r"row 1 \(a\), log: .*0\.log', made again .*1\.log'"),
    ],
)
def test_the_first_cell_of_a_table_that_differs_is_named(compare, suffix, column, values, said):
    found = compare(suffix, TABLE, TABLE.assign(**{column: values}))
    assert re.match(said or "$", found)


def test_other_columns_and_rows_are_named(compare):
    assert compare(".csv", TABLE, TABLE.rename(columns={"n": "m"})) == "columns: without n, with m"
    assert compare(".csv", TABLE, TABLE[TABLE.columns[::-1]]) == "columns in another order"
    assert compare(".parquet", TABLE, TABLE.iloc[:2]) == "3 rows, 2 made again"
    assert compare(".parquet", TABLE.iloc[:0], TABLE.iloc[:0]) == ""


def test_arrays_are_compared_by_element(compare):
    one = np.array([[True, False], [True, True]])
    assert compare(".npy", one, one) == ""
    assert compare(".npy", one, ~one) == "at (0, 0): True, made again False; 4 of 4 differ"
    assert compare(".npy", one, one[:1]) == "of shape (2, 2), made again (1, 2)"


def test_the_first_entry_of_plain_data_that_differs_is_named(compare):
    one = {"alpha": 0.1, "claims": [{"p": None, "verdict": "supported", "tests": []}], "n": 1, "differs": True}
    assert compare(".json", one, {**one, "alpha": ROUNDED}) == ""
    other = {**one, "claims": [{"p": 0.5, "verdict": "refuted", "tests": []}]}
    assert compare(".json", one, other) == "claims[0].p: None, made again 0.5; 2 of 6 entries differ"
    named = [
        {"claim": "a", "tests": [{"architecture": "vgg", "p": p}, {"architecture": "lenet", "p": 1}]} for p in (1, 2)
    ]
    found = compare(".json", {"claims": named[:1]}, {"claims": named[1:]})
    assert found == "claims[a].tests[vgg].p: 1, made again 2; 1 of 5 entries differ"
    assert compare(".json", one, {**one, "n": True}).startswith("n: 1, made again True")
    assert compare(".json", one, {**one, "claims": []}).startswith("claims[0].p: None, made again nothing; 4 of")


def test_texts_are_compared_line_by_line(compare):
    assert compare(".md", "a\nb\n", "a\nb\n") == ""
    assert compare(".md", "a\nb\n", "a\nc\n") == "line 2: 'b', made again 'c'"
    assert compare(".tex", "a\n", "a\nb\n") == "1 lines, 2 made again"


def test_a_file_that_is_missing_is_said(tmp_path):
    one = write(tmp_path / "one.md", "a")
    assert difference(one, tmp_path / "no.md") == "not made again"
    assert difference(tmp_path / "no.md", one) == "not there before"
