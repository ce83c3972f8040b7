"""The verdict: right where there is an answer, and saying so where there is none."""

import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ravine import verdict
from ravine.pages.results import Results
from ravine.racing.plan import Facts, Plan, choose, settle
from ravine.racing.store import Curve
from ravine.rules import RULES
from ravine.tasks import TASKS

HORIZON = 1000
START = 2.3


def planned(*names: str, seeds: int = 3, fresh: int = 12) -> Plan:
    task = TASKS["digits-mlp"]
    rates = [0.01, 0.1, 1.0]
    rules = [RULES[name]() for name in names]
    choices, by_name = choose(task, rules, rates, seeds, fresh, 10, 32)
    plan = settle(choices, by_name, Facts(100, (3200, 10, 10), ("loss", "accuracy"), "0"))
    assert plan.steps == HORIZON
    return plan


def falling(pace: float, floor: float = 0.1) -> np.ndarray:
    """Losses at every evaluation of a run that approaches its floor."""
    t = np.linspace(0, 1, 101)
    return floor + (START - floor) * np.exp(-pace * t)


def raced(plan: Plan, losses: Callable[[str, float, int, str], np.ndarray]) -> list[Curve]:
    """The curves of a race in which a run's validation and test losses are as given."""
    best = dict.fromkeys(plan.choices.rules, 0.1)
    curves = []
    for run in [*plan.tuning(), *plan.judging(best)]:
        loss = losses(run.rule, run.learning_rate, run.seed, run.stage)
        measures = np.stack([loss, 1 / (1 + loss)], axis=-1)[:, None, :].repeat(2, axis=1)
        training = np.full(plan.steps, 1.0)
        if not np.isfinite(loss[-1]):
            training[400:] = np.nan
        curves.append(Curve(run, "w", "b", training.astype("f4"), measures.astype("f4")))
    return curves


def noisy(paces: dict[str, float], spread: float = 0.1) -> Callable[..., np.ndarray]:
    """The rate 0.1 is best for all; a rule goes at its pace, each seed a little otherwise."""

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        luck = np.random.default_rng([seed, *rule.encode()]).normal(0, spread)
        return falling(paces[rule] * math.exp(luck), floor=0.1 if rate == 0.1 else 0.5)

    return losses


def judged(plan: Plan, curves: Sequence[Curve]) -> verdict.Verdict:
    return verdict.judge(
        plan, {rule: RULES[rule]().values() for rule in plan.choices.rules}, curves
    )


def test_a_rule_twice_as_fast_is_found_so() -> None:
    plan = planned("sgd", "adam")
    found = judged(plan, raced(plan, noisy({"sgd": 5.0, "adam": 10.0}, spread=0.05)))
    leader = found.leader
    assert leader.rule == "adam"
    assert leader.speedup.low < 2.0 < leader.speedup.high
    assert leader.speedup.median == pytest.approx(2.0, rel=0.1)
    assert leader.p_value < 0.05
    assert str(found).startswith("Adam reaches gradient descent's final loss in 0.5")
    assert "[" in str(found)
    baseline = found.standings[1]
    assert baseline.speedup == (1.0, 1.0, 1.0)
    # The target is what four in five reference runs reach, so most fresh ones do too.
    assert baseline.reached >= 6


def test_no_difference_is_said_to_be_none() -> None:
    plan = planned("sgd", "adam")
    found = judged(plan, raced(plan, noisy({"sgd": 5.0, "adam": 5.0})))
    assert str(found).startswith("No difference found")


def test_few_seeds_claim_nothing() -> None:
    for rules, fresh in {("sgd", "adam"): 6, ("sgd", "adam", "nadam"): 7, tuple(RULES): 9}.items():
        paces = {rule: 5.0 if rule == "sgd" else 20.0 for rule in rules}
        few = planned(*rules, fresh=fresh - 1)
        assert str(judged(few, raced(few, noisy(paces)))).startswith(
            f"Too few seeds to claim anything: {fresh - 1} of the {fresh} that a race of"
        )
        # With one more a clean sweep is a finding: the bound is not a habit but arithmetic.
        enough = planned(*rules, fresh=fresh)
        found = judged(enough, raced(enough, noisy(paces)))
        assert found.leader.p_value < 0.05
        assert "reaches gradient descent's final loss in" in str(found)


def test_gradient_descent_alone_is_no_comparison() -> None:
    plan = planned("sgd")
    assert str(judged(plan, raced(plan, noisy({"sgd": 5.0})))).startswith("Only gradient descent")


