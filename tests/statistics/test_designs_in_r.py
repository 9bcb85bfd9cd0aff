"""Agreement with R on fixed data: `r/designs.R` wrote `r/designs.txt`."""

import math
from pathlib import Path

import pytest

from ablation.statistics.linear import contrast, monotone, trend
from ablation.statistics.power import Design, power_of_difference
from ablation.statistics.rates import rate
from ablation.statistics.survival import kaplan_meier, log_rank, restricted_means, until

LINES = (Path(__file__).parent / "r" / "designs.txt").read_text(encoding="utf-8").splitlines()
IN_R = {name: float(value) for name, value in (line.split() for line in LINES if not line.startswith("#"))}
FAST = until([3, 4, 4, 9, 12, 20, math.inf], 20)
SLOW = until([5, 8, 8, 14, math.inf, math.inf, math.inf], 20)


def ours():
    """All that R was asked, by its name."""
    found = {}
    for failed in (0, 2, 5):
        interval = rate(failed, 5)
        found |= {f"rate.low.{failed}": interval.low, f"rate.high.{failed}": interval.high}
    found |= {f"power.{n}": power_of_difference(1.2, Design(0.9, n, 0, n)) for n in (3, 5, 10)}
    pair = contrast([[0.91, 0.93, 0.92], [0.90, 0.88, 0.89, 0.93]], [1, -1])
    found |= {f"contrast.{name}": getattr(pair, name) for name in ("low", "high", "df", "p")}
    cells = [[0.61, 0.65, 0.60], [0.70, 0.72, 0.66], [0.71, 0.74, 0.80]]
    found |= {f"trend.{scale}": trend([4, 8, 16], cells, scale).effect for scale in ("level", "log")}
    found["monotone.p"] = monotone([1, 2], [[0.1, 0.4, 0.35, 0.2], [0.5, 0.3, 0.6, 0.7, 0.9]]).p
    test, means, curve = log_rank(FAST, SLOW), restricted_means(FAST, SLOW), kaplan_meier(FAST)
    found |= {"logrank.chi2": test.chi2, "logrank.excess": test.excess}
    found |= {f"survival.{time:g}": share for time, share in zip(curve.times, curve.share, strict=True) if time}
    return found | {"mean.fast": means.variant, "mean.slow": means.reference}


OURS = ours()


def test_r_was_asked_the_same():
    assert set(OURS) == set(IN_R)


@pytest.mark.parametrize("name", IN_R)
def test_r_says_the_same(name):
    assert OURS[name] == pytest.approx(IN_R[name], rel=1e-8, abs=1e-12)
