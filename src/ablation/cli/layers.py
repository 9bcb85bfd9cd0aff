"""Write the layers of every variant: one table for all, and one page of Markdown per variant."""

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from ablation.networks.layertable import LayerRow, shape_text, to_record
from ablation.networks.layertext import describe_network
from ablation.study.studyfile import read_frozen


def main(arguments: argparse.Namespace) -> list[Path]:
    """Trace every variant without computing anything; the page of one that cannot be traced says why. Return the pages."""
    from ablation.networks.sizes import inspect_all

    plan = read_frozen(arguments.study)
    manifest = json.loads(arguments.manifest.read_text())
    shape, classes = tuple(manifest["shape"]), len(manifest["classes"])
    found = inspect_all({variant.id: variant.architecture_spec() for variant in plan.variants.values()}, shape, classes)
    write_rows({name: table for name, (table, _) in found.items()}, arguments.layers)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    pages = []
    texts: dict[tuple[int, str], str] = {}  # variants of one structure share its text, as they share its table
    for variant in plan.variants.values():
        table, why = found[variant.id]
        key = (id(table), variant.architecture if variant.changed else "")
        if key not in texts:
            baseline = (found[variant.architecture][0] or None) if variant.changed else None
            text = "" if why else describe_network(table, baseline, variant.architecture, markdown=True)
            texts[key] = f"It cannot be built: {why}\n" if why else text
        pages.append(arguments.folder / f"{variant.id}.md")
        title = f"# {variant.id} ({shape_text(shape)}, {classes} classes)"
        pages[-1].write_text(f"{title}\n\n{texts[key]}", encoding="utf-8")
    print(f"layers: {sum(len(table) for table, _ in found.values())} of {len(found)} variants")
    return pages


def write_rows(tables: Mapping[str, Sequence[LayerRow]], path: Path) -> None:
    """Write the layers of all variants, one row per variant and layer."""
    records: dict[int, list[list]] = {}
    names = [column.name for column in fields(LayerRow)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["variant", *names])
        for variant, table in tables.items():
            if id(table) not in records:
                records[id(table)] = [list(to_record(layer).values()) for layer in table]
            writer.writerows([variant, *record] for record in records[id(table)])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--layers", type=Path, required=True, help="table to write (CSV)")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the pages to write (Markdown)")
