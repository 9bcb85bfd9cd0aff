"""The correction of a study's tests for their number: adjusted p-values, and the level at which each is decided."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ablation.statistics.families import ALPHA, Family, benjamini_hochberg, holm

CORRECTIONS: Mapping[str, Callable[[Sequence[float], float], Family]] = {"holm": holm, "fdr": benjamini_hochberg}
UNKNOWN = (math.nan, math.nan)


class Test(Protocol):
    """What is corrected of a test.

    Attributes
    ----------
    question : hashable
        What claims that are decided by the same numbers share: they are one test of the family.
    p, equivalence_p : float
        Of the two kinds of error.
    margin : float or None
    """

    question: Hashable
    p: float
    equivalence_p: float
    margin: float | None


@dataclass(frozen=True)
class Level:
    """What the correction of its family makes of one test: adjusted p-values, and the levels at which it is decided."""

    p: float
    equivalence_p: float
    alpha: float
    equivalence_alpha: float


def levels_of(correction: str, family: Sequence[Test], gone: int = 0) -> dict[int, Level]:
    """Correct the tests of a family, each kind of error by itself; return the level of each test by its `id`.

    Of the tests of equivalence, those that have a margin are the family.

    Parameters
    ----------
    correction : {"holm", "fdr"}
    family : sequence of Test
    gone : int
        Tests that belong to it and have no p-value, as their claims were withdrawn.
    """
    withdrawn = [((number,), math.nan) for number in range(gone)]
    differences = _corrected(correction, [*((one.question, one.p) for one in family), *withdrawn])[: len(family)]
    margins = [one for one in family if one.margin]
    asked = [((one.question, one.margin), one.equivalence_p) for one in margins]
    found = _corrected(correction, [*asked, *withdrawn])[: len(margins)]
    equivalences = dict(zip(map(id, margins), found, strict=True))
    return {
        id(one): Level(
            *(number for pair in zip(own, equivalences.get(id(one), UNKNOWN), strict=True) for number in pair)
        )
        for one, own in zip(family, differences, strict=True)
    }


def _corrected(correction: str, tests: Sequence[tuple[Hashable, float]]) -> list[tuple[float, float]]:
    """Return the adjusted p-value of each test of a family, and the level at which it is decided.

    Tests of the same question count once, by the smallest p-value among them: that of no difference, which is rejected
    wherever a difference beyond a margin is.
    """
    smallest: dict[Hashable, float] = {}
    for question, p in tests:
        known = smallest.get(question, math.nan)
        smallest[question] = p if math.isnan(known) else known if math.isnan(p) else min(known, p)
    family = CORRECTIONS[correction](list(smallest.values()), ALPHA)
    of = {question: place for place, question in enumerate(smallest)}
    found = []
    for question, p in tests:
        adjusted, alpha = float(family.adjusted[of[question]]), float(family.alphas[of[question]])
        # at most the level of the family exactly where the test by itself is rejected at its own
        found.append((p if math.isnan(p) else min(1.0, max(adjusted, p * ALPHA / alpha)), alpha))
    return found
