"""What one curve says: its end, its divergence, its time to a target."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ravine import analysis


def test_divergence_is_recorded_with_its_step(made) -> None:
    plan = made.planned("sgd")
    finite, lost, above = (
        made.raced(plan, lambda *_, c=curve: c)[0]
        for curve in (made.falling(5.0), made.lost, made.falling(-0.1))
    )
    assert analysis.diverged_at(finite, analysis.TEST) is None
    assert analysis.diverged_at(lost, analysis.TEST) == 401
    assert analysis.diverged_at(above, analysis.TEST) == made.horizon
    failed = replace(lost, failure="its worker died")
    assert analysis.diverged_at(failed, analysis.TEST) is None


def test_the_end_is_the_mean_of_the_last_three(made) -> None:
    losses = np.full(101, 2.0)
    losses[-4:] = 9.0, 1.0, 2.0, 6.0
    curve = made.raced(made.planned("sgd"), lambda *_: losses)[0]
    assert analysis.final(curve, analysis.TEST) == 3.0


def test_time_to_target_is_the_trailing_mean_of_three(made) -> None:
    plan = made.planned("sgd")
    losses = np.full(101, 2.0)
    losses[50:] = 0.5  # evaluations 50, 51, 52 are the first three low ones
    losses[20] = 0.0  # one lucky evaluation is not enough
    curve = made.raced(plan, lambda *_: losses)[0]
    assert analysis.steps_to(curve, 0.5, plan.period) == 52 * plan.period
    assert analysis.steps_to(curve, 0.4, plan.period) == math.inf
    assert analysis.steps_to(curve, math.inf, plan.period) == math.inf


def test_a_run_that_ends_at_the_target_has_reached_it(made) -> None:
    plan = made.planned("sgd")
    first = analysis.due(plan, [])[:1]
    for pace in np.random.default_rng(0).uniform(1, 9, 200):
        (curve,) = made.curves(first, plan, lambda *_, pace=pace: made.falling(pace))
        assert analysis.steps_to(curve, analysis.final(curve, analysis.TEST), 10) == made.horizon


def test_what_is_before_step_one_is_no_evaluation(made) -> None:
    plan = made.planned("sgd")
    curve = made.raced(plan, lambda *_: np.full(101, 0.5))[0]
    assert analysis.steps_to(curve, 0.5, plan.period) == 3 * plan.period


def test_a_target_may_be_a_metric_that_rises(made) -> None:
    plan = made.planned("sgd")
    curve = made.raced(plan, lambda *_: made.reaching(30))[0]  # its accuracy is 1 / (1 + loss)
    target = analysis.Target(0.66, measure=1, rising=True)
    # Where the loss is 1 / 0.66 - 1, at 28.7 evaluations: the mean of the 28th to the 30th.
    assert analysis.steps_to(curve, target, plan.period) == 30 * plan.period
    # In the end the loss is 0.1 + 2.2 / 16.
    assert analysis.steps_to(curve, target._replace(value=0.81), plan.period) == math.inf


@pytest.mark.parametrize(
    ("baseline", "rule", "expected"),
    [(800, 400, 2.0), (math.inf, 400, 2.5), (800, math.inf, 0.0), (math.inf, math.inf, 1.0)],
)
def test_speedup_of_runs_that_miss(baseline: float, rule: float, expected: float) -> None:
    assert analysis.speedup(baseline, rule, 1000) == expected


def test_the_target_is_the_eighth_lowest_of_ten_reference_runs(made) -> None:
    ends = np.random.default_rng(0).permutation(10) / 100 + 0.1

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        end = ends[seed - 1_000_000] if stage == "reference" else 0.05
        return np.append(made.falling(3.0)[:-3], [end] * 3)

    plan = made.planned("sgd")
    assert analysis.target_of(plan, made.raced(plan, losses)) == pytest.approx(0.17)

    def some_lost(lost: int):
        return lambda rule, rate, seed, stage: (
            made.lost
            if stage == "reference" and ends[seed - 1_000_000] < 0.1 + lost / 100 - 0.001
            else losses(rule, rate, seed, stage)
        )

    # Two that diverged end above all: of the others the highest. Three, and nothing is reliable.
    assert analysis.target_of(plan, made.raced(plan, some_lost(2))) == pytest.approx(0.19)
    assert analysis.target_of(plan, made.raced(plan, some_lost(3))) == math.inf
