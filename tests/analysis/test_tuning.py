"""Learning rates are chosen by phases, each of which asks only for what the last left open."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import EXAMPLES

from ravine.analysis.stages import aims, due
from ravine.analysis.tuning import AGAIN, DONE, FINER, FIRST, OTHERS, tuning
from ravine.experiment.config import choose
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import HOPELESS
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.experiment.pruning import hopeless
from ravine.rules import RULES
from ravine.tasks import TASKS

FACTS = TaskInfo(100, (3200, 10, 10), ("loss", "accuracy"), "0")
STEP = 10**0.5  # of a rule's own grid
BEST = {"sgd": 0.1, "adam": 0.001, "nadam": 0.001}


def planned(*names: str, **changes: Any) -> Plan:
    asked = {
        "learning_rates": None,
        "tuning_seeds": 2,
        "eval_seeds": 4,
        "epochs": 10,
        "batch_size": 32,
    }
    rules = [RULES[name]() for name in names]
    return make_plan(*choose(TASKS["digits-mlp"], rules, **(asked | changes)), FACTS)


def slower_off(best: dict[str, float], factor: float = 1.3) -> Callable[[Run], float]:
    """Evaluations to 0.5: 20 at the best rate, and by a factor more for each step from there."""
    return lambda run: 20 * factor ** abs(math.log(run.learning_rate / best[run.rule], STEP))


Stepped = list[tuple[int, list[Run]]]


def stepped(made, plan: Plan, losses: Callable[[Run], np.ndarray]) -> tuple[Stepped, list[Curve]]:
    """Phase by phase, what is run anew; and the curves of all of it."""
    phases, curves = [], []
    while (now := tuning(plan, curves)).phase < DONE:
        there = {curve.run.id for curve in curves}
        new = [run for run in now.wanted if run.id not in there]
        phases.append((now.phase, new))
        by_run = {(r.rule, r.learning_rate, r.seed): r for r in new}
        curves += made.curves(new, plan, lambda *key, by=by_run: losses(by[key[:3]]))
    return phases, curves


def tuned(plan: Plan, curves: Sequence[Curve]) -> Any:
    found = tuning(plan, curves)
    assert found.phase == DONE
    return found.tuned


def chosen(plan: Plan, curves: Sequence[Curve]) -> dict[str, float]:
    """The learning rates, where nothing else is tuned."""
    found = tuned(plan, curves).chosen
    assert not any(one.others for one in found.values())
    return {rule: one.learning_rate for rule, one in found.items()}


def around(best: float, *steps: float) -> list[float]:
    return pytest.approx([best * STEP**step for step in steps], rel=1e-4)


def test_each_phase_asks_for_what_the_last_left_open(made) -> None:
    plan, late = planned("sgd", "adam"), slower_off(BEST)
    phases, curves = stepped(made, plan, lambda run: made.reaching(late(run)))
    assert [phase for phase, _ in phases] == [FIRST, OTHERS, AGAIN, FINER]
    first, others, again, finer = (
        [(run.rule, run.learning_rate, run.seed) for run in new] for _, new in phases
    )
    grids = plan.choices.learning_rates
    assert first == [("sgd", rate, 0) for rate in grids["sgd"]]  # which the targets lie along
    assert others == [("adam", rate, 0) for rate in grids["adam"]]
    # 1.3 times as slow a step away is within 1.5 times of the best; two steps away is not.
    for rule in ("sgd", "adam"):
        assert [x for r, x, _ in again if r == rule] == around(BEST[rule], -1, 0, 1)
        near = sorted({x for r, x, _ in finer if r == rule})
        assert near == around(BEST[rule], -1 / 2, -1 / 4, 1 / 4, 1 / 2)
    assert {seed for *_, seed in again} == {1}
    assert {seed for *_, seed in finer} == {0, 1}
    assert len(finer) == 2 * 4 * 2
    assert len(curves) == 9 + 9 + 6 + 16
    assert chosen(plan, curves) == {"sgd": 0.1, "adam": 0.001}


def test_a_finer_rate_can_win(made) -> None:
    plan = planned("sgd", "adam")
    late = slower_off({"sgd": 0.1, "adam": 0.001 * STEP**0.25})
    _, curves = stepped(made, plan, lambda run: made.reaching(late(run)))
    found = chosen(plan, curves)
    assert found["adam"] == pytest.approx(0.001 * STEP**0.25, rel=1e-4)
    assert found["adam"] not in plan.choices.learning_rates["adam"]
    assert found["sgd"] == 0.1


def test_around_rates_that_somebody_gave_no_others_are_tried(made) -> None:
    plan = planned("sgd", "adam", learning_rates=[0.01, 0.1, 1.0])
    late = slower_off({"sgd": 0.1, "adam": 0.2})
    phases, curves = stepped(made, plan, lambda run: made.reaching(late(run)))
    assert [phase for phase, _ in phases] == [FIRST, OTHERS, AGAIN]
    assert chosen(plan, curves) == {"sgd": 0.1, "adam": 0.1}


def test_with_no_early_stopping_nobody_waits_for_the_reference(made) -> None:
    late = slower_off(BEST)
    plan = planned("sgd", "adam", early_stopping=False)
    phases, curves = stepped(made, plan, lambda run: made.reaching(late(run)))
    assert [phase for phase, _ in phases] == [OTHERS, AGAIN, FINER]
    other = planned("sgd", "adam")
    assert tuned(plan, curves) == tuned(other, curves)


def test_another_reference_comes_first(made) -> None:
    plan = planned("sgd", "adam", reference="adam")
    late = slower_off(BEST)
    phases, _ = stepped(made, plan, lambda run: made.reaching(late(run)))
    assert [{run.rule for run in new} for _, new in phases[:2]] == [{"adam"}, {"sgd"}]


def test_of_one_tuning_seed_nothing_is_run_again_and_contenders_are_many(made) -> None:
    plan = planned("sgd", "adam", tuning_seeds=1)
    late = slower_off(BEST)
    phases, curves = stepped(made, plan, lambda run: made.reaching(late(run)))
    assert [phase for phase, _ in phases] == [FIRST, OTHERS, FINER]
    found = tuned(plan, curves)
    assert found.margin == HOPELESS  # nothing is known of luck
    for rule in ("sgd", "adam"):
        assert [one.learning_rate for one in found.contenders[rule]] == around(
            BEST[rule], -1, -1 / 2, -1 / 4, 0, 1 / 4, 1 / 2, 1
        )


def test_contenders_are_what_luck_may_have_put_behind(made) -> None:
    """Half a step away is 1.14 times as slow: beyond little luck, within much."""
    for luck, alone in ((0.0, True), (0.4, False)):
        plan, late = planned("sgd", "adam"), slower_off(BEST)

        def losses(run: Run, luck: float = luck, late: Any = late) -> np.ndarray:
            draw = np.random.default_rng([run.seed, int(1e7 * run.learning_rate)])
            return made.reaching(late(run) * math.exp(draw.normal(0, luck)))

        _, curves = stepped(made, plan, losses)
        found = tuned(plan, curves)
        assert all(found.chosen[rule] in found.contenders[rule] for rule in found.chosen)
        most = max(map(len, found.contenders.values()))
        assert (most <= 3) if alone else (most > 3)


def test_where_the_reference_diverges_at_all_rates_the_end_decides(made) -> None:
    plan, late = planned("sgd", "adam"), slower_off(BEST)

    def losses(run: Run) -> np.ndarray:
        return made.lost if run.rule == "sgd" else made.reaching(late(run))

    phases, curves = stepped(made, plan, losses)
    assert tuning(plan, curves).aim is None
    assert [len(new) for _, new in phases] == [9, 9, 18]  # all rates on all seeds
    assert chosen(plan, curves)["adam"] == 0.001


def test_where_its_best_rate_diverges_on_another_seed_its_way_on_the_first_counts(made) -> None:
    plan, late = planned("sgd", "adam"), slower_off(BEST)

    def losses(run: Run) -> np.ndarray:
        lost = (run.rule, run.learning_rate, run.seed) == ("sgd", 0.1, 1)
        return made.lost if lost else made.reaching(late(run))

    _, curves = stepped(made, plan, losses)
    found = tuning(plan, curves)
    assert found.aim is not None
    assert found.tuned is not None
    assert found.tuned.chosen["adam"].learning_rate == 0.001
    # It is not chosen itself, but one nearby.
    assert 0 < abs(math.log(found.tuned.chosen["sgd"].learning_rate / 0.1, STEP)) < 1.01


def test_where_all_that_are_near_diverge_on_another_seed_those_behind_are_tried(made) -> None:
    plan = planned("sgd", "adam", learning_rates=[0.001, 0.01, 0.1, 1.0])
    late = slower_off({"sgd": 1.0, "adam": 1.0}, 2.0)

    def losses(run: Run) -> np.ndarray:
        lost = (run.rule, run.seed) == ("adam", 1) and run.learning_rate in (0.1, 1.0)
        return made.lost if lost else made.reaching(late(run))

    _, curves = stepped(made, plan, losses)
    assert chosen(plan, curves) == {"sgd": 1.0, "adam": 0.01}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_rate_that_diverges_on_one_tuning_seed_is_not_chosen_and_contends(
    made, seed: int
) -> None:
    """It may be the best on the others, as gradient descent's is at the edge of stability."""
    plan = planned("sgd", "adam", learning_rates=[0.01, 0.1, 1.0])

    def losses(run: Run) -> np.ndarray:
        whole = made.reaching({0.01: 40, 0.1: 36, 1.0: 30}[run.learning_rate])
        lost = (run.rule, run.learning_rate, run.seed) == ("adam", 1.0, seed)
        return np.append(whole[:90], [np.nan] * 11) if lost else whole

    _, curves = stepped(made, plan, losses)
    found = tuned(plan, curves)
    assert found.chosen["adam"] == Configuration(0.1)
    assert Configuration(1.0) in found.contenders["adam"]


