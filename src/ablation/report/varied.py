"""What a study varies, in words: each factor with the levels that its variants have, and the parts of its author's own."""

from collections.abc import Iterator
from typing import Any, NamedTuple

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
    return [row for factor in plan.factors for row in _levels(plan, factor)]


def _levels(plan: Plan, factor: str) -> Iterator[Row]:
    met = set()
    for variant in plan.variants.values():
        level = variant.levels.get(factor)
        name = level_text(level)
        if factor in variant.levels and name not in met:
            met.add(name)
            yield Row(factor, name, *_describe(plan, variant.builder, factor, level))


def _describe(plan: Plan, builder: str, factor: str, level: Any) -> tuple[str, str]:
    """Say what a level is, and which file of the author's it is from."""
    entry = plan.catalogue.architectures[builder]
    if factor in entry.layers:
        row = plan.catalogue.factors[factor].levels[level]
        return row.text, own_file(row.make)
    if factor in entry.arguments:
        return entry.arguments[factor].text, own_file(entry.builder)
    return Recipe.model_fields[factor].description, ""


def own_parts(plan: Plan) -> list[Row]:
    """List the parts of the author's own that the study names, used or not."""
    catalogue, rows = plan.catalogue, []
    for name, entry in catalogue.architectures.items():
        rows.append(Row(KINDS["ARCHITECTURES"], name, describe_part(entry), own_file(entry.builder)))
    for factor, known in catalogue.factors.items():
        for name, level in known.levels.items():
            rows.append(Row(KINDS["LEVELS"], f"{factor}: {name}", describe_part(level), own_file(level.make)))
    for name, metric in catalogue.metrics.items():
        code = metric.measure or metric.compute
        rows.append(Row(KINDS["METRICS"], name, describe_part(metric), own_file(code)))
    for name, source in catalogue.sources.items():
        rows.append(Row(KINDS["DATA_SETS"], name, describe_part(source), own_file(source.reader)))
    for name, augmentation in catalogue.augmentations.items():
        rows.append(Row(KINDS["AUGMENTATIONS"], name, describe_part(augmentation), own_file(augmentation.make)))
    return [row for row in rows if row.file]
