"""Layer tables: what a network consists of, written for people, and how two networks differ. Imports no torch.

`ablation.networks.tracing` makes a table from a network; everything else needs only the table.
"""

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    import pandas as pd

MINUS = "\N{MINUS SIGN}"
TERMINAL = 120  # characters
HEADINGS = ("layer", "kind", "output", "parameters", "multiply-adds", "field")
TEXT_COLUMNS = ("layer", "kind", "output")
COMPARED = ("kind", "output", "parameters", "multiply_adds")
NOTE = (
    "Field: side in input pixels of what a value depends on; padding counts, so it may exceed the image. Multiply-adds "
    "of convolutions and dense layers for one image, without bias additions."
)


@dataclass(frozen=True)
class Layer:
    """One layer of a network, for one image.

    Attributes
    ----------
    name : str
        Dotted, as in the network's weights; a layer that runs twice is listed twice, the second time as ``name (2)``.
    kind : str
        Readable: ``Conv 3x3/2``.
    output : tuple of int
        Channels, height and width; or features.
    parameters : int
        Its own; shared ones count where they are met first.
    multiply_adds : int
    receptive_field : tuple of int
        Height and width in input pixels.
    training_only : bool
        Whether it runs in training alone, as auxiliary heads do.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int
    receptive_field: tuple[int, int]
    training_only: bool = False


@dataclass(frozen=True)
class Change:
    """How a layer differs from the baseline's layer of the same name.

    Attributes
    ----------
    status : str
        ``added``, ``removed``, ``changed`` or ``same``.
    before, after : Layer or None
        The baseline's and the variant's.
    what : tuple of str
        Of a changed layer: which of kind, output, parameters and multiply_adds. A receptive field changes with
        everything before it and makes no layer another one.
    """

    name: str
    status: str
    before: Layer | None
    after: Layer | None
    what: tuple[str, ...] = ()


def totals(layers: Iterable[Layer]) -> dict[str, int]:
    """Return the ``parameters`` of a network and its ``multiply_adds`` for one image, as it answers after training."""
    layers = list(layers)
    return {
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers if not layer.training_only),
    }


def difference(table: Sequence[Layer], baseline: Sequence[Layer]) -> list[Change]:
    """Align two tables by the names of layers.

    Returns
    -------
    list of Change
        In the order of `table`; what it lacks stands where the baseline has it.
    """
    here, there = {layer.name for layer in table}, {layer.name: place for place, layer in enumerate(baseline)}

    def removed(layers: Sequence[Layer]) -> list[Change]:
        return [Change(layer.name, "removed", layer, None) for layer in layers if layer.name not in here]

    changes, done = [], 0
    for layer in table:
        if layer.name not in there:
            changes.append(Change(layer.name, "added", None, layer))
            continue
        place = there[layer.name]
        changes += removed(baseline[done:place])
        done = max(done, place + 1)
        before = baseline[place]
        what = tuple(name for name in COMPARED if getattr(before, name) != getattr(layer, name))
        changes.append(Change(layer.name, "changed" if what else "same", before, layer, what))
    return changes + removed(baseline[done:])


def blocks(table: Sequence[Layer]) -> list[tuple[str, list[Layer]]]:
    """Cut a table into the network's blocks, each with its name.

    Blocks are the modules at the top of the network, or further down where there are no more than three, such as
    features, pool and classifier.
    """
    deepest = max((layer.name.count(".") for layer in table), default=0)
    for depth in range(1, deepest + 2):
        cut = groupby(table, lambda layer, depth=depth: ".".join(layer.name.split(".")[:depth]))
        found = [(name, list(layers)) for name, layers in cut]
        if len(found) > 3:
            break
    return [part for name, layers in found for part in split_dense(name, layers)]


def split_dense(name: str, block: Sequence[Layer]) -> list[tuple[str, list[Layer]]]:
    """Cut a block of several dense layers, such as AlexNet's head, into what lies in it; leave any other whole."""
    heavy = [layer for layer in block if layer.multiply_adds]
    if len(heavy) < 2 or any(len(layer.output) > 1 for layer in heavy):
        return [(name, list(block))]
    depth = name.count(".") + 2
    cut = groupby(block, lambda layer: ".".join(layer.name.split(".")[:depth]))
    return [(inner, list(layers)) for inner, layers in cut]


def fold_block(name: str, block: Sequence[Layer]) -> Layer:
    """Make one row of a block: what weighs in it, its last output, its sums."""
    heavy = [layer.kind for layer in block if layer.multiply_adds] or [layer.kind for layer in block]
    last = block[-1]
    return replace(
        last,
        name=name,
        kind=", ".join(f"{count} × {kind}" if count > 1 else kind for kind, count in Counter(heavy).items()),
        parameters=sum(layer.parameters for layer in block),
        # A block that runs in training only keeps its own price, as a layer does.
        multiply_adds=sum(layer.multiply_adds for layer in block if not layer.training_only or last.training_only),
    )


def fold(table: Sequence[Layer]) -> list[Layer]:
    """Give each block one row."""
    return [fold_block(name, block) for name, block in blocks(table)]


