"""A claim is run again on unused seeds, and may not hold."""

from dataclasses import replace

import pytest

from ravine import verdict
from ravine.errors import WrongCall
from ravine.racing.plan import study_of
from ravine.verdict.checking import Check, checked, claim_of, unused_study


def claimed(made, plan, curves):
    found = made.judged(plan, curves)
    rule, rates, target = claim_of(found, plan.facts.measures)
    return Check(rule, rates, target, seeds=12, study=unused_study(plan, []))


def test_the_claim_is_of_the_winner_at_its_rate_to_the_same_target(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 4.0, "adam": 8.0}))
    check = claimed(made, plan, curves)
    assert (check.rule, check.rates) == ("adam", {"sgd": 0.1, "adam": 0.1})
    assert check.target == verdict.Target(verdict.target_of(curves))
    assert Check.from_json(check.to_json()) == check
    runs = check.runs(plan)
    assert {run.seed for run in runs}.isdisjoint(curve.run.seed for curve in curves)
    assert {study_of(run.seed) for run in runs} == {1}
    assert unused_study(plan, [check]) == 2
    assert check.due(plan, curves) == runs
    assert check.widened(plan, curves) == plan


@pytest.mark.parametrize(("pace", "held"), [(8.0, True), (4.0, False), (2.0, False)])
def test_it_holds_where_the_unused_seeds_say_so(made, pace: float, held: bool) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 4.0, "adam": 8.0}))
    check = claimed(made, plan, curves)
    now = made.noisy({"sgd": 4.0, "adam": pace})
    again = made.curves(check.runs(plan), plan, now)
    found = checked(check, plan, [*curves, *again])
    assert found.held == held
    assert ("held" if held else "did not hold") in str(found)
    assert "12 unused seeds" in str(found)
    # What was run for it changes nothing of the race itself.
    assert verdict.relevant(plan, [*again, *curves]) == curves


def test_six_seeds_are_the_fewest_that_can_hold(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 4.0, "adam": 8.0}))
    for seeds, held in ((5, False), (6, True)):
        check = replace(claimed(made, plan, curves), seeds=seeds)
        again = made.curves(check.runs(plan), plan, made.noisy({"sgd": 4.0, "adam": 8.0}))
        assert checked(check, plan, [*curves, *again]).held == held


def test_where_nothing_is_claimed_there_is_nothing_to_check(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 8.0, "adam": 8.0}))
    with pytest.raises(WrongCall, match="there is no claim to check: No difference found"):
        claimed(made, plan, curves)
