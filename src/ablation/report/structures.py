"""What each variant is, layer by layer; of a study with many variants, each structure once."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablation.analysis.maineffects import has_many
from ablation.networks.layertable import LayerRow, difference
from ablation.networks.layertext import TEXT_COLUMNS, cells, change_cells, difference_text, totals_text
from ablation.report.htmltables import html_table
from ablation.study.plan import Plan
from ablation.support.formatting import plural

UNBUILT = "cannot be built; its page in plan/layers says why."
MOST_TABLES = 40  # structures, and baselines, whose layers are shown in the report of a study with many variants


def variant_section(layers: Sequence[LayerRow], baseline: Sequence[LayerRow]) -> dict[str, Any]:
    """Write in what the layers of a variant differ from those of its baseline; either may be unknown."""
    if not layers:
        return {"text": UNBUILT, "table": ""}
    if not baseline:
        return {"text": f"{totals_text(layers)} Its baseline cannot be built.", "table": ""}
    changes = difference(layers, baseline)
    rows = pd.DataFrame([change_cells(change) for change in changes if change.status != "same"])
    text = difference_text(changes, layers, baseline, "the baseline")
    return {"text": text, "table": html_table(rows, set(TEXT_COLUMNS)) if len(rows) else ""}


def structures(variants: Sequence[str], tables: Mapping[str, Sequence[LayerRow]]) -> dict[str, int]:
    """Return the first variant of each structure, and how many variants share it."""
    found: dict[tuple[LayerRow, ...], list[str]] = {}
    for variant in variants:
        found.setdefault(tuple(tables.get(variant, ())), []).append(variant)
    return {names[0]: len(names) for names in found.values()}


def layer_sections(plan: Plan, tables: Mapping[str, Sequence[LayerRow]]) -> list[dict[str, Any]]:
    """Write, per architecture, the layers of its baseline and in what its variants differ."""
    sections, room = [], MOST_TABLES if has_many(plan) else len(plan.variants)
    for architecture in plan.study.architectures:
        baseline = tables.get(architecture, [])
        changed = [v.id for v in plan.variants.values() if v.architecture == architecture and v.changed]
        shared = structures(changed, tables) if has_many(plan) else dict.fromkeys(changed, 1)
        shown = list(shared)[:room]
        room -= len(shown)
        rows = pd.DataFrame([cells(layer) for layer in baseline if len(sections) < MOST_TABLES or not has_many(plan)])
        sections.append(
            {
                "architecture": architecture,
                "text": totals_text(baseline) if baseline else UNBUILT,
                "table": html_table(rows, set(TEXT_COLUMNS)) if len(rows) else "",
                "variants": [_section(variant, shared[variant], tables, baseline) for variant in shown],
                "left_out": plural(len(shared) - len(shown), "structure") if len(shown) < len(shared) else "",
            }
        )
    return sections


def _section(
    variant: str, count: int, tables: Mapping[str, Sequence[LayerRow]], baseline: Sequence[LayerRow]
) -> dict[str, Any]:
    section = variant_section(tables.get(variant, []), baseline)
    if count > 1:
        section["text"] = f"and {plural(count - 1, 'variant')} more with the same layers. {section['text']}"
    return {"id": variant, **section}
