"""Where runs end: intervals by scipy, what is told of a first that ends higher, what to take."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from ravine.analysis import Spread, Verdict
from ravine.analysis.evaluation import ALPHA
from ravine.analysis.looks import nominal_levels

LAST = {"sgd": 0.30, "adam": 0.28, "nadam": 0.10}  # final losses, of Nadam and Adam at one pace
PACES = {"sgd": 50, "adam": 20, "nadam": 20}
FRESH = 2_000_000


def luck(rule: str, seed: int) -> float:
    return float(np.random.default_rng([seed, *rule.encode()]).normal(0, 0.01))


def losses_of(made, last: dict[str, float]):
    """Each rule at its pace to the targets; all that comes after those is as given."""

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rate != 0.1:
            return np.full(101, 1.9)
        found = made.reaching(PACES[rule] * (1 + luck(rule, seed)))
        if stage == "evaluation":
            found[-3:] = last[rule] + luck(rule, seed)
        return found

    return losses


def judged(made, last: dict[str, float] = LAST, **more) -> Verdict:
    seconds = more.pop("step_seconds", None)
    plan = made.planned(*last, **{"target": 0.5, **more})
    return made.judged(plan, made.raced(plan, losses_of(made, last)), step_seconds=seconds)


def ends(rule: str, seeds: int = 12) -> np.ndarray:
    return np.array([LAST[rule] + luck(rule, FRESH + k) for k in range(seeds)])


def theirs(one: str, other: str, level: float) -> Spread:
    logs = np.log(ends(one)), np.log(ends(other))
    found = ttest_rel(*logs).confidence_interval(1 - level)
    return Spread(*np.exp([np.mean(logs[0] - logs[1]), found.low, found.high]))


@pytest.mark.parametrize("looks", [True, False])
def test_a_final_loss_against_the_references_is_paired_and_adjusted(made, looks: bool) -> None:
    found = judged(made, looks=looks)
    level = ALPHA / 2
    if looks:  # all of Nadam's seeds are there at the last look
        level = nominal_levels((6, 9, 12), ALPHA / 2)[-1]
    first = found.leader
    assert first.runs == 12
    assert first.final_ratio == pytest.approx(theirs(first.rule, "sgd", level), abs=1e-6)
    assert made.standing(found, "sgd").final_ratio is None


def test_a_first_that_ends_reliably_higher_says_so_and_the_other_is_to_take(made) -> None:
    last = {**LAST, "adam": 0.10, "nadam": 0.28} if first_of(made) == "nadam" else LAST
    found = judged(made, last)
    first = found.leader.rule
    other = "adam" if first == "nadam" else "nadam"
    assert found.ties == (other,)
    assert found.recommended.rule == other
    assert list(found.ends_lower) == [other]
    assert found.ends_lower[other].median == pytest.approx(2.8, abs=0.2)
    assert f"But it ends at 2.7× the test loss of {found_title(other)} [" in found.sentence.replace(
        f"{found.ends_lower[other].median:.3g}×", "2.7×"
    )
    assert found.sentence.endswith(f"{found_title(other)} is the one to take.")


def first_of(made) -> str:
    return judged(made, dict.fromkeys(LAST, 0.3)).leader.rule


def found_title(rule: str) -> str:
    return {"adam": "Adam", "nadam": "Nadam"}[rule]


def test_a_slower_rule_that_ends_lower_is_told_and_not_taken(made) -> None:
    found = judged(made, {"sgd": 0.1, "adam": 0.28})
    assert found.leader.rule == "adam"
    assert found.recommended is found.leader
    assert "But it ends at 2.84× the test loss of gradient descent [2.66, 3.03]." in found.sentence
    assert "to take" not in found.sentence


def test_for_the_final_loss_the_lowest_is_taken_however_slow(made) -> None:
    found = judged(made, {"sgd": 0.1, "adam": 0.28}, objective="final")
    assert found.leader.rule == "adam"
    assert found.recommended.rule == "sgd"
    assert found.sentence.endswith("gradient descent is the one to take.")


def test_where_nobody_reliably_ends_lower_no_but_is_said(made) -> None:
    found = judged(made, dict.fromkeys(LAST, 0.1))
    assert found.recommended is found.leader
    assert "But" not in found.sentence


def test_runs_that_end_a_hundred_times_higher_do_not_hide_that_all_end_higher(made) -> None:
    """A mean of differences would: their spread grows with them."""
    plan = made.planned("sgd", "adam", target=0.5)
    losses = losses_of(made, {"sgd": 0.1, "adam": 0.1})

    def wild(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        found = losses(rule, rate, seed, stage)
        if (rule, stage) == ("adam", "evaluation"):
            found[-3:] *= (1.5, 3, 8, 15)[seed % 4]
        return found

    found = made.judged(plan, made.raced(plan, wild))
    assert found.leader.rule == "adam"
    assert list(found.ends_lower) == ["sgd"]
    assert found.ends_lower["sgd"].median == pytest.approx((1.5 * 3 * 8 * 15) ** 0.25, rel=0.2)


def test_what_is_fast_at_first_and_never_arrives_falls_short(made) -> None:
    """It takes all steps to a target that it misses: too few for one who would never be there."""
    plan = made.planned("sgd", "adam")

    def stuck(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rate != 0.1:
            return np.full(101, 1.9)
        if rule == "sgd":
            return made.reaching(50 * (1 + luck(rule, seed)))
        return np.maximum(made.reaching(10 * (1 + luck(rule, seed))), 0.53)

    found = made.judged(plan, made.raced(plan, stuck))
    adam = made.standing(found, "adam")
    assert adam.speedup.low > 1  # to most targets, and so on the whole
    assert adam.reached == 0
    assert adam.finding == "falls short"
    assert found.leader.rule == "sgd"
    assert found.sentence.endswith("Adam falls short of the target.")
    assert any("Adam is faster to the easier targets" in line for line in found.warnings)


def test_where_nobody_is_at_the_target_nobody_is_as_fast(made) -> None:
    found = judged(made, {"sgd": 0.3, "adam": 0.3}, target=0.01)
    assert made.standing(found, "adam").finding == "undecided"
    assert found.sentence == "No verdict: no run is at a test loss of 0.01."


def test_a_run_that_diverges_leaves_the_difference_unknown(made) -> None:
    plan = made.planned("sgd", "adam", target=0.5)
    losses = losses_of(made, LAST)

    def one_lost(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        lost = (rule, stage, seed) == ("adam", "evaluation", FRESH)
        return np.where(np.arange(101) < 90, losses(rule, rate, seed, stage), np.nan if lost else 1)

    found = made.judged(plan, made.raced(plan, one_lost))
    assert made.standing(found, "adam").final_ratio is None
    assert found.ends_lower == {}


def test_within_the_references_seconds_a_dear_rule_takes_fewer_steps(made) -> None:
    seconds = {"sgd": 1.0, "adam": 2.0, "nadam": 0.5}
    found = judged(made, step_seconds=seconds)
    adam, nadam = (made.standing(found, rule) for rule in ("adam", "nadam"))
    half = [made.reaching(20 * (1 + luck("adam", FRESH + k)))[48:51].mean() for k in range(12)]
    assert adam.loss_in_seconds == pytest.approx(np.median(half), rel=1e-5)
    # A cheap one could take more steps than it has: what it has is what is known.
    assert nadam.loss_in_seconds == pytest.approx(0.1, abs=0.01)
    assert made.standing(found, "sgd").loss_in_seconds_ratio is None
    both = np.exp(np.mean(np.log(half) - np.log(ends("sgd"))))
    assert adam.loss_in_seconds_ratio.median == pytest.approx(both, rel=1e-5)


def test_what_is_faster_in_steps_alone_says_so(made) -> None:
    quick = judged(made, step_seconds=dict.fromkeys(LAST, 1.0))
    slow = judged(made, step_seconds={"sgd": 1.0, "adam": 4.0, "nadam": 4.0})
    maybe = judged(made, step_seconds={"sgd": 1.0, "adam": 2.31, "nadam": 2.31})
    assert quick.in_seconds == ""
    rule = found_title(quick.leader.rule)
    assert slow.in_seconds.startswith(f"In seconds {rule} is slower than gradient descent: ")
    assert maybe.in_seconds.startswith(f"In seconds {rule} was not shown to be faster than")
    assert quick.sentence == slow.sentence == maybe.sentence  # the same on every machine
