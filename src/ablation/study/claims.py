"""Claims: what tests each of them, as a weighted sum over variants."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ablation.study.contrasts import Contrast, Contrasts
from ablation.study.levels import level_text
from ablation.study.resolution import Resolver, Variant
from ablation.study.schema import Claim, Interaction, Problem
from ablation.support.wording import listed, nearest, shown

MOST_TESTS = 10_000  # claims times architectures
SIDES = ("level", "against")
Kind = Literal["difference", "interaction", "main effect", "trend", "spread"]


@dataclass(frozen=True)
class ClaimTest:
    """What tests a claim on one architecture: a weighted sum of the means of variants, or the ratio of two spreads.

    Attributes
    ----------
    kind : str
        ``difference`` of two variants; ``interaction``, how a difference differs with another factor; ``main effect``, a
        difference averaged over levels of other factors; ``trend``, the change from the lowest level to the highest one
        along the fitted line; ``spread``, the ratio of the standard deviations of two variants over seeds.
    architecture : str
        Of the variants, or of the first one.
    cells : tuple of (str, float)
        Variants with their weights; of a spread, the numerator with 1 and the denominator with -1.
    contrast : Contrast or None
        Of a test with two variants.
    """

    kind: Kind
    architecture: str
    cells: tuple[tuple[str, float], ...]
    contrast: Contrast | None = None

    @property
    def variants(self) -> tuple[str, ...]:
        """The ids of the variants."""
        return tuple(variant for variant, _ in self.cells)


class Claims:
    """Finds the tests of a study's claims; what is wrong is noted with the resolver.

    Parameters
    ----------
    resolver : Resolver
    contrasts : Contrasts
        Gives claims their controls of equal size.
    variants : mapping of str to Variant
        By id.
    """

    def __init__(self, resolver: Resolver, contrasts: Contrasts, variants: Mapping[str, Variant]):
        self.resolver, self.contrasts, self.variants = resolver, contrasts, variants

    def tests(self) -> list[tuple[str, ClaimTest]]:
        """Return each claim's name with each test of it."""
        found, claims = [], self.resolver.study.claims
        tests = sum(len(claim.architectures or self.resolver.baselines) for claim in claims.values())
        if tests > MOST_TESTS:
            wanted = f"found claims that would be tested {tests:,} times, on each of their architectures"
            self.resolver.refuse(("claims",), f"{wanted}, expected at most {MOST_TESTS:,}")
            self.resolver.stop_if_wrong()
        for name, claim in claims.items():
            key = ("claims", name)
            if self._makes_sense(key, name, claim):
                found += [(name, test) for test in self._of_claim(key, claim)]
        return found

    def _makes_sense(self, key: tuple, name: str, claim: Claim) -> bool:
        """Note what is wrong with a claim by itself, and say whether its variants can be looked for."""
        refuse, baselines = self.resolver.refuse, self.resolver.baselines
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", name):
            refuse(key, f"found the name {shown(name)}, expected small letters, digits and - only")
        for place, architecture in enumerate(claim.architectures or []):
            self.resolver.choose(
                (*key, "architectures", place), architecture, baselines, "an architecture of this study"
            )
        for part, factors in (("given", claim.given), ("over", claim.over)):
            if claim.factor in factors:
                refuse((*key, part, claim.factor), "found the factor of the claim itself, expected another one")
        if claim.factor == "architecture" and claim.architectures:
            refuse((*key, "architectures"), "found architectures, expected them as level and against")
            return False
        if not self.resolver.check_metric((*key, "metric"), claim.metric):
            return False
        margin = claim.margin or self.resolver.margin(claim.metric)
        if claim.direction == "equivalent" and not margin:
            refuse(
                (*key, "margin"),
                f"this key is missing: {claim.metric} has no smallest effect of interest, say which is too small to matter",
            )
        return True

    def _of_claim(self, key: tuple, claim: Claim) -> list[ClaimTest]:
        found, reasons, baselines = [], [], self.resolver.baselines
        across = claim.factor == "architecture"  # one test, of two architectures
        for architecture in [None] if across else claim.architectures or baselines:
            if across or architecture in baselines:
                try:
                    found.append(self._test(key, claim, architecture))
                except Problem as problem:
                    reasons.append(problem)
        # Without named architectures a claim is tested wherever the study has its variants, if only once.
        if claim.architectures or not found:
            self.resolver.problems += reasons
        return found

    def _test(self, key: tuple, claim: Claim, architecture: str | None) -> ClaimTest:
        """Return the test of a claim on an architecture, or raise the Problem that the study does not have it."""
        given = {} if architecture is None else self._levels((*key, "given"), architecture, claim.given)
        if claim.levels is not None:
            return self._trend(key, claim, architecture, given)
        sides = self._sides(key, claim, architecture)
        if claim.interaction is not None:
            return self._interaction(key, claim.interaction, claim.factor, sides, given)
        if claim.over:
            return self._main_effect(key, claim, sides, given)
        return self._pair(key, claim, sides, given)

    def _sides(self, key: tuple, claim: Claim, architecture: str | None) -> list[tuple[str, dict[str, Any]]]:
        """Return architecture and level of the two sides of a claim."""
        if architecture is None:
            names = (claim.level, claim.against)
            for side, name in zip(("level", "against"), names, strict=True):
                known = self.resolver.baselines
                if not isinstance(name, str) or name not in known:
                    found = f"found {shown(name)}, expected an architecture of this study"
                    raise Problem((*key, side), f"{found}: {listed(known)}{nearest(name, known)}")
            sides = [(name, self._levels((*key, "given"), name, claim.given)) for name in names]
        else:
            names = [self._level((*key, side), architecture, claim.factor, getattr(claim, side)) for side in SIDES]
            sides = [(architecture, {claim.factor: level}) for level in names]
        if names[0] == names[1]:
            what = "architectures" if architecture is None else "levels"
            raise Problem(key, f"found {shown(claim.level)} on both sides, expected two {what}")
        return sides

    def _pair(self, key: tuple, claim: Claim, sides: list, given: dict[str, Any]) -> ClaimTest:
        changes = [(architecture, {**given, **levels}) for architecture, levels in sides]
        variant = self._find((*key, "level"), *changes[0])
        if claim.match:
            control = self.contrasts.control(key, variant, *changes[1], claim.match, claim.by)
            contrast = Contrast(variant.id, control.id, (claim.factor, claim.by), claim.match)
        else:
            contrast = Contrast(variant.id, self._find((*key, "against"), *changes[1]).id, (claim.factor,))
        kind = "spread" if claim.outcome == "spread" else "difference"
        return ClaimTest(kind, changes[0][0], contrast.cells, contrast)

    def _interaction(
        self, key: tuple, other: Interaction, factor: str, sides: list, given: dict[str, Any]
    ) -> ClaimTest:
        key, cells, found = (*key, "interaction"), [], []
        for sign, part in zip((1.0, -1.0), SIDES, strict=True):
            stated = getattr(other, part)
            for name in stated:
                if name == factor or name in given:
                    raise Problem(
                        (*key, part, name), "found a factor that the claim states already, expected another one"
                    )
            for own_sign, (architecture, own) in zip((1.0, -1.0), sides, strict=True):
                levels = self._levels((*key, part), architecture, stated)
                found.append(self._find((*key, part), architecture, {**given, **own, **levels}).id)
                cells.append((found[-1], sign * own_sign))
        if len(set(found)) < len(found):
            raise Problem(key, "found the same levels on both sides, expected two that differ")
        return ClaimTest("interaction", sides[0][0], tuple(cells))

    def _main_effect(self, key: tuple, claim: Claim, sides: list, given: dict[str, Any]) -> ClaimTest:
        architecture, key = sides[0][0], (*key, "over")
        levels = [
            [(factor, self._level((*key, factor), architecture, factor, level)) for level in each]
            for factor, each in claim.over.items()
        ]
        others = [dict(one) for one in itertools.product(*levels)]
        cells = [
            (self._find(key, name, {**given, **own, **other}).id, sign / len(others))
            for sign, (name, own) in zip((1.0, -1.0), sides, strict=True)
            for other in others
        ]
        return ClaimTest("main effect", architecture, tuple(cells))

    def _trend(self, key: tuple, claim: Claim, architecture: str | None, given: dict[str, Any]) -> ClaimTest:
        if architecture is None:
            raise Problem(
                (*key, "factor"), "found levels of 'architecture', expected a factor whose levels have an order"
            )
        key = (*key, "levels")
        levels = [
            self._level((*key, place), architecture, claim.factor, level) for place, level in enumerate(claim.levels)
        ]
        if len(set(map(level_text, levels))) < len(levels):
            raise Problem(key, f"found {shown(levels)}, expected every level once")
        numbers = [level for level in levels if type(level) in (int, float)]
        if claim.scale != "rank" and len(numbers) < len(levels):
            raise Problem(key, f"found {shown(levels)}, expected numbers, or the scale 'rank'")
        if claim.scale == "rank":
            numbers = list(range(len(levels)))
        if claim.scale == "log" and min(numbers) <= 0:
            raise Problem(key, f"found {shown(levels)}, expected positive numbers for a trend in their logarithm")
        weights = rise([math.log2(one) for one in numbers] if claim.scale == "log" else numbers)
        cells = [
            (self._find(key, architecture, {**given, claim.factor: level}).id, weight)
            for level, weight in zip(levels, weights, strict=True)
        ]
        return ClaimTest("trend", architecture, tuple(cells))

    def _levels(self, key: tuple, architecture: str, stated: Mapping[str, Any]) -> dict[str, Any]:
        return {factor: self._level((*key, factor), architecture, factor, level) for factor, level in stated.items()}

    def _level(self, key: tuple, architecture: str, factor: str, level: Any) -> Any:
        return self.resolver.level(key, architecture, factor, level)

    def _find(self, key: tuple, architecture: str, changes: dict[str, Any]) -> Variant:
        """Return a variant of the study, or raise the Problem that it has none like this."""
        wanted = self.resolver.variant(architecture, changes)
        if wanted.id not in self.variants:
            raise Problem(key, f"the study has no variant {shown(wanted.id, 300)}, which this claim compares")
        return wanted


