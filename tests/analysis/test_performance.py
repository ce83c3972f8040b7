"""Performance profiles against AlgoPerf's published definition, computed another way."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ravine
from ravine.errors import InvalidArgument

TIMES = st.integers(1, 60) | st.just(math.inf)


def by_definition(rows: list[list[float]], tau_max: int) -> list[float]:
    """In fractions: the mean over workloads of the trapezoids under each step function.

    ρ(τ) = share of the workloads whose time is at most τ times the shortest; its integral over 100
    evenly spaced points from 1 to τ_max, divided by τ_max - 1.
    """
    points = [1 + Fraction(tau_max - 1, 99) * i for i in range(100)]
    scores = []
    for row in rows:
        within = []
        for tau in points:
            hits = 0
            for j, time in enumerate(row):
                shortest = min(other[j] for other in rows)
                hits += math.isfinite(time) and Fraction(time) <= tau * Fraction(shortest)
            within.append(Fraction(hits, len(row)))
        area = sum(within) - (within[0] + within[-1]) / 2
        scores.append(float(area / 99))
    return scores


@given(st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(TIMES, min_size=n, max_size=n), min_size=1, max_size=5)
), st.sampled_from([2, 4, 10]))  # fmt: skip
def test_the_score_is_algoperfs(rows: list[list[float]], tau_max: int) -> None:
    # A ratio that lies on a point exactly may round to either side of it: those are left out.
    shortest = [min(row[j] for row in rows) for j in range(len(rows[0]))]
    for row in rows:
        for j, time in enumerate(row):
            place = (time / shortest[j] - 1) * 99 / (tau_max - 1) if math.isfinite(time) else 0.5
            if place and abs(place - round(place)) < 1e-6:
                row[j] = math.inf if time != shortest[j] else time
    found = ravine.analysis.performance_profile(pd.DataFrame(rows), tau_max=tau_max)
    assert found.score.tolist() == pytest.approx(by_definition(rows, tau_max))


def test_by_hand() -> None:
    """Twice the best on one of two workloads, a miss on the other."""
    times = pd.DataFrame(
        {"mnist": [10.0, 20.5], "wmt": [3.0, np.nan], "nobody": [np.inf, np.nan]},
        index=["adam", "sgd"],
    )
    found = ravine.analysis.performance_profile(times)
    assert found.profile.shape == (2, 100)
    assert found.profile.columns[[0, -1]].tolist() == [1.0, 4.0]
    assert set(found.profile.loc["adam"]) == {2 / 3}
    within = found.profile.loc["sgd"]
    assert set(within[within.index < 2.05]) == {0.0}
    assert set(within[within.index >= 2.05]) == {1 / 3}
    assert found.score["adam"] == pytest.approx(2 / 3)
    # 65 of 100 points are at 2.05 or beyond; the trapezoid before the first of them counts half.
    assert (within > 0).sum() == 65
    assert found.score["sgd"] == pytest.approx(64.5 / 99 / 3)


def test_the_unit_of_time_does_not_matter_and_the_order_neither() -> None:
    times = pd.DataFrame([[1.0, 5.0, 9.0], [2.0, 4.0, 9.5], [1.5, 9.0, 7.0]], list("abc"))
    score = ravine.analysis.performance_profile(times).score
    other = times.iloc[::-1, ::-1] * [60, 1, 1024]
    pd.testing.assert_series_equal(ravine.analysis.performance_profile(other).score[::-1], score)


@pytest.mark.parametrize(
    ("times", "tau_max", "said"),
    [
        (pd.DataFrame([[0.0]]), 4.0, "must be > 0"),
        (pd.DataFrame([[-math.inf]]), 4.0, "must be > 0"),
        (pd.DataFrame([[1.0]]), 1.0, "tau_max=1.0"),
        (pd.DataFrame(), 4.0, "empty"),
    ],
)
def test_what_has_no_answer_is_refused(times: pd.DataFrame, tau_max: float, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        ravine.analysis.performance_profile(times, tau_max)
