"""A race fitted to a time: in the order that is stated, and never below what a claim needs."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.analysis.statistics import fewest_seeds
from ravine.errors import InvalidArgument
from ravine.experiment.budget import fitted
from ravine.experiment.config import choose
from ravine.experiment.cost import Cost, estimate
from ravine.experiment.durations import read_seconds
from ravine.experiment.plan import Plan, TaskInfo, make_plan
from ravine.rules import RULES
from ravine.rules.update_rule import Rule
from ravine.storage import provenance
from ravine.storage.validation import read_plan
from ravine.tasks import TASKS

COST = Cost(2, 1e-3, 0.01, 0.1, 0.5, 1.0, 0.05, 3e8, 1e8, 4e8, 2e8)
FACTS = TaskInfo(1000, (1078, 359, 360), ("loss", "accuracy"), "0", 6000.0)


def planned(names: str = "sgd,adam", **options: object) -> tuple[Plan, Mapping[str, Rule]]:
    given: dict[str, object] = {
        "learning_rates": None,
        "tuning_seeds": 3,
        "eval_seeds": 12,
    } | options
    rules = [RULES[name]() for name in names.split(",")]
    choices, by_name = choose(TASKS["digits-mlp"], rules, epochs=None, batch_size=None, **given)  # type: ignore[arg-type]
    # One lane, so that every run counts by itself.
    return replace(make_plan(choices, by_name, FACTS), width=1), by_name


def fit(plan: Plan, rules: Mapping[str, Rule], seconds: float, **more: float) -> Plan:
    return fitted(plan, rules, COST, seconds, pairs=fewest_seeds, **more)


def sizes(plan: Plan) -> tuple[int, int, int, int]:
    choices = plan.choices
    rates = {len(own) for own in choices.learning_rates.values()}
    assert len(rates) == 1  # as many for every rule
    return choices.repetitions, choices.tuning_seeds, choices.eval_seeds, rates.pop()


def test_what_fits_is_left_alone() -> None:
    plan, rules = planned()
    assert fit(plan, rules, 1e9) is plan


def test_things_are_given_up_one_after_the_other() -> None:
    plan, rules = planned(repetitions=8)
    least = fit(plan, rules, _takes(plan, 6, 1, 3, 5))
    assert sizes(least) == (6, 1, 3, 5)
    seen = [sizes(fit(plan, rules, _takes(plan, *wanted))) for wanted in _LADDER]
    assert seen == _LADDER


# Repetitions, tuning seeds, evaluation seeds, learning rates: how far each rung goes.
_LADDER = [(7, 3, 12, 9), (6, 3, 12, 9), (6, 2, 12, 9), (6, 2, 7, 9), (6, 2, 3, 7), (6, 2, 3, 5)]


def _takes(plan: Plan, repetitions: int, seeds: int, fresh: int, rates: int) -> float:
    grids = {rule: own[:rates] for rule, own in plan.choices.learning_rates.items()}
    others = {
        rule: {name: values[:rates] for name, values in columns.items()}
        for rule, columns in plan.choices.others.items()
    }
    counts = {"repetitions": repetitions, "tuning_seeds": seeds, "eval_seeds": fresh}
    wanted = replace(plan.choices, **counts, learning_rates=grids, others=others)
    return estimate(replace(plan, choices=wanted), COST).longest + 1e-9


@settings(max_examples=25)
@given(st.floats(1.0, 300.0), st.sampled_from(["sgd,adam", ",".join(RULES)]))
def test_it_fits_or_says_what_would(seconds: float, names: str) -> None:
    plan, rules = planned(names)
    try:
        found = fit(plan, rules, seconds, spent=2.0)
    except InvalidArgument as error:
        needed = read_seconds(str(error).partition("Give it ")[2].partition(" or more")[0])
        assert needed > seconds
        assert fit(plan, rules, needed, spent=2.0).choices.fitted
        return
    assert 2.0 + estimate(found, COST).longest <= seconds
    assert found.choices.eval_seeds >= fewest_seeds(len(rules) - 1)
    assert len(found.choices.learning_rates["sgd"]) >= 5
    assert bool(found.choices.fitted) == (found.count < plan.count)
    assert (found.steps, found.choices.rules) == (plan.steps, plan.choices.rules)
    # The same plan to the last bit, when it is read from where it was kept.
    assert read_plan(found.to_json()) == found


def test_what_was_given_up_is_said() -> None:
    plan, rules = planned()
    said = fit(plan, rules, _takes(plan, 1, 1, 6, 5)).choices.fitted
    assert said.startswith("to fit ")
    assert (
        "6 evaluation seeds instead of 12, 5 learning rates a rule instead of 9, 1 tuning seed "
        "instead of 3; all that was asked for would take about"
    ) in said


def test_too_little_says_how_much_is_enough_and_what_else_would_do() -> None:
    plan, rules = planned()
    with pytest.raises(
        InvalidArgument, match=r"a budget of 4 s is too little.*5 learning rates.*\d+ s.*epochs"
    ):
        fit(plan, rules, 4.0)


def test_few_fresh_seeds_that_were_asked_for_stay() -> None:
    plan, rules = planned(eval_seeds=2)
    assert fit(plan, rules, _takes(plan, 1, 1, 2, 5)).choices.eval_seeds == 2


def test_what_is_searched_is_spread_anew() -> None:
    plan, rules = planned(search="beta_2")
    found = fit(plan, rules, _takes(plan, 1, 2, 6, 12))
    assert sizes(found) == (1, 2, 6, 12)
    fresh, _ = planned(search="beta_2", trials=12)
    assert found.choices.others == fresh.choices.others
    assert found.choices.learning_rates == fresh.choices.learning_rates


def test_the_command_makes_the_fitted_race() -> None:
    plan, rules = planned()
    found = fit(plan, rules, _takes(plan, 1, 2, 6, 7))
    command = provenance.command(found.choices, TASKS["digits-mlp"])
    assert "--trials 7 --tuning-seeds 2 --eval-seeds 6" in command
    assert "budget" not in command
