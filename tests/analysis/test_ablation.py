"""Effects of levers over times that are made: what is called, how often wrongly, in which words."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.analysis import Target
from ravine.analysis.ablation import Compared, Raced, Timed, between, compare, speedups, timed
from ravine.analysis.ablation_text import said_effect, sentence, warnings

LEVERS = {"activation": ("tanh", "relu"), "initializer": ("glorot", "he")}
RULES = ("sgd", "adam", "momentum")
HORIZON = 100.0
StepTimer = Callable[[str, str, str], float]  # of a rule under a value of each lever


def timings(
    pace: StepTimer, seeds: int = 12, draw: np.random.Generator | None = None
) -> list[Timed]:
    """Times with luck of the seed, which all share, and of each run; whole evaluations."""
    draw = np.random.default_rng(0) if draw is None else draw
    shared = draw.normal(0, 0.1, seeds)
    runs = []
    for a in LEVERS["activation"]:
        for i in LEVERS["initializer"]:
            times = {
                rule: {
                    seed: reached(pace(rule, a, i) * math.exp(shared[seed] + draw.normal(0, 0.15)))
                    for seed in range(seeds)
                }
                for rule in RULES
            }
            runs.append(Timed({"activation": a, "initializer": i}, HORIZON, [times]))
    return runs


def reached(time: float) -> float:
    return float(np.ceil(time)) if time <= HORIZON else math.inf


def of(found: Compared, lever: str, rule: str):
    return next(e for e in found.effects if (e.lever, e.rule) == (lever, rule))


def test_a_lever_that_matters_is_called_and_one_that_does_not_is_not() -> None:
    paces = {"sgd": 60.0, "adam": 20.0, "momentum": 40.0}
    found = compare(LEVERS, timings(lambda rule, a, i: paces[rule] / (2 if a == "relu" else 1)))
    for rule in RULES:
        effect = of(found, "activation", rule)
        assert effect.finding == "faster"
        assert effect.speedup.low < 2 < effect.speedup.high * 1.1
        assert of(found, "initializer", rule).finding == "no difference found"
    assert [c.winner for c in found.combinations] == ["adam"] * 4
    assert not found.changes
    said = sentence(found)
    assert said.startswith("Activation matters most: relu instead of tanh is faster for all 3")
    assert "Initializer: no difference found between he and glorot." in said
    assert said.endswith("Adam is first in all 4 combinations.")


def test_a_miss_counts_as_the_whole_run() -> None:
    runs = timings(lambda rule, a, i: 50.0 if a == "tanh" else 1000.0)
    found = compare(LEVERS, runs)
    effect = of(found, "activation", "sgd")
    assert effect.bound == "≤"
    assert said_effect(effect).startswith("at least ")
    assert effect.finding == "slower"
    assert [c.winner for c in found.combinations][2:] == ["", ""]
    assert any("most runs of every rule miss" in line for line in warnings(found, 0.1, 2.3))


@pytest.mark.parametrize(
    ("tanh", "relu", "bound"),
    [(50.0, 60.0, ""), (1000.0, 50.0, "≥"), (50.0, 1000.0, "≤"), (1000.0, 1000.0, "≈")],
)
def test_a_bound_says_which_side_missed(tanh: float, relu: float, bound: str) -> None:
    found = compare(LEVERS, timings(lambda rule, a, i: {"tanh": tanh, "relu": relu}[a]))
    assert of(found, "activation", "sgd").bound == bound


def test_a_range_goes_from_the_longest_to_the_shortest_time() -> None:
    times = {"sgd": 1.5, "adam": 3.0, "momentum": 2.0}  # faster by so much
    runs = timings(lambda rule, a, i: 60 / (times[rule] if a == "relu" else 1))
    words = sentence(compare(LEVERS, runs)).split("(")[1].split(")")[0].split()
    most, least = (float(word.rstrip("×")) for word in words if word[0] == "0")
    assert (most, least) == (pytest.approx(1 / 3, rel=0.1), pytest.approx(1 / 1.5, rel=0.1)), words


def test_what_depends_on_another_lever_is_said() -> None:
    def pace(rule: str, a: str, i: str) -> float:
        return 40.0 * (3 if (a, i) in (("tanh", "glorot"), ("relu", "he")) else 1)

    found = compare(LEVERS, timings(pace))
    effect = of(found, "activation", "adam")
    assert effect.depends
    assert any("depends on the other levers" in line for line in warnings(found, 0.1, 2.3))


def test_another_winner_is_beyond_noise_where_each_clearly_wins() -> None:
    def pace(rule: str, a: str, i: str) -> float:
        return 20.0 if rule == ("adam" if a == "tanh" else "momentum") else 60.0

    found = compare(LEVERS, timings(pace))
    assert {(c.before, c.after, c.found) for c in found.changes} == {("adam", "momentum", True)}
    assert "who wins changes beyond noise" in sentence(found)


def test_too_few_seeds_claim_nothing() -> None:
    found = compare(LEVERS, timings(lambda rule, a, i: 40 if a == "tanh" else 10, seeds=5))
    assert found.needed == 8
    assert {e.finding for e in found.effects} == {"too few seeds to claim"}
    assert sentence(found).startswith("Too few seeds to claim anything about levers: 5 of the 8")


def test_a_study_is_a_unit_where_there_are_several() -> None:
    one = timings(lambda rule, a, i: 40.0)
    twice = [run._replace(repetitions=[*run.repetitions, *run.repetitions]) for run in one]
    assert compare(LEVERS, twice).units == 2
    assert compare(LEVERS, twice).effects[0].speedup.median == pytest.approx(
        np.median(speedups([(one[0], one[2]), (one[1], one[3])], "sgd"))
    )


@given(st.lists(st.sampled_from([10.0, 30.0, 90.0, math.inf]), min_size=8, max_size=8))
def test_the_other_way_round_it_is_one_over_it(times: list[float]) -> None:
    a, b = (
        Timed({"activation": v}, HORIZON, [{"sgd": dict(enumerate(part))}])
        for v, part in (("tanh", times[:4]), ("relu", times[4:]))
    )
    there, back = (speedups([pair], "sgd") for pair in ((a, b), (b, a)))
    assert there == pytest.approx([1 / ratio for ratio in back])


def test_few_studies_of_a_lever_without_effect_call_it() -> None:
    """At most one in twenty claims anything about it, or about who wins: families of tests."""
    draw, repetitions, called, changed = np.random.default_rng(7), 100, 0, 0
    # Partly true, which is where a false change is easiest: one rule is best under one value.
    paces = {"sgd": 30.0, "momentum": 30.0}

    def pace(rule: str, a: str, i: str) -> float:
        return paces.get(rule, 15.0 if a == "tanh" else 30.0)

    for _ in range(repetitions):
        found = compare(LEVERS, timings(pace, draw=draw))
        called += any(
            e.finding in ("faster", "slower") for e in found.effects if e.lever == "initializer"
        )
        changed += any(c.found for c in found.changes)
    # Of 100 at a rate of 5 %, more than 10 come once in ninety times.
    assert called <= 10
    assert changed <= 10


def test_times_are_taken_from_curves(made) -> None:
    """Over curves as races have them, to a target that is not the race's own; by epochs."""
    plan = made.planned("sgd", "adam")
    evaluations = {"sgd": [60] * 12, "adam": [30] * 12}
    curves = made.timed(plan, evaluations)
    raced = Raced({"activation": "tanh"}, plan, curves)
    steps = timed(raced, Target(0.6), by_epochs=False)
    # 0.1 + 2.2 / (1 + 4.5 x) is 0.6 where x = 0.756: in the mean that is of the 23rd evaluation
    # and ends at the 24th; gradient descent's is of the 46th.
    assert set(steps.repetitions[0]["adam"].values()) == {240.0}
    epochs = timed(raced, Target(0.6), by_epochs=True)
    assert set(epochs.repetitions[0]["adam"].values()) == {240.0 * 32 / 3200}
    assert epochs.horizon == 10
    assert set(between(steps, "sgd", "adam")) == {47 / 24}
