"""Several repetitions, decays and targets of the user's own: what time and evidence are then."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from ravine import analysis
from ravine.analysis.comparing import TOLERANCE
from ravine.analysis.repetitions import repeated
from ravine.analysis.tuning import of_repetition
from ravine.experiment.configuration import Configuration
from ravine.experiment.plan import repetition_of

RATE = 0.1


def test_of_several_studies_each_is_one_comparison(made) -> None:
    """Within a repetition all runs share the luck of its tuning: they are no
    independent evidence.
    """
    plan = made.planned("sgd", "adam", repetitions=7)
    at = {
        repetition: 20 + repetition for repetition in range(7)
    }  # of the rule; gradient descent takes 50

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if stage != "evaluation":
            return made.reaching(50) if rate == RATE else np.full(101, 1.9)
        return made.reaching(50 if rule == "sgd" else at[repetition_of(seed)])

    curves = made.raced(plan, losses)
    assert repeated(plan, curves).units == 7
    found = made.judged(plan, curves)
    adam = made.standing(found, "adam")
    assert adam.runs == 7 * 12
    logs = [np.log(made.by_hand(50)).mean() - np.log(made.by_hand(e)).mean() for e in at.values()]
    assert adam.speedup.median == pytest.approx(math.exp(np.mean(logs)), rel=0.02)
    half = student.isf(0.025, 6) * np.std(logs, ddof=1) / math.sqrt(7)
    assert adam.speedup.low == pytest.approx(math.exp(np.mean(logs) - half - TOLERANCE), rel=0.02)
    assert adam.finding == "faster"
    assert adam.chosen == (Configuration(RATE),) * 7
    assert "over 7 repetitions, each tuned anew" in found.sentence
    few = made.planned("sgd", "adam", repetitions=3)
    kept = [curve for curve in curves if repetition_of(curve.run.seed) < 3]
    said = "Too few repetitions to claim anything: 3 of the 4 that it takes"
    assert made.judged(few, kept).sentence.startswith(said)


@pytest.mark.parametrize(("aimless", "claimed"), [(1, True), (2, False)])
def test_a_study_without_a_target_is_no_evidence(made, aimless: int, claimed: bool) -> None:
    """Of five, those in which gradient descent diverges compare nothing: four are the fewest."""
    plan = made.planned("sgd", "adam", repetitions=5)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if stage == "reference" and repetition_of(seed) >= 5 - aimless:
            return made.lost
        slow = stage != "evaluation" or rule == "sgd"
        return made.reaching(50 if slow else 25) if rate == RATE else np.full(101, 1.9)

    curves = made.raced(plan, losses)
    assert repeated(plan, curves).units == 5 - aimless
    found = made.judged(plan, curves)
    assert (made.standing(found, "adam").finding == "faster") == claimed
    assert found.sentence.startswith("Too few repetitions to claim anything: 3 of") != claimed


def test_one_seed_a_study_is_enough(made) -> None:
    plan = made.planned("sgd", "adam", repetitions=4, tuning_seeds=1, fresh=1)
    curves = made.raced(plan, made.noisy({"sgd": 4.0, "adam": 8.0}, spread=0.02))
    found = made.judged(plan, curves)
    assert found.leader.finding == "faster"
    assert found.leader.speedup.median == pytest.approx(2, rel=0.1)


def test_each_study_has_its_own_choice_and_its_own_target(made) -> None:
    plan = made.planned("sgd", "adam", repetitions=2)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        repetition = repetition_of(seed)
        best = (0.01, 1.0)[repetition] if rule == "adam" else RATE
        floor = 0.1 * (1 + repetition) + (0.0 if rate == best else 0.5)
        return made.falling(8, floor)

    curves = made.raced(plan, losses)
    repetitions = repeated(plan, curves)
    assert [repetition.chosen["adam"].learning_rate for repetition in repetitions.each] == [
        0.01,
        1.0,
    ]
    targets = [repetition.target.value for repetition in repetitions.each]
    assert targets[0] == pytest.approx(0.1, abs=0.01)
    assert targets[1] == pytest.approx(0.2, abs=0.01)
    assert made.judged(plan, curves).target == pytest.approx(np.median(targets))
    assert [repetition.band[0] for repetition in repetitions.each] == targets
    # Repetitions show the luck of tuning: no contenders stand for it.
    assert {len(repetition.contenders("adam")) for repetition in repetitions.each} == {1}
    assert {c.run.stage for c in of_repetition(curves, 1)} == {"tuning", "reference", "evaluation"}


@pytest.mark.parametrize(("target", "rising"), [("accuracy>=0.6", True), ("loss<=0.5", False)])
def test_a_target_of_the_users_own(made, target: str, rising: bool) -> None:
    plan = made.planned("sgd", "adam", target=target)
    # The measure "accuracy" of these races is 1 / (1 + loss): 0.6 where the loss is 2/3.
    curves = made.raced(plan, made.noisy({"sgd": 4.0, "adam": 8.0}))
    assert not any(curve.run.stage == "reference" for curve in curves)
    found = made.judged(plan, curves)
    assert (found.target, found.measure) == (float(target[-3:]), target[: -len(">=0.6")])
    assert found.rising == rising
    assert found.band[0] == found.target
    assert list(found.band) == sorted(found.band, reverse=rising)
    assert f"on the way to a test {found.measure} of {found.target:g}" in found.sentence
    # Time to any loss, and so to any accuracy, is in proportion to the pace.
    assert made.standing(found, "adam").speedup.median == pytest.approx(2, rel=0.15)
    assert analysis.protocol(plan)["target"] == f"the user's own: test {target}"
    level = 2 / 3 if rising else 0.5
    first = [
        curve.measures[:, 1, 0]
        for curve in curves
        if curve.run.stage == "evaluation" and curve.run.rule == "adam"
    ]
    trailing = [np.convolve(loss[1:], np.ones(3) / 3, "valid") for loss in first]
    by_hand = [10 * (3 + int(np.argmax(t <= level))) for t in trailing]
    # A mean of reciprocals is not the reciprocal of a mean: within an evaluation.
    assert made.standing(found, "adam").steps_to_target.median == pytest.approx(
        np.median(by_hand), abs=10
    )


def test_a_target_that_the_reference_never_reaches_is_the_only_one(made) -> None:
    """There is no way of its own that leads there; its runs count as whole ones."""
    plan = made.planned("sgd", "adam", target=0.2)
    curves = made.timed(plan, {"sgd": [50] * 12, "adam": [2] * 12})
    found = made.judged(plan, curves)
    assert found.band == (0.2,)
    # 0.1 + 2.2 / (1 + 4.5 t / 2) = 0.2 at t = 9.33; as a mean, a little later.
    assert found.leader.speedup.median == pytest.approx(100 / 10, rel=0.01)
    assert any("missed the target in 12 of 12" in warning for warning in found.warnings)
