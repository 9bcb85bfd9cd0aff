"""Layer tables: what a network consists of, layer by layer, and how two networks differ. Imports no torch.

`ablation.networks.tracing` makes a table from a network; `ablation.networks.layertext` writes tables for people.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COMPARED = ("kind", "output", "parameters", "multiply_adds")


@dataclass(frozen=True)
class LayerRow:
    """A row of a layer table: one layer of a network, for one image.

    Attributes
    ----------
    name : str
        Dotted, as in the network's weights; a layer that runs twice is listed twice, the second time as ``name (2)``.
    kind : str
        Readable: ``Conv 3x3/2``.
    output : tuple of int
        Channels, height and width; or features.
    parameters : int
        Those of the layer itself; shared ones count in the first layer that has them.
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
    before, after : LayerRow or None
        The baseline's and the variant's.
    what : tuple of str
        Of a changed layer: which of kind, output, parameters and multiply_adds. A receptive field changes with
        everything before it, so it alone does not make a layer a changed one.
    """

    name: str
    status: str
    before: LayerRow | None
    after: LayerRow | None
    what: tuple[str, ...] = ()


def totals(layers: Iterable[LayerRow]) -> dict[str, int]:
    """Return the ``parameters`` of a network and the ``multiply_adds`` of inference on one image."""
    layers = list(layers)
    return {
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers if not layer.training_only),
    }


def difference(table: Sequence[LayerRow], baseline: Sequence[LayerRow]) -> list[Change]:
    """Align two tables by the names of layers.

    Returns
    -------
    list of Change
        In the order of `table`; layers that it lacks stand where the baseline has them.
    """
    names = {layer.name for layer in table}
    positions = {layer.name: position for position, layer in enumerate(baseline)}

    def removed(layers: Sequence[LayerRow]) -> list[Change]:
        return [Change(layer.name, "removed", layer, None) for layer in layers if layer.name not in names]

    changes, done = [], 0
    for layer in table:
        if layer.name not in positions:
            changes.append(Change(layer.name, "added", None, layer))
            continue
        position = positions[layer.name]
        changes += removed(baseline[done:position])
        done = max(done, position + 1)
        before = baseline[position]
        what = tuple(name for name in COMPARED if getattr(before, name) != getattr(layer, name))
        changes.append(Change(layer.name, "changed" if what else "same", before, layer, what))
    return changes + removed(baseline[done:])


def blocks(table: Sequence[LayerRow]) -> list[tuple[str, list[LayerRow]]]:
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


def split_dense(name: str, block: Sequence[LayerRow]) -> list[tuple[str, list[LayerRow]]]:
    """Cut a block of several dense layers, such as AlexNet's head, into its modules; leave any other block whole."""
    computing = [layer for layer in block if layer.multiply_adds]
    if len(computing) < 2 or any(len(layer.output) > 1 for layer in computing):
        return [(name, list(block))]
    depth = name.count(".") + 2
    cut = groupby(block, lambda layer: ".".join(layer.name.split(".")[:depth]))
    return [(inner, list(layers)) for inner, layers in cut]


def fold_block(name: str, block: Sequence[LayerRow]) -> LayerRow:
    """Sum a block up in one row: the kinds of its convolutions and dense layers, its last output, its totals."""
    kinds = [layer.kind for layer in block if layer.multiply_adds] or [layer.kind for layer in block]
    last = block[-1]
    return replace(
        last,
        name=name,
        kind=", ".join(f"{count} × {kind}" if count > 1 else kind for kind, count in Counter(kinds).items()),
        parameters=sum(layer.parameters for layer in block),
        # A block that runs in training only keeps its multiply-adds, as a layer does.
        multiply_adds=sum(layer.multiply_adds for layer in block if not layer.training_only or last.training_only),
    )


def fold(table: Sequence[LayerRow]) -> list[LayerRow]:
    """Write a table with one row per block."""
    return [fold_block(name, block) for name, block in blocks(table)]


def fold_alone(table: Sequence[LayerRow], other: Sequence[LayerRow]) -> list[LayerRow]:
    """Write a table with one row per block where `other` lacks the block, and one row per layer elsewhere."""
    known = {name for name, _ in blocks(other)}
    rows = []
    for name, block in blocks(table):
        rows += block if name in known else [fold_block(name, block)]
    return rows


def shape_text(shape: Sequence[int]) -> str:
    """Write a shape: 64x56x56."""
    return "x".join(map(str, shape))


def to_record(layer: LayerRow) -> dict[str, Any]:
    """Write a layer as a row of `layers.csv`."""
    shapes = {"output": shape_text(layer.output), "receptive_field": shape_text(layer.receptive_field)}
    return {**asdict(layer), **shapes}


def read_tables(rows: "pd.DataFrame") -> dict[str, list[LayerRow]]:
    """Read the layer table of each variant from `layers.csv`; variants of one structure share the object."""
    by_variant: dict[str, list[tuple]] = {}
    columns = [field.name for field in fields(LayerRow)]
    for variant, *cells in rows[["variant", *columns]].itertuples(index=False, name=None):
        by_variant.setdefault(variant, []).append(tuple(cells))
    shared: dict[tuple, list[LayerRow]] = {}
    for own_rows in map(tuple, by_variant.values()):
        if own_rows not in shared:
            shared[own_rows] = from_records(dict(zip(columns, cells, strict=True)) for cells in own_rows)
    return {variant: shared[tuple(own_rows)] for variant, own_rows in by_variant.items()}


def from_records(records: Iterable[dict[str, Any]]) -> list[LayerRow]:
    """Read layers from rows of `layers.csv`."""

    def shape(text: str) -> tuple[int, ...]:
        return tuple(map(int, str(text).split("x")))

    return [
        LayerRow(
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
