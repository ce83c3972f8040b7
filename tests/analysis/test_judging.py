"""The verdict: right where there is an answer, and saying so where there is none."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from ravine import analysis
from ravine.analysis.comparing import TOLERANCE
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.reporting.results import Results
from ravine.rules import RULES


def nothing(curve: Curve) -> Curve:
    """A run that could not be done."""
    measures = np.full_like(curve.measures, np.nan)
    return replace(curve, measures=measures, failure="no memory")


def differences(made, one: Sequence[float], other: Sequence[float]) -> np.ndarray:
    """Of mean log times by hand, from the evaluations at which runs are at 0.5."""
    logs = [[np.log(made.by_hand(e)).mean() for e in evaluations] for evaluations in (one, other)]
    return np.subtract(*logs)


def test_a_rule_twice_as_fast_is_found_so(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 5.0, "adam": 10.0}, spread=0.05))
    found = made.judged(plan, curves)
    leader = found.leader
    assert (leader.rule, leader.finding) == ("adam", "faster")
    assert leader.speedup.low < 2.0 < leader.speedup.high
    assert leader.speedup.median == pytest.approx(2.0, rel=0.1)
    said = analysis.said_speedup(leader.speedup)
    assert f"{leader.speedup.median:.2f} [{leader.speedup.low:.2f}, " in said
    assert str(found).startswith("Adam takes 0.5")
    assert str(found).endswith(
        f" of gradient descent on the way to gradient descent's result, a speed-up of {said}."
    )
    baseline = found.standings[1]
    assert (baseline.speedup, baseline.finding) == ((1.0, 1.0, 1.0), "reference")
    # The last target is what four in five reference runs reach, so most fresh ones do too.
    assert baseline.reached >= 6
    assert found.band[0] == found.target
    assert list(found.band) == sorted(found.band)


def test_no_difference_is_said_to_be_none(made) -> None:
    plan = made.planned("sgd", "adam")
    found = made.judged(plan, made.timed(plan, {"sgd": [50] * 12, "adam": [50] * 12}))
    adam = made.standing(found, "adam")
    assert adam.finding == "as fast"
    assert adam.speedup == pytest.approx((1, 1 / 1.03, 1.03))  # rates in between may be 3 % better
    assert str(found) == (
        "No rule was found to be faster than gradient descent (the fastest of the others, Adam, "
        "takes 1.00× the steps [0.97, 1.03]); Adam is as fast, within 25 %."
    )


def test_what_is_open_is_said_to_be(made) -> None:
    """Faster on one half of the seeds and slower on the other; two rules of the kind."""
    plan = made.planned("sgd", "adam", "nadam", "rmsprop")
    open_, equal = [35] * 6 + [60] * 6, [49] * 12
    times = {"sgd": [50] * 12, "adam": open_, "nadam": [60] * 6 + [36] * 6, "rmsprop": equal}
    found = made.judged(plan, made.timed(plan, times))
    assert {s.rule: s.finding for s in found.standings} == {
        "sgd": "reference",
        "adam": "undecided",
        "nadam": "undecided",
        "rmsprop": "as fast",
    }
    assert str(found).endswith("; RMSprop is as fast, within 25 %; Adam and Nadam are undecided.")


def test_a_slower_rule_is_found_so(made) -> None:
    plan = made.planned("sgd", "adam")
    found = made.judged(plan, made.timed(plan, {"sgd": [25] * 12, "adam": [50] * 12}))
    adam = made.standing(found, "adam")
    assert adam.finding == "slower"
    assert adam.speedup.median == pytest.approx(0.5, rel=0.03)
    assert str(found).startswith(
        "No rule was found to be faster than gradient descent (the fastest of the others, Adam, "
        "takes 1.9"
    )
    assert "undecided" not in str(found)
    assert "as fast" not in str(found)


@pytest.mark.parametrize(
    "rules", [("sgd", "adam"), ("sgd", "adam", "nadam"), tuple(RULES)], ids=len
)
def test_few_seeds_claim_nothing(made, rules: tuple[str, ...]) -> None:
    paces = {rule: 5.0 if rule == "sgd" else 20.0 for rule in rules}
    few = made.planned(*rules, fresh=3)
    found = made.judged(few, made.raced(few, made.noisy(paces)))
    assert str(found).startswith("Too few seeds to claim anything: 3 of the 4 that it takes; on")
    assert {s.finding for s in found.standings} == {"reference", "too few seeds to claim"}
    # With one more a difference as large as this is a finding.
    enough = made.planned(*rules, fresh=4)
    found = made.judged(enough, made.raced(enough, made.noisy(paces)))
    assert {s.finding for s in found.standings} == {"reference", "faster"}
    assert "on the way to gradient descent's result" in str(found)


@pytest.mark.parametrize("fresh", [1, 2])
def test_one_seed_or_two_are_no_error(made, fresh: int) -> None:
    plan = made.planned("sgd", "adam", fresh=fresh)
    found = made.judged(plan, made.timed(plan, {"sgd": [50] * fresh, "adam": [25] * fresh}))
    assert made.standing(found, "adam").speedup.median == pytest.approx(2, rel=0.03)
    assert str(found).startswith(f"Too few seeds to claim anything: {fresh} of the 4")


def test_too_few_seeds_on_which_the_reference_leads_name_no_other(made) -> None:
    plan = made.planned("sgd", "adam", fresh=3)
    found = made.judged(plan, made.timed(plan, {"sgd": [25] * 3, "adam": [50] * 3}))
    assert str(found) == "Too few seeds to claim anything: 3 of the 4 that it takes."


@pytest.mark.parametrize("looks", [True, False])
def test_gradient_descent_alone_is_no_comparison(made, looks: bool) -> None:
    plan = made.planned("sgd", looks=looks)
    found = made.judged(plan, made.raced(plan, made.noisy({"sgd": 5.0})))
    assert str(found) == "Only gradient descent was raced: there is nothing to compare."
    assert found.leader.runs == (6 if looks else 12)


def test_a_race_that_learned_nothing_says_so(made) -> None:
    plan = made.planned("sgd", "adam")
    found = made.judged(plan, made.raced(plan, made.noisy({"sgd": 0.01, "adam": 0.02})))
    assert found.warnings[0].startswith("gradient descent hardly learned")


def test_pairs_are_of_the_same_seed(made) -> None:
    """Half as many steps on every seed, though seeds differ twofold: paired, that is exact."""
    plan = made.planned("sgd", "adam")
    slow = [24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 48]
    found = made.judged(plan, made.timed(plan, {"sgd": slow, "adam": [t / 2 for t in slow]}))
    speedup = made.standing(found, "adam").speedup
    assert speedup.median == pytest.approx(2, rel=0.05)
    # Within the 3 % for rates in between, and what rounding to whole evaluations leaves.
    assert speedup.high / speedup.low < 1.03**2 * 1.03


def test_a_miss_counts_as_the_whole_run(made) -> None:
    plan = made.planned("sgd", "adam")
    never = 999
    times = {"sgd": [50] * 3 + [never] * 9, "adam": [25] * 3 + [50] * 6 + [never] * 3}
    found = made.judged(plan, made.timed(plan, times))
    adam = made.standing(found, "adam")
    expected = differences(made, times["sgd"], times["adam"])
    assert adam.speedup.median == pytest.approx(math.exp(expected.mean()), rel=0.02)
    assert adam.reached == 9
    assert any(
        "gradient descent missed the target in 9 of 12 evaluation runs" in w for w in found.warnings
    )


def test_a_run_that_failed_counts_as_a_miss_but_of_the_reference_leaves_its_seed_out(made) -> None:
    times = {"sgd": [50] * 12, "adam": [25] * 12}
    plan = made.planned(*times)
    curves = made.timed(plan, times)

    def failing(rule: str, seeds: int) -> analysis.Verdict:
        lost = [c for c in curves if (c.run.rule, c.run.stage) == (rule, "evaluation")][:seeds]
        return made.judged(plan, [nothing(c) if c in lost else c for c in curves])

    expected = differences(made, times["sgd"], [25] * 11 + [1e9])
    found = failing("adam", 1)
    assert found.leader.speedup.median == pytest.approx(math.exp(expected.mean()), rel=0.02)
    assert (found.leader.failed, found.leader.diverged, found.leader.reached) == (1, 0, 11)
    assert any(
        w == "Adam: 1 evaluation run failed and count as not reaching the target (no memory)"
        for w in found.warnings
    )
    whole = made.judged(plan, curves)
    for lost in (1, 8):
        found = failing("sgd", lost)
        assert found.leader.finding == "faster"
        assert found.leader.speedup == pytest.approx(whole.leader.speedup, rel=1e-9)
        assert any("nothing is compared on their seeds (no memory)" in w for w in found.warnings)
        assert not any("missed the target" in w for w in found.warnings)
    # Of twelve seeds with three left, or with none, nothing is claimed.
    for lost in (9, 12):
        found = failing("sgd", lost)
        said = f"Too few seeds to claim anything: {12 - lost} of the 4 that it takes"
        assert found.sentence.startswith(said)


def test_better_on_half_of_the_seeds_is_no_claim(made) -> None:
    plan = made.planned("sgd", "adam")
    times = {"sgd": [50] * 12, "adam": [30] * 6 + [80] * 6}
    found = made.judged(plan, made.timed(plan, times))
    d = differences(made, times["sgd"], times["adam"])
    half = student.isf(0.025, 11) * d.std(ddof=1) / math.sqrt(12)
    adam = made.standing(found, "adam")
    assert adam.speedup.low == pytest.approx(math.exp(d.mean() - half - TOLERANCE), rel=0.02)
    assert adam.speedup.high == pytest.approx(math.exp(d.mean() + half + TOLERANCE), rel=0.02)
    assert adam.finding == "undecided"
    assert str(found).startswith("No rule was found to be faster")


def test_intervals_are_wider_the_more_rules_there_are(made) -> None:
    """By as much as Bonferroni says: what one rule may claim, the same of two may not."""
    times = {"sgd": [40] * 12, "adam": [18] * 6 + [44] * 6}
    d = differences(made, times["sgd"], times["adam"])
    error = d.std(ddof=1) / math.sqrt(12)
    alone, adjusted = student.isf(0.05 / 2, 11), student.isf(0.05 / 2 / 2, 11 + 4)
    plan = made.planned(*times)
    assert d.mean() - alone * error > TOLERANCE
    assert made.judged(plan, made.timed(plan, times)).leader.finding == "faster"
    times["nadam"] = times["adam"]
    plan = made.planned(*times)
    found = made.judged(plan, made.timed(plan, times))
    assert math.log(found.leader.speedup.low) == pytest.approx(
        d.mean() - adjusted * error - TOLERANCE, abs=0.02
    )
    assert adjusted > alone


def test_the_first_is_one_that_can_be_claimed(made) -> None:
    """Nadam is fastest in the mean, and far slower on every third seed; Adam is always faster."""
    plan = made.planned("sgd", "adam", "nadam")
    times = {"sgd": [50] * 12, "adam": [32] * 12, "nadam": [15, 15, 150] * 4}
    found = made.judged(plan, made.timed(plan, times))
    assert made.standing(found, "nadam").finding == "undecided"
    assert made.standing(found, "nadam").speedup.median > found.leader.speedup.median
    assert str(found).startswith("Adam takes 0.6")
    assert found.ties == ("nadam",)
    assert str(found).endswith("; Nadam cannot be told apart from it.")


def test_ties_for_first_are_those_whose_paired_interval_includes_one(made) -> None:
    plan = made.planned("sgd", "adam", "nadam", "rmsprop")
    leader = [18, 20, 22, 24, 26, 28] * 2
    times = {
        "sgd": [50] * 12,
        "adam": leader,
        "nadam": [t + (6 if i % 3 else -6) for i, t in enumerate(leader)],  # a third are better
        "rmsprop": [1.2 * t for t in leader],  # always behind
    }
    found = made.judged(plan, made.timed(plan, times))
    assert found.leader.rule == "adam"
    assert found.ties == ("nadam",)
    assert [s.tied_for_first for s in found.standings] == [
        s.rule in ("adam", "nadam") for s in found.standings
    ]


@pytest.mark.parametrize("spoiled", [0, 2], ids=lambda seed: f"seed {seed}")
def test_tuning_sees_validation_alone_and_diverged_rates_lose(made, spoiled: int) -> None:
    plan = made.planned("sgd")

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rate == 1.0:  # the fastest of all, but for a seed that blows up, if late
            curve = made.falling(9.0, 0.01)
            curve[90:] = np.nan if seed == spoiled else curve[90:]
            return curve
        return made.falling(5.0, 0.1 if rate == 0.1 else 0.4)

    curves = made.raced(plan, losses)
    assert made.tuned(plan, curves).chosen == {"sgd": Configuration(0.1)}
    for curve in curves:  # whatever the test data say
        curve.measures[:, analysis.TEST, 0] = made.start * curve.run.learning_rate
    assert made.tuned(plan, curves).chosen == {"sgd": Configuration(0.1)}


def test_the_mean_log_time_over_the_tuning_seeds_decides(made) -> None:
    """The rate that is best on the first seed, and in the end of it, is not on all three."""
    plan = made.planned("sgd")
    at = {0.01: [99, 99, 99], 0.1: [50, 50, 50], 1.0: [38, 60, 100]}
    curves = made.raced(plan, lambda _, rate, seed, stage: made.reaching(at[rate][seed % 3]))
    chosen = made.tuned(plan, curves)
    assert chosen.chosen == {"sgd": Configuration(0.1)}
    assert Configuration(1.0) in chosen.contenders["sgd"]


def test_equal_rates_go_to_the_lower_end_then_to_the_smaller(made) -> None:
    plan = made.planned("sgd")
    curves = made.raced(plan, lambda *_: made.falling(5.0))
    assert made.tuned(plan, curves).chosen == {"sgd": Configuration(0.01)}
    assert "edge of the range" in made.judged(plan, curves).warnings[0]
    # A target of its own that all reach at the same time: what is below it later decides.
    plan = made.planned("sgd", target=1.0)

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        t = np.arange(101)
        return np.where(t < 50, 2 - t / 50, 1 - (t - 50) / 1000 * (1 + (rate == 0.1)))

    assert made.tuned(plan, made.raced(plan, losses)).chosen == {"sgd": Configuration(0.1)}


def test_each_result_is_of_its_own_split_and_stage(made) -> None:
    """Validation and tuning seeds decide the rates alone; target and times are of the test data."""
    plan = made.planned("sgd", "adam")
    curves = made.raced(plan, made.noisy({"sgd": 5.0, "adam": 8.0}))
    honest = made.judged(plan, curves)

    def spoiled(stages: tuple[str, ...], split: int) -> analysis.Verdict:
        """With other numbers there, in the same order."""
        others = []
        for curve in curves:
            measures = curve.measures.copy()
            if curve.run.stage in stages:
                measures[:, split] *= 2
            others.append(replace(curve, measures=measures))
        return made.judged(plan, others)

    def told(found: analysis.Verdict) -> list[object]:
        return [(s.rule, s.speedup, s.steps_to_target, s.final_losses) for s in found.standings]

    for stages, split in (
        (("tuning",), analysis.TEST),
        (("tuning",), analysis.VALIDATION),  # all doubled: the same rates
        (("reference", "evaluation"), analysis.VALIDATION),
    ):
        assert told(spoiled(stages, split)) == told(honest)
    assert spoiled(("reference",), analysis.TEST).target == pytest.approx(2 * honest.target)
    for s, other in zip(honest.standings, spoiled(("evaluation",), 0).standings, strict=True):
        assert other.validation_loss == pytest.approx(2 * s.validation_loss)
        assert other.sensitivity == s.sensitivity  # which is of the tuning runs alone


def test_diverged_fresh_runs_are_a_result(made) -> None:
    plan = made.planned("sgd", "adam")
    good = made.noisy({"sgd": 5.0, "adam": 10.0})

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if rule == "adam" and stage == "evaluation" and seed % 2:
            return made.lost
        return good(rule, rate, seed, stage)

    curves = made.raced(plan, losses)
    found = made.judged(plan, curves)
    adam = made.standing(found, "adam")
    assert (adam.diverged, adam.reached) == (6, 6)
    assert "Adam: 6 of 12 evaluation runs diverged" in found.warnings
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
    adam = made.standing(found, "adam")
    assert adam.finding == "no target"
    assert math.isnan(adam.speedup.median)
    assert adam.speedup[1:] == (0, math.inf)
    assert found.leader.rule == "adam"  # whose runs end lowest: the model that is kept is its
    assert found.band == ()
    assert found.suspects == ()


def test_runs_too_short_to_be_timed_are_no_verdict(made) -> None:
    """A trailing mean takes three evaluations."""
    plan = replace(made.planned("sgd", "adam"), steps=20)
    found = made.judged(plan, made.raced(plan, lambda rule, *_: np.array([2.3, 1.0, 0.5])))
    assert str(found) == (
        "No verdict: no run of gradient descent has the 3 evaluations that it takes to be timed."
    )
    assert made.standing(found, "adam").finding == "no target"


def test_no_reference_run_that_could_be_done_is_no_verdict(made) -> None:
    """To a target of the user's own, for which there are no others."""
    plan = made.planned("sgd", "adam", target=0.5)

    def change(curve: Curve) -> Curve:
        lost = (curve.run.rule, curve.run.stage) == ("sgd", "evaluation")
        return nothing(curve) if lost else curve

    found = made.judged(plan, made.raced(plan, made.noisy({"sgd": 5.0, "adam": 10.0}), change))
    assert str(found).startswith("No verdict: no run of gradient descent has the 3 evaluations")


