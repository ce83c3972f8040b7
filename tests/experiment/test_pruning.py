"""What is stopped early: never the best, never on less than all runs, whatever the unit of loss."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks.calibration.stopping import Full, Lion
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ravine
from ravine.analysis.tuning import tuning
from ravine.execution import session
from ravine.experiment.endpoint import HOPELESS, band, lowest_so_far, mean_log_time, times_to
from ravine.experiment.pruning import hopeless, rungs
from ravine.tasks.task import Data, Split, Task

RATES = (0.01, 0.1, 1.0)


EVALUATIONS = 100


def reaching(evaluation: float, n: int = 26) -> NDArray[np.float64]:
    """A loss that is 0.5 after so many evaluations, until ``n - 1``: twice as late, all is."""
    return 0.1 + 2.2 / (1 + 4.5 * np.arange(n) / evaluation)


def targets(evaluation: float = 50.0) -> NDArray[np.float64]:
    """Along the way of a run that is at 0.5 after so many evaluations, and ends after 100."""
    lowest = lowest_so_far(reaching(evaluation, EVALUATIONS + 1)[None])
    found = band(lowest, float(lowest[0, -1]))
    assert found is not None
    return found


def stopped(runs: Mapping[float, Sequence[NDArray[np.floating]]]) -> set[float]:
    return hopeless(runs, targets(), EVALUATIONS)


def test_rungs_leave_room_to_compare() -> None:
    assert rungs(99) == (12, 25, 50)
    assert rungs(20) == (5, 10)
    assert rungs(4) == rungs(1) == ()


def test_what_cannot_catch_up_is_stopped() -> None:
    """At all targets by the 25th evaluation; what has reached none takes 25 to each at the least.

    The first takes 99 / 4 · 2^(-j/4) to the j-th, in the mean of logarithms 8.8.
    """
    quick = [reaching(12.5)] * 2
    assert stopped({0.1: quick, 0.02: [reaching(400)] * 2}) == {0.02}
    # At a quarter of that pace: of 13 targets 5 are reached by then.
    assert stopped({0.1: quick, 0.02: [reaching(50)] * 2}) == {0.02}
    assert stopped({0.1: quick, 0.02: [reaching(15)] * 2}) == set()


def test_what_may_catch_up_is_not() -> None:
    """No target is reached by anybody: the slow one may be at all of them next."""
    assert stopped({0.1: [reaching(390)] * 2, 0.02: [reaching(4_000)] * 2}) == set()
    assert stopped({0.1: [reaching(50)] * 2, 0.02: [reaching(4_000)] * 2}) == set()


def test_one_good_seed_keeps_a_rate() -> None:
    slow = [reaching(400), reaching(400), reaching(5)]
    assert stopped({0.1: [reaching(12.5)] * 3, 1.0: slow[:2]}) == {1.0}
    assert stopped({0.1: [reaching(12.5)] * 3, 1.0: slow}) == set()


def test_what_diverged_is_stopped_but_not_everything() -> None:
    lost = reaching(50)
    lost[3:] = np.nan
    assert stopped({0.1: [reaching(25)] * 2, 1.0: [lost] * 2}) == {1.0}
    assert stopped({0.1: [lost] * 2, 1.0: [lost] * 2}) == set()


def test_nobody_is_stopped_for_what_has_diverged() -> None:
    """However quick it was: it is not chosen."""
    quick = reaching(1)
    quick[20:] = np.nan
    assert stopped({0.1: [reaching(50)] * 2, 1.0: [quick] * 2}) == set()
    assert stopped({0.1: [reaching(50)] * 2, 1.0: [quick, reaching(1)]}) == set()


losses = st.lists(st.floats(0.125, 10, width=32), min_size=17, max_size=17).map(np.array)


@given(st.tuples(*[st.lists(losses, min_size=2, max_size=2)] * 3), st.permutations(RATES))
def test_neither_the_unit_nor_the_order_of_runs_matters(
    runs: tuple[list[NDArray[np.float64]], ...], order: list[float]
) -> None:
    given_, goals = dict(zip(RATES, runs, strict=True)), targets()
    found = hopeless(given_, goals, EVALUATIONS)
    assert len(found) < len(RATES)
    assert hopeless({rate: given_[rate] for rate in order}, goals, EVALUATIONS) == found
    # In another unit, and whichever run comes first.
    other = {r: [8 * run for run in given_[r][::-1]] for r in RATES}
    assert hopeless(other, 8 * goals, EVALUATIONS) == found


@given(st.integers(0, 10_000))
def test_what_is_stopped_could_not_have_been_a_contender(seed: int) -> None:
    """However it goes on, and the best does: within 1.5 times of it is what may be one."""
    draw, goals = np.random.default_rng(seed), targets()
    walks = 2.3 * np.exp(
        -np.cumsum(draw.gamma(0.5, draw.uniform(0, 0.4, (3, 2, 1)), (3, 2, 101)), -1)
    )
    begun = {rate: list(runs[:, :26]) for rate, runs in zip(RATES, walks, strict=True)}
    times = mean_log_time(times_to(lowest_so_far(walks), goals), EVALUATIONS).mean(axis=-1)
    for rate in hopeless(begun, goals, EVALUATIONS):
        assert times[RATES.index(rate)] > times.min() + HOPELESS


@pytest.fixture
def task(tiny_task: Task) -> Task:
    """A straight line through points, other ones in each split."""

    def points() -> Data:
        x = np.linspace(-1, 1, 192, dtype="float32")[:, None]
        return Data(*(Split(part, 3 * part + 1) for part in (x[i::3] for i in range(3))))

    return dataclasses.replace(tiny_task, load=points)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
def test_early_stopping_changes_no_verdict(
    compiled_quickly: None, task: Task, tmp_path: Path, no_pages: None, no_charts: None
) -> None:
    # Adam is at gradient descent's targets soon at the last of its rates, and never at the first.
    rates = {"sgd": [0.01, 0.03], "adam": [1e-4, 1e-3, 0.3]}
    same: Any = {"rules": ["sgd", "adam"], "learning_rates": rates, "tuning_seeds": 2}
    same |= {"workers": 0, "progress": False}
    early, whole = (
        ravine.race(task, **same, eval_seeds=6, early_stopping=stops, out=tmp_path / str(stops))
        for stops in (True, False)
    )
    assert str(early.verdict) == str(whole.verdict)
    assert early.winner.rule == "adam"
    # But the cliff, a run that was stopped being as bad as it was then; and what was timed.
    other_ways = ["cliff", "speedup_seconds", "seconds_to_target", "loss_in_seconds"]
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
    steps = [sum(len(curve.losses) for curve in race.stored) for race in (early, whole)]
    assert early.results.saved == pytest.approx(1 - steps[0] / steps[1])
    assert early.results.saved > 0
    assert whole.results.stopped == whole.results.saved == 0
    content = json.loads(early.results.to_json())
    assert content["stopped_early"]["runs"] == len(stopped)
    assert "stopped early" in early.report().read_text(encoding="utf-8")
    content = json.loads(whole.results.to_json())
    assert "early_stopping" not in content["protocol"]
    assert "early_stopping=False" in whole.report().read_text(encoding="utf-8")


def test_a_users_lion_on_digits_is_tuned_as_without_stopping(tmp_path: Path) -> None:
    """At a rate that is too low at first, and best for the loss in the end, it is slower."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "publish_pages", lambda race: None)  # nothing is looked at
        race = ravine.race(
            "digits-mlp", rules=["sgd", Lion], target="loss<=0.1", tuning_seeds=2, eval_seeds=1,
            learning_rates={"sgd": [0.5], "lion": "1e-6:1e-2:9"}, looks=False,
            early_stopping=False, workers=0, progress=False, out=tmp_path / "race",
        )  # fmt: skip
    bank: dict[Any, list[Any]] = {}
    for curve in sorted(race.stored, key=lambda curve: curve.run.seed):
        if curve.run.stage == "tuning":
            bank.setdefault((curve.run.rule, curve.run.configuration), []).append(curve)
    choices = dataclasses.replace(race.plan.choices, early_stopping=True)
    found = Full(dataclasses.replace(race.plan, choices=choices), bank)
    whole, done = found.tuned(range(2), stops=False)
    early, fewer = found.tuned(range(2), stops=True)
    assert early == whole == tuning(race.plan, race.stored).tuned
    assert fewer < 0.9 * done
