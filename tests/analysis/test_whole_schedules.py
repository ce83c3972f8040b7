"""A rule whose learning rate decays is judged by whole schedules of several lengths."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ravine import analysis
from ravine.analysis.replication import Check, checked, claim_of
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import joined, times_to
from ravine.experiment.plan import Plan, Run

LENGTHS = (1000, 710, 500, 350, 250, 180, 120)  # whole evaluations, of ten steps, nearest 2^(-j/2)


def falling(steps: float) -> float:
    """A loss in the end that falls evenly with the logarithm of a run's steps."""
    return 2.0 - 0.25 * math.log(steps)


def raced(made, plan: Plan, end: Callable[[Run], float], midway: float = 0.01) -> list[Curve]:
    """A race whose runs end at a loss, and are somewhere else on their way."""
    curves: list[Curve] = []
    while runs := analysis.due(plan, curves):
        there = {curve.run.id for curve in curves}
        for run in (run for run in runs if run.id not in there):
            loss = np.full(run.steps // plan.period + 1, midway)
            loss[0], loss[-1] = made.start, end(run)
            measures = np.stack([loss, 1 / (1 + loss)], axis=-1)[:, None, :].repeat(2, axis=1)
            training = np.ones(run.steps, "f4")
            curves.append(Curve(run, "w", f"b{run.steps}", training, measures.astype("f4")))
    return curves


def tuned_at(best: float, run: Run) -> float:
    """What a run ends at more than at the best learning rate."""
    return 0.2 * abs(math.log10(run.learning_rate / best))


def test_every_run_is_done_in_seven_lengths_each_with_its_whole_schedule(made) -> None:
    plan = made.planned("sgd", "adam", schedule="cosine")
    curves = raced(made, plan, lambda run: falling(run.steps) + tuned_at(0.1, run))
    lengths: dict[tuple[str, int, float], set[int]] = {}
    for run in (curve.run for curve in curves):
        lengths.setdefault((run.rule, run.seed, run.learning_rate), set()).add(run.steps)
        assert plan.settings(run).get("steps", 1000.0) == run.steps
        assert (run.stage == "shorter") == (run.steps < plan.steps)
    assert set(map(frozenset, lengths.values())) == {frozenset(LENGTHS)}
    assert len({curve.run.id for curve in curves}) == len(curves)
    assert len(curves) <= plan.count


def test_a_rule_without_a_decay_is_run_once_beside_one_that_has_it(made) -> None:
    plan = replace(made.planned("sgd", "adam"), decaying=("adam",))
    assert plan.horizons("sgd") == (1000,)
    assert plan.horizons("adam") == LENGTHS
    run = plan.run("tuning", "adam", plan.choices.trials("adam")[0], 0)
    assert plan.rungs
    assert plan.rungs_of(run) == ()  # whole schedules are not stopped early


@pytest.mark.parametrize("times", [0.5, 1.0, 2.0, 3.5])
def test_a_rule_that_needs_so_many_times_fewer_steps_is_found_so(made, times: float) -> None:
    plan = made.planned("sgd", "adam", schedule="cosine")
    paces = {"sgd": 1.0, "adam": times}

    def end(run: Run) -> float:
        return falling(run.steps * paces[run.rule]) + tuned_at(0.1, run)

    found = made.judged(plan, raced(made, plan, end))
    adam = made.standing(found, "adam")
    assert len(found.band) == 5  # from half of the reference's steps on
    if times >= 1:
        assert adam.speedup.median == pytest.approx(times, rel=0.03)  # to whole evaluations
    else:  # it misses targets, where its time counts as the whole run
        assert times < adam.speedup.median < 1
    assert adam.finding == {0.5: "slower", 1.0: "as fast"}.get(times, "faster")
    assert found.leads_by_target == ()
    assert "time_under_a_decay" in analysis.protocol(plan)


def test_what_lies_on_the_way_counts_for_nothing(made) -> None:
    plan = made.planned("sgd", "adam", schedule="cosine")

    def end(run: Run) -> float:
        return falling(run.steps) + tuned_at(0.1, run)

    low, high = (made.judged(plan, raced(made, plan, end, midway)) for midway in (0.01, 2.2))
    assert low.target == high.target == pytest.approx(falling(1000))
    assert made.standing(low, "adam").speedup == made.standing(high, "adam").speedup


def test_the_learning_rate_is_tuned_for_the_time_of_whole_schedules(made) -> None:
    """At 1 all schedules but the longest end lower than at 0.1, where the longest ends lowest."""
    plan = made.planned("sgd", "adam", schedule="cosine")

    def end(run: Run) -> float:
        if run.rule == "sgd":
            return falling(run.steps) + tuned_at(0.1, run)
        quick = min(falling(4 * run.steps), falling(1100)) if run.steps < 1000 else falling(1000)
        return quick if run.learning_rate == 1.0 else falling(1.05 * run.steps)

    assert made.tuned(plan, raced(made, plan, end)).chosen["adam"].learning_rate == 1.0


def test_a_schedule_that_diverged_reached_nothing(made) -> None:
    plan = made.planned("sgd", "adam", schedule="cosine")

    def end(run: Run) -> float:
        lost = run.rule == "adam" and run.steps > 300 and run.seed >= 2_000_000
        return math.nan if lost else falling(run.steps) + tuned_at(0.1, run)

    found = made.judged(plan, raced(made, plan, end))
    adam = made.standing(found, "adam")
    assert (adam.reached, adam.diverged) == (0, 12)
    assert adam.finding == "slower"


def test_a_checked_claim_takes_whole_schedules_too(made) -> None:
    plan = made.planned("sgd", "adam", schedule="cosine")

    def end(run: Run) -> float:
        pace = 3.0 if run.rule == "adam" else 1.0
        return falling(pace * run.steps) + tuned_at(0.1, run)

    curves = raced(made, plan, end)
    claim = claim_of(made.judged(plan, curves), plan.facts.measures)
    check = Check(*claim, 6, 1, targets=made.judged(plan, curves).band)
    assert len(check.runs(plan)) == 2 * 6 * len(LENGTHS)
    more = []
    for run in check.runs(plan):
        loss = np.full(run.steps // plan.period + 1, end(run))
        loss[0] = made.start
        both = np.stack([loss, loss], axis=-1)[:, None, :].repeat(2, axis=1).astype("f4")
        more.append(Curve(run, "w", "b", np.ones(run.steps, "f4"), both))
    found = checked(check, plan, [*curves, *more])
    assert found.held
    assert found.speedup.median == pytest.approx(3, rel=0.03)
    assert Check.from_json(check.to_json()) == check


def test_between_two_lengths_a_loss_falls_evenly_with_the_logarithm_of_time() -> None:
    lowest = joined({n: 1.0 - 0.1 * math.log(n) for n in (12, 25, 50, 100)}, 100)
    times = np.arange(2, 101)
    assert np.isinf(lowest[times < 12]).all()  # before the shortest nothing is known
    known = times >= 12
    np.testing.assert_allclose(lowest[known], 1 - 0.1 * np.log(times[known]))
    (at,) = times_to(lowest, np.array([1.0 - 0.1 * math.log(40.0) + 1e-9]))
    assert at == 40


def test_a_longer_schedule_that_ends_higher_takes_nothing_back() -> None:
    lowest = joined({10: 0.5, 20: math.inf, 40: 0.7}, 40)
    assert (lowest[8:] == 0.5).all()
    assert np.isinf(joined({10: math.inf, 20: math.inf}, 20)).all()


def test_a_decay_that_diverges_at_its_end_was_missed(made) -> None:
    plan = replace(made.planned("sgd"), decaying=("sgd",))
    curve = made.raced(plan, lambda *_: made.falling(8))[-1]
    target = analysis.Target(0.5)
    assert analysis.ends_at(curve, target)
    lost = Curve(curve.run, "w", "b", np.full(plan.steps, np.nan, "f4"), curve.measures, failure="")
    assert not analysis.ends_at(lost, target)
    assert not analysis.ends_at(replace(curve, failure="died"), target)
    assert not analysis.ends_at(curve, analysis.Target(math.inf))
