"""The verdict: right where there is an answer, and saying so where there is none."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ravine import verdict
from ravine.pages.results import Results
from ravine.rules import RULES


def test_a_rule_twice_as_fast_is_found_so(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 5.0, "adam": 10.0}, spread=0.05))
    found = made.judged(plan, curves)
    leader = found.leader
    assert (leader.rule, leader.finding) == ("adam", "faster")
    assert leader.speedup.low < 2.0 < leader.speedup.high
    assert leader.speedup.median == pytest.approx(2.0, rel=0.1)
    assert leader.p_value < 0.05
    said = verdict.said_speedup(leader.speedup)
    assert f"{leader.speedup.median:.2f} [{leader.speedup.low:.2f}, " in said
    assert str(found).startswith("Adam reaches gradient descent's final loss in 0.5")
    assert str(found).endswith(f"the steps [0.49, 0.54], a speed-up of {said}.")
    baseline = found.standings[1]
    assert (baseline.speedup, baseline.finding) == ((1.0, 1.0, 1.0), "reference")
    # The target is what four in five reference runs reach, so most fresh ones do too.
    assert baseline.reached >= 6


def test_no_difference_is_said_to_be_none(made) -> None:
    plan = made.planned("sgd", "adam")
    found = made.judged(plan, made.raced(plan, made.noisy({"sgd": 5.0, "adam": 5.0})))
    assert str(found).startswith("No difference found")
    assert made.standing(found, "adam").finding == "no difference found"


def test_a_slower_rule_is_found_so(made) -> None:
    plan = made.planned("sgd", "adam")
    found = made.judged(plan, made.timed(plan, {"sgd": [20] * 12, "adam": [30] * 12}))
    assert made.standing(found, "adam").finding == "slower"
    assert str(found) == "No difference found: no rule is faster than gradient descent."


def test_few_seeds_claim_nothing(made) -> None:
    for rules, fresh in {("sgd", "adam"): 6, ("sgd", "adam", "nadam"): 7, tuple(RULES): 9}.items():
        paces = {rule: 5.0 if rule == "sgd" else 20.0 for rule in rules}
        few = made.planned(*rules, fresh=fresh - 1)
        found = made.judged(few, made.raced(few, made.noisy(paces)))
        assert str(found).startswith(
            f"Too few seeds to claim anything: {fresh - 1} of the {fresh} that a race of"
        )
        assert {s.finding for s in found.standings} == {"reference", "too few seeds to claim"}
        # With one more a clean sweep is a finding: the bound is not a habit but arithmetic.
        enough = made.planned(*rules, fresh=fresh)
        found = made.judged(enough, made.raced(enough, made.noisy(paces)))
        assert found.leader.p_value < 0.05
        assert "reaches gradient descent's final loss in" in str(found)


def test_gradient_descent_alone_is_no_comparison(made) -> None:
    plan = made.planned("sgd")
    found = made.judged(plan, made.raced(plan, made.noisy({"sgd": 5.0})))
    assert str(found).startswith("Only gradient descent")


def test_a_race_that_learned_nothing_says_so(made) -> None:
    plan = made.planned("sgd", "adam")
    found = made.judged(plan, made.raced(plan, made.noisy({"sgd": 0.01, "adam": 0.02})))
    assert found.warnings[0].startswith("gradient descent hardly learned")


def test_pairs_are_of_the_same_seed(made) -> None:
    """Half as many steps on every seed, though seeds differ tenfold: paired, that is exact."""
    plan = made.planned("sgd", "adam")
    slow = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 24, 36]
    found = made.judged(plan, made.timed(plan, {"sgd": slow, "adam": [t / 2 for t in slow]}))
    assert made.standing(found, "adam").speedup == (2.0, 2.0, 2.0)


def test_misses_count_as_the_protocol_says(made) -> None:
    plan = made.planned("sgd", "adam")
    never = 999
    times = {"sgd": [50] * 3 + [never] * 9, "adam": [25] * 3 + [50] * 6 + [never] * 3}
    adam = made.standing(made.judged(plan, made.timed(plan, times)), "adam")
    # Three are twice as fast, six at least 1000 / 500 times, three ties; and none is a win for sgd.
    assert adam.speedup == (2.0, 1.0, 2.0)
    assert adam.reached == 9
    assert adam.p_value == pytest.approx(2 / 2**9)


def test_nothing_is_claimed_that_the_interval_does_not_bear_out(made) -> None:
    """Six ties and six wins pass the sign test, which leaves ties out; the interval keeps them."""
    plan = made.planned("sgd", "adam")
    times = {"sgd": [50] * 12, "adam": [50] * 6 + [40] * 6}
    found = made.judged(plan, made.timed(plan, times))
    assert found.leader.p_value < 0.05
    assert found.leader.speedup.low == 1.0
    assert found.leader.finding == "no difference found"
    assert str(found).startswith("No difference found")


def test_nor_what_the_test_adjusted_for_several_rules_does_not(made) -> None:
    """Ten of twelve: the third lowest is above 1, p = 0.039, and twice that with two rules."""
    times = {"sgd": [50] * 12, "adam": [40] * 10 + [60] * 2}
    plan = made.planned(*times)
    assert made.judged(plan, made.timed(plan, times)).leader.finding == "faster"
    times["nadam"] = times["adam"]
    plan = made.planned(*times)
    found = made.judged(plan, made.timed(plan, times))
    assert found.leader.speedup.low > 1
    assert found.leader.p_value == pytest.approx(2 * 2 * (1 + 12 + 66) / 2**12)
    assert str(found).startswith("No difference found: no rule is reliably faster")


def test_the_first_is_one_that_can_be_claimed(made) -> None:
    """Nadam is fastest in the median, and slower on every third seed; Adam is always faster."""
    plan = made.planned("sgd", "adam", "nadam")
    times = {"sgd": [50] * 12, "adam": [40] * 12, "nadam": [20, 20, 60] * 4}
    found = made.judged(plan, made.timed(plan, times))
    assert made.standing(found, "nadam").speedup.median > found.leader.speedup.median
    assert str(found).startswith("Adam reaches gradient descent's final loss in 0.80× the steps")
    assert found.ties == ("nadam",)
    assert str(found).endswith("; Nadam cannot be told apart from it.")


def test_ties_for_first_are_those_whose_paired_interval_includes_one(made) -> None:
    plan = made.planned("sgd", "adam", "nadam", "rmsprop")
    leader = [20, 30, 40, 50, 60, 70] * 2
    times = {
        "sgd": [100] * 12,
        "adam": leader,
        "nadam": [t + (1 if i < 9 else -1) for i, t in enumerate(leader)],  # three are better
        "rmsprop": [t + (1 if i < 10 else -1) for i, t in enumerate(leader)],  # two are
    }
    found = made.judged(plan, made.timed(plan, times))
    assert found.leader.rule == "adam"
    assert found.ties == ("nadam",)
    assert [s.tied_for_first for s in found.standings] == [True, True, False, False]


def test_tuning_sees_validation_alone_and_diverged_rates_lose(made) -> None:
    plan = made.planned("sgd")

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rate == 1.0:  # the lowest end of all, but for two seeds that blow up
            return made.falling(9.0, 0.01) if seed == 1 else made.lost
        return made.falling(5.0, 0.1 if rate == 0.1 else 0.4)

    curves = made.raced(plan, losses)
    assert verdict.choose(plan, curves) == {"sgd": 0.1}
    for curve in curves:  # whatever the test data say
        curve.measures[:, verdict.TEST, 0] = made.start * curve.run.learning_rate
    assert verdict.choose(plan, curves) == {"sgd": 0.1}


def test_the_median_of_the_tuning_seeds_decides(made) -> None:
    plan = made.planned("sgd")
    ends = {0.01: [0.1, 0.5, 0.6], 0.1: [0.3, 0.4, 2.2], 1.0: [0.41, 0.41, 0.41]}
    curves = made.raced(
        plan, lambda _, rate, seed, stage: made.falling(99.0, ends[rate][seed % 10 % 3])
    )
    assert verdict.choose(plan, curves) == {"sgd": 0.1}


def test_equal_rates_go_to_the_smaller(made) -> None:
    plan = made.planned("sgd")
    curves = made.raced(plan, lambda *_: made.falling(5.0))
    assert verdict.choose(plan, curves) == {"sgd": 0.01}
    assert "edge of the range" in made.judged(plan, curves).warnings[0]


def test_each_result_is_of_its_own_split_and_stage(made) -> None:
    """Validation and tuning seeds decide the rates alone; target and times are of the test data."""
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 5.0, "adam": 8.0}))
    honest = made.judged(plan, curves)

    def spoiled(stages: tuple[str, ...], split: int) -> verdict.Verdict:
        """With other numbers there, in the same order."""
        others = []
        for curve in curves:
            measures = curve.measures.copy()
            if curve.run.stage in stages:
                measures[:, split] *= 2
            others.append(replace(curve, measures=measures))
        return made.judged(plan, others)

    def told(found: verdict.Verdict) -> list[object]:
        return [(s.rule, s.speedup, s.steps_to_target, s.final_losses) for s in found.standings]

    for stages, split in (
        (("tuning",), verdict.TEST),
        (("tuning",), verdict.VALIDATION),  # all doubled: the same rates
        (("reference", "fresh"), verdict.VALIDATION),
    ):
        assert told(spoiled(stages, split)) == told(honest)
    assert spoiled(("reference",), verdict.TEST).target == pytest.approx(2 * honest.target)
    for s, other in zip(honest.standings, spoiled(("fresh",), 0).standings, strict=True):
        assert other.validation_loss == pytest.approx(2 * s.validation_loss)
        assert other.sensitivity == s.sensitivity  # which is of the tuning runs alone


def test_diverged_fresh_runs_are_a_result(made) -> None:
    plan = made.planned("sgd", "adam")
    good = made.noisy({"sgd": 5.0, "adam": 10.0})

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rule == "adam" and stage == "fresh" and seed % 2:
            return made.lost
        return good(rule, rate, seed, stage)

    curves = made.raced(plan, losses)
    found = made.judged(plan, curves)
    adam = made.standing(found, "adam")
    assert (adam.diverged, adam.reached) == (6, 6)
    assert "Adam: 6 of 12 fresh runs diverged" in found.warnings
    assert adam.final_loss == adam.validation_loss == math.inf
    assert 0 < adam.final_metrics["accuracy"] < 1
    text = Results(plan, curves, found, {}, {}, "ravine race").to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    entry = next(r for r in json.loads(text)["rules"] if r["rule"] == "adam")
    assert entry["final_losses"].count(None) == 6
    assert entry["diverged"] == 6


def test_no_target_is_no_verdict(made) -> None:
    plan = made.planned("sgd", "adam")
    good = made.noisy({"sgd": 5.0, "adam": 10.0})

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        return (
            made.lost if stage == "reference" and seed % 3 == 0 else good(rule, rate, seed, stage)
        )

    found = made.judged(plan, made.raced(plan, losses))
    assert str(found).startswith("No verdict: gradient descent diverged")
    assert all(s.reached == 0 for s in found.standings)
    assert all(s.speedup == (1, 1, 1) for s in found.standings)
    assert made.standing(found, "adam").finding == "no target"


def test_three_clocks(made) -> None:
    """Adam takes half the steps, each of them thrice as long: in seconds it is slower."""
    plan = made.planned("sgd", "adam")
    curves = made.timed(plan, {"sgd": [60] * 12, "adam": [30] * 12})
    found = made.judged(plan, curves, step_seconds={"sgd": 0.001, "adam": 0.003})
    adam = found.leader
    assert adam.speedup == (2.0, 2.0, 2.0)
    assert adam.speedup_seconds == pytest.approx((2 / 3,) * 3)
    assert adam.steps_to_target == adam.gradients_to_target == (300, 300, 300)
    assert adam.seconds_to_target == pytest.approx((0.9,) * 3)
    # Measured on some machine on some day: it stands beside the sentence, not in it.
    assert "second" not in str(found)
    unmeasured = made.judged(plan, curves).leader
    assert unmeasured.seconds_to_target is unmeasured.speedup_seconds is None


def test_a_target_of_the_users_own(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.timed(plan, {"sgd": [60] * 12, "adam": [30] * 12})
    target = verdict.Target(0.6, measure=1, rising=True)
    found = made.judged(plan, curves, target=target)
    assert (found.target, found.measure) == (0.6, "accuracy")
    assert str(found).startswith("Adam reaches a test accuracy of 0.6 in 0.50× the steps")


def test_a_claim_on_a_rate_that_was_a_close_call_says_so(made) -> None:
    plan = made.planned("sgd", "adam")
    good = made.noisy({"sgd": 5.0, "adam": 10.0}, spread=0.01)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if (rule, rate, seed, stage) == ("adam", 1.0, 2, "tuning"):
            return made.falling(20.0, 0.05)
        return good(rule, rate, seed, stage)

    found = made.judged(plan, made.raced(plan, losses))
    assert found.leader.sensitivity.rivals == (1.0,)
    assert any(w.startswith("Adam: learning rate 0.1 was a close call, 1 ") for w in found.warnings)
    assert not any("SGD: learning rate" in warning for warning in found.warnings)
