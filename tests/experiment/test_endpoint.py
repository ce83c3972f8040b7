"""The time to a band of targets: by hand, and as a ratio of times that is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.experiment.endpoint import (
    A_HALVING,
    HALVINGS,
    Aim,
    band,
    lowest_so_far,
    mean_log_time,
    times_to,
)


def test_the_lowest_so_far_is_of_means_of_three() -> None:
    losses = np.array([9.0, 3, 3, 3, 6, 0, 0, 9])
    np.testing.assert_allclose(lowest_so_far(losses), [3, 3, 3, 2, 2])


def test_what_is_not_finite_is_never_low() -> None:
    losses = np.array([9.0, 3, 2, 1, np.nan, 0, 0, 0])
    np.testing.assert_allclose(lowest_so_far(losses), [2, 2, 2, 2, 0])
    assert lowest_so_far(np.array([9.0, 3, 2])).size == 0


def test_a_mean_is_reached_at_its_middle() -> None:
    lowest = lowest_so_far(np.array([[9.0, 8, 7, 6, 5, 4], [9.0, 9, 9, 9, 9, 9]]))
    times = times_to(lowest, np.array([7.0, 6.0, 5.5, 4.9]))
    np.testing.assert_array_equal(times, [[2, 3, 4, np.inf], [np.inf] * 4])


def falling(scale: float, evaluations: int = 4_000) -> np.ndarray:
    return lowest_so_far(0.1 + 2 / (1 + np.arange(evaluations + 1.0) / scale))


def test_targets_lie_along_the_references_own_way() -> None:
    reference = np.stack([falling(scale) for scale in (30.0, 40.0, 50.0)])
    targets = band(reference, falling(40.0)[3_200])
    assert targets is not None
    assert targets.shape == (A_HALVING * HALVINGS + 1,)
    (end, *_, first) = times_to(falling(40.0), targets)
    assert end == pytest.approx(3_202, abs=1)
    assert first == pytest.approx(end / 8, abs=1)
    assert (np.diff(targets) > 0).all()
    assert band(reference, 0.1) is None


@given(st.floats(0.3, 3))
def test_a_ratio_of_times_is_what_it_was_made_to_be(ratio: float) -> None:
    reference = falling(100.0)
    targets = band(reference[None], reference[1_000])
    assert targets is not None
    ours, theirs = (
        mean_log_time(times_to(low, targets), 4_000) for low in (falling(100 * ratio), reference)
    )
    assert ours - theirs == pytest.approx(np.log(ratio), abs=0.01)


def test_a_target_that_is_missed_took_the_whole_run() -> None:
    assert mean_log_time(np.array([2.0, np.inf]), 8) == pytest.approx(np.log(4))


def test_of_what_rises_the_negated_values_fall() -> None:
    measured = np.array([[2.0, 0.5], [1.0, 0.9]])
    np.testing.assert_array_equal(Aim(np.empty(0)).of(measured), [2.0, 1.0])
    np.testing.assert_array_equal(Aim(np.empty(0), 1, rising=True).of(measured), [-0.5, -0.9])
