"""Comparisons of rules: intervals by hand and by simulation, and what is not run any more."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_rel

from ravine.analysis.comparing import (
    EQUAL,
    FASTER,
    HOPELESS,
    PRIOR,
    SLOWER,
    TOLERANCE,
    UNDECIDED,
    Difference,
    Tuned,
    best,
    compare,
    contenders,
    look,
    margin,
    spread,
)
from ravine.experiment.configuration import Configuration

X, Y = Configuration(1.0), Configuration(2.0)
LEVELS = {4: 0.01, 8: 0.02}
DRAW = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("low", "high", "conclusion"),
    [
        (0.01, 2.0, FASTER),
        (-2.0, -0.01, SLOWER),
        (-0.2, 0.2, EQUAL),
        (-0.3, 0.2, UNDECIDED),
        (0.0, 0.2, EQUAL),
    ],
)
def test_the_conclusion_follows_from_the_interval(low: float, high: float, conclusion: str) -> None:
    assert Difference((low + high) / 2, low, high).conclusion == conclusion


def test_a_speed_up_is_a_ratio() -> None:
    speedup = Difference(math.log(2), 0.0, math.log(4)).speedup
    assert speedup == (pytest.approx(2), pytest.approx(1), pytest.approx(4))


def test_the_best_is_the_lowest_mean_and_of_ties_the_smaller() -> None:
    assert best({X: np.array([1.0, 3.0]), Y: np.array([2.0, 1.0])}) == Y
    assert best({Y: np.ones(2), X: np.ones(2)}) == X


def test_contenders_are_within_the_margin_of_the_best() -> None:
    one, two, four = map(Configuration, (0.1, 0.2, 0.4))
    times = {one: np.array([1.0, 1.0]), two: np.array([1.2, 1.0]), four: np.array([2.0, 2.2])}
    within = spread([times])  # of 0.1 behind: 0.2 alone, 0.4 is too far
    assert within == pytest.approx(np.std([0.2, 0.0], ddof=1))
    assert margin(within, 2) == pytest.approx(1.25 * within / math.sqrt(2))
    assert contenders(times, 0.09) == (one,)
    assert contenders(times, 0.11) == (one, two)
    assert margin(math.inf, 1) == HOPELESS


def pairs(shift: float, seeds: int = 8) -> tuple[np.ndarray, np.ndarray]:
    luck = DRAW.normal(0, 0.3, seeds)
    return luck + DRAW.normal(0, 0.05, seeds), luck - shift + DRAW.normal(0, 0.05, seeds)


def test_an_interval_is_students() -> None:
    one, other = pairs(0.5)
    tuned = Tuned({"a": X, "b": X}, {"a": (X,), "b": (X,)})
    found = compare({X: one}, {X: other}, tuned, ("a", "b"), 0.05)
    theirs = ttest_rel(one, other).confidence_interval(0.95)
    assert found.middle == pytest.approx((one - other).mean())
    assert found.low == pytest.approx(theirs.low - TOLERANCE)
    assert found.high == pytest.approx(theirs.high + TOLERANCE)


def test_a_variance_is_shrunk_to_those_of_the_others() -> None:
    one, other = pairs(0.5)
    more = other + DRAW.normal(0, 1, 8)
    tuned = Tuned({"a": X, "b": X}, {"a": (X,), "b": (X, Y)})
    found = compare({X: one}, {X: other, Y: more}, tuned, ("a", "b"), 0.05)
    own, others = ((one - x).var(ddof=1) for x in (other, more))
    half = student.isf(0.025, 7 + PRIOR) * math.sqrt((7 * own + PRIOR * others) / (7 + PRIOR) / 8)
    assert found.low == pytest.approx((one - other).mean() - half - TOLERANCE)


@given(st.integers(0, 1_000))
def test_the_other_way_round_it_is_one_over_it(seed: int) -> None:
    draw = np.random.default_rng(seed)
    one, other = ({r: draw.normal(0, 1, 6) for r in (X, Y)} for _ in range(2))
    tuned = Tuned({"a": X, "b": Y}, {"a": (X, Y), "b": (X, Y)}, 0.1)
    forth = compare(one, other, tuned, ("a", "b"), 0.05)
    back = compare(other, one, tuned, ("b", "a"), 0.05)
    assert forth.middle == pytest.approx(-back.middle)
    assert (forth.low, forth.high) == (pytest.approx(-back.high), pytest.approx(-back.low))


class Arms:
    """Log times that are there, and how many of each were asked for."""

    def __init__(self, **levels: float) -> None:
        luck = DRAW.normal(0, 0.3, 8)
        self.times = {
            (name.rstrip("_"), Y if name.endswith("_") else X): luck + level
            for name, level in levels.items()
        }
        self.times = {k: t + DRAW.normal(0, 0.02, 8) for k, t in self.times.items()}
        self.have = 8

    def __call__(self, rule: str, rate: Configuration, seeds: int) -> np.ndarray | None:
        return self.times[rule, rate][:seeds] if seeds <= self.have else None

    def tuned(self) -> Tuned:
        rates: dict[str, list[Configuration]] = {}
        for rule, rate in sorted(self.times):
            rates.setdefault(rule, []).append(rate)
        return Tuned(dict.fromkeys(rates, X), rates, margin=0.1)


def test_each_rule_is_run_until_something_is_known_of_it() -> None:
    arms = Arms(sgd=3.0, nadam=1.5, adam=2.0, slow=4.0, same=3.0)
    looked = look("sgd", ["nadam", "adam", "slow", "same"], arms.tuned(), LEVELS, arms)
    conclusions = {rule: difference.conclusion for rule, difference in looked.differences.items()}
    assert conclusions == {"nadam": FASTER, "adam": FASTER, "slow": SLOWER, "same": EQUAL}
    assert not looked.missing
    asked = {rule: looked.asked[rule, X] for rule in conclusions}
    assert asked == {"nadam": 8, "adam": 4, "slow": 4, "same": 4}  # the first is run to the end


def test_the_first_gets_all_seeds_and_who_is_first_then_does_too() -> None:
    arms = Arms(sgd=3.0, nadam=2.0, adam=2.1)
    arms.times["nadam", X][4:] += 0.5  # it only looked so at first
    looked = look("sgd", ["nadam", "adam"], arms.tuned(), LEVELS, arms)
    assert looked.asked["nadam", X] == looked.asked["adam", X] == 8
    both = {rule: arms.times["sgd", X] - arms.times[rule, X] for rule in ("nadam", "adam")}
    for rule, differences in both.items():
        assert looked.differences[rule].middle == pytest.approx(differences.mean())
    # Nothing that a look has excluded comes back.
    early = look("sgd", ["nadam", "adam"], arms.tuned(), {4: LEVELS[4]}, arms)
    for rule in both:
        assert looked.differences[rule].low >= early.differences[rule].low
        assert looked.differences[rule].high <= early.differences[rule].high


def test_a_rule_is_faster_where_it_beats_every_contender_of_the_reference() -> None:
    arms = Arms(sgd=3.0, sgd_=2.0, adam=2.0)
    looked = look("sgd", ["adam"], arms.tuned(), LEVELS, arms)
    assert looked.differences["adam"].middle == pytest.approx(1.0, abs=0.1)
    assert looked.differences["adam"].low < 0.1
    assert looked.differences["adam"].conclusion != FASTER


def test_a_rule_is_slower_where_all_its_contenders_are() -> None:
    arms = Arms(sgd=2.0, adam=3.0, adam_=2.0)
    looked = look("sgd", ["adam"], arms.tuned(), LEVELS, arms)
    assert looked.differences["adam"].high > -0.1
    assert looked.differences["adam"].conclusion != SLOWER


def test_contenders_of_what_is_faster_anyway_are_not_run() -> None:
    arms = Arms(sgd=3.0, adam=2.0, adam_=1.95)
    looked = look("sgd", ["adam"], arms.tuned(), LEVELS, arms)
    assert looked.differences["adam"].conclusion == FASTER
    assert ("adam", Y) not in looked.asked
    alone = Arms(sgd=3.0, adam=2.0)
    alone.times |= {k: arms.times[k] for k in alone.times}
    narrow = look("sgd", ["adam"], alone.tuned(), LEVELS, alone).differences["adam"]
    # What they might be shows in the upper end.
    assert looked.differences["adam"].high == pytest.approx(narrow.high + 0.1)
    assert looked.differences["adam"].low == pytest.approx(narrow.low)


def test_what_is_missing_is_asked_for() -> None:
    arms = Arms(sgd=3.0, adam=2.9)
    arms.have = 4
    looked = look("sgd", ["adam"], arms.tuned(), {4: 1e-9, 8: 0.02}, arms)
    assert looked.missing
    assert looked.asked == {("sgd", X): 8, ("adam", X): 8}
    assert looked.differences["adam"].conclusion == UNDECIDED


def test_intervals_cover_as_often_as_they_say() -> None:
    """Of a rule that is as fast as the reference; one of 20 may be missed, less the tolerance."""
    tuned = Tuned({"a": X, "b": X}, {"a": (X,), "b": (X,)})
    draw, missed = np.random.default_rng(1), 0
    for _ in range(2_000):
        one, other = ({X: draw.normal(0, 1, 6)} for _ in range(2))
        found = compare(one, other, tuned, ("a", "b"), 0.05)
        missed += not found.low <= 0 <= found.high
    assert 0.02 < missed / 2_000 < 0.06
