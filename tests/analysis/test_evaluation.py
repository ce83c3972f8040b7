"""Looks at the evaluation runs: what is run, until when, and what contenders do to intervals."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from ravine import analysis
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.plan import CONTENDER, Plan

FIRST_FRESH = 2_000_000


def losses_of(
    made, tuning: dict[tuple[str, float], float], fresh: Callable[[str, float, int], float]
) -> Callable[..., np.ndarray]:
    """By rule and rate, the evaluations to 0.5 in tuning; else never. Then those of later seeds."""

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if stage == "tuning":
            return made.reaching(tuning.get((rule, rate), 1e4))
        return made.reaching(50 if stage == "reference" else fresh(rule, rate, seed - FIRST_FRESH))

    return losses


def counted(curves: Sequence[Curve]) -> Counter[tuple[str, str, float]]:
    """How many runs there are of each stage, rule and rate after tuning."""
    return Counter(
        (c.run.stage, c.run.rule, c.run.learning_rate) for c in curves if c.run.stage != "tuning"
    )


ONE_EACH = {(rule, 0.1): 50.0 for rule in ("sgd", "adam", "rmsprop", "nadam")}


def test_evaluation_ends_for_a_rule_of_which_something_is_concluded(made) -> None:
    plan = made.planned("sgd", "adam", "rmsprop", "nadam", looks=True, fresh=24)
    level = {"sgd": 50, "adam": 25, "rmsprop": 30, "nadam": 50}

    def fresh(rule: str, rate: float, seed: int) -> float:
        if rule == "nadam":  # now half as fast, now nearly twice: nothing can be said of it
            return level[rule] * (1.5 if seed % 2 else 0.6)
        return level[rule]

    curves = made.raced(plan, losses_of(made, ONE_EACH, fresh))
    runs = counted(curves)
    assert runs["reference", "sgd", 0.1] == 10
    assert runs["evaluation", "nadam", 0.1] == 24
    assert runs["evaluation", "sgd", 0.1] == 24  # as long as somebody is compared with it
    assert runs["evaluation", "rmsprop", 0.1] == 6
    assert runs["evaluation", "adam", 0.1] == 24  # it comes out first
    found = made.judged(plan, curves)
    assert made.standing(found, "adam").finding == "faster"
    assert made.standing(found, "nadam").finding == "undecided"
    assert analysis.due(plan, curves) == []


def test_each_look_asks_for_the_seeds_up_to_it(made) -> None:
    plan = made.planned("sgd", "adam", looks=True, fresh=10)
    losses = losses_of(made, ONE_EACH, lambda rule, _, seed: 50 * (0.6, 1.5)[seed % 2])
    luck = losses_of(made, ONE_EACH, lambda rule, *_: 50)
    curves: list[Curve] = []
    asked = []
    while runs := analysis.due(plan, curves):
        there = {c.run.id for c in curves}
        new = [run for run in runs if run.id not in there]
        for run in new:
            curves += made.curves([run], plan, losses if run.rule == "adam" else luck)
        asked.append(max((run.seed - FIRST_FRESH + 1 for run in new), default=0))
    assert asked[-3:] == [6, 9, 10]


def test_as_fast_ends_it_too(made) -> None:
    plan = made.planned("sgd", "adam", looks=True, fresh=24)
    curves = made.raced(plan, losses_of(made, ONE_EACH, lambda *_: 50))
    assert counted(curves)["evaluation", "adam", 0.1] == 6
    assert made.standing(made.judged(plan, curves), "adam").finding == "as fast"


def test_a_race_that_looks_at_all_seeds_at_once_runs_them_all(made) -> None:
    plan = made.planned("sgd", "adam", fresh=9)
    curves = made.raced(plan, losses_of(made, ONE_EACH, lambda *_: 50))
    assert counted(curves)["evaluation", "adam", 0.1] == 9


TWO = {("sgd", 0.1): 50.0, ("sgd", 1.0): 52.0, ("adam", 0.1): 50.0, ("adam", 1.0): 52.0}


def lucky(made, fresh: Callable[[str, float, int], float]) -> Callable[..., np.ndarray]:
    """Two rates of each rule that luck of the tuning seeds decides between."""
    losses = losses_of(made, TWO, fresh)

    def luck(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if stage == "tuning" and rate == 1.0:
            return made.reaching((44, 52, 62)[seed % 3])
        return losses(rule, rate, seed, stage)

    return luck


def test_contenders_are_run_and_widen_the_interval(made) -> None:
    """At the other rate gradient descent is as fast as the rule: that is not called faster."""
    plan = made.planned("sgd", "adam")

    def raced(other: float) -> tuple[Plan, list[Curve]]:
        level = {("sgd", 0.1): 50, ("sgd", 1.0): other, ("adam", 0.1): 25, ("adam", 1.0): 25}
        return made.raced(plan, lucky(made, lambda rule, rate, _: level[rule, rate]))

    slow, quick = raced(50), raced(25)
    assert made.tuned(plan, slow).contenders == dict.fromkeys(
        ("sgd", "adam"), (Configuration(0.1), Configuration(1.0))
    )
    assert counted(slow)[CONTENDER, "sgd", 1.0] == 12
    # Faster at the tuned rate: that its other one is too is allowed for, and not run.
    assert counted(slow)[CONTENDER, "adam", 1.0] == 0
    found, doubtful = (made.judged(plan, curves).standings[0] for curves in (slow, quick))
    assert found.finding == "faster"
    assert (doubtful.rule, doubtful.finding) == ("adam", "undecided")
    assert doubtful.speedup.median == pytest.approx(found.speedup.median)
    assert doubtful.speedup.low == pytest.approx(1 / 1.03, rel=0.02)
    assert found.sensitivity.rivals == (1.0,)
    # What was run at it is nobody's result.
    assert found.runs == len(found.final_losses) == 12


def test_a_rule_with_a_contender_that_is_no_slower_is_not_called_slower(made) -> None:
    plan = made.planned("sgd", "adam")
    level = {("sgd", 0.1): 25, ("sgd", 1.0): 25, ("adam", 0.1): 50, ("adam", 1.0): 25}
    curves = made.raced(plan, lucky(made, lambda rule, rate, _: level[rule, rate]))
    assert counted(curves)[CONTENDER, "adam", 1.0] == 12
    adam = made.standing(made.judged(plan, curves), "adam")
    assert adam.finding == "undecided"
    assert adam.speedup.median == pytest.approx(0.5, rel=0.03)
    assert adam.speedup.high == pytest.approx(1.03, rel=0.02)


def test_a_contender_of_the_reference_that_failed_leaves_its_seed_out(made) -> None:
    """It would count as slow, and gradient descent is as fast as the rule there."""
    plan = made.planned("sgd", "adam")
    level = {("sgd", 0.1): 50, ("sgd", 1.0): 25, ("adam", 0.1): 25, ("adam", 1.0): 25}

    def change(curve: Curve) -> Curve:
        if curve.run.stage != CONTENDER or curve.run.seed > FIRST_FRESH + 7:
            return curve
        return replace(curve, measures=np.full_like(curve.measures, np.nan), failure="no memory")

    curves = made.raced(plan, lucky(made, lambda rule, rate, _: level[rule, rate]), change)
    found = made.judged(plan, curves)
    adam = made.standing(found, "adam")
    assert adam.finding == "undecided"
    assert adam.speedup.low == pytest.approx(1 / 1.03, rel=0.02)
    assert any("SGD: 8 contender runs failed and nothing is compared" in w for w in found.warnings)


def test_targets_do_not_move_with_later_looks(made) -> None:
    """To a target of the user's own they lie along the first seeds, which never change."""
    plan = made.planned("sgd", "adam", target=0.5, looks=True, fresh=12)
    late = losses_of(made, ONE_EACH, lambda rule, _, seed: (30, 60)[(seed + (rule == "sgd")) % 2])
    curves = made.raced(plan, late)
    bands = []
    for fresh in (4, 6, 12):
        few = replace(plan, choices=replace(plan.choices, eval_seeds=fresh))
        own = [c for c in curves if c.run.seed < FIRST_FRESH + fresh]
        bands.append(made.judged(few, own).band)
    assert bands[0] == bands[1] == bands[2]
    assert bands[0][0] == 0.5
    assert list(bands[0]) == sorted(bands[0])


