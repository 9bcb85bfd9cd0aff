"""What rates, contrasts, spreads, times and plans of seeds are worth with few runs. Writes `designs.md` beside it.

python benchmarks/statistics/designs.py
"""

import itertools
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import scipy
from scipy import special, stats

from ablation.records.environment import processor
from ablation.statistics import power, rates
from ablation.statistics.linear import contrast, monotone, trend
from ablation.statistics.power import Design
from ablation.statistics.spread import ratio_of_spreads
from ablation.statistics.survival import restricted_means, until

CALLS = 1000  # of the chosen test, which takes one study at a time
GRID = np.linspace(0, 1, 81)
DRAWS = {
    "normal": lambda rng, *shape: rng.normal(size=shape),
    "heavy tails (t, 5 df)": lambda rng, *shape: rng.standard_t(5, size=shape),
    "a tenth three times as wide": lambda rng, *shape: (
        rng.normal(size=shape) * np.where(rng.uniform(size=shape) < 0.1, 3, 1)
    ),
    "uniform": lambda rng, *shape: rng.uniform(size=shape),
    "skewed (exponential)": lambda rng, *shape: rng.exponential(size=shape),
}
SIZES = [(3, 3), (5, 5), (10, 10), (3, 10)]
Rows = Iterator[list[str]]


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def table(head: list[str], rows: Rows) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# Rates: every table of every pair of sizes


def separate(a: int, n: int, b: int, m: int) -> tuple[float, float]:
    """The exact intervals of both rates, subtracted."""
    return rates._separate(a, n, b, m, 0.95)


def wald(a: int, n: int, b: int, m: int) -> tuple[float, float]:
    one, two = a / n, b / m
    half = stats.norm.ppf(0.975) * math.sqrt(one * (1 - one) / n + two * (1 - two) / m)
    return one - two - half, one - two + half


def newcombe(a: int, n: int, b: int, m: int) -> tuple[float, float]:
    one, two = (stats.binomtest(k, size).proportion_ci(method="wilson") for k, size in ((a, n), (b, m)))
    gap, p, q = a / n - b / m, a / n, b / m
    return gap - math.hypot(p - one.low, two.high - q), gap + math.hypot(one.high - p, q - two.low)


def ours(a: int, n: int, b: int, m: int) -> tuple[float, float]:
    found = rates.difference_of_rates(a, n, b, m)
    assert ((found.low > 0) or (found.high < 0)) == (found.p <= 0.05)
    return found.low, found.high


def enumerated(n: int, m: int, method: Callable) -> tuple[float, float]:
    """Return the smallest coverage over all pairs of rates, and the mean length over all tables."""
    low, high = np.empty((2, n + 1, m + 1))
    for a, b in itertools.product(range(n + 1), range(m + 1)):
        if 2 * a > n or (2 * a == n and 2 * b > m):  # the other outcome is counted: the same table, turned round
            low[a, b], high[a, b] = -high[n - a, m - b], -low[n - a, m - b]
        else:
            low[a, b], high[a, b] = method(a, n, b, m)
    gaps = GRID[:, None] - GRID
    held = (low[..., None, None] <= gaps) & (gaps <= high[..., None, None])
    chances = [stats.binom.pmf(np.arange(k + 1), k, GRID[:, None]) for k in (n, m)]
    coverage = np.einsum("ia,abij,jb->ij", chances[0], held, chances[1], optimize=True)
    return float(coverage.min()), float((high - low).mean())


def rate_rows() -> Rows:
    for name, method in (
        ("ours", ours),
        ("two exact ones, subtracted", separate),
        ("Newcombe", newcombe),
        ("Wald", wald),
    ):
        found = [enumerated(n, n, method) for n in (3, 5, 10)]
        yield [name, *(f"{percent(coverage)} / {length:.2f}" for coverage, length in found)]


def worst_of_all() -> tuple[float, int, int]:
    pairs = [(n, m) for n in range(1, 13) for m in range(1, n + 1)]
    return min((enumerated(n, m, ours)[0], n, m) for n, m in pairs)


# Contrasts of cells