def test_three_clocks(made) -> None:
    """Adam takes half the steps, each of them thrice as long: in seconds it is slower."""
    plan = made.planned("sgd", "adam")
    curves = made.timed(plan, {"sgd": [50] * 12, "adam": [25] * 12})
    found = made.judged(plan, curves, step_seconds={"sgd": 0.001, "adam": 0.003})
    adam = found.leader
    assert adam.speedup.median == pytest.approx(2, rel=0.03)
    # Both are given the seconds of a whole run of gradient descent: more of its steps there are
    # none.
    seconds = [np.minimum(made.by_hand(e) * s, 0.1) for e, s in ((50, 0.001), (25, 0.003))]
    assert adam.speedup_seconds.median == pytest.approx(
        math.exp(np.subtract(*np.log(seconds)).mean()), rel=0.02
    )
    assert adam.speedup_seconds.high < 1
    # A machine that something else keeps busy: in one round of three Adam was as fast again.
    rounds = {"sgd": [0.001] * 3, "adam": [0.003, 0.0015, 0.0033]}
    noisy = made.standing(made.judged(plan, curves, step_seconds=rounds), "adam")
    assert noisy.step_seconds == 0.003
    ends = adam.speedup_seconds.low / 1.1, adam.speedup_seconds.high * 2
    assert noisy.speedup_seconds[1:] == pytest.approx(ends)
    # At the target after the 50th evaluation: in the mean that ends at the 51st.
    assert adam.steps_to_target == adam.gradients_to_target == (510, 510, 510)
    assert adam.seconds_to_target == pytest.approx((1.53,) * 3)
    assert made.standing(found, "sgd").speedup_seconds == (1, 1, 1)
    # Measured on some machine on some day: it stands beside the sentence, not in it.
    assert "second" not in str(found)
    unmeasured = made.judged(plan, curves).leader
    assert unmeasured.seconds_to_target is unmeasured.speedup_seconds is None


