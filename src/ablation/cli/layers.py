"""Write the layers of every variant: one table for all, and one page of Markdown per variant."""

import argparse
import json
from dataclasses import fields
from pathlib import Path

import pandas as pd

from ablation.networks.layertable import LayerRow, shape_text, to_record
from ablation.networks.layertext import describe
from ablation.study.studyfile import read_frozen


def main(arguments: argparse.Namespace) -> list[Path]:
    """Trace every variant without computing anything; the page of one that cannot be traced says why. Return the pages."""
    from ablation.networks.sizes import inspect_or_say

    plan = read_frozen(arguments.study)
    manifest = json.loads(arguments.manifest.read_text())
    shape, classes = tuple(manifest["shape"]), len(manifest["classes"])
    tables, reasons, rows = {}, {}, []
    for variant in plan.variants.values():
        tables[variant.id], reasons[variant.id] = inspect_or_say(variant.architecture_spec(), shape, classes)
        rows += [{"variant": variant.id, **to_record(layer)} for layer in tables[variant.id]]
    pd.DataFrame(rows, columns=["variant", *(column.name for column in fields(LayerRow))]).to_csv(
        arguments.layers, index=False
    )
    arguments.folder.mkdir(parents=True, exist_ok=True)
    pages = []
    for variant in plan.variants.values():
        baseline = (tables[variant.architecture] or None) if variant.changed else None
        title = f"{variant.id} ({shape_text(shape)}, {classes} classes)"
        if why := reasons[variant.id]:
            text = f"# {title}\n\nIt cannot be built: {why}\n"
        else:
            text = describe(title, tables[variant.id], baseline, variant.architecture, markdown=True)
        pages.append(arguments.folder / f"{variant.id}.md")
        pages[-1].write_text(text, encoding="utf-8")
    print(f"layers: {len(rows)} of {len(tables)} variants")
    return pages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--layers", type=Path, required=True, help="table to write (CSV)")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the pages to write (Markdown)")
