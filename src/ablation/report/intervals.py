"""Drawings of effects with their intervals, as SVG that takes any width: places are percentages, letters keep their size."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from ablation.analysis.outcomes import EQUIVALENT, ClaimOutcome, ClaimTestOutcome
from ablation.catalogue.metrics import Metric
from ablation.report.findings import RATIO, amount, bracket
from ablation.report.tables import MINUS
from ablation.support.formatting import count, unit_of_differences

STEPS = (1.0, 2.0, 5.0, 10.0)  # of round limits
FINER, SCALES = 5.0, 3  # of one metric: each finer one shows a fifth of the one before
FARTHEST = 6.0  # times the effect or the margin: an interval that is wider leaves the drawing
MOST = {"%": 100.0}  # no difference is larger, by unit
EDGE = 5.0  # percent of the width on both sides
HALF = 50 - EDGE


@dataclass(frozen=True)
class Interval:
    """An effect with its intervals, in the unit it is shown in; NaN what is not known.

    Attributes
    ----------
    effect : float
    low, high : float
        95 % interval by itself.
    low_adjusted, high_adjusted : float
        That which decides on which side of no effect it lies.
    near_low, near_high : float
        That of the equivalence test, which decides whether it lies within the margin.
    margin : float
        NaN where there is none.
    ratio : bool
        Whether no effect is 1 and not 0.
    """

    effect: float
    low: float
    high: float
    low_adjusted: float
    high_adjusted: float
    near_low: float
    near_high: float
    margin: float
    ratio: bool = False

    @classmethod
    def of(cls, claim: ClaimOutcome, test: ClaimTestOutcome, metric: Metric) -> "Interval":
        """Take the numbers of a test of `verdicts.json`."""
        names = ("effect", "low", "high", "low_adjusted", "high_adjusted", "equivalence_low", "equivalence_high")
        values = [
            math.nan if value is None else metric.scale * value for value in (getattr(test, name) for name in names)
        ]
        margin = math.nan if claim.margin is None or metric is RATIO else metric.scale * claim.margin
        return cls(*values, margin, metric is RATIO)

    @property
    def reach(self) -> float:
        """How far from no effect a drawing has to go to show it: of a ratio, as a logarithm."""
        ends = [self.effect, self.low, self.high, self.low_adjusted, self.high_adjusted, self.near_low, self.near_high]
        sizes = [abs(self._place(end)) for end in ends]
        known = [size for size in sizes if math.isfinite(size)]
        if self.ratio:
            return min(max(known, default=1.0), 4.0)
        margin = 0.0 if math.isnan(self.margin) else 1.25 * self.margin
        effect = 0.0 if math.isnan(self.effect) else abs(self.effect)
        return max(margin, min(max(known, default=0.0), FARTHEST * max(effect, margin) or math.inf))

    def _place(self, value: float) -> float:
        return value if not self.ratio else math.log2(value) if value > 0 else -math.inf

    def x(self, value: float, limit: float) -> float:
        """Return the place of a value in percent of the width; beyond the limit, just outside of the scale."""
        place = max(-1.06, min(1.06, self._place(value) / limit))
        return round(50 + HALF * place, 2)


def round_up(value: float) -> float:
    """Return the next larger 1, 2 or 5 times a power of ten."""
    if not 0 < value < math.inf:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in STEPS if step * power >= value * (1 - 1e-9))


def limits(intervals: Iterable[Interval], unit: str) -> list[float]:
    """Return the limit of the scale of each interval on one metric: as few scales as possible, each a fifth of the other.

    Effects of one metric can differ by a hundred times; on one scale for all the small ones would be a point.
    """
    reaches = [one.reach for one in intervals]
    widest = min(round_up(max(reaches, default=1.0)), MOST.get(unit, math.inf))
    scales = [round_up(widest / FINER**step) for step in range(SCALES)]
    return [next((scale for scale in reversed(scales) if scale >= reach), widest) for reach in reaches]


def draw(claim: ClaimOutcome, test: ClaimTestOutcome, metric: Metric, limit: float) -> Markup:
    """Draw the effect of a test with its intervals, the region of equivalence, and which way the claim says it is.

    Parameters
    ----------
    claim, test : mapping
        Of `verdicts.json`.
    metric : Metric
        As effects of the test are written (`ablation.report.findings.metric_of`).
    limit : float
        The end of the scale, in the metric's shown unit (of a ratio, its logarithm to base 2).

    Returns
    -------
    Markup
        An SVG element of full width; its name says the same in words.
    """
    one = Interval.of(claim, test, metric)
    shapes = [
        *_region(one, limit, claim.direction),
        *_axis(one, metric, limit),
        *_direction(one, claim.direction),
    ]
    shapes += _bars(one, limit)
    if claim.direction == EQUIVALENT or test.verdict == EQUIVALENT:
        shapes += _equivalence(one, limit)
    if not math.isnan(one.effect):
        shapes.append(f'<circle class="point" cx="{one.x(one.effect, limit)}%" cy="28" r="4.5"/>')
    elif test.effect_least is not None:
        shapes += _could_be(*(one.x(metric.scale * end, limit) for end in (test.effect_least, test.effect_most)))
    return Markup(
        f'<svg class="interval" role="img" aria-label="{escape(described(claim, test, metric))}" height="68" '
        f'width="100%">{"".join(shapes)}</svg>'
    )


def described(claim: ClaimOutcome, test: ClaimTestOutcome, metric: Metric) -> str:
    """Say in words what a drawing shows."""
    parts = [f"Effect {amount(test.effect, metric)}", f"95 % interval {bracket(test.low, test.high, metric)}"]
    parts.append(f"interval that decides {bracket(test.low_adjusted, test.high_adjusted, metric)}")
    if claim.margin is not None and metric is not RATIO:
        parts.append(f"region of equivalence ±{amount(claim.margin, metric, sign=False)}")
    says = {"greater": "claimed: greater", "less": "claimed: less", EQUIVALENT: "claimed: within the region"}
    return "; ".join([*parts, says[claim.direction]])


def _region(one: Interval, limit: float, direction: str) -> list[str]:
    if math.isnan(one.margin):
        return []
    left, right = one.x(-one.margin, limit), one.x(one.margin, limit)
    claimed = " claimed" if direction == EQUIVALENT else ""
    return [f'<rect class="region{claimed}" x="{left}%" y="14" width="{right - left:.2f}%" height="30"/>']


def _axis(one: Interval, metric: Metric, limit: float) -> list[str]:
    ends = (2.0**-limit, 1.0, 2.0**limit) if one.ratio else (-limit, 0.0, limit)
    texts = [_tick(value, metric, one.ratio) for value in ends]
    anchors = ("start", "middle", "end")
    places = (EDGE, 50, 100 - EDGE)
    shapes = [
        f'<line class="axis" x1="{EDGE}%" x2="{100 - EDGE}%" y1="48" y2="48"/>',
        '<line class="zero" x1="50%" x2="50%" y1="12" y2="51"/>',
    ]
    shapes += [
        f'<text class="tick" x="{place}%" y="63" text-anchor="{anchor}">{text}</text>'
        for place, anchor, text in zip(places, anchors, texts, strict=True)
    ]
    return shapes


def _tick(value: float, metric: Metric, ratio: bool) -> str:
    if ratio:
        return f"× {value:.2g}"
    if not value:
        return "0"
    sign = "+" if value > 0 else MINUS
    size = count(abs(value)) if abs(value) >= 1e4 else f"{abs(value):g}"
    return f"{sign}{size} {unit_of_differences(metric.unit)}".rstrip() if value > 0 else f"{sign}{size}"


def _direction(one: Interval, direction: str) -> list[str]:
    match direction:
        case "greater":
            return ['<text class="side" x="100%" dx="-4" y="10" text-anchor="end">claimed: this way →</text>']
        case "less":
            return ['<text class="side" x="0" dx="4" y="10">← claimed: this way</text>']
        case _:
            return ['<text class="side" x="50%" y="10" text-anchor="middle">claimed: within the shaded region</text>']


def _bars(one: Interval, limit: float) -> list[str]:
    """Draw the interval that decides thick and that of 95 % thin; an end beyond the scale has an arrow."""
    shapes = []
    if not math.isnan(one.low_adjusted) and not math.isnan(one.high_adjusted):
        left, right = one.x(one.low_adjusted, limit), one.x(one.high_adjusted, limit)
        width = max(right - left, 0.2)
        shapes.append(f'<rect class="decides" x="{left}%" y="22" width="{width:.2f}%" height="12" rx="2"/>')
    if not math.isnan(one.low) and not math.isnan(one.high):
        left, right = one.x(one.low, limit), one.x(one.high, limit)
        shapes.append(f'<line class="alone" x1="{left}%" x2="{right}%" y1="28" y2="28"/>')
    known = [end for end in (one.low_adjusted, one.low, one.high, one.high_adjusted) if not math.isnan(end)]
    if known and one.x(min(known), limit) < EDGE:
        shapes.append('<text class="beyond" x="0" y="33">◂</text>')
    if known and one.x(max(known), limit) > 100 - EDGE:
        shapes.append('<text class="beyond" x="100%" y="33" text-anchor="end">▸</text>')
    return shapes


def _could_be(left: float, right: float) -> list[str]:
    """Draw, in the place of an effect, all that it could be where values are missing."""
    ends = [f'<line class="alone" x1="{x}%" x2="{x}%" y1="22" y2="34"/>' for x in (left, right)]
    return [*ends, f'<line class="alone" x1="{left}%" x2="{right}%" y1="28" y2="28"/>']


def _equivalence(one: Interval, limit: float) -> list[str]:
    """Draw the interval of the equivalence test as a bracket below the others."""
    if math.isnan(one.near_low) or math.isnan(one.near_high):
        return []
    left, right = one.x(one.near_low, limit), one.x(one.near_high, limit)
    ends = "".join(f'<line x1="{x}%" x2="{x}%" y1="36" y2="43"/>' for x in (left, right))
    return [f'<g class="near"><line x1="{left}%" x2="{right}%" y1="39.5" y2="39.5"/>{ends}</g>']