def test_targets_of_the_users_own_are_tuned_for(made) -> None:
    """What is quick to the target is chosen, though another rate ends lower; if it gets there."""
    cases = ((1.0, 0.6, 1.0), ("accuracy>=0.5", 0.6, 1.0), (0.2, 1.5, 0.1))
    for target, floor, best in cases:
        plan = planned("sgd", learning_rates=[0.1, 1.0], target=target)

        def losses(run: Run, floor: float = floor) -> np.ndarray:
            return made.falling(*((5, 0.1) if run.learning_rate == 0.1 else (50, floor)))

        _, curves = stepped(made, plan, losses)
        assert chosen(plan, curves) == {"sgd": best}, target


def stopping(made, plan: Plan, losses: Callable[..., np.ndarray]) -> list[Curve]:
    """The curves of tuning, hopeless rates being stopped as the driver does it."""
    curves: list[Curve] = []
    while tuning(plan, curves).phase < DONE:
        there, aim = {curve.run.id for curve in curves}, aims(plan, curves).get(0)
        new = [run for run in due(plan, curves) if run.id not in there]
        alive = made.curves(new, plan, losses)
        for rung in plan.rungs if aim else ():
            for rule in {curve.run.rule for curve in alive}:
                own: dict[Configuration, list[Any]] = {}
                for c in alive:
                    if c.run.rule == rule:
                        falling = aim.of(c.measures[: rung + 1, 0])
                        own.setdefault(c.run.configuration, []).append(falling)
                lost = hopeless(own, aim.targets, plan.evaluations)
                stopped = [c for c in alive if c.run.rule == rule and c.run.configuration in lost]
                alive = [c for c in alive if c not in stopped]
                curves += [_cut(c, rung, plan.period) for c in stopped]
        curves += alive
    return curves


