"""What a study varies, in words: each factor with the levels that its variants have, and the parts of its author's own."""

from typing import Any, NamedTuple

from ablation.catalogue.catalogue import OURS
from ablation.catalogue.recipes import OPTIMIZERS, SCHEDULES, parse_augmentation
from ablation.study.levels import level_text
from ablation.study.parts import KINDS, describe_part
from ablation.study.plan import Plan
from ablation.study.schema import Recipe


class Row(NamedTuple):
    """A level of a factor, or a part: how the study names it, what it is, and the file of the author's that it is from."""

    factor: str
    level: str
    text: str
    file: str


def own_file(reference: str) -> str:
    """Return the author's file that a reference names; empty for code of ours or of a library."""
    place = reference.rpartition(":")[0]
    return place if place.endswith(".py") else ""


def varied(plan: Plan) -> list[Row]:
    """List the levels of every factor that some variant changes, in the order of the variants."""
    rows = []
    for factor in plan.factors:
        found: dict[tuple[str, str], dict[str, None]] = {}  # levels by what is said of them: numbers share a sentence
        for variant in plan.variants.values():
            if factor in variant.levels:
                described = _describe(plan, variant.builder, factor, variant.levels[factor])
                found.setdefault(described, {})[level_text(variant.levels[factor])] = None
        rows += [Row(factor, ", ".join(levels), *described) for described, levels in found.items()]
    return rows


def _describe(plan: Plan, builder: str, factor: str, level: Any) -> tuple[str, str]:
    """Say what a level is, and which file of the author's it is from."""
    entry = plan.catalogue.architectures[builder]
    if factor in entry.layers:
        row = plan.catalogue.factors[factor].levels[level]
        return row.text, own_file(row.make)
    if factor in entry.arguments:
        return entry.arguments[factor].text, own_file(entry.builder)
    if factor == "augmentation":
        return describe_augmentation(plan, level), ""
    chosen = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}.get(factor, {}).get(level)
    return (f"{chosen.text[0].upper()}{chosen.text[1:]}." if chosen else Recipe.model_fields[factor].description), ""


def describe_augmentation(plan: Plan, level: str) -> str:
    """Say what happens to a training image, step by step; where an amount is another than that of the sentence, so."""
    steps = []
    for name, amount in parse_augmentation(level, plan.catalogue.augmentations):
        entry = plan.catalogue.augmentations[name]
        like = f"as {name}{entry.example}, with {amount}: " if amount and amount != entry.example else ""
        steps.append(f"{like}{entry.text}")
    text = "; ".join(steps) or "nothing"
    return f"{text[0].upper()}{text[1:]}."


def own_parts(plan: Plan) -> list[Row]:
    """List the parts of the author's own that the study names, used or not."""
    catalogue, rows = plan.catalogue, []
    listed = ", ".join(catalogue.parts)  # where a part names code of a library, any of the files may state it
    for name, entry in catalogue.architectures.items():
        if name not in OURS.architectures:
            rows.append(Row(KINDS["ARCHITECTURES"], name, describe_part(entry), own_file(entry.builder) or listed))
    for factor, known in catalogue.factors.items():
        for name, level in known.levels.items():
            if name not in OURS.factors[factor].levels:
                file = own_file(level.make) or listed
                rows.append(Row(KINDS["LEVELS"], f"{factor}: {name}", describe_part(level), file))
    for name, metric in catalogue.metrics.items():
        if name not in OURS.metrics:
            file = own_file(metric.measure or metric.compute) or listed
            rows.append(Row(KINDS["METRICS"], name, describe_part(metric), file))
    for name, source in catalogue.sources.items():
        if name not in OURS.sources:
            rows.append(Row(KINDS["DATA_SETS"], name, describe_part(source), own_file(source.reader) or listed))
    for name, augmentation in catalogue.augmentations.items():
        if name not in OURS.augmentations:
            file = own_file(augmentation.make) or listed
            rows.append(Row(KINDS["AUGMENTATIONS"], name, describe_part(augmentation), file))
    return rows
