"""Several races together: scores as AlgoPerf's profiles give them, geometric means by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ravine.verdict import performance_profile
from ravine.verdict.across import across

NEVER = 1000  # evaluations: beyond the end of every run
STEADY = {"sgd": [80] * 12, "adam": [20] * 12, "nadam": [40] * 12}


@pytest.fixture(scope="module")
def judged(made):
    plan = made.planned(*STEADY)

    def judge(**evaluations):
        curves = made.timed(plan, STEADY | evaluations)
        return made.judged(plan, curves)

    return judge


def of(found, rule):
    return next(score for score in found.scores if score.rule == rule)


def test_scores_are_those_of_the_median_times(judged):
    verdicts = {"a": judged(), "b": judged(adam=[60] * 12, nadam=[20] * 12)}
    found = across(verdicts, dict.fromkeys(verdicts, 1000))
    assert found.times.to_dict() == {
        "a": {"sgd": 800, "adam": 200, "nadam": 400},
        "b": {"sgd": 800, "adam": 600, "nadam": 200},
    }
    expected = performance_profile(found.times).score
    assert {s.rule: s.score for s in found.scores} == expected.to_dict()
    assert [s.rule for s in found.scores] == ["nadam", "adam", "sgd"]
    assert of(found, "adam").speedup == pytest.approx(math.sqrt(4 * 8 / 6))
    assert of(found, "nadam").speedup == pytest.approx(math.sqrt(2 * 4))
    assert (of(found, "sgd").speedup, of(found, "sgd").bound) == (1, "")
    assert {s.bound for s in found.scores} == {""}
    assert str(found).startswith("Over 2 tasks Nadam has the highest score, 0.84, and a speed-up")


@pytest.mark.parametrize(
    ("second", "bound", "speedup", "missed"),
    [
        ({"adam": [NEVER] * 12}, "≤", math.sqrt(4 * 0.8), ("b",)),
        ({"sgd": [NEVER] * 12}, "≥", math.sqrt(4 * 5), ()),
        ({"sgd": [NEVER] * 12, "adam": [NEVER] * 12}, "≈", math.sqrt(4 * 1), ("b",)),
        ({"adam": [20] * 7 + [NEVER] * 5}, "", 4, ()),  # most arrived
        ({"adam": [20] * 5 + [NEVER] * 7}, "≤", math.sqrt(4 * 0.8), ("b",)),
    ],
)
def test_how_misses_count(judged, second, bound, speedup, missed):
    verdicts = {"a": judged(), "b": judged(**second)}
    adam = of(across(verdicts, dict.fromkeys(verdicts, 1000)), "adam")
    assert (adam.bound, adam.missed) == (bound, missed)
    assert adam.speedup == pytest.approx(speedup)


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
    found = across(verdicts, dict.fromkeys(verdicts, 1000))
    assert list(found.times) == ["a"]
    assert set(found.left_out) == {"leaked", "aimless"}
    assert found.left_out["leaked"] == "not a fair race"
    nothing = across({"leaked": unfair}, {"leaked": 1000})
    assert nothing.scores == ()
    assert str(nothing).startswith("No scores")
