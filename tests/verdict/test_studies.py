"""Several studies, decays and targets of the user's own: what time and evidence are then."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ravine import verdict
from ravine.racing.plan import Plan, study_of
from ravine.racing.store import Curve
from ravine.verdict.studies import studied

RATE = 0.1


def of_studies(plan: Plan, studies: int) -> Plan:
    return replace(plan, choices=replace(plan.choices, studies=studies))


def test_of_several_studies_each_is_one_comparison(made) -> None:
    """Within a study all runs share the luck of its tuning: they are no independent evidence."""
    plan = of_studies(made.planned("sgd", "adam"), 7)
    steps = {study: 20 + study for study in range(7)}  # of the rule; gradient descent takes 60

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if stage != "fresh":
            return made.reaching(50) if rate == RATE else np.full(101, 1.9)
        return made.reaching(60 if rule == "sgd" else steps[study_of(seed)])

    curves = [curve for s in range(7) for curve in made.raced(plan, losses, study=s)]
    studies = studied(plan, curves)
    assert studies.units == 7
    assert studies.speedups("sgd", "adam") == [60 / steps[s] for s in range(7)]
    found = made.judged(plan, curves)
    adam = made.standing(found, "adam")
    assert adam.runs == 7 * 12
    assert adam.speedup.median == 60 / 23
    assert adam.p_value == pytest.approx(2 * 0.5**7)
    assert adam.finding == "faster"
    assert adam.chosen == (RATE,) * 7
    assert "over 7 studies, each tuned anew" in found.sentence
    few = of_studies(plan, 3)
    kept = [curve for curve in curves if study_of(curve.run.seed) < 3]
    assert made.judged(few, kept).sentence.startswith("Too few studies to claim anything: 3 of")


def test_each_study_has_its_own_choice_and_its_own_target(made) -> None:
    plan = of_studies(made.planned("sgd", "adam"), 2)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        study = study_of(seed)
        best = (0.01, 1.0)[study] if rule == "adam" else RATE
        floor = 0.1 * (1 + study) + (0.0 if rate == best else 0.5)
        return made.falling(8, floor)

    curves = []
    for study in range(2):
        best = {"sgd": RATE, "adam": (0.01, 1.0)[study]}
        curves += made.raced(plan, losses, study=study, best=best)
    studies = studied(plan, curves)
    assert [study.chosen["adam"] for study in studies.each] == [0.01, 1.0]
    targets = [study.target.value for study in studies.each]
    assert targets[0] == pytest.approx(0.1, abs=0.01)
    assert targets[1] == pytest.approx(0.2, abs=0.01)
    assert made.judged(plan, curves).target == pytest.approx(np.median(targets))


def test_a_decay_is_judged_where_it_ends_and_not_on_the_way(made) -> None:
    """The shortest whole decay whose end is at the target; what is below it midway is not."""
    plan = replace(made.planned("sgd", "adam"), decaying=("sgd", "adam"))
    ends = {
        ("sgd", "fresh"): 0.4,
        ("sgd", "half"): 0.6,
        ("sgd", "quarter"): 0.9,
        ("adam", "fresh"): 0.3,
        ("adam", "half"): 0.4,
        ("adam", "quarter"): 0.6,
    }

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        count = plan.horizon(stage) // plan.period + 1
        if stage in ("tuning", "reference"):
            return np.full(count, 0.5 if rate == RATE else 1.9)
        curve = np.full(count, 0.01)  # far below the target on the way
        curve[0] = 2.3
        curve[-3:] = ends[rule, stage]
        return curve

    found = made.judged(plan, made.raced(plan, losses))
    assert made.standing(found, "sgd").steps_to_target.median == 1000
    assert made.standing(found, "adam").steps_to_target.median == 500
    assert made.standing(found, "adam").speedup.median == 2
    assert found.leads_by_target == ()
    assert "time_under_a_decay" in verdict.protocol(plan)
    # Where even the whole decay ends above the target, it was missed.
    ends["adam", "fresh"] = ends["adam", "half"] = 0.7
    found = made.judged(plan, made.raced(plan, losses))
    assert made.standing(found, "adam").reached == 0
    assert made.standing(found, "adam").speedup.median == 0


def test_a_decay_that_diverges_at_its_end_was_missed(made) -> None:
    plan = replace(made.planned("sgd"), decaying=("sgd",))
    curve = made.raced(plan, lambda *_: made.falling(8))[-1]
    target = verdict.Target(0.5)
    assert verdict.ends_at(curve, target)
    lost = Curve(curve.run, "w", "b", np.full(plan.steps, np.nan, "f4"), curve.measures, failure="")
    assert not verdict.ends_at(lost, target)
    assert not verdict.ends_at(replace(curve, failure="died"), target)
    assert not verdict.ends_at(curve, verdict.Target(math.inf))


@pytest.mark.parametrize(("target", "rising"), [("accuracy>=0.6", True), ("loss<=0.5", False)])
def test_a_target_of_the_users_own(made, target: str, rising: bool) -> None:
    plan = made.planned("sgd", "adam")
    plan = replace(plan, choices=replace(plan.choices, target=target))
    # The measure "accuracy" of these races is 1 / (1 + loss): 0.6 where the loss is 2/3.
    curves = made.raced(plan, made.noisy({"sgd": 4.0, "adam": 8.0}))
    assert not any(curve.run.stage == "reference" for curve in curves)
    found = made.judged(plan, curves)
    assert (found.target, found.measure) == (float(target[-3:]), target[: -len(">=0.6")])
    assert found.rising == rising
    assert f"reaches a test {found.measure} of {found.target:g}" in found.sentence
    assert verdict.protocol(plan)["target"] == f"the user's own: test {target}"
    level = 2 / 3 if rising else 0.5
    first = [
        curve.measures[:, 1, 0]
        for curve in curves
        if curve.run.stage == "fresh" and curve.run.rule == "adam"
    ]
    trailing = [np.convolve(loss[1:], np.ones(3) / 3, "valid") for loss in first]
    by_hand = [10 * (3 + int(np.argmax(t <= level))) for t in trailing]
    # A mean of reciprocals is not the reciprocal of a mean: within an evaluation.
    assert made.standing(found, "adam").steps_to_target.median == pytest.approx(
        np.median(by_hand), abs=10
    )
