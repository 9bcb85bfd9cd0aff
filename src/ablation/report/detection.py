"""What a study can decide with its seeds, in words: before it is run."""

from collections.abc import Sequence
from statistics import median

from tabulate import tabulate

from ablation.analysis.detection import LIKE, OWN, Detectable
from ablation.study.plan import Plan
from ablation.support.formatting import plural, unit_of_differences


def power_sentence(plan: Plan, found: Sequence[Detectable]) -> str:
    """Sum up in a line what the claims of a study can decide; empty if seeds decide none of them."""
    if not found:
        return ""
    parts = []
    for name in dict.fromkeys(one.metric for one in found):
        effects, metric = (
            [one.effect for one in found if one.metric == name and one.effect is not None],
            plan.metrics[name],
        )
        if effects:
            unit = unit_of_differences(metric.unit)
            parts.append(
                f"{median(effects) * metric.scale:.{metric.digits}f} {unit} of {metric.label}".replace("  ", " ")
            )
    can = (
        f"can find differences of {', '.join(parts)} (median of its tests)"
        if parts
        else "how small a difference they can find is not known yet"
    )
    least = max((one.smallest_p for one in found if one.smallest_p is not None), default=None)
    permutation = "" if least is None else f"; the least p of a permutation test is {least:.2g}"
    seeds, tests = plural(len(plan.study.seeds), "seed"), plural(len(found), "test")
    return f"{seeds} per variant, {tests} of claims: {can}{permutation} (./do power {plan.name})"


def power_text(plan: Plan, found: list[Detectable]) -> str:
    """Write what the claims of a study can decide, as a table with what it rests on."""
    if not found:
        return f"{plan.name}: no claim that seeds decide"
    rows = [row_of(plan, one) for one in found]
    notes = [
        f"{plural(len(plan.study.seeds), 'seed')} per variant, {plural(len(found), 'test')} of claims: 80 % power each, at "
        f"the strictest level that the correction may leave, {found[0].alpha:.2g}."
    ]
    if any(one.source == LIKE for one in found):
        notes.append(
            f"{LIKE}: the median spread of variants trained on the same data; the test images are not counted."
        )
    if any(one.effect is None for one in found):
        notes.append("Without earlier runs, --spread METRIC=STANDARD_DEVIATION states how much seeds differ.")
    least = {one.smallest_p for one in found if one.smallest_p is not None}
    if least and max(least) > found[0].alpha:
        notes.append(
            f"A permutation test of so many seeds has no p-value below {max(least):.2g}, so that it could reject nothing at "
            "that level; the t tests that decide can."
        )
    return tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True) + "\n\n" + "\n".join(notes)


def row_of(plan: Plan, one: Detectable) -> dict[str, str]:
    """Write one test in the unit for people."""
    metric = plan.metrics[one.metric]

    def text(value: float | None) -> str:
        return "–" if value is None else f"{value * metric.scale:.{metric.digits}f}"

    return {
        "claim": one.claim,
        "network": one.architecture,
        "metric": metric.title,
        "spread": text(one.sd),
        "smallest effect": text(one.effect),
        "smallest margin": text(one.margin),
        "its margin": text(one.wanted),
        "by": "this study" if one.source == OWN else one.source,
    }
