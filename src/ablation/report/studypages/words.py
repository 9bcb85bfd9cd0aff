"""Verdicts as sentences: what was compared, what came out with its interval, of how many runs, what would decide it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ablation.support.formatting import plural

MINUS = "\N{MINUS SIGN}"
SUPPORTED, REFUTED, EQUIVALENT, UNDECIDED, NOT_TESTABLE = VERDICTS = (
    "supported",
    "refuted",
    "equivalent",
    "undecided",
    "not testable",
)
LIMITS = {  # why more seeds would not decide
    "images": "More seeds would not decide it: the test images limit it.",
    "spread": "How many seeds would decide it is not known: no two runs differ.",
    "effect": "More seeds would hardly decide it: the effect may lie too close to the limit.",
}


def counted(verdicts: Iterable[str]) -> str:
    """Count verdicts in their order: 9 supported, 1 refuted, 1 not testable."""
    found = Counter(verdicts)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def all_tests(claims: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """List the tests of all claims."""
    return [test for claim in claims for test in claim["tests"]]


class Unit(NamedTuple):
    """How effects of a test are written: times ``scale``, with ``digits``, and signed unless they are ratios."""

    name: str
    scale: float
    digits: int
    sign: str = "+"


RATIO = Unit("times", 1, 2, "")


def unit_of(test: Mapping[str, Any], claim: Mapping[str, Any]) -> Unit:
    """Return how effects of a test are written: differences of percentages are points, those of spread are ratios."""
    if test["kind"] == "spread":
        return RATIO
    return Unit("points" if claim["unit"] == "%" else claim["unit"], claim["scale"], claim["digits"])


def value_text(value: float | None, unit: Unit) -> str:
    """Write a value; a dash where there is none."""
    if value is None:
        return "–"
    return f"{unit.scale * value:{unit.sign}.{unit.digits}f}".replace("-", MINUS)


def interval_text(low: float | None, high: float | None, unit: Unit) -> str:
    """Write an interval in brackets; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"[{value_text(low, unit)}, {value_text(high, unit)}]"


def effect_text(value: float | None, low: float | None, high: float | None, unit: Unit) -> str:
    """Write an effect with its unit and interval."""
    return " ".join(filter(None, [value_text(value, unit), unit.name, interval_text(low, high, unit)]))


def runs_text(cells: Iterable[Mapping[str, Any]]) -> str:
    """Write of how many runs of each side: 5 + 5 runs (3 + 0 diverged)."""
    cells = list(cells)

    def each(name: str) -> str:
        numbers = [cell[name] for cell in cells]
        many = len(numbers) > 4 and len(set(numbers)) == 1
        return f"{len(numbers)} × {numbers[0]}" if many else " + ".join(map(str, numbers))

    failed = [f"{each(name)} {name}" for name in ("diverged", "stuck") if any(cell[name] for cell in cells)]
    return f"{each('n')} runs" + (f" ({', '.join(failed)})" if failed else "")


def seeds_text(needed: Mapping[str, Any] | None) -> str:
    """Say with how many seeds an undecided claim would probably be decided; empty where nothing is said of it."""
    if not needed:
        return ""
    if needed["limit"] or needed["low"] is None:
        return LIMITS[needed["limit"] or "effect"]
    seeds = f"{needed['low']} seeds or more" if needed["high"] is None else f"{needed['low']} to {needed['high']} seeds"
    if needed["low"] == needed["high"]:
        seeds = plural(needed["low"], "seed")
    return f"{seeds} of each would probably decide it."


def magnitude_text(found: Mapping[str, Any] | None, unit: Unit) -> str:
    """Say whether a claimed magnitude holds; empty where none is claimed."""
    if not found:
        return ""
    unit = RATIO if found["as"] == "ratio" else unit
    claimed = f"{found['claimed']:g} times" if unit is RATIO else effect_text(found["claimed"], None, None, unit)
    holds = "holds" if found["holds"] == "yes" else "does not hold"
    measured = effect_text(found["value"], found["low"], found["high"], unit)
    return f"Claimed: {claimed}; found: {measured}; the magnitude {holds}."


def equivalence_text(test: Mapping[str, Any], claim: Mapping[str, Any], unit: Unit) -> str:
    """Say how the region of equivalence and its interval lie, where the verdict rests on them."""
    ends = interval_text(test["equivalence_low"], test["equivalence_high"], unit)
    asked = claim["direction"] == EQUIVALENT or test["verdict"] == EQUIVALENT
    if not (asked and ends and claim["margin"]):
        return ""
    margin = value_text(claim["margin"], unit._replace(sign=""))
    return f"The interval of the equivalence test is {ends}, the region of equivalence ±{margin}."


def test_text(test: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    """Write a test as a sentence or some, without its verdict."""
    unit, spread = unit_of(test, claim), "spread of " if test["kind"] == "spread" else ""
    first = f"{test['architecture']}, {test['compared']}: {spread}{claim['label']}"
    if test["verdict"] == NOT_TESTABLE:
        return f"{first}. {test['why'] or 'No reason is stated'}."
    effect = effect_text(test["effect"], test["low_adjusted"], test["high_adjusted"], unit)
    if test["effect"] is None and test.get("effect_least") is not None:  # for all that missing values could have been
        ends = (value_text(test[name], unit) for name in ("effect_least", "effect_most"))
        effect = effect.replace("–", " to ".join(ends), 1)
    sentences = [
        f"{first} {effect}, {runs_text(test['cells'])}.",
        equivalence_text(test, claim, unit),
        magnitude_text(test["magnitude"], unit),
        seeds_text(test["seeds_needed"]) if test["verdict"] == UNDECIDED else "",
    ]
    return " ".join(filter(None, sentences))


def short_revision(revision: str) -> str:
    """Write the first characters of a revision, and whether the source was changed since (``+``)."""
    return revision[:12] + "+" * (len(revision) > 12 and revision.endswith("+"))