def test_a_race_that_learned_nothing_says_so() -> None:
    plan = planned("sgd", "adam")
    found = judged(plan, raced(plan, noisy({"sgd": 0.01, "adam": 0.02})))
    assert found.warnings[0].startswith("gradient descent hardly learned")


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(0, 10))
def test_quartiles_are_numpys_and_bear_infinity(values: list[int], missing: int) -> None:
    expected = np.quantile(values, [0.5, 0.25, 0.75])
    np.testing.assert_allclose(verdict.quartiles([float(v) for v in values]), expected)
    with_misses = verdict.quartiles([*map(float, values), *[math.inf] * missing])
    assert not any(map(math.isnan, with_misses))
    assert (with_misses.median == math.inf) == ((len(values) + missing) // 2 >= len(values))


def test_ties_for_first_are_named() -> None:
    plan = planned("sgd", "adam", "nadam")
    found = judged(plan, raced(plan, noisy({"sgd": 4.0, "adam": 12.0, "nadam": 12.2})))
    assert str(found).endswith("cannot be told apart from it.")


def test_tuning_sees_validation_alone_and_diverged_rates_lose() -> None:
    plan = planned("sgd")

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rate == 1.0:  # the lowest end of all, but for two seeds that blow up
            return falling(9.0, 0.01) if seed == 1 else np.where(np.arange(101) < 40, 1.0, np.nan)
        return falling(5.0, 0.1 if rate == 0.1 else 0.4)

    curves = raced(plan, losses)
    assert verdict.choose(plan, curves) == {"sgd": 0.1}
    for curve in curves:  # whatever the test data say
        curve.measures[:, verdict.TEST, 0] = START * curve.run.learning_rate
    assert verdict.choose(plan, curves) == {"sgd": 0.1}


def test_equal_rates_go_to_the_smaller() -> None:
    plan = planned("sgd")
    curves = raced(plan, lambda *_: falling(5.0))
    assert verdict.choose(plan, curves) == {"sgd": 0.01}
    assert "edge of the range" in judged(plan, raced(plan, lambda *_: falling(5.0))).warnings[0]


def test_divergence_is_recorded_with_its_step() -> None:
    plan = planned("sgd")
    finite, lost, above = (
        raced(plan, lambda *_, c=curve: c)[0]
        for curve in (falling(5.0), np.where(np.arange(101) < 40, 1.0, np.nan), falling(-0.1))
    )
    assert verdict.diverged_at(finite, verdict.TEST) is None
    assert verdict.diverged_at(lost, verdict.TEST) == 401
    assert verdict.diverged_at(above, verdict.TEST) == HORIZON


def test_diverged_fresh_runs_are_a_result() -> None:
    plan = planned("sgd", "adam")
    good = noisy({"sgd": 5.0, "adam": 10.0})

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rule == "adam" and stage == "fresh" and seed % 2:
            return np.where(np.arange(101) < 40, 1.0, np.nan)
        return good(rule, rate, seed, stage)

    found = judged(plan, raced(plan, losses))
    adam = next(s for s in found.standings if s.rule == "adam")
    assert (adam.diverged, adam.reached) == (6, 6)
    assert "Adam: 6 of 12 fresh runs diverged" in found.warnings
    assert adam.final_loss == math.inf
    assert 0 < adam.final_metrics["accuracy"] < 1
    results = Results(plan, raced(plan, losses), found, {}, {}, "ravine race")
    text = results.to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    entry = next(r for r in json.loads(text)["rules"] if r["rule"] == "adam")
    assert entry["final_losses"].count(None) == 6
    assert entry["diverged"] == 6


def test_no_target_is_no_verdict() -> None:
    plan = planned("sgd", "adam")
    good = noisy({"sgd": 5.0, "adam": 10.0})

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if stage == "reference" and seed % 3 == 0:
            return np.where(np.arange(101) < 40, 1.0, np.nan)
        return good(rule, rate, seed, stage)

    found = judged(plan, raced(plan, losses))
    assert str(found).startswith("No verdict: gradient descent diverged")
    assert all(s.reached == 0 for s in found.standings)
    assert all(s.speedup == (1, 1, 1) for s in found.standings)


def test_time_to_target_is_the_trailing_mean_of_three() -> None:
    plan = planned("sgd")
    losses = np.full(101, 2.0)
    losses[50:] = 0.5  # evaluations 50, 51, 52 are the first three low ones
    losses[20] = 0.0  # one lucky evaluation is not enough
    curve = raced(plan, lambda *_: losses)[0]
    assert verdict.steps_to(curve, 0.5, plan.period) == 52 * plan.period
    assert verdict.steps_to(curve, 0.4, plan.period) == math.inf


@pytest.mark.parametrize(
    ("baseline", "rule", "expected"),
    [(800, 400, 2.0), (math.inf, 400, 2.5), (800, math.inf, 0.0), (math.inf, math.inf, 1.0)],
)
def test_speedup_of_runs_that_miss(baseline: float, rule: float, expected: float) -> None:
    assert verdict.speedup(baseline, rule, 1000) == expected


def test_the_interval_of_twelve_is_the_third_to_the_tenth() -> None:
    assert verdict.median_interval(list(range(1, 13))) == (6.5, 3, 10)


@given(st.lists(st.integers(0, 1000), min_size=6, max_size=40, unique=True))
def test_the_interval_is_scipys(values: list[int]) -> None:
    interval = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    assert verdict.median_interval(values)[1:] == (interval.low, interval.high)


def test_the_interval_covers_the_median() -> None:
    rng = np.random.default_rng(0)
    samples = rng.lognormal(size=(4000, 12))
    inside = [low <= 1 <= high for _, low, high in map(verdict.median_interval, samples)]
    # Exactly 96.1 %; four standard errors of 4,000 draws are 1.2 %.
    assert np.mean(inside) == pytest.approx(0.961, abs=0.012)


def test_holm_against_a_worked_example() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 are multiplied by 4, 3, 2, 1 and kept from falling.
    adjusted = verdict.holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02})
    assert adjusted == pytest.approx({"b": 0.04, "d": 0.06, "c": 0.06, "a": 0.06})


def test_sign_test_counts_no_ties() -> None:
    assert verdict.sign_test([2.0] * 6 + [1.0] * 5) == pytest.approx(2 / 2**6)
    assert verdict.sign_test([1.0] * 5) == 1.0


@given(st.randoms(use_true_random=False))
def test_the_order_of_runs_changes_nothing(random: object) -> None:
    plan = planned("sgd", "adam")
    curves = raced(plan, noisy({"sgd": 5.0, "adam": 7.0}))
    shuffled = curves.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ours, theirs = judged(plan, curves), judged(plan, shuffled)
    assert ours.sentence == theirs.sentence
    assert [s.speedup for s in ours.standings] == [s.speedup for s in theirs.standings]
