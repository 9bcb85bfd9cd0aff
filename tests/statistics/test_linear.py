"""Contrasts of cells: interactions, main effects, trends, against independent formulas and by simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ablation.statistics.estimates import welch
from ablation.statistics.linear import contrast, monotone, trend

CELLS = [np.array(cell) for cell in ([0.91, 0.93, 0.92], [0.90, 0.88, 0.89, 0.93], [0.5, 0.7, 0.6], [0.61, 0.62])]


def by_hand(cells, weights):
    """Satterthwaite, written out once more."""
    variances = [weight**2 * np.var(cell, ddof=1) / len(cell) for cell, weight in zip(cells, weights, strict=True)]
    df = sum(variances) ** 2 / sum(v**2 / (len(cell) - 1) for v, cell in zip(variances, cells, strict=True))
    effect = np.dot(weights, [np.mean(cell) for cell in cells])
    known = stats.t(df, effect, math.sqrt(sum(variances)))
    return effect, known.ppf(0.025), known.ppf(0.975), df, 2 * stats.t.sf(abs(effect) / math.sqrt(sum(variances)), df)


def numbers(found):
    return found.effect, found.low, found.high, found.df, found.p


@pytest.mark.parametrize("weights", [[1, -1, -1, 1], [0.5, 0.5, -0.5, -0.5], [3, -1, -1, -1]])
def test_a_contrast_is_that_of_satterthwaite(weights):
    assert numbers(contrast(CELLS, weights)) == pytest.approx(by_hand(CELLS, weights), rel=1e-8)


def test_two_cells_are_welchs_test():
    expected = welch(CELLS[0], CELLS[1])
    found = contrast(CELLS[:2], [1, -1])
    assert numbers(found)[:4] == pytest.approx((expected.effect, expected.low, expected.high, expected.df), rel=1e-8)
    assert found.p == pytest.approx(stats.ttest_ind(*CELLS[:2], equal_var=False).pvalue, rel=1e-8)


@pytest.mark.parametrize(
    ("scale", "places"), [("level", [4, 8, 16, 32]), ("log", [2, 3, 4, 5]), ("rank", [0, 1, 2, 3])]
)
def test_a_trend_is_the_slope_of_the_means(scale, places):
    slope = stats.linregress(places, [cell.mean() for cell in CELLS]).slope
    assert trend([4, 8, 16, 32], CELLS, scale).effect == pytest.approx(slope, rel=1e-8)
    shuffled = [2, 0, 3, 1]
    again = trend([[4, 8, 16, 32][i] for i in shuffled], [CELLS[i] for i in shuffled], scale)
    assert again.effect == pytest.approx(slope, rel=1e-8), "levels need no order"


@pytest.mark.parametrize("n", [3, 5, 10])
def test_interactions_and_trends_cover_as_often_as_they_say(n):
    rng = np.random.default_rng(n)
    spreads = [1, 1, 4, 2]
    hits = np.zeros(2)
    for _ in range(2000):
        cells = [rng.normal(0, sd, n) for sd in spreads]
        found = contrast(cells, [1, -1, -1, 1]), trend([1, 2, 4, 8], cells, "log")
        hits += [x.low <= 0 <= x.high for x in found]
    assert (hits / 2000 > 0.935).all()
    assert (hits / 2000 < 0.975).all()


@pytest.mark.parametrize("cells", [[[0.5], [0.6, 0.7]], [[0.1, 0.1], [0.2] * 3], [[0.1 + 0.2, 0.3], [0.3, 0.3]]])
def test_one_run_or_equal_ones_have_no_interval(cells):
    found = contrast(cells, [1, -1])
    assert found.effect == pytest.approx(np.mean(cells[0]) - np.mean(cells[1]))
    assert all(math.isnan(value) for value in (found.low, found.high, found.df, found.p))


def test_runs_without_a_value_do_not_make_equal_ones_differ():
    assert math.isnan(contrast([[0.1, 0.1, math.nan], [0.2, 0.2]], [1, -1]).low)


def test_a_cell_without_spread_takes_part_beside_one_that_has():
    found = contrast([[0.1, 0.1, 0.1], [0.8, 0.9, 0.85]], [1, -1])
    assert found.df == pytest.approx(2)
    assert found.low < found.effect < found.high


def test_cells_without_weight_count_for_nothing():
    assert contrast([*CELLS[:2], [math.nan]], [1, -1, 0]) == contrast(CELLS[:2], [1, -1])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: contrast(CELLS, [1, -1]), "of 4 cells, expected one for each"),
        (lambda: contrast(CELLS, [0] * 4), "not only zeros"),
        (lambda: trend([1, 1, 2, 3], CELLS), "two or more that differ"),
        (lambda: trend([0, 1, 2, 3], CELLS, "log"), "found the level 0"),
        (lambda: monotone([1], CELLS[:1]), "two or more that differ"),
    ],
)
def test_what_makes_no_sense_is_refused(call, expected):
    with pytest.raises(ValueError, match=expected):
        call()


def every_arrangement(cells):
    """The share of all arrangements whose pairs rise as far from half of them, counted one by one."""

    def rises(groups):
        pairs = itertools.combinations(groups, 2)
        return sum((x < y) + 0.5 * (x == y) for one, two in pairs for x in one for y in two)

    values = [value for cell in cells for value in cell]

    def deal(left, sizes):
        if not sizes:
            yield ()
            return
        for chosen in itertools.combinations(left, sizes[0]):
            rest = [place for place in left if place not in chosen]
            for others in deal(rest, sizes[1:]):
                yield ([values[place] for place in chosen], *others)

    middle = sum(len(one) * len(two) for one, two in itertools.combinations(cells, 2)) / 2
    observed = abs(rises(cells) - middle)
    return np.mean(
        [abs(rises(groups) - middle) >= observed for groups in deal(range(len(values)), list(map(len, cells)))]
    )


@pytest.mark.parametrize("cells", [[[1, 2], [3, 5], [4, 6]], [[1, 9, 3], [4], [5, 7, 8]], [[3, 1], [2], [0, 5]]])
def test_the_monotone_test_is_that_of_every_arrangement(cells):
    assert monotone(range(len(cells)), cells).p == pytest.approx(every_arrangement(cells), rel=1e-12)


def test_two_levels_are_the_test_of_mann_and_whitney():
    a, b = [0.1, 0.4, 0.35, 0.2], [0.5, 0.3, 0.6, 0.7, 0.9]
    expected = stats.mannwhitneyu(b, a, method="exact")
    found = monotone([1, 2], [a, b])
    assert (found.probability, found.p) == pytest.approx((expected.statistic / 20, expected.pvalue), rel=1e-12)


def test_equal_values_are_permuted():
    cells = [[1, 2, 2], [2, 3], [3, 3, 4]]
    assert monotone([1, 2, 3], cells).p == pytest.approx(every_arrangement(cells), abs=0.005)


def test_equal_values_have_no_trend():
    found = monotone([1, 2, 3], [[0.3, 0.1 + 0.2], [0.3], [0.3, 0.3]])
    assert (found.probability, found.p) == (0.5, 1)


def test_times_that_are_never_reached_are_the_longest():
    found = monotone([1, 2, 3], [[3, 4], [7, math.inf], [math.inf, math.inf]])
    assert found.probability == pytest.approx((4 + 4 + 3) / 12)
    assert math.isnan(monotone([1, 2], [[math.nan], [1, 2]]).probability)