def test_a_target_of_the_users_own(made) -> None:
    plan = made.planned("sgd", "adam")
    curves = made.timed(plan, {"sgd": [50] * 12, "adam": [25] * 12})
    target = analysis.Target(0.6, measure=1, rising=True)
    found = made.judged(plan, curves, target=target)
    assert (found.target, found.measure, found.rising) == (0.6, "accuracy", True)
    assert found.band[0] == 0.6
    assert list(found.band) == sorted(found.band, reverse=True)  # the easier, the lower
    assert found.leader.speedup.median == pytest.approx(2, rel=0.06)
    assert str(found).startswith("Adam takes 0.5")
    assert " of gradient descent on the way to a test accuracy of 0.6, a speed-up" in str(found)


def test_another_reference_is_what_all_are_compared_with(made) -> None:
    plan = made.planned("sgd", "adam", "nadam", reference="adam")
    found = made.judged(
        plan, made.timed(plan, {"sgd": [100] * 12, "adam": [50] * 12, "nadam": [25] * 12})
    )
    assert found.reference == "adam"
    assert {s.rule: s.finding for s in found.standings} == {
        "sgd": "slower",
        "adam": "reference",
        "nadam": "faster",
    }
    assert found.leader.speedup.median == pytest.approx(2, rel=0.03)
    assert " of Adam on the way to Adam's result" in str(found)
    assert {c.run.rule for c in made.raced(plan, made.noisy(dict.fromkeys(plan.choices.rules, 5)))
            if c.run.stage == "reference"} == {"adam"}  # fmt: skip


def test_a_ratio_that_is_not_known_is_no_number() -> None:
    assert analysis.said_ratio(analysis.Spread(2.0, 1.6, 4.0)) == ("0.50×", "[0.25, 0.62]")
    assert analysis.said_ratio(analysis.Spread(math.nan, 0.0, math.inf)) == ("–×", "[0.00, ∞]")
