"""What is stopped early: never the best, never on less than all runs, whatever the unit of loss."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ravine
from ravine.racing.stopping import hopeless, rungs

RATES = (0.01, 0.1, 1.0)


def falling(rate: float, floor: float, n: int = 26, start: float = 3.0) -> NDArray[np.float32]:
    steps = np.arange(n)
    return (floor + (start - floor) * np.exp(-rate * steps)).astype(np.float32)


def test_rungs_leave_room_to_compare() -> None:
    assert rungs(99) == (12, 25, 50)
    assert rungs(20) == (5, 10)
    assert rungs(4) == rungs(1) == ()


def test_what_is_four_times_slower_is_stopped() -> None:
    runs = {0.1: [falling(0.4, 0.1)] * 2, 0.02: [falling(0.4 / 6, 0.1)] * 2}
    assert hopeless(runs) == {0.02}
    assert hopeless(runs | {0.05: [falling(0.4 / 2, 0.1)] * 2}) == {0.02}


def test_one_good_seed_keeps_a_rate() -> None:
    slow = [falling(0.05, 0.1), falling(0.05, 0.1), falling(0.6, 0.05)]
    assert hopeless({0.1: [falling(0.4, 0.1)] * 3, 1.0: slow}) == set()


def test_what_diverged_is_stopped_but_not_everything() -> None:
    lost = falling(0.4, 0.1)
    lost[3:] = np.nan
    assert hopeless({0.1: [falling(0.4, 0.1)] * 2, 1.0: [lost] * 2}) == {1.0}
    assert hopeless({0.1: [lost] * 2, 1.0: [lost] * 2}) == set()


def test_a_loss_that_rises_again_stops_nobody_close() -> None:
    """All overfit: each is above what it had in a quarter of the time, and that is no reason."""
    draw = np.random.default_rng(0)
    rising = [falling(1.0, 0.1) + 0.01 * np.arange(26) for _ in range(6)]
    noisy = [run + draw.normal(0, 0.02, 26) for run in rising]
    assert hopeless({0.1: noisy[:3], 0.3: noisy[3:]}) == set()


losses = st.lists(st.floats(0.125, 10, width=32), min_size=17, max_size=17).map(np.array)


@given(st.tuples(*[st.lists(losses, min_size=2, max_size=2)] * 3), st.permutations(RATES))
def test_neither_the_unit_nor_the_order_of_runs_matters(
    runs: tuple[list[NDArray[np.float64]], ...], order: list[float]
) -> None:
    given_ = dict(zip(RATES, runs, strict=True))
    stopped = hopeless(given_)
    assert len(stopped) < len(RATES)
    assert hopeless({rate: given_[rate] for rate in order}) == stopped
    # In another unit, and whichever run comes first.
    assert hopeless({r: [8 * run for run in given_[r][::-1]] for r in RATES}) == stopped


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
def test_early_stopping_changes_no_verdict(tmp_path: Path, no_pages: None, no_charts: None) -> None:
    same: Any = {"rules": "sgd,adam", "learning_rates": "1e-4:1:5", "epochs": 2, "seeds": 2}
    same |= {"workers": 0, "progress": False}
    early, whole = (
        ravine.race(**same, fresh_seeds=6, early_stopping=stops, out=tmp_path / str(stops))
        for stops in (True, False)
    )
    assert str(early.verdict) == str(whole.verdict)
    # But the cliff, a run that was stopped being as bad as it was then; and what was timed.
    other_ways = ["cliff", "speedup_seconds", "seconds_to_target"]
    boards = [r.leaderboard.drop(columns=other_ways) for r in (early, whole)]
    pd.testing.assert_frame_equal(*boards)
    rest = {c.run.id: c for c in whole.stored}
    stopped = [c for c in early.stored if c.stopped]
    assert {c.run.stage for c in stopped} == {"tuning"}
    assert {len(c.measures) - 1 for c in stopped} <= set(early.results.plan.rungs)
    for curve in early.stored:  # as far as they went, the same
        other = rest[curve.run.id]
        assert curve.losses.tobytes() == other.losses[: len(curve.losses)].tobytes()
        assert curve.measures.tobytes() == other.measures[: len(curve.measures)].tobytes()
    assert early.results.stopped == len(stopped) > 0
    assert early.results.saved > 0.1
    assert whole.results.stopped == whole.results.saved == 0
    content = json.loads(early.results.to_json())
    assert content["stopped_early"]["runs"] == len(stopped)
    assert "stopped early" in early.report().read_text(encoding="utf-8")
    content = json.loads(whole.results.to_json())
    assert "early_stopping" not in content["protocol"]
    assert "--no-early-stopping" in whole.report().read_text(encoding="utf-8")
