"""The grid of a study, expanded into variants."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablation.study.levels import level_text
from ablation.study.resolution import Resolver, Variant
from ablation.study.schema import Block, Problem
from ablation.support.wording import shown

MOST_VARIANTS = 20_000


def expand(resolver: Resolver) -> dict[str, Variant]:
    """Return all variants of a study by id; raises StudyError with all mistakes of the grid at once."""
    refuse_many(resolver)
    found = {name: {name: resolver.variant(name, {})} for name in resolver.baselines}
    for position, block in enumerate(resolver.study.grid):
        key = ("grid", position)
        for place, name in enumerate(block.architectures or []):
            resolver.choose((*key, "architectures", place), name, resolver.baselines, "an architecture of this study")
        for name in block.architectures or resolver.baselines:
            if name in resolver.baselines:
                for where, variant in expand_block(resolver, key, block, name):
                    known = found[name].setdefault(variant.id, variant)
                    if known.levels != variant.levels:
                        resolver.refuse(where, f"two different variants would both be named {shown(variant.id)}")
    resolver.stop_if_wrong()
    return {id: variant for variants in found.values() for id, variant in variants.items()}


def refuse_many(resolver: Resolver) -> None:
    """Raise the StudyError that a grid asks for more variants than can be laid out, before any is."""
    asked = len(resolver.baselines)
    for position, block in enumerate(resolver.study.grid):
        names = [name for name in block.architectures or resolver.baselines if name in resolver.baselines]
        here = sum(count_variants(block, resolver.baselines[name]) for name in names)
        asked += here
        if asked > MOST_VARIANTS:
            found = f"{here:,} variants" if here < 10**15 else "more than 10^15 variants"
            found = found if here > MOST_VARIANTS else f"{asked:,} variants up to here"
            resolver.refuse(("grid", position), f"found {found}, expected at most {MOST_VARIANTS:,} in a study")
            resolver.stop_if_wrong()


def count_variants(block: Block, baseline: Mapping[str, Any]) -> int:
    """Count what a block asks of an architecture, by arithmetic; the baseline's own levels may count as others."""
    if block.design == "one_at_a_time" or block.variants:
        return len(block.variants) + sum(map(len, block.factors.values()))
    return math.prod(
        len({level_text(level) for level in [*stated, baseline.get(factor)]})
        for factor, stated in block.factors.items()
    )


def expand_block(resolver: Resolver, key: tuple, block: Block, architecture: str) -> Iterable[tuple[tuple, Variant]]:
    """Yield the variants of an architecture that a block asks for, each with its place in the study."""
    before = len(resolver.problems)
    if block.variants:
        changes = [
            ((*key, "variants", place), resolver.levels((*key, "variants", place), architecture, stated))
            for place, stated in enumerate(block.variants)
        ]
    else:
        changes = [((*key, "factors"), change) for change in _combine(resolver, key, block, architecture)]
    excluded = [
        resolver.levels((*key, "exclude", place), architecture, stated) for place, stated in enumerate(block.exclude)
    ]
    if len(resolver.problems) > before:
        return
    variants = [(where, resolver.variant(architecture, change)) for where, change in changes]
    dropped = _places_of(excluded, [variant for _, variant in variants])
    found = {place for places in dropped for place in places}
    for place, levels in enumerate(excluded):
        if not levels or place not in found:
            resolver.refuse(
                (*key, "exclude", place),
                f"found {shown(block.exclude[place])}, which no variant of {architecture!r} has",
            )
    if block.variants:
        times = Counter(variant.id for _, variant in variants)
        for where, variant in variants:
            if not variant.changed:
                resolver.refuse(where, f"found the baseline of {architecture!r}, expected levels that differ from it")
            elif times[variant.id] > 1:
                resolver.refuse(where, f"found the variant {shown(variant.id)} twice, expected it once")
    for (where, variant), places in zip(variants, dropped, strict=True):
        if places:
            if not variant.changed:
                resolver.refuse(
                    (*key, "exclude"),
                    f"found an exclusion of the baseline of {architecture!r}, expected one that leaves it: "
                    "every contrast needs it",
                )
            continue
        resolver.check_sense(where, architecture, variant.levels, variant.changed)
        yield where, variant


def _places_of(excluded: Sequence[Mapping[str, Any]], variants: Iterable[Variant]) -> list[list[int]]:
    """List for each variant the exclusions whose levels it all has, looked up instead of compared one by one."""
    known: dict[tuple[str, ...], dict[tuple, list[int]]] = {}
    for place, levels in enumerate(excluded):
        factors = tuple(sorted(levels))
        known.setdefault(factors, {}).setdefault(tuple(levels[factor] for factor in factors), []).append(place)
    return [
        [
            place
            for factors, places in known.items()
            for place in places.get(tuple(variant.levels[factor] for factor in factors), ())
        ]
        for variant in variants
    ]


def _combine(resolver: Resolver, key: tuple, block: Block, architecture: str) -> list[dict[str, Any]]:
    """List the changes that a block's design asks for."""
    levels: dict[str, list[Any]] = {}
    for factor, stated in block.factors.items():
        where = (*key, "factors", factor)
        resolved = []
        for place, level in enumerate(stated):
            try:
                resolved.append(resolver.level((*where, place), architecture, factor, level))
            except Problem as problem:
                resolver.problems.append(problem)
                if factor not in resolver.baselines[architecture]:  # said once, not for every level
                    break
        if not stated:
            resolver.refuse(where, "found no level, expected at least one")
        times = Counter(level_text(level) for level in resolved)
        for level in times:
            if times[level] > 1:
                resolver.refuse(where, f"found the level {shown(level)} twice, expected every level once")
        if set(times) == {level_text(resolver.baselines[architecture].get(factor))}:
            resolver.refuse(where, f"found only the baseline's level {shown(resolved[0])}, expected another one")
        levels[factor] = resolved
    if block.design == "full_factorial":
        with_baseline = {
            f: list(dict.fromkeys([resolver.baselines[architecture].get(f), *found])) for f, found in levels.items()
        }
        return [dict(zip(levels, chosen, strict=True)) for chosen in itertools.product(*with_baseline.values())]
    return [{factor: level} for factor, found in levels.items() for level in found]