def contrast_rows(rng: np.random.Generator, runs: int = 1500) -> Rows:
    spreads = np.array([1, 1, 4, 2])
    for kind, draw in DRAWS.items():
        row, centre = [kind], float(np.mean(draw(np.random.default_rng(0), 10**6)))
        for n in (3, 5, 10):
            held = np.zeros(2)
            for _ in range(runs):
                cells = (draw(rng, 4, n) - centre) * spreads[:, None]
                held += [
                    x.low <= 0 <= x.high for x in (contrast(cells, [1, -1, -1, 1]), trend([1, 2, 4, 8], cells, "log"))
                ]
            row.append(" / ".join(map(percent, held / runs)))
        yield row


def monotone_row(rng: np.random.Generator, runs: int = 1000) -> list[str]:
    found = [
        np.mean([monotone([1, 2, 3, 4], rng.normal(size=(4, n))).p <= 0.05 for _ in range(runs)]) for n in (3, 5, 10)
    ]
    return ["the monotone test rejects, without a trend", *map(percent, found)]


# Power


def studies(rng: np.random.Generator, design: Design, effect: float, runs: int = 40_000) -> tuple[np.ndarray, ...]:
    a, b = rng.normal(effect, design.sd_a, (runs, design.n)), rng.normal(0, design.sd_b, (runs, design.m))
    found = a.mean(axis=1) - b.mean(axis=1) + rng.normal(0, math.sqrt(design.image_variance), runs)
    one, two = a.var(axis=1, ddof=1) / design.n, b.var(axis=1, ddof=1) / design.m
    squared = one + two + design.image_variance
    return found, np.sqrt(squared), squared**2 / (one**2 / (design.n - 1) + two**2 / (design.m - 1))


def textbook(design: Design, effect: float) -> float:
    """The noncentral t distribution with the degrees of freedom that the true spreads give."""
    a, b = design.sd_a**2 / design.n, design.sd_b**2 / design.m
    df = design.error**4 / (a**2 / (design.n - 1) + b**2 / (design.m - 1))
    far = stats.t.ppf(0.975, df)
    return float(stats.nct.sf(far, df, effect / design.error) + stats.nct.cdf(-far, df, effect / design.error))


def power_rows(rng: np.random.Generator) -> Rows:
    for n, m, spread, images in (
        (3, 3, 1, 0),
        (3, 3, 3, 0),
        (5, 5, 1, 0),
        (5, 5, 3, 0.5),
        (10, 10, 2, 0),
        (3, 10, 0.5, 0),
    ):
        design = Design(1.0, n, float(spread), m, float(images))
        effect, margin = power.smallest_effect(design), power.smallest_margin(design)
        found, error, df = studies(rng, design, effect)
        seen = (np.abs(found) > special.stdtrit(df, 0.975) * error).mean()
        found, error, df = studies(rng, design, 0.0)
        shown = (np.abs(found) + special.stdtrit(df, 0.95) * error < margin).mean()
        found, error, df = studies(rng, design, margin)
        wrong = (np.abs(found) + special.stdtrit(df, 0.95) * error < margin).mean()
        words = [f"{n} + {m}, sd 1 and {spread:g}" + f", images {images:g}" * bool(images), f"{effect:.2f}"]
        yield [
            *words,
            percent(seen),
            percent(textbook(design, effect)),
            f"{margin:.2f}",
            percent(shown),
            percent(wrong),
        ]