def _cut(curve: Curve, rung: int, period: int) -> Curve:
    short = {"losses": curve.losses[: rung * period], "measures": curve.measures[: rung + 1]}
    return replace(curve, **short, stopped=True)


@given(st.integers(0, 10_000), st.integers(1, 3), st.booleans(), st.sampled_from([0, 0.3, 1.0]))
@settings(max_examples=EXAMPLES // 10)
def test_early_stopping_never_changes_what_is_chosen(
    made, seed: int, seeds: int, own_grids: bool, spread: float
) -> None:
    """Nor the contenders, over curves of any pace, floor and noise; some are lost from the start.

    A rate that is ahead and diverges later is beyond this: what was stopped for it stays so.
    """
    rates = None if own_grids else "1e-4:1:9"
    plan = planned("sgd", "adam", "nadam", tuning_seeds=seeds, learning_rates=rates)

    def losses(rule: str, rate: float, seed_: int, stage: str) -> np.ndarray:
        shape, luck = (
            np.random.default_rng([seed, *rule.encode(), int(1e9 * rate), *more])
            for more in ((), (seed_,))
        )
        if shape.random() < 0.2:
            return np.where(np.arange(101) < shape.integers(2, 12), 1.0, np.nan)
        pace = math.exp(shape.normal(1.5, 1) + luck.normal(0, spread * 0.5))
        curve = made.falling(pace, shape.uniform(0.05, 1.5))
        return curve * np.exp(luck.normal(0, 0.1 * spread, 101))

    early, whole = stopping(made, plan, losses), stopping(made, without(plan), losses)
    ours, theirs = tuned(plan, early), tuned(plan, whole)
    assert ours == theirs


def without(plan: Plan) -> Plan:
    return replace(plan, choices=replace(plan.choices, early_stopping=False))


def test_most_of_what_is_hopeless_is_stopped(made) -> None:
    """Adam is at all targets in a quarter of the run, at a rate a step off in half of it."""
    plan, late = planned("sgd", "adam"), slower_off(BEST, 2.0)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        share = 1 / 4 if rule == "adam" else 1
        return made.reaching(
            share * late(Run("", stage, rule, Configuration(rate), seed, plan.steps))
        )

    curves = stopping(made, plan, losses)
    stopped = {c.run.learning_rate for c in curves if c.stopped}
    assert {c.run.rule for c in curves if c.stopped} == {"adam"}  # never of the reference
    assert len(stopped) >= 5
    assert min(abs(math.log(rate / 0.001, STEP)) for rate in stopped) > 0.9


def test_a_rate_is_not_stopped_for_one_that_has_diverged(made) -> None:
    """Quick to all targets, then lost: it is not chosen, so nobody stops for it."""
    plan = planned("sgd", "adam", learning_rates=[0.001, 0.01, 0.1, 1.0], tuning_seeds=2)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rule == "adam" and rate == 1.0:
            return np.append(made.reaching(1)[:11], [np.nan] * 90)
        return made.reaching({0.001: 400, 0.01: 40, 0.1: 50, 1.0: 60}[rate])

    found = tuned(plan, stopping(made, plan, losses))
    assert found.chosen == dict.fromkeys(("sgd", "adam"), Configuration(0.01))
    assert Configuration(1.0) not in found.contenders["adam"]


def test_one_that_diverges_late_leaves_a_rate_that_was_stopped_for_it(made) -> None:
    plan = planned("sgd", "adam", learning_rates=[0.01, 0.1, 1.0], tuning_seeds=2)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rule == "adam":
            curve = made.reaching({0.01: 300, 0.1: 80, 1.0: 5}[rate])
            return np.append(curve[:80], [np.nan] * 21) if rate == 1.0 else curve
        return made.reaching(50)

    curves = stopping(made, plan, losses)
    assert any(c.stopped and c.run.learning_rate == 0.1 for c in curves)
    assert chosen(plan, curves)["adam"] == 0.1


def test_studies_are_tuned_apart(made) -> None:
    plan = planned("sgd", "adam", repetitions=2)
    runs = due(plan, [])
    assert {run.rule for run in runs} == {"sgd"}
    assert len(runs) == 2 * 9
    half = made.curves(runs[:9], plan, lambda *_: made.reaching(50))
    # The repetition that is behind goes on first.
    assert due(plan, half) == runs[9:]
