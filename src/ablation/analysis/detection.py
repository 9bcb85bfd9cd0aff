"""What a study can decide with its seeds, before it is run: from the spread of earlier runs, or from a stated one."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.contrasts import cells_of, horizon_of
from ablation.analysis.inference import find
from ablation.analysis.sizes import design_of
from ablation.statistics.estimates import finite
from ablation.statistics.families import ALPHA
from ablation.statistics.permutation import smallest_p
from ablation.statistics.power import Design, smallest_effect, smallest_margin
from ablation.statistics.spread import deviation
from ablation.study.claims import ClaimTest, compared_text
from ablation.study.plan import Plan

STATED, OWN, LIKE = "stated", "earlier runs of its variants", "other variants"


@dataclass(frozen=True)
class Detectable:
    """What one test of a claim can decide, in the recorded unit of its metric.

    Attributes
    ----------
    claim, architecture, compared, metric : str
    seeds : int
        Per variant.
    sd : float or None
        Standard deviation over seeds that is supposed of each variant (their root mean square where they differ); None if
        nothing is known.
    source : str
        Where that comes from; of `OWN`, the choice of test images counts, too.
    alpha : float
        The strictest level at which the test may have to be decided: that of the family over its tests.
    effect : float or None
        The smallest true effect that is found with a probability of 80 %.
    margin : float or None
        The smallest margin within which an effect of zero is shown to lie, likewise.
    wanted : float or None
        The margin of the claim.
    smallest_p : float or None
        The least p-value that a permutation of the seeds of two variants can have.
    """

    claim: str
    architecture: str
    compared: str
    metric: str
    seeds: int
    sd: float | None
    source: str
    alpha: float
    effect: float | None
    margin: float | None
    wanted: float | None
    smallest_p: float | None


def detectable(plan: Plan, results: Path, spreads: Mapping[str, float] | None = None) -> list[Detectable]:
    """Say of every test of a claim what it can decide; none of what is counted, of rates and of spreads.

    Parameters
    ----------
    plan : Plan
    results : Path
        The folder of all results: earlier runs of the study, else those of studies of the same data, tell the spread.
    spreads : mapping of str to float, optional
        Standard deviations over seeds by metric, in its recorded unit, which are taken instead.
    """
    uncertain = [(name, test) for name, test in plan.claims if not _metric(plan, name).exact]
    alpha, earlier = ALPHA / max(1, len(uncertain)), _earlier(results / plan.name)
    typical: dict[str, float | None] = {}
    found = []
    for name, test in uncertain:
        claim = plan.study.claims[name]
        if test.kind == "spread" or _metric(plan, name).binary:
            continue
        if claim.metric not in typical:
            typical[claim.metric] = _typical(plan, results, claim.metric)
        stated = (spreads or {}).get(claim.metric)
        design, source = _design(plan, name, test, earlier, stated, typical[claim.metric])
        pair, n = len(test.cells) == 2, len(plan.study.seeds)
        known = design is not None and design.testable
        found.append(
            Detectable(
                name,
                test.architecture,
                compared_text(claim, test),
                claim.metric,
                n,
                math.sqrt((design.sd_a**2 + design.sd_b**2) / 2) if design else None,
                source,
                alpha,
                smallest_effect(design, alpha) if known else None,
                smallest_margin(design, alpha) if known else None,
                plan.margin_of(name),
                smallest_p(n, n) if pair else None,
            )
        )
    return found


def _metric(plan: Plan, claim: str):
    return plan.metrics[plan.study.claims[claim].metric]


def _design(
    plan: Plan, claim: str, test: ClaimTest, earlier: RunsByVariant | None, stated: float | None, typical: float | None
) -> tuple[Design | None, str]:
    """Return the seeds and spreads of a test as the study will have them, and where they come from."""
    name, n = plan.study.claims[claim].metric, len(plan.study.seeds)
    if stated is None and earlier is not None and earlier.has(name):
        cells = cells_of(earlier, _metric(plan, claim), name, test.variants)
        if all(len(finite(cell.values)) > 1 for cell in cells):
            finding = find(
                _metric(plan, claim),
                cells,
                [weight for _, weight in test.cells],
                horizon_of(plan, _metric(plan, claim), test.variants),
            )
            own = design_of(plan, earlier, name, test, finding)
            if own.testable:
                return replace(own, n=n, m=n), OWN
    sd = stated if stated is not None else typical
    if sd is None:
        return None, "no earlier runs"
    sides = [math.sqrt(sum(weight**2 for _, weight in test.cells if weight * sign > 0)) * sd for sign in (1, -1)]
    return Design(sides[0], n, sides[1], n), STATED if stated is not None else LIKE


def _earlier(folder: Path) -> RunsByVariant | None:
    """Read the runs that a study has; None if it has none."""
    with suppress(OSError, ValueError):
        return RunsByVariant(pd.read_parquet(folder / "runs.parquet"), np.load(folder / "examples.npy", mmap_mode="r"))
    return None


def _typical(plan: Plan, results: Path, metric: str) -> float | None:
    """Return the median spread over seeds of the variants of all studies of the same data; None if none is known."""
    found, data = [], plan.study.data.model_dump()
    for path in sorted(results.glob("*/data.json")):
        with suppress(OSError, ValueError, KeyError):
            if json.loads(path.read_text(encoding="utf-8"))["data"] == data:
                runs = pd.read_parquet(path.parent / "runs.parquet", columns=["variant", metric])
                values = [finite(rows.to_numpy(float)) for _, rows in runs.groupby("variant")[metric]]
                found += [spread for spread in (deviation(one) for one in values if len(one) > 1) if spread]
    return median(found) if found else None