def fold_alone(table: Sequence[Layer], other: Sequence[Layer]) -> list[Layer]:
    """Give each block that `other` does not have one row; the rest stays layer by layer."""
    known = {name for name, _ in blocks(other)}
    rows = []
    for name, block in blocks(table):
        rows += block if name in known else [fold_block(name, block)]
    return rows


def shape_text(shape: Sequence[int]) -> str:
    """Write a shape: 64x56x56."""
    return "x".join(map(str, shape))


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


def cells(layer: Layer) -> dict[str, str]:
    """Write a layer as a row."""
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
    """Write a difference as a row: the layer with its sign, what it was and is, and what that adds."""
    before, after = change.before, change.after
    known = after or before

    def text(attribute: str, write=str) -> str:
        if attribute not in change.what:
            return write(getattr(known, attribute))
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


def totals_text(layers: Sequence[Layer]) -> str:
    """Say a network's size in a line."""
    sizes = totals(layers)
    return f"{sizes['parameters']:,} parameters, {sizes['multiply_adds']:,} multiply-adds"


def difference_text(changes: Sequence[Change], table: Sequence[Layer], baseline: Sequence[Layer], name: str) -> str:
    """Say in a line how many layers differ from the baseline called `name`, and by how much the totals."""
    counts = Counter(change.status for change in changes)
    if set(counts) <= {"same"}:
        return f"Every layer is as in {name}: what differs is how it is initialised or trained."
    parts = [f"{counts[status]} {status}" for status in ("added", "removed", "changed", "same") if counts[status]]
    here, there = totals(table), totals(baseline)
    ratios = [
        f"{key.replace('_', '-')} {there[key]:,} → {here[key]:,}"
        + (f" (× {here[key] / there[key]:.4g})" if there[key] else "")
        for key in here
        if here[key] != there[key]
    ]
    return f"Against {name}: {', '.join(parts)}; {'; '.join(ratios) or 'the totals stay'}."


def write_table(rows: Sequence[dict[str, str]], markdown: bool) -> str:
    """Write rows as Markdown, or as aligned columns that fit the terminal."""
    if not rows:
        return ""
    headings = list(rows[0])
    align = ["left" if heading in TEXT_COLUMNS else "right" for heading in headings]
    if not markdown:
        # tabulate gives a heading two characters of room.
        widths = {heading: max(len(heading) + 2, *(len(row[heading]) for row in rows)) for heading in headings}
        over = sum(widths.values()) + 2 * (len(headings) - 1) - TERMINAL
        if over > 0:  # the kinds give way first, then the names: their ends still tell them apart
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
    table: Sequence[Layer],
    baseline: Sequence[Layer] | None = None,
    baseline_name: str = "the baseline",
    markdown: bool = False,
    folded: bool = False,
) -> str:
    """Write a network's layer table, its totals and, if there is a baseline, the layers that differ.

    Parameters
    ----------
    title : str
    table, baseline : sequence of Layer
    baseline_name : str
    markdown : bool
        Otherwise for a terminal of 120 characters.
    folded : bool
        Give the table a row a block, and blocks that only one side has a row in the difference. What changed within a
        block stays layer by layer: its sums would hide it.

    Returns
    -------
    str
    """

    def prose(text: str) -> str:
        return text if markdown else textwrap.fill(text, TERMINAL)

    rows = [cells(layer) for layer in (fold(table) if folded else table)]
    parts = [f"# {title}" if markdown else prose(title), write_table(rows, markdown)]
    parts += [f"In all: {totals_text(table)}.", prose(NOTE)]
    if baseline is not None:
        changes = difference(table, baseline)
        listed = difference(fold_alone(table, baseline), fold_alone(baseline, table)) if folded else changes
        differing = [change_cells(change) for change in listed if change.status != "same"]
        if markdown:
            parts.append(f"## Difference from {baseline_name}")
        parts.append(prose(difference_text(changes, table, baseline, baseline_name)))
        parts.append(write_table(differing, markdown))
    return "\n\n".join(part for part in parts if part) + "\n"


def to_record(layer: Layer) -> dict[str, Any]:
    """Write a layer as a row of `layers.csv`."""
    shapes = {"output": shape_text(layer.output), "receptive_field": shape_text(layer.receptive_field)}
    return {**asdict(layer), **shapes}


def read_tables(rows: "pd.DataFrame") -> dict[str, list[Layer]]:
    """Read the layer table of each variant from `layers.csv`."""
    return {id: from_records(mine.to_dict("records")) for id, mine in rows.groupby("variant", sort=False)}


def from_records(records: Iterable[dict[str, Any]]) -> list[Layer]:
    """Read layers from rows of `layers.csv`."""

    def shape(text: str) -> tuple[int, ...]:
        return tuple(map(int, str(text).split("x")))

    return [
        Layer(
            row["name"],
            row["kind"],
            shape(row["output"]),
            int(row["parameters"]),
            int(row["multiply_adds"]),
            shape(row["receptive_field"]),
            bool(row["training_only"]),
        )
        for row in records
    ]
