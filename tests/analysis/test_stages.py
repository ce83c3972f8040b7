"""What a race does next follows from what is stored, in whatever order that came."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import EXAMPLES

from ravine import analysis
from ravine.analysis.tuning import FINER, of_repetition, tuning
from ravine.experiment.config import choose
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.rules import RULES
from ravine.storage.validation import read_plan
from ravine.tasks import TASKS

FACTS = TaskInfo(100, (3200, 10, 10), ("loss", "accuracy"), "0")


def planned(*names: str, **changes: object) -> Plan:
    given = {
        "learning_rates": None,
        "tuning_seeds": 2,
        "eval_seeds": 3,
        "epochs": 10,
        "batch_size": 32,
    }
    choices, by_name = choose(
        TASKS["digits-mlp"], [RULES[name]() for name in names], **(given | changes)
    )
    return make_plan(choices, by_name, FACTS)


def ended(runs: list[Run], plan: Plan, loss: Callable[[Run], float]) -> list[Curve]:
    """Runs that stay at a loss, the lower the better."""
    curves = []
    for run in runs:
        measures = np.full((run.steps // plan.period + 1, 2, 2), loss(run), "f4")
        measures[0] = 9.0
        training = np.ones(run.steps, "f4")
        curves.append(Curve(run, "w", "b", training, measures))
    return curves


def towards(best: dict[str, float]) -> Callable[[Run], float]:
    """Losses that are least at some learning rate."""
    return lambda run: 1 + abs(np.log10(run.learning_rate / best[run.rule]))


def tuned(plan: Plan, loss: Callable[[Run], float]) -> list[Curve]:
    """The tuning runs until the best rates of the grids are known."""
    curves: list[Curve] = []
    repetitions = range(plan.choices.repetitions)
    while any(tuning(plan, of_repetition(curves, s), s).phase < FINER for s in repetitions):
        curves += ended(missing(plan, curves), plan, loss)
    return curves


def raced(plan: Plan, loss: Callable[[Run], float]) -> list[Curve]:
    """A whole race over these grids."""
    curves: list[Curve] = []
    while runs := missing(plan, curves):
        curves += ended(runs, plan, loss)
    return curves


def missing(plan: Plan, curves: list[Curve]) -> list[Run]:
    there = {curve.run.id for curve in curves}
    return [run for run in analysis.due(plan, curves) if run.id not in there]


def test_first_all_tuning_then_all_judging() -> None:
    plan = planned("sgd", "adam", repetitions=2)
    loss = towards({"sgd": 0.1, "adam": 1e-3})
    assert analysis.due(plan, []) == [r for r in [*plan.tuning(0), *plan.tuning(1)] if first_of(r)]
    curves: list[Curve] = []
    stages = []
    while runs := missing(plan, curves):
        stages.append({run.stage for run in runs})
        curves += ended(runs, plan, loss)
    *before, after = stages
    assert all(stage == {"tuning"} for stage in before)
    assert after == {"reference", "evaluation"}
    judging = [c for c in curves if c.run.stage != "tuning"]
    assert len(judging) == 2 * (10 + 2 * 3)
    assert len(curves) <= plan.count
    seeds = {curve.run.seed for curve in curves}
    assert len(seeds) == 2 * (2 + 10 + 3)  # no repetition shares a seed with another
    # A run that is missing is asked for with all of its stage.
    tuned = [c for c in curves if c.run.stage == "tuning"]
    assert {run.id for run in analysis.due(plan, [*tuned, *judging[1:]])} >= {judging[0].run.id}
    assert analysis.due(plan, tuned[1:])[0] == tuned[0].run


def first_of(run: Run) -> bool:
    """What a repetition begins with: the reference at all rates, on one seed."""
    return run.rule == "sgd" and run.seed % 10_000 == 0


def test_a_users_target_needs_no_reference_runs() -> None:
    plan = planned("sgd", "adam", target="accuracy>=0.9")
    curves = raced(plan, towards({"sgd": 0.1, "adam": 1e-3}))
    assert {curve.run.stage for curve in curves} == {"tuning", "evaluation", "contender"}


def test_what_one_rule_is_granted_all_are() -> None:
    plan = planned("sgd", "adam", "rmsprop")
    best = {"sgd": 10.0, "adam": 1e-3, "rmsprop": 1e-5}  # at the top; inside; at the bottom
    first = tuned(plan, towards(best))
    wider = analysis.widened(plan, first)
    assert wider.choices.widened == {"sgd": 1, "adam": 1, "rmsprop": 1}
    assert wider.choices.learning_rates["sgd"][-1] == 100.0
    assert wider.choices.learning_rates["rmsprop"][0] == 1e-6
    assert {len(rates) for rates in wider.choices.learning_rates.values()} == {11}
    # Not again before that is tuned; then no more, since no best rate is at an edge now.
    assert analysis.widened(wider, first) == wider
    assert {run.stage for run in analysis.due(wider, first)} == {"tuning"}
    second = tuned(wider, towards(best))
    assert analysis.widened(wider, second) == wider
    # The protocol says so.
    assert "1 decade wider" in analysis.protocol(wider)["tuning"]
    assert analysis.protocol(plan)["tuning"].count("wider") == 0


def test_grids_grow_twice_at_most_and_never_beyond_what_was_asked_for() -> None:
    plan = planned("sgd")
    for decades in (1, 2, 2):
        plan = analysis.widened(plan, tuned(plan, towards({"sgd": 1e9})))
        assert plan.choices.widened == {"sgd": decades}
    for asked in ({"learning_rates": "0.01:1:3"}, {"search": "beta_2", "trials": 5}):
        plan = planned("sgd", "adam", **asked)
        curves = tuned(plan, towards({"sgd": 1e9, "adam": 1e9}))
        assert analysis.widened(plan, curves) == plan


def test_a_rule_that_joins_a_race_with_wider_grids_gets_as_much() -> None:
    plan = planned("sgd", "adam")
    best = {"sgd": 10.0, "adam": 1e-3, "nadam": 1e-2}
    plan = analysis.widened(plan, tuned(plan, towards(best)))
    late = planned("sgd", "adam", "nadam")
    rates = {**late.choices.learning_rates, **plan.choices.learning_rates}
    late = late.with_grids(rates)
    assert late.choices.widened == {"sgd": 1, "adam": 1, "nadam": 0}
    grown = analysis.widened(late, tuned(late, towards(best)))
    assert grown.choices.widened == {"sgd": 1, "adam": 1, "nadam": 1}
    assert grown.choices.learning_rates["sgd"] == plan.choices.learning_rates["sgd"]


def test_what_a_race_that_grew_no_longer_asks_for_counts_no_more() -> None:
    plan = planned("sgd")
    loss = towards({"sgd": 1.0})
    curves = raced(plan, loss)
    before = ended(
        plan.fresh({"sgd": Configuration(0.1)}, 3, 0), plan, loss
    )  # at a rate that was best before
    assert analysis.relevant(plan, [*before, *curves]) == curves
    # What was run of a contender, which has become the best, is a evaluation run of now.
    now = [
        replace(c, run=replace(c.run, stage="contender")) if c.run.stage == "evaluation" else c
        for c in curves
    ]
    assert analysis.relevant(plan, now) == curves
    assert analysis.due(plan, now) == []


@given(st.randoms(use_true_random=False), st.integers(0, 30))
@settings(max_examples=EXAMPLES // 4)
def test_the_order_of_arrival_decides_nothing(random: object, missing: int) -> None:
    plan = planned("sgd", "adam")
    curves = tuned(plan, towards({"sgd": 10.0, "adam": 1e-3}))[missing:]
    shuffled = list(curves)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert analysis.due(plan, shuffled) == analysis.due(plan, curves)
    assert analysis.widened(plan, shuffled) == analysis.widened(plan, curves)


def test_a_plan_with_all_of_it_survives_as_text() -> None:
    plan = planned(
        "sgd",
        "adam",
        schedule="linear",
        target=0.3,
        repetitions=3,
        search="beta_2=0.9:0.99",
        trials=4,
    )
    assert read_plan(plan.to_json()) == plan
    assert plan.decaying == ("sgd", "adam")
    assert replace(plan, decaying=()).horizons("adam") == (plan.steps,)
