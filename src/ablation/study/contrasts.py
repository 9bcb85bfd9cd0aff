"""Contrasts: which variants of a study are compared, because of the grid, of controls of equal size, or of claims."""

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from ablation.study.controls import Controls
from ablation.study.expansion import expand_block
from ablation.study.resolution import Resolver, Variant
from ablation.study.schema import Claim, Problem
from ablation.support.wording import listed, nearest, shown

MOST_TESTS = 10_000  # claims times architectures


@dataclass(frozen=True)
class Contrast:
    """A variant against another that differs from it in `factors` alone.

    Where the reference was scaled to the variant's size, `matched` names the quantity in which they agree.
    """

    variant: str
    reference: str
    factors: tuple[str, ...]
    matched: str = ""


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
                        control = self._control(key, variant, name, {}, block.match, block.by)
                    except Problem as problem:
                        self.resolver.problems.append(problem)
                        break
                    factors = tuple(sorted({*variant.changed, block.by}))
                    contrasts.append(Contrast(variant.id, control.id, factors, block.match))
        return contrasts

    def _control(self, key: tuple, variant: Variant, *asked: Any) -> Variant:
        """Let the control of a variant (`Controls.match`) join the study."""
        control = self.controls.match(key, variant, *asked)
        return self.variants.setdefault(control.id, control)

    def of_claims(self) -> list[tuple[str, Contrast]]:
        """Return each claim's name with each contrast that tests it."""
        resolved, baselines = [], self.resolver.baselines
        tests = sum(len(claim.architectures or baselines) for claim in self.resolver.study.claims.values())
        if tests > MOST_TESTS:
            found = f"found claims that would be tested {tests:,} times, on each of their architectures"
            self.resolver.refuse(("claims",), f"{found}, expected at most {MOST_TESTS:,}")
            self.resolver.stop_if_wrong()
        for name, claim in self.resolver.study.claims.items():
            key = ("claims", name)
            if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", name):
                self.resolver.refuse(key, f"found the name {shown(name)}, expected small letters, digits and - only")
            if not self.resolver.check_metric((*key, "metric"), claim.metric):
                continue
            for place, architecture in enumerate(claim.architectures or []):
                self.resolver.choose(
                    (*key, "architectures", place),
                    architecture,
                    self.resolver.baselines,
                    "an architecture of this study",
                )
            if claim.factor == "architecture":
                try:
                    resolved.append((name, self._architecture_contrast(key, claim)))
                except Problem as problem:
                    self.resolver.problems.append(problem)
                continue
            if claim.factor in claim.given:
                self.resolver.refuse(
                    (*key, "given", claim.factor), "found the factor of the claim itself, expected another one"
                )
            found, reasons = [], []
            for architecture in claim.architectures or self.resolver.baselines:
                if architecture in self.resolver.baselines:
                    try:
                        found.append((name, self._claim_contrast(key, claim, architecture)))
                    except Problem as problem:
                        reasons.append(problem)
            # Without named architectures a claim is tested wherever the study has its contrast, if only once.
            if claim.architectures or not found:
                self.resolver.problems += reasons
            resolved += found
        return resolved

    def _claim_contrast(self, key: tuple, claim: Claim, architecture: str) -> Contrast:
        """Return the contrast of a claim on an architecture, or raise the Problem that the study does not have it."""
        given = {
            factor: self.resolver.level((*key, "given", factor), architecture, factor, level)
            for factor, level in claim.given.items()
        }
        levels = [
            self.resolver.level((*key, side), architecture, claim.factor, getattr(claim, side))
            for side in ("level", "against")
        ]
        if levels[0] == levels[1]:
            raise Problem(key, f"found {shown(claim.level)} on both sides, expected two levels")
        changes = [{**given, claim.factor: level} for level in levels]
        return self._compare(key, claim, (architecture, architecture), changes)

    def _architecture_contrast(self, key: tuple, claim: Claim) -> Contrast:
        """Return the contrast of a claim on two architectures, or raise the Problem that the study does not have it."""
        if claim.architectures:
            raise Problem((*key, "architectures"), "found architectures, expected them as level and against")
        names = (claim.level, claim.against)
        for side, name in zip(("level", "against"), names, strict=True):
            if not isinstance(name, str) or name not in self.resolver.baselines:
                raise Problem(
                    (*key, side),
                    f"found {shown(name)}, expected an architecture of this study: {listed(self.resolver.baselines)}"
                    f"{nearest(name, self.resolver.baselines)}",
                )
        if names[0] == names[1]:
            raise Problem(key, f"found {shown(claim.level)} on both sides, expected two architectures")
        changes = [
            {
                factor: self.resolver.level((*key, "given", factor), name, factor, level)
                for factor, level in claim.given.items()
            }
            for name in names
        ]
        return self._compare(key, claim, names, changes)

    def _compare(
        self, key: tuple, claim: Claim, architectures: tuple[str, str], changes: list[dict[str, Any]]
    ) -> Contrast:
        """Find the two sides of a claim among the variants; a side that is to be matched joins them."""
        variant, reference = (self.resolver.variant(*side) for side in zip(architectures, changes, strict=True))
        sides = {"level": variant} if claim.match else {"level": variant, "against": reference}
        for side, wanted in sides.items():
            if wanted.id not in self.variants:
                raise Problem(
                    (*key, side), f"the study has no variant {shown(wanted.id, 300)}, which this claim compares"
                )
        if not claim.match:
            return Contrast(variant.id, reference.id, (claim.factor,))
        control = self._control(key, variant, architectures[1], changes[1], claim.match, claim.by)
        return Contrast(variant.id, control.id, (claim.factor, claim.by), claim.match)
