"""What the verdict does not depend on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import EXAMPLES

from ravine.analysis.judging import pairwise
from ravine.analysis.repetitions import repeated

few = settings(max_examples=EXAMPLES // 10)  # each is a whole race or two, judged
PACES = st.fixed_dictionaries(
    {"sgd": st.floats(2, 9), "adam": st.floats(2, 20), "nadam": st.floats(2, 20)}
)


@given(PACES, st.randoms(use_true_random=False))
@few
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
@few
def test_the_unit_of_the_loss_does_not_matter(made, paces, power) -> None:
    """Of another scale: by a power of two, which rounds nothing."""
    plan, unit = made.planned("sgd", "adam", "nadam"), np.float32(2.0**power)
    curves = made.raced(plan, made.noisy(paces))
    rescaled = [replace(c, measures=c.measures * unit) for c in curves]
    found, other = made.judged(plan, curves), made.judged(plan, rescaled)
    assert other.sentence == found.sentence
    assert other.target == found.target * unit
    for a, b in zip(found.standings, other.standings, strict=True):
        assert (b.rule, b.finding, b.steps_to_target) == (a.rule, a.finding, a.steps_to_target)
        assert b.speedup == pytest.approx(a.speedup, nan_ok=True)
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
@few
def test_the_unit_of_time_does_not_matter(made, paces, unit) -> None:
    """Steps, or seconds of equal steps: one speed-up."""
    plan = made.planned("sgd", "adam", "nadam")
    curves = made.raced(plan, made.noisy(paces))
    found = made.judged(plan, curves, step_seconds=dict.fromkeys(paces, unit))
    seconds = made.judged(plan, curves, step_seconds=dict.fromkeys(paces, 1.0))
    for s, other in zip(found.standings, seconds.standings, strict=True):
        assert s.speedup_seconds == pytest.approx(other.speedup_seconds)
        assert s.speedup_seconds.median == pytest.approx(s.speedup.median)
        assert s.seconds_to_target == pytest.approx([unit * x for x in s.steps_to_target])


@given(PACES)
@few
def test_a_rule_that_never_arrives_changes_nobodys_result(made, paces) -> None:
    """Nor anything else that was measured; intervals allow for one rule more."""
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
    assert (many.target, many.band) == (few.target, few.band)
    same: dict[str, Any] = {"finding": "", "tied_for_first": False, "speedup": None}
    same["final_ratio"] = None  # this interval allows for one more, too
    for s in few.standings:
        other = made.standing(many, s.rule)
        sensitivity = replace(other.sensitivity, rivals=s.sensitivity.rivals)
        assert replace(other, sensitivity=sensitivity, **same) == replace(s, **same)
        assert other.speedup.median == s.speedup.median


def test_the_estimate_of_a_rule_is_of_its_curves_alone(made) -> None:
    """What another rule did, well or badly, moves none; an interval only by its spread."""
    plan = made.planned("sgd", "adam", "nadam")
    one = made.judged(plan, made.raced(plan, made.noisy({"sgd": 5, "adam": 9, "nadam": 4})))
    other = made.judged(plan, made.raced(plan, made.noisy({"sgd": 5, "adam": 9, "nadam": 30})))
    ours, theirs = (made.standing(found, "adam").speedup for found in (one, other))
    assert ours.median == theirs.median
    assert ours == pytest.approx(theirs, rel=0.05)


@given(PACES, st.booleans())
@few
def test_what_is_said_of_a_rule_is_what_its_interval_bears_out(made, paces, looks) -> None:
    plan = made.planned("sgd", "adam", "nadam", looks=looks)
    found = made.judged(plan, made.raced(plan, made.noisy(paces)))
    for s in found.standings:
        low, high = s.speedup.low, s.speedup.high
        if s.rule != "sgd":
            equal = low > 1 / 1.25 and high < 1.25
            said = "faster" if low > 1 else "slower" if high < 1 else "as fast"
            assert s.finding == (said if low > 1 or high < 1 or equal else "undecided")
            assert low <= s.speedup.median <= high


@given(PACES)
@few
def test_a_pair_the_other_way_round_is_one_over_it(made, paces) -> None:
    plan = made.planned("sgd", "adam", "nadam", looks=True)
    repetitions = repeated(plan, made.raced(plan, made.noisy(paces)))
    there, back = (
        pairwise(repetitions, "adam", "nadam", 3),
        pairwise(repetitions, "nadam", "adam", 3),
    )
    assert there == pytest.approx((1 / back.median, 1 / back.high, 1 / back.low))
