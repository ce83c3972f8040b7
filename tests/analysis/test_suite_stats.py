"""Several races together: scores as AlgoPerf's profiles give them, geometric means by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ravine.analysis import performance_profile
from ravine.analysis.suite_stats import across

NEVER = 1000  # evaluations: beyond the end of every run
STEADY = {"sgd": [50] * 12, "adam": [20] * 12, "nadam": [40] * 12}
# Of the first mean at the target, by hand, the last evaluation: of 50, 40, 20, 30 the 99th, 80th, …
STEPS = {50: 1000, 40: 810, 30: 610, 20: 410}


@pytest.fixture(scope="module")
def judged(made):
    plan = made.planned(*STEADY)

    def judge(**evaluations):
        curves = made.timed(plan, STEADY | evaluations)
        return made.judged(plan, curves)

    return judge


def of(found, rule):
    return next(score for score in found.scores if score.rule == rule)


def by_hand(made, *races):
    """The speed-up over the races, of the evaluations of the reference and of the rule in each."""

    def level(evaluations):
        return np.mean([np.log(made.by_hand(e)).mean() for e in evaluations])

    return math.exp(np.mean([level(reference) - level(rule) for reference, rule in races]))


def test_scores_are_those_of_the_median_times(made, judged):
    verdicts = {"a": judged(), "b": judged(adam=[30] * 12, nadam=[20] * 12)}
    found = across(verdicts)
    assert found.times.to_dict() == {
        "a": {"sgd": STEPS[50], "adam": STEPS[20], "nadam": STEPS[40]},
        "b": {"sgd": STEPS[50], "adam": STEPS[30], "nadam": STEPS[20]},
    }
    expected = performance_profile(found.times).score
    assert {s.rule: s.score for s in found.scores} == expected.to_dict()
    assert [s.rule for s in found.scores] == ["adam", "nadam", "sgd"]
    for rule, evaluations in {"adam": (20, 30), "nadam": (40, 20)}.items():
        told = by_hand(made, *(([50], [e]) for e in evaluations))
        assert of(found, rule).speedup == pytest.approx(told, rel=0.02)
        assert told == pytest.approx(math.sqrt(50 * 50 / math.prod(evaluations)), rel=0.05)
    assert (of(found, "sgd").speedup, of(found, "sgd").bound) == (1, "")
    assert {s.bound for s in found.scores} == {""}
    # Of adam 1 on the one, (4 - 610 / 410) / 3 on the other.
    assert str(found).startswith(
        f"Over 2 tasks Adam has the largest speed-up over gradient descent, "
        f"{of(found, 'adam').speedup:.2f} in the geometric mean; it has the highest profile score, "
        "0.92."
    )


def test_a_rule_that_joins_changes_no_place_of_the_others(made):
    """Scores compare with the fastest of a task, so that they may; speed-ups do not."""
    times = {"sgd": (50, 50), "adam": (10, 42), "nadam": (25, 20), "rmsprop": (50, 10)}

    def raced(*rules: str):
        plan = made.planned(*rules)
        each = [{rule: [times[rule][task]] * 12 for rule in rules} for task in (0, 1)]
        return across(
            {f"{task}": made.judged(plan, made.timed(plan, own)) for task, own in enumerate(each)}
        )

    few, more = raced("sgd", "adam", "nadam"), raced(*times)
    assert of(few, "adam").score > of(few, "nadam").score
    assert of(more, "adam").score < of(more, "nadam").score
    assert of(few, "adam").speedup == pytest.approx(of(more, "adam").speedup)
    for found in (few, more):
        order = [s.rule for s in found.scores if s.rule != "rmsprop"]
        assert order == ["adam", "nadam", "sgd"]


MOST, FEW = [20] * 7 + [NEVER] * 5, [20] * 5 + [NEVER] * 7


@pytest.mark.parametrize(
    ("second", "bound", "missed"),
    [
        ({"adam": [NEVER] * 12}, "≤", ("b",)),
        ({"sgd": [NEVER] * 12}, "≥", ()),
        ({"sgd": [NEVER] * 12, "adam": [NEVER] * 12}, "≈", ("b",)),
        ({"adam": MOST}, "", ()),  # most arrived
        ({"adam": FEW}, "≤", ("b",)),
    ],
)
def test_how_misses_count(made, judged, second, bound, missed):
    """Each as the whole run."""
    found = of(across({"a": judged(), "b": judged(**second)}), "adam")
    assert (found.bound, found.missed) == (bound, missed)
    times = STEADY | second
    told = by_hand(made, ([50], [20]), (times["sgd"], times["adam"]))
    assert found.speedup == pytest.approx(told, rel=0.02)


def test_what_is_not_fair_or_has_no_target_counts_nowhere(made, judged):
    plan = made.planned(*STEADY)
    curves = made.timed(plan, STEADY)
    leaked = replace(plan, facts=plan.facts._replace(shared=(0, 1.0, 0)))
    lost = [
        replace(c, measures=np.full_like(c.measures, np.nan)) if c.run.stage == "reference" else c
        for c in curves
    ]
    unfair, aimless = made.judged(leaked, curves), made.judged(plan, lost)
    assert unfair.refused
    verdicts = {"a": judged(), "leaked": unfair, "aimless": aimless}
    found = across(verdicts)
    assert list(found.times) == ["a"]
    assert set(found.left_out) == {"leaked", "aimless"}
    assert found.left_out["leaked"] == "not a fair race"
    nothing = across({"leaked": unfair})
    assert nothing.scores == ()
    assert str(nothing).startswith("No scores")


def test_the_reference_need_not_be_gradient_descent(made):
    plan = made.planned("adam", "nadam", reference="adam")
    verdicts = {"a": made.judged(plan, made.timed(plan, {"adam": [50] * 12, "nadam": [25] * 12}))}
    found = across(verdicts)
    assert found.reference == "adam"
    assert {s.rule: s.bound for s in found.scores} == {"adam": "", "nadam": ""}
    assert of(found, "adam").speedup == 1
    assert of(found, "nadam").speedup == pytest.approx(2, rel=0.03)
    assert "over Adam, " in str(found)
