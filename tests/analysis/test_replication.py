"""A claim is run again on unused seeds, and may not hold."""

from dataclasses import replace

import numpy as np
import pytest

from ravine import analysis
from ravine.analysis.replication import Check, checked, claim_of, unused_repetition
from ravine.errors import InvalidArgument
from ravine.experiment.configuration import Configuration
from ravine.experiment.plan import repetition_of

TWICE = {"sgd": 4.0, "adam": 8.0}


def claimed(made, plan, curves):
    found = made.judged(plan, curves)
    rule, rates, target = claim_of(found, plan.facts.measures)
    repetition = unused_repetition(plan, [])
    return Check(rule, rates, target, seeds=12, repetition=repetition, targets=found.band)


def test_the_claim_is_of_the_winner_at_its_rate_to_the_same_targets(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy(TWICE))
    check = claimed(made, plan, curves)
    assert (check.rule, check.chosen) == (
        "adam",
        dict.fromkeys(("sgd", "adam"), Configuration(0.1)),
    )
    assert check.target == analysis.Target(analysis.target_of(plan, curves))
    assert check.targets[0] == check.target.value
    assert len(check.targets) == 13
    assert Check.from_json(check.to_json()) == check
    runs = check.runs(plan)
    assert {run.seed for run in runs}.isdisjoint(curve.run.seed for curve in curves)
    assert {repetition_of(run.seed) for run in runs} == {1}
    assert unused_repetition(plan, [check]) == 2
    assert check.due(plan, curves) == runs
    assert check.widened(plan, curves) == plan
    assert check.aims(plan, curves) == {}


@pytest.mark.parametrize(("pace", "held"), [(8.0, True), (4.0, False), (2.0, False)])
def test_it_holds_where_the_unused_seeds_say_so(made, pace: float, held: bool) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy(TWICE))
    check = claimed(made, plan, curves)
    now = made.noisy({"sgd": 4.0, "adam": pace})
    again = made.curves(check.runs(plan), plan, now)
    found = checked(check, plan, [*curves, *again])
    assert found.held == held
    if pace >= 4:  # below, a run misses targets
        assert found.speedup.median == pytest.approx(pace / 4, rel=0.1)
    assert ("held" if held else "did not hold") in str(found)
    assert "12 unused seeds" in str(found)
    # What was run for it changes nothing of the race itself.
    assert analysis.relevant(plan, [*again, *curves]) == curves


def test_it_keeps_its_targets_whatever_the_unused_seeds_reach(made) -> None:
    """Gradient descent reaches less on them: the targets do not follow."""
    plan = made.planned("sgd", "adam")
    curves = made.timed(plan, {"sgd": [50] * 12, "adam": [25] * 12})
    check = claimed(made, plan, curves)

    def later(rule: str, *_: object) -> np.ndarray:
        return made.reaching({"sgd": 100, "adam": 50}[rule])

    found = checked(check, plan, made.curves(check.runs(plan), plan, later))
    logs = np.log(made.by_hand(100)) - np.log(made.by_hand(50))  # the half misses some of them
    assert found.speedup.median == pytest.approx(np.exp(logs.mean()), rel=0.01)
    assert found.speedup.median < 1.8


def test_four_seeds_are_the_fewest_that_can_hold(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy(TWICE))
    for seeds, held in ((3, False), (4, True)):
        check = replace(claimed(made, plan, curves), seeds=seeds)
        again = made.curves(check.runs(plan), plan, made.noisy(TWICE))
        assert checked(check, plan, [*curves, *again]).held == held


@pytest.mark.parametrize("lost", range(5), ids=lambda n: f"{n} of 4")
def test_a_reference_run_that_failed_supports_no_claim(made, lost: int) -> None:
    """Its seed is left out: it would count as slow. Of four, with one less nothing holds."""
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy(TWICE))
    check = replace(claimed(made, plan, curves), seeds=4)
    again = made.curves(check.runs(plan), plan, made.noisy({"sgd": 4.0, "adam": 8.0}, 0.01))
    references = [curve for curve in again if curve.run.rule == "sgd"]
    failed = {curve.run.id for curve in references[:lost]}
    again = [
        replace(c, measures=np.full_like(c.measures, np.nan), failure="no memory")
        if c.run.id in failed
        else c
        for c in again
    ]
    found = checked(check, plan, again)
    assert found.held == (lost == 0)
    if lost < 4:
        assert found.speedup.median == pytest.approx(2, rel=0.05)


def test_where_nothing_is_claimed_there_is_nothing_to_check(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 8.0, "adam": 8.0}))
    with pytest.raises(
        InvalidArgument, match="there is no claim to check: No rule was found to be f"
    ):
        claimed(made, plan, curves)
