"""How much the learning rate matters, by hand and by brute force."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.analysis import sensitivity as sensitive
from ravine.analysis.sensitivity import Tried, Width

GRID = (0.001, 0.01, 0.1, 1.0, 10.0)


def grid(*losses: float, stopped: tuple[float, ...] = ()) -> list[Tried]:
    return [Tried(r, loss, r in stopped) for r, loss in zip(GRID, losses, strict=True)]


@pytest.mark.parametrize(
    ("rates", "best", "width"),
    [
        (grid(2.0, 1.05, 1.0, 1.04, 1.06), 0.1, (0.01, 1.0, False)),
        (grid(2.0, 1.06, 1.0, math.inf, 1.0), 0.1, (0.1, 0.1, False)),  # 10 is not next to it
        (grid(1.0, 1.01, 1.02, 1.03, math.nan), 0.001, (0.001, 1.0, True)),
        (grid(2.0, 1.04, 1.0, 1.04, 3.0, stopped=(0.01,)), 0.1, (0.1, 1.0, False)),
        (grid(-0.9, -0.94, -1.0, -0.95, -0.94), 0.1, (0.1, 1.0, False)),  # a log-likelihood
        (grid(*[math.inf] * 5), 0.001, (0.001, 0.001, True)),
    ],
)
def test_the_width_is_of_the_rates_around_the_best_within_5_percent(
    rates: list[Tried], best: float, width: tuple[float, float, bool]
) -> None:
    found = sensitive.forgiving_width(rates, best)
    assert found == Width(*width)
    assert found.decades == pytest.approx(round(math.log10(width[1] / width[0])))


def test_what_trains_nothing() -> None:
    """Loss 2 before step one: from 1.8 on nothing was learned; one stopped below was but slow."""
    rates = grid(1.9, 1.81, 1.0, 1.79, 1.8)
    assert sensitive.unusable(rates, best=0.1, start=2.0) == [0.001, 0.01, 10.0]
    stopped = grid(1.9, math.inf, 1.0, 1.9, math.nan, stopped=(0.001, 0.01, 1.0))
    assert sensitive.unusable(stopped, best=0.1, start=2.0) == [0.01, 1.0]


@given(
    st.lists(st.floats(0, 10) | st.just(math.inf) | st.just(math.nan), min_size=1, max_size=6),
    st.floats(1, 10),
)
def test_best_after_is_the_mean_over_all_orders(losses: list[float], start: float) -> None:
    kept = [start if math.isnan(loss) else min(loss, start) for loss in losses]
    orders = np.array(list(itertools.permutations(kept)))
    expected = np.minimum.accumulate(orders, axis=1).mean(axis=0)
    found = sensitive.best_after(losses, start)
    assert found == pytest.approx(expected)
    assert found[-1] == pytest.approx(min(kept))


def test_who_leads_depends_on_how_many_tries_there_are() -> None:
    """One rule is good wherever it is tried, the other better at one rate of five."""
    after = {
        "safe": sensitive.best_after([1.0] * 5, 2.0),
        "sharp": sensitive.best_after([0.5, 2.0, 2.0, 2.0, 2.0], 2.0),
    }
    # 2 - 1.5 k / 5 falls below 1 at k = 4.
    leads = sensitive.leads_by_tries(after)
    assert leads == (("safe", 1, 3), ("sharp", 4, 5))
    shorter = {**after, "third": (3.0,)}
    assert sensitive.leads_by_tries(shorter) == (("safe", 1, 1),)


def test_of_a_whole_race(made) -> None:
    """At 1.0 two of three seeds diverge; at 0.01 the loss is 4 % above the best."""
    plan = made.planned("sgd", "adam")

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rate == 1.0 and seed != 1:
            return made.lost
        return made.falling(99.0, 0.104 if rate == 0.01 else 0.1)

    curves = made.raced(plan, losses)
    found = made.judged(plan, curves).leader.sensitivity
    assert found.width == (0.01, 0.1, True)
    assert found.cliff == 1.0
    assert found.unusable == pytest.approx(1 / 3)
    assert found.after == pytest.approx(
        ((0.104 + 0.1 + made.start) / 3, (0.104 + 2 * 0.1) / 3, 0.1), rel=1e-6
    )
    # Where most runs are fine there is no cliff, whatever became of one.
    calm = made.raced(
        plan,
        lambda rule, rate, seed, stage: (
            made.lost if rate == 1.0 and seed == 1 else made.falling(99.0, 0.1)
        ),
    )
    assert made.judged(plan, calm).leader.sensitivity.cliff is None


def test_a_run_that_was_stopped_counts_as_where_it_was(made) -> None:
    plan = made.planned("sgd")

    def stopped(curve):
        if curve.run.stage != "tuning" or curve.run.learning_rate != 0.01:
            return curve
        return replace(curve, losses=curve.losses[:120], measures=curve.measures[:13], stopped=True)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        return made.falling({0.01: 3.0, 0.1: 50.0, 1.0: 40.0}[rate])

    curves = [stopped(curve) for curve in made.raced(plan, losses)]
    found = made.judged(plan, curves).leader.sensitivity
    assert found.width == (0.1, 1.0, True)
    at_the_stop = np.mean(losses("sgd", 0.01, 0, "tuning")[10:13])
    assert found.after[0] == pytest.approx((at_the_stop + 0.1 + 0.1) / 3, rel=1e-6)
    assert found.rivals == ()


def test_a_rate_that_was_stopped_is_no_rival(made) -> None:
    """Not even if the chosen one rose later on, to above where the other was stopped."""
    plan = made.planned("sgd")

    def stopped(curve):
        if curve.run.stage != "tuning" or curve.run.learning_rate != 1.0:
            return curve
        return replace(curve, losses=curve.losses[:120], measures=curve.measures[:13], stopped=True)

    curves = made.raced(plan, lambda _, rate, *__: made.falling(50.0, 0.2 / (1 + rate)), stopped)
    found = made.judged(plan, curves).leader
    assert found.learning_rate == 0.1
    assert 1.0 not in found.sensitivity.rivals


def test_a_run_that_could_not_be_done_says_nothing(made) -> None:
    plan = made.planned("sgd")
    curves = [
        replace(c, failure="out of memory", measures=np.full_like(c.measures, np.nan))
        if c.run.stage == "tuning" and c.run.learning_rate == 1.0
        else c
        for c in made.raced(plan, made.noisy({"sgd": 5.0}))
    ]
    found = made.judged(plan, curves).leader.sensitivity
    assert found.cliff is None
    assert found.unusable == 0
