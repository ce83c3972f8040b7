"""Intervals and tests against scipy, worked examples and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ravine import analysis


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(0, 10))
def test_quartiles_are_numpys_and_bear_infinity(values: list[int], missing: int) -> None:
    expected = np.quantile(values, [0.5, 0.25, 0.75])
    np.testing.assert_allclose(analysis.quartiles([float(v) for v in values]), expected)
    with_misses = analysis.quartiles([*map(float, values), *[math.inf] * missing])
    assert not any(map(math.isnan, with_misses))
    assert (with_misses.median == math.inf) == ((len(values) + missing) // 2 >= len(values))


def test_the_interval_of_twelve_is_the_third_to_the_tenth() -> None:
    assert analysis.median_interval(list(range(1, 13))) == (6.5, 3, 10)


def test_the_interval_of_fewer_than_six_is_all_there_is() -> None:
    assert analysis.median_interval([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


@given(st.lists(st.integers(0, 1000), min_size=6, max_size=40, unique=True))
def test_the_interval_is_scipys(values: list[int]) -> None:
    interval = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    assert analysis.median_interval(values)[1:] == (interval.low, interval.high)


def test_the_interval_covers_the_median() -> None:
    rng = np.random.default_rng(0)
    samples = rng.lognormal(size=(4000, 12))
    inside = [low <= 1 <= high for _, low, high in map(analysis.median_interval, samples)]
    # Exactly 96.1 %; four standard errors of 4,000 draws are 1.2 %.
    assert np.mean(inside) == pytest.approx(0.961, abs=0.012)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=20), st.sampled_from([-3, 1 / 3, 3]))
def test_a_monotone_change_of_unit_moves_test_and_interval_along(
    speedups: list[float], power: float
) -> None:
    """Of odd numbers of pairs the median too; of even ones it is a mean of two."""
    changed = [s**power for s in speedups]
    assert analysis.sign_test(changed) == pytest.approx(analysis.sign_test(speedups))
    ends = [x**power for x in analysis.median_interval(speedups)[1:]]
    assert analysis.median_interval(changed)[1:] == pytest.approx(sorted(ends))
    if len(speedups) % 2:
        middle = analysis.median_interval(speedups).median
        assert analysis.median_interval(changed).median == pytest.approx(middle**power)


def test_holm_against_a_worked_example() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 are multiplied by 4, 3, 2, 1 and kept from falling.
    adjusted = analysis.holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02})
    assert adjusted == pytest.approx({"b": 0.04, "d": 0.06, "c": 0.06, "a": 0.06})


def test_sign_test_counts_no_ties() -> None:
    assert analysis.sign_test([2.0] * 6 + [1.0] * 5) == pytest.approx(2 / 2**6)
    assert analysis.sign_test([1.0] * 5) == 1.0


@pytest.mark.parametrize("comparisons", range(1, 20))
def test_the_fewest_seeds_are_those_of_which_a_clean_sweep_passes(comparisons: int) -> None:
    fewest = analysis.fewest_seeds(comparisons)
    assert fewest >= 6
    for seeds, passes in ((fewest - 1, False), (fewest, True)):
        adjusted = comparisons * analysis.sign_test([2.0] * seeds)
        assert (adjusted <= 0.05) is passes