def rise(places: Sequence[float]) -> list[float]:
    """Return the weights of means whose sum is the change from the lowest to the highest place along the fitted line.

    They are the slope of least squares times the distance; `ablation.statistics.linear.trend` is the slope itself.

    Parameters
    ----------
    places : sequence of float
        Where the levels lie, at least two that differ.
    """
    mean = sum(places) / len(places)
    centred = [place - mean for place in places]
    reach = (max(places) - min(places)) / sum(one**2 for one in centred)
    return [reach * one for one in centred]


def compared_text(claim: Claim, test: ClaimTest) -> str:
    """Say in words what a test compares, such as ``activation: relu − sigmoid, norm none``."""
    others = "".join(f", {factor} {level_text(level)}" for factor, level in claim.given.items())
    if claim.levels is not None:
        levels = list(map(level_text, claim.levels))
        ends = (levels[0], levels[-1])
        if claim.scale != "rank":
            ends = [level_text(bound(claim.levels)) for bound in (min, max)]
        scale = {"level": "", "log": ", log scale", "rank": ", by rank"}[claim.scale]
        return f"{claim.factor}: {ends[1]} − {ends[0]} on the line through {', '.join(levels)}{scale}{others}"
    sides = f"{level_text(claim.level)} {'÷' if test.kind == 'spread' else '−'} {level_text(claim.against)}"
    text = f"{claim.factor}: {'spread over seeds, ' if test.kind == 'spread' else ''}{sides}"
    if claim.interaction is not None:
        at = [_levels_text(side) or "baseline" for side in (claim.interaction.level, claim.interaction.against)]
        text += f", at {at[0]} − at {at[1]}"
    if claim.over:
        means = "; ".join(f"{factor} {', '.join(map(level_text, levels))}" for factor, levels in claim.over.items())
        text += f", mean over {means}"
    return text + others + (f", at equal {claim.match.replace('_', '-')}" if claim.match else "")


def _levels_text(levels: Mapping[str, Any]) -> str:
    return " ".join(f"{factor} {level_text(level)}" for factor, level in levels.items())
