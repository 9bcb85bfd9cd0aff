"""Contrasts: which variants of a study are compared, because of the grid or of controls of equal size."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from ablation.study.controls import Controls
from ablation.study.expansion import expand_block
from ablation.study.resolution import Resolver, Variant
from ablation.study.schema import Problem


@dataclass(frozen=True)
class Contrast:
    """A variant against another that differs from it in `factors` alone.

    Where the reference was scaled to the variant's size, `matched` names the quantity in which they agree.
    """

    variant: str
    reference: str
    factors: tuple[str, ...]
    matched: str = ""

    @property
    def cells(self) -> tuple[tuple[str, float], ...]:
        """Its two variants with their weights."""
        return (self.variant, 1.0), (self.reference, -1.0)


def contrasts_of_variants(resolver: Resolver, variants: Mapping[str, Variant]) -> list[Contrast]:
    """Return each variant against its baseline and against the variants that lack one of its changes."""
    contrasts = []
    for variant in variants.values():
        if variant.changed:
            contrasts.append(Contrast(variant.id, variant.architecture, tuple(variant.changed)))
        if len(variant.changed) > 1:
            for factor in variant.changed:
                rest = {f: level for f, level in variant.changed.items() if f != factor}
                reference = resolver.variant(variant.architecture, rest).id
                if reference in variants:
                    contrasts.append(Contrast(variant.id, reference, (factor,)))
    return contrasts


class Contrasts:
    """Finds the contrasts of a study that may need controls of equal size; what is wrong is noted with the resolver.

    Parameters
    ----------
    resolver : Resolver
    controls : Controls
    variants : dict of str to Variant
        By id; the controls of equal size that contrasts need are added.
    """

    def __init__(self, resolver: Resolver, controls: Controls, variants: MutableMapping[str, Variant]):
        self.resolver, self.controls, self.variants = resolver, controls, variants

    def of_controls(self) -> list[Contrast]:
        """Give the variants of blocks with `match` their controls of equal size, and return each variant against its own."""
        contrasts = []
        for position, block in enumerate(self.resolver.study.grid):
            key = ("grid", position)
            for name in (block.architectures or self.resolver.baselines) if block.match else []:
                for _, variant in expand_block(self.resolver, key, block, name):
                    if not variant.changed or set(variant.changed) == {block.by}:
                        continue
                    try:
                        control = self.control(key, variant, name, {}, block.match, block.by)
                    except Problem as problem:
                        self.resolver.problems.append(problem)
                        break
                    factors = tuple(sorted({*variant.changed, block.by}))
                    contrasts.append(Contrast(variant.id, control.id, factors, block.match))
        return contrasts

    def control(self, key: tuple, variant: Variant, *asked: Any) -> Variant:
        """Let the control of a variant (`Controls.match`) join the study."""
        control = self.controls.match(key, variant, *asked)
        return self.variants.setdefault(control.id, control)