def test_no_target_is_harder_than_the_users_own(made) -> None:
    """Where it is reached at once there is nothing on the way to it."""
    plan = made.planned("sgd", "adam", target=2.2)
    curves = made.raced(plan, losses_of(made, ONE_EACH, lambda *_: 50))
    found = made.judged(plan, curves)
    assert set(found.band) == {2.2}
    assert made.standing(found, "adam").finding == "as fast"
    assert math.isfinite(made.standing(found, "adam").steps_to_target.median)


def test_who_is_undecided_for_being_one_of_many_is_told(made) -> None:
    """One more rule makes all intervals wider: a claim that goes for that says why."""
    draw = np.random.default_rng(0)
    luck = {rule: draw.normal(0, 0.1, 12) for rule in ("sgd", "adam", "nadam", "rmsprop")}

    def fresh(rule: str, rate: float, seed: int) -> float:
        return 50 * math.exp(luck[rule][seed] - (0.095 if rule == "adam" else 0.0))

    def raced(*rules: str) -> analysis.Verdict:
        plan = made.planned("sgd", *rules)
        tuning = {(rule, 0.1): 50.0 for rule in luck}
        return made.judged(plan, made.raced(plan, losses_of(made, tuning, fresh)))

    few, many = raced("adam"), raced("adam", "nadam", "rmsprop")
    assert made.standing(few, "adam").finding == "faster"
    assert few.alone == {}
    assert made.standing(many, "adam").finding == "undecided"
    assert made.standing(many, "adam").speedup.low < 1
    assert many.alone == {"adam": "faster"}
    assert (
        "Adam is undecided among 3 comparisons, whose intervals have to hold together; as the "
        "only one it would be called faster"
    ) in many.warnings