def seeds_rows(rng: np.random.Generator, runs: int = 150) -> Rows:
    for n, effect, margin in ((3, 2.0, None), (5, 1.0, None), (10, 0.7, None), (5, 0.3, 1.5), (10, 0.0, 1.0)):
        design = Design(1.0, n, 1.0, n)

        def chance(larger: Design, effect: float = effect, margin: float | None = margin) -> float:
            if margin is None:
                return power.power_of_difference(effect, larger)
            return power.power_of_equivalence(effect, margin, larger)

        needed, ends = power._fewest(chance, design, power.POWER), []
        for _ in range(runs):
            a, b = rng.normal(effect, 1, n), rng.normal(0, 1, n)
            pilot, found = Design.of(a, b), float(a.mean() - b.mean())
            if margin is None:
                seeds = power.seeds_for_difference(found, pilot)
            else:
                seeds = power.seeds_for_equivalence(found, margin, pilot)
            ends.append((seeds.low or math.inf, seeds.high or math.inf))
        low, high = np.array(ends).T
        question = f"difference of {effect}" if margin is None else f"equivalence of {effect} within {margin}"
        middle = [f"{value:.0f}" if value < math.inf else "none" for value in (np.median(low), np.median(high))]
        yield [
            f"{question}, {n} + {n} runs",
            str(needed),
            " to ".join(middle),
            percent(np.mean((low <= needed) & (needed <= high))),
        ]


# Spread: tests of equal spreads, on arrays (studies, runs). Each returns how many standard errors, or p-values.


def logs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.log(a.var(axis=1, ddof=1) / b.var(axis=1, ddof=1))


