"""What the verdict does not depend on."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine import verdict

PACES = st.fixed_dictionaries(
    {"sgd": st.floats(2, 9), "adam": st.floats(2, 20), "nadam": st.floats(2, 20)}
)


@given(PACES, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_of_runs_and_of_rules_changes_nothing(made, paces, random) -> None:
    plan = made.planned("sgd", "adam", "nadam")
    curves = made.raced(plan, made.noisy(paces))
    shuffled, names = curves.copy(), list(plan.choices.rules)
    random.shuffle(shuffled)
    random.shuffle(names)
    other = replace(plan, choices=replace(plan.choices, rules=tuple(names)))
    assert made.judged(other, shuffled) == made.judged(plan, curves)


def test_not_even_where_rules_are_equal(made) -> None:
    plan, other = made.planned("sgd", "adam", "nadam"), made.planned("nadam", "adam", "sgd")
    curves = made.raced(plan, lambda *_: made.falling(5.0))
    assert made.judged(other, curves[::-1]) == made.judged(plan, curves)


@given(PACES, st.integers(-20, 20))
@settings(max_examples=30)
def test_the_unit_of_the_loss_does_not_matter(made, paces, power) -> None:
    """Of another scale: by a power of two, which rounds nothing."""
    plan, unit = made.planned("sgd", "adam", "nadam"), np.float32(2.0**power)
    curves = made.raced(plan, made.noisy(paces))
    rescaled = [replace(c, measures=c.measures * unit) for c in curves]
    found, other = made.judged(plan, curves), made.judged(plan, rescaled)
    assert other.sentence == found.sentence
    assert other.target == found.target * unit
    for a, b in zip(found.standings, other.standings, strict=True):
        assert (b.rule, b.speedup, b.p_value, b.steps_to_target) == (
            a.rule, a.speedup, a.p_value, a.steps_to_target,
        )  # fmt: skip
        assert replace(b.sensitivity, after=()) == replace(a.sensitivity, after=())
        assert b.sensitivity.after == tuple(loss * unit for loss in a.sensitivity.after)
    assert other.leads_by_tries == found.leads_by_tries
    rules = [stretch.rule for stretch in found.leads_by_target]
    assert [stretch.rule for stretch in other.leads_by_target] == rules


def test_but_its_scale_does() -> None:
    """No invariance under any monotone change is claimed: means of three see the scale.

    These two reach the same mean of losses; of logarithms, the second does before.
    """
    even, uneven = np.array([0.5, 0.5, 0.5]), np.array([0.1, 0.1, 1.3])
    assert even.mean() == pytest.approx(uneven.mean())
    assert np.log(uneven).mean() < np.log(even).mean() - 0.3


@given(PACES, st.sampled_from([0.1, 3.0, 1e6]))
@settings(max_examples=20)
def test_the_unit_of_time_does_not_matter(made, paces, unit) -> None:
    """Steps, or seconds of equal steps: one speed-up."""
    plan = made.planned("sgd", "adam", "nadam")
    curves = made.raced(plan, made.noisy(paces))
    found = made.judged(plan, curves, step_seconds=dict.fromkeys(paces, unit))
    for s in found.standings:
        assert s.speedup_seconds == s.speedup
        assert s.seconds_to_target == pytest.approx([unit * x for x in s.steps_to_target])


@given(PACES)
@settings(max_examples=30)
def test_a_rule_that_never_arrives_changes_nobodys_interval(made, paces) -> None:
    """Nor anything else that was measured; p-values are adjusted for one rule more."""
    plan, more = (
        made.planned("sgd", "adam", "nadam"),
        made.planned("sgd", "adam", "nadam", "rmsprop"),
    )
    few = made.judged(plan, made.raced(plan, made.noisy(paces)))
    noisy = made.noisy(paces)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        return np.full(101, 2.2) if rule == "rmsprop" else noisy(rule, rate, seed, stage)

    many = made.judged(more, made.raced(more, losses))
    assert made.standing(many, "rmsprop").reached == 0
    assert many.target == few.target
    for s in few.standings:
        other = made.standing(many, s.rule)
        assert replace(other, p_value=0, finding="", tied_for_first=False) == replace(
            s, p_value=0, finding="", tied_for_first=False
        )
        assert other.p_value >= s.p_value
    assert not math.isnan(made.standing(many, "rmsprop").p_value)


def test_the_verdict_of_a_rule_is_of_its_curves_alone(made) -> None:
    """What another rule did, well or badly, moves no interval."""
    plan = made.planned("sgd", "adam", "nadam")
    one = made.judged(plan, made.raced(plan, made.noisy({"sgd": 5, "adam": 9, "nadam": 4})))
    other = made.judged(plan, made.raced(plan, made.noisy({"sgd": 5, "adam": 9, "nadam": 30})))
    assert made.standing(one, "adam").speedup == made.standing(other, "adam").speedup
    assert isinstance(one, verdict.Verdict)
