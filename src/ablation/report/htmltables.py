"""Tables of the page: sortable ones, and searchable ones for more rows than a page can show at once."""

import json

import pandas as pd
from markupsafe import Markup, escape

SHOWN = 20  # rows of a searchable table at a time
LONG = 100  # rows that a page shows at once
MOST_ROWS = 20_000  # of a searchable table: the page has to stay small


def html_table(
    table: pd.DataFrame, text_columns: set[str], baselines: set[str] = frozenset(), wide: set[str] = frozenset()
) -> Markup:
    """Write a sortable table; rows whose first cell is a baseline are shaded, cells of `wide` columns are broken."""

    def css(column: str) -> str:
        return f' class="text{" wrap" if column in wide else ""}"' if column in text_columns else ""

    head = "".join(f"<th{css(column)}>{escape(column)}</th>" for column in table)
    rows = []
    for record in table.to_dict("records"):
        shade = ' class="baseline"' if next(iter(record.values())) in baselines else ""
        rows.append(
            f"<tr{shade}>" + "".join(f"<td{css(c)}>{escape(cell)}</td>" for c, cell in record.items()) + "</tr>"
        )
    return Markup(
        f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>\n' + "\n".join(rows) + "\n</tbody></table>"
    )


def searchable_table(
    table: pd.DataFrame, text_columns: set[str], file: str, name: str, baselines: set[str] = frozenset()
) -> Markup:
    """Write a table of which `SHOWN` rows are shown at a time, with a field to search all of them.

    Parameters
    ----------
    table : pandas.DataFrame
        Texts; of more than `MOST_ROWS`, the first are taken.
    text_columns : set of str
        Columns that are aligned to the left.
    file : str
        Where all rows are, for those who see the page without its script and where rows are left out.
    name : str
        What the table is, for those who cannot see it.
    baselines : set of str
        First cells of rows that are shaded.

    Returns
    -------
    Markup
        The first rows as a table, and all rows as data that the page's script reads when it is asked to: each different
        text once, and rows as places in the list of these.
    """
    kept = table.head(MOST_ROWS)
    places: dict[str, int] = {}
    rows = [
        [places.setdefault(cell, len(places)) for cell in map(str, row)]
        for row in kept.itertuples(index=False, name=None)
    ]
    content = json.dumps(
        {"texts": list(places), "rows": rows, "shaded": sorted(baselines)}, ensure_ascii=False, separators=(",", ":")
    )
    content = content.replace("<", "\\u003c")  # nothing in it may end the script that it stands in
    what = f"{len(kept):,} rows" if len(kept) == len(table) else f"the first {len(kept):,} of {len(table):,} rows"
    first = html_table(kept.head(SHOWN), text_columns, baselines)
    return Markup(
        f'<div class="searchable" data-shown="{SHOWN}"><p class="search"><label>Search {what}: <input type="search" '
        f'placeholder="words that a row has"></label> <span class="found" aria-live="polite"></span></p>\n'
        f'{scrolling(first, name)}\n<p><button type="button" class="more" hidden>Show more rows</button></p>\n'
        f"<noscript><p>The first {min(SHOWN, len(kept))} rows; all of them are in {escape(file)}.</p></noscript>\n"
        f'<script type="application/json">{content}</script></div>'
    )


def fitting_table(table: pd.DataFrame, text_columns: set[str], file: str, name: str) -> Markup:
    """Write all rows of a table if they are few, or a searchable one."""
    if len(table) > LONG:
        return searchable_table(table, text_columns, file, name)
    return scrolling(html_table(table, text_columns), name)


def scrolling(table: Markup, name: str) -> Markup:
    """Put a table into a box that scrolls where it is too wide, also by the keyboard."""
    return Markup(f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(name)}">{table}</div>')