def f_test(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    below = stats.f.cdf(np.exp(logs(a, b)), a.shape[1] - 1, b.shape[1] - 1)
    return 2 * np.minimum(below, 1 - below)


def shoemaker(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The F test with degrees of freedom from the pooled kurtosis (Shoemaker 2003)."""
    n, m = a.shape[1], b.shape[1]
    fourth = sum(((x - x.mean(axis=1, keepdims=True)) ** 4).sum(axis=1) for x in (a, b)) / (n + m)
    second = ((n - 1) * a.var(axis=1, ddof=1) + (m - 1) * b.var(axis=1, ddof=1)) / (n + m)
    df = [2 * k / np.maximum(fourth / second**2 - (k - 3) / (k - 1), 1e-9) for k in (n, m)]
    below = stats.f.cdf(np.exp(logs(a, b)), *df)
    return 2 * np.minimum(below, 1 - below)


def welch_p(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return stats.ttest_ind(one, two, axis=1, equal_var=False).pvalue


def jackknife(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Welch's test of the pseudo-values of log variances (Miller 1968)."""

    def pseudo(x: np.ndarray) -> np.ndarray:
        n = x.shape[1]
        without = [np.log(np.delete(x, i, axis=1).var(axis=1, ddof=1)) for i in range(n)]
        return n * np.log(x.var(axis=1, ddof=1))[:, None] - (n - 1) * np.stack(without, axis=1)

    return welch_p(pseudo(a), pseudo(b))


def brown_forsythe(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return stats.levene(a, b, axis=1, center="median").pvalue


def without_zeros(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Brown and Forsythe's distances from the median without their structural zero (Hines and Hines 2000), Welch's test."""

    def distances(x: np.ndarray) -> np.ndarray:
        far = np.sort(np.abs(x - np.median(x, axis=1, keepdims=True)), axis=1)
        if x.shape[1] % 2 == 0:
            far[:, 1] *= math.sqrt(2)
        return far[:, 1:]

    return welch_p(distances(a), distances(b))


def chosen(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([ratio_of_spreads(x, y).p for x, y in zip(a[:CALLS], b[:CALLS], strict=True)])


SPREADS = {
    "Bonett (ours)": chosen,
    "F": f_test,
    "Shoemaker": shoemaker,
    "jackknife": jackknife,
    "Brown-Forsythe": brown_forsythe,
    "without zeros": without_zeros,
}


def spread_rows(rng: np.random.Generator, runs: int = 10_000) -> Rows:
    for (n, m), (kind, draw) in itertools.product(SIZES, DRAWS.items()):
        a, b = draw(rng, runs, n), draw(rng, runs, m)
        yield [f"{n} + {m}, {kind}", *(percent((method(a, b) > 0.05).mean()) for method in SPREADS.values())]


def spread_power(rng: np.random.Generator, runs: int = 10_000) -> Rows:
    for n, m in SIZES:
        a, b = 4 * rng.normal(size=(runs, n)), rng.normal(size=(runs, m))
        yield [
            f"{n} + {m}, four times as wide",
            *(percent((method(a, b) <= 0.05).mean()) for method in SPREADS.values()),
        ]


# Times


def times_rows(rng: np.random.Generator, runs: int = 1500) -> Rows:
    horizon = 18
    cases = {  # logarithms: centre and spread; the share that never does, whatever these say
        "all reach the threshold": (1.5, 0.5, 0.0),
        "a fifth does not": (2.5, 0.5, 0.0),
        "half do not": (2.9, 0.5, 0.0),
        "most within one epoch": (1.0, 0.12, 0.0),
        "all within one epoch or the next": (1.1, 0.05, 0.0),
        "a tenth never, all others in epoch 5": (1.5, 0.0, 0.1),
        "a tenth never, most others within one epoch": (1.0, 0.12, 0.1),
        "nine in ten never, all others in epoch 17": (2.8, 0.0, 0.9),
    }

    def draw(case: tuple[float, float, float], n: int) -> np.ndarray:
        centre, spread, never = case
        return np.where(rng.uniform(size=n) < never, np.inf, np.ceil(np.exp(rng.normal(centre, spread, n))))

    for words, case in cases.items():
        sides_of = case, (2.0, 0.5, 0.0)
        row, means = [words], [np.minimum(draw(side, 10**6), horizon).mean() for side in sides_of]
        for n in (3, 5, 10):
            held = np.zeros(2)
            for _ in range(runs):
                found = restricted_means(*(until(draw(side, n), horizon) for side in sides_of))
                held += (
                    found.low <= means[0] - means[1] <= found.high,
                    found.ratio_low <= means[0] / means[1] <= found.ratio_high,
                )
            row.append(" / ".join(map(percent, held / runs)))
        yield row


PAGE = """# Rates, contrasts, spreads, times and plans of seeds with few runs

Coverage of intervals of 95 %, in per cent, unless it says otherwise. Seeded; written by `benchmarks/statistics/designs.py`.

## Differences of two rates

Smallest coverage over 81 x 81 pairs of rates, and mean length over all tables; nothing is simulated. For all sizes from
1 to 12 the smallest coverage of ours is {worst:.4f} % (at {n} + {m}), and its test decides as the interval does.

{rates}

## Interactions and trends

Four cells with the spreads 1, 1, 4, 2: interaction / slope in the logarithm of the level.

{contrasts}

## Power

Smallest effect with a power of 80 %: simulated power of Welch's test, and what the noncentral t distribution says of it.
Smallest margin for equivalence: simulated power, and how often an effect at the margin is called equivalent.

{power}

Seeds on each side for a power of 80 %, the range that pilot runs give (medians of its ends), and how often it holds the
number (meant: every other time).

{seeds}

## Ratio of two standard deviations

Share of studies with equal spreads in which the test does not reject, which is the coverage of the interval that inverts it.

{spreads}

How often it rejects, where one spread is four times the other.

{spread_power}

## Times until a threshold

Lognormal epochs, cut at 18, against others: difference / ratio of restricted mean times. Where a tenth never gets there,
six of ten sides of five runs show none that does not, and nothing in such runs tells.

{times}

{machine}; {seconds:.0f} s of one core.
"""


def main() -> None:
    started, rng = time.process_time(), np.random.default_rng(0)
    three = ["3 + 3", "5 + 5", "10 + 10"]
    worst, n, m = worst_of_all()
    page = PAGE.format(
        worst=100 * worst,
        n=n,
        m=m,
        rates=table(["interval", *three], rate_rows()),
        contrasts=table(["runs", "3 per cell", "5", "10"], [*contrast_rows(rng), monotone_row(rng)]),
        power=table(
            ["design", "effect", "simulated", "noncentral t", "margin", "simulated", "falsely equivalent"],
            power_rows(rng),
        ),
        seeds=table(["question", "needed", "range", "holds it"], seeds_rows(rng)),
        spreads=table(["runs", *SPREADS], spread_rows(rng)),
        spread_power=table(["runs", *SPREADS], spread_power(rng)),
        times=table(["runs", *three], times_rows(rng)),
        machine=f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}",
        seconds=time.process_time() - started,
    )
    Path(__file__).with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
