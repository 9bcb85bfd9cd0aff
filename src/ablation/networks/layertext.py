"""Layer tables and the difference of two, written for people: as text for a terminal or as Markdown. Imports no torch."""

import textwrap
from collections import Counter
from collections.abc import Sequence

from tabulate import tabulate

from ablation.networks.layertable import Change, LayerRow, difference, fold, fold_alone, shape_text, totals

MINUS = "\N{MINUS SIGN}"
TERMINAL = 120  # characters
HEADINGS = ("layer", "kind", "output", "parameters", "multiply-adds", "field")
TEXT_COLUMNS = ("layer", "kind", "output")
NOTE = (
    "Field: side in input pixels of what a value depends on; padding counts, so it may exceed the image. Multiply-adds "
    "of convolutions and dense layers for one image, without bias additions."
)


def field_text(field: tuple[int, int]) -> str:
    """Write a receptive field: 11, or 7x1 where its sides differ."""
    return str(field[0]) if field[0] == field[1] else shape_text(field)


def signed(number: int) -> str:
    """Write a difference with its sign; nothing for none."""
    return f"{number:+,}".replace("-", MINUS) if number else ""


def shorten(text: str, width: int) -> str:
    """Leave out the middle of a text that is too long."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def cells(layer: LayerRow) -> dict[str, str]:
    """Write a row of a layer table as text."""
    return dict(
        zip(
            HEADINGS,
            (
                layer.name,
                f"{layer.kind} (training only)" if layer.training_only else layer.kind,
                shape_text(layer.output),
                f"{layer.parameters:,}",
                f"{layer.multiply_adds:,}",
                field_text(layer.receptive_field),
            ),
            strict=True,
        )
    )


def change_cells(change: Change) -> dict[str, str]:
    """Write a change as text: the layer with a sign, what it was and is, and the parameters and multiply-adds added."""
    before, after = change.before, change.after
    present = after or before

    def text(attribute: str, write=str) -> str:
        if attribute not in change.what:
            return write(getattr(present, attribute))
        return f"{write(getattr(before, attribute))} → {write(getattr(after, attribute))}"

    def added(attribute: str) -> str:
        return signed(getattr(after, attribute, 0) - getattr(before, attribute, 0))

    return {
        "layer": f"{ {'added': '+', 'removed': MINUS, 'changed': '~', 'same': '='}[change.status] } {change.name}",
        "kind": text("kind"),
        "output": text("output", shape_text),
        "parameters": added("parameters"),
        "multiply-adds": added("multiply_adds"),
    }


def totals_text(layers: Sequence[LayerRow]) -> str:
    """Write a network's size in one line."""
    sizes = totals(layers)
    return f"{sizes['parameters']:,} parameters, {sizes['multiply_adds']:,} multiply-adds"


def difference_text(
    changes: Sequence[Change], table: Sequence[LayerRow], baseline: Sequence[LayerRow], name: str
) -> str:
    """Write in one line how many layers differ from the baseline called `name`, and by how much the totals."""
    counts = Counter(change.status for change in changes)
    if set(counts) <= {"same"}:
        return f"Every layer is as in {name}: what differs is how it is initialised or trained."
    parts = [f"{counts[status]} {status}" for status in ("added", "removed", "changed", "same") if counts[status]]
    sizes, reference = totals(table), totals(baseline)
    ratios = [
        f"{key.replace('_', '-')} {reference[key]:,} → {sizes[key]:,}"
        + (f" (× {sizes[key] / reference[key]:.4g})" if reference[key] else "")
        for key in sizes
        if sizes[key] != reference[key]
    ]
    return f"Against {name}: {', '.join(parts)}; {'; '.join(ratios) or 'the totals stay'}."


def write_table(rows: Sequence[dict[str, str]], markdown: bool) -> str:
    """Write rows as Markdown, or as aligned columns that fit the terminal."""
    if not rows:
        return ""
    headings = list(rows[0])
    align = ["left" if heading in TEXT_COLUMNS else "right" for heading in headings]
    if not markdown:
        # tabulate pads a heading by two characters.
        widths = {heading: max(len(heading) + 2, *(len(row[heading]) for row in rows)) for heading in headings}
        over = sum(widths.values()) + 2 * (len(headings) - 1) - TERMINAL
        if over > 0:  # kinds are shortened first, then names, whose ends still tell them apart
            kind = max(24, widths["kind"] - over)
            name = max(24, widths["layer"] - over + widths["kind"] - kind)
            rows = [{**row, "kind": shorten(row["kind"], kind), "layer": shorten(row["layer"], name)} for row in rows]
    return tabulate(
        [list(row.values()) for row in rows],
        headings,
        tablefmt="pipe" if markdown else "simple",
        colalign=align,
        disable_numparse=True,
    )


def describe(
    title: str,
    table: Sequence[LayerRow],
    baseline: Sequence[LayerRow] | None = None,
    baseline_name: str = "the baseline",
    markdown: bool = False,
    folded: bool = False,
) -> str:
    """Write a network under a title; the other parameters are those of `describe_network`."""
    heading = f"# {title}" if markdown else _prose(title, markdown)
    return f"{heading}\n\n{describe_network(table, baseline, baseline_name, markdown, folded)}"


def _prose(text: str, markdown: bool) -> str:
    return text if markdown else textwrap.fill(text, TERMINAL)


def describe_network(
    table: Sequence[LayerRow],
    baseline: Sequence[LayerRow] | None = None,
    baseline_name: str = "the baseline",
    markdown: bool = False,
    folded: bool = False,
) -> str:
    """Write a network's layer table, its totals and, if there is a baseline, the layers that differ.

    Parameters
    ----------
    table, baseline : sequence of LayerRow
    baseline_name : str
    markdown : bool
        Otherwise for a terminal of 120 characters.
    folded : bool
        Write one row per block instead of one per layer, also in the difference for blocks that only one side has.
        What changed within a block stays layer by layer: the block's sums would hide it.

    Returns
    -------
    str
    """
    rows = [cells(layer) for layer in (fold(table) if folded else table)]
    parts = [write_table(rows, markdown), f"In all: {totals_text(table)}.", _prose(NOTE, markdown)]
    if baseline is not None:
        changes = difference(table, baseline)
        listed = difference(fold_alone(table, baseline), fold_alone(baseline, table)) if folded else changes
        differing = [change_cells(change) for change in listed if change.status != "same"]
        if markdown:
            parts.append(f"## Difference from {baseline_name}")
        parts.append(_prose(difference_text(changes, table, baseline, baseline_name), markdown))
        parts.append(write_table(differing, markdown))
    return "\n\n".join(part for part in parts if part) + "\n"
