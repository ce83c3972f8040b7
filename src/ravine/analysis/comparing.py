"""Whether one rule is faster than another: simultaneous intervals for ratios of times.

The comparison is of rules, not of learning rates that luck in tuning picked: an interval holds for
all learning rates that tuning could not tell from the best, the contenders. It is an intersection
of intervals of single learning rates (Berger 1982, Technometrics 24:295): its lower end holds for
the tuned rate of the rule against every contender of the reference, its upper end for the tuned
rate of the reference against every contender of the rule.

All differences are of paired runs, which begin with the same weights and batches. The variance of
each is shrunk towards the mean of the others' at a look, which counts for 4 degrees of freedom.

Log times have shape (seeds,); or (1 + halves, seeds) where all seeds are judged on the same rows:
first those on all rows, then those on half-samples of them. See ``half_samples``.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravine.analysis.statistics import Spread, half_sample_variance
from ravine.experiment.configuration import Configuration
from ravine.experiment.endpoint import HOPELESS

FASTER, SLOWER, EQUAL, UNDECIDED = "faster", "slower", "as fast", "undecided"  # conclusions
MARGIN = math.log(1.25)  # within which two times are called equal
CONTENDING = 1.25  # standard errors behind the best
TOLERANCE = math.log(1.03)  # what learning rates between those tried may make of a ratio
NEAR = 4  # learning rates of a rule that the spread is taken from
PRIOR = 4  # degrees of freedom that the pooled variance counts for

Floats = NDArray[np.float64]
Asked = Callable[[str, Configuration, int], Floats | None]
Times = Mapping[Configuration, Floats]  # the mean log time of each seed


class Difference(NamedTuple):
    """A difference of mean log times: its estimate and its interval."""

    middle: float
    low: float
    high: float

    @property
    def speedup(self) -> Spread:
        """As a ratio of geometric means of times, above 1 for the faster."""
        with np.errstate(over="ignore"):
            return Spread(*map(float, np.exp(self)))

    @property
    def conclusion(self) -> str:
        """What may be claimed of a speed-up whose logarithm this is."""
        if self.low > 0:
            return FASTER
        if self.high < 0:
            return SLOWER
        return EQUAL if self.low > -MARGIN and self.high < MARGIN else UNDECIDED


def best(times: Times) -> Configuration:
    """The configuration of the lowest mean; the smaller one of two that tie."""
    return min(times, key=lambda one: (times[one].mean(), one))


def spread(tuning: Sequence[Times]) -> float:
    """The standard deviation of paired differences to a rule's best rate, pooled over the rules.

    Of each rule, the four rates nearest behind its best: what lies far behind is another curve with
    another spread, and may have been stopped early. Of a rate, its best weight decay: another decay
    may hardly change a run, and says nothing about the spread between rates.
    """
    squares, freedom = 0.0, 0
    for every in tuning:
        times = {one: every[one] for one in _best_of_each_rate(every)}
        first = times[best(times)]
        behind = sorted((t - first for t in times.values() if t is not first), key=np.mean)
        near = [d for d in behind[:NEAR] if d.mean() <= HOPELESS]
        squares += sum(float(((d - d.mean()) ** 2).sum()) for d in near)
        freedom += sum(len(d) - 1 for d in near)
    return math.sqrt(squares / freedom) if freedom else math.inf


def _best_of_each_rate(times: Times) -> list[Configuration]:
    by_rate: dict[float, dict[Configuration, Floats]] = {}
    for one, values in times.items():
        by_rate.setdefault(one.learning_rate, {})[one] = values
    return [best(own) for own in by_rate.values()]


def margin(spread: float, seeds: int) -> float:
    """How far behind the best in mean log time a contender may lie, on so many tuning seeds."""
    return min(HOPELESS, CONTENDING * spread / math.sqrt(seeds))


def contenders(
    times: Times, within: float, least: float | None = None
) -> tuple[Configuration, ...]:
    """The configurations that tuning cannot tell from the best, ascending.

    Args:
        times: On the tuning seeds.
        within: From ``margin``.
        least: The mean of the best; by default the lowest.
    """
    least = min(t.mean() for t in times.values()) if least is None else least
    most = least + within
    return tuple(sorted(one for one, t in times.items() if t.mean() <= most))


class Tuned(NamedTuple):
    """What tuning gave: each rule's configuration, its contenders, and the margin they are in."""

    chosen: Mapping[str, Configuration]
    contenders: Mapping[str, Sequence[Configuration]]
    margin: float = 0.0


class Looked(NamedTuple):
    """What the looks so far gave.

    ``differences``: of each rule, against the reference. ``asked``: on how many seeds each
    configuration of a rule was asked for. ``missing``: whether some of that was not there.
    """

    differences: dict[str, Difference]
    asked: dict[tuple[str, Configuration], int]
    missing: bool


def look(
    reference: str, rules: Sequence[str], tuned: Tuned, levels: Mapping[int, float], times: Asked
) -> Looked:
    """Compare rules with a reference, look after look, until something is concluded of each.

    A comparison of two learning rates that has shown what it can is not run on. The contenders of a
    rule that is faster anyway are not run at all: its upper end allows for them with the margin
    that tuning left. The rule that comes out first gets all seeds: how much faster it is, is what
    is asked next, and an estimate that has just ended a comparison is too high.

    Args:
        reference: The rule to compare with.
        rules: The others.
        tuned: From tuning.
        levels: For each look, which is a number of seeds, the two-sided level of a comparison.
        times: Of a rule and a configuration, mean log times on the first seeds; None if not there.
    """
    asked: dict[tuple[str, Configuration], int] = {}
    chosen, own = tuned.chosen, tuned.contenders
    low = {(r, k): -math.inf for r in rules for k in own[reference]}
    high = {(r, k): math.inf for r in rules for k in own[r]}
    differences: dict[str, Difference] = {}
    going = list(rules)

    def at(rule: str, rate: Configuration, seeds: int) -> Floats | None:
        asked[rule, rate] = seeds
        return times(rule, rate, seeds)

    def see(rules: Sequence[str], seeds: int, shown: bool = False) -> bool:
        """Look at these rules. Whether all of it was there; ``shown``: what has shown all, too."""
        at(reference, chosen[reference], seeds)
        lows = {
            (r, k): _difference(at(reference, k, seeds), at(r, chosen[r], seeds))
            for r in rules
            for k in own[reference]
            if shown or low[r, k] <= TOLERANCE
        }
        if any(d is None for d in lows.values()):
            return False
        half = _half(lows.values(), levels[seeds])
        low.update({pair: max(low[pair], _mean(d) - half(d)) for pair, d in lows.items()})
        faster = [r for r in rules if all(low[r, k] > TOLERANCE for k in own[reference])]
        highs = {
            (r, k): lows[r, chosen[reference]]
            if k == chosen[r] and (r, chosen[reference]) in lows
            else _difference(at(reference, chosen[reference], seeds), at(r, k, seeds))
            for r in rules
            for k in ((chosen[r],) if r in faster else own[r])
            if shown or high[r, k] >= -TOLERANCE
        }
        if any(d is None for d in highs.values()):
            return False
        high.update({pair: min(high[pair], _mean(d) + half(d)) for pair, d in highs.items()})
        for rule in rules:
            middle = _difference(
                at(reference, chosen[reference], seeds), at(rule, chosen[rule], seeds)
            )
            differences[rule] = Difference(
                _mean(middle),
                min(low[rule, k] for k in own[reference]) - TOLERANCE,
                max(_upper(high, rule, k, tuned) for k in own[rule]) + TOLERANCE,
            )
        return True

    for seeds in levels:
        if not see(going, seeds):
            return Looked(differences, asked, missing=True)
        going = [rule for rule in going if differences[rule].conclusion == UNDECIDED]
        if not going:
            break
    last = max(levels)
    while (first := _first(differences)) and asked[first, chosen[first]] < last:
        if not see([first], last, shown=True):
            return Looked(differences, asked, missing=True)
    return Looked(differences, asked, missing=False)


def _first(differences: Mapping[str, Difference]) -> str:
    """The fastest of the rules that are faster; empty where none is."""
    faster = [rule for rule, d in differences.items() if d.conclusion == FASTER]
    return max(faster, key=lambda rule: differences[rule].middle, default="")


def compare(
    one: Times, other: Times, tuned: Tuned, names: tuple[str, str], level: float
) -> Difference:
    """Any two rules on the seeds that they share: how much lower the other's log times are.

    Args:
        one: Log times of the one's contenders, as far as they were run.
        other: The same of the other.
        tuned: From tuning.
        names: Of the two.
        level: Two-sided.
    """
    a, b = (tuned.chosen[name] for name in names)
    lows = {k: shared(t, other[b]) for k, t in one.items()}
    highs = {k: lows[a] if k == b else shared(one[a], t) for k, t in other.items()}
    half = _half([*lows.values(), *(d for k, d in highs.items() if k != b)], level)
    low = {k: _mean(d) - half(d) for k, d in lows.items()}
    high = {k: _mean(d) + half(d) for k, d in highs.items()}
    return Difference(
        _mean(lows[a]),
        min(low.get(k, low[a] - tuned.margin) for k in tuned.contenders[names[0]]) - TOLERANCE,
        max(high.get(k, high[b] + tuned.margin) for k in tuned.contenders[names[1]]) + TOLERANCE,
    )


def _upper(
    high: Mapping[tuple[str, Configuration], float], rule: str, rate: Configuration, tuned: Tuned
) -> float:
    known = high[rule, rate]
    return known if known < math.inf else high[rule, tuned.chosen[rule]] + tuned.margin


def _difference(one: Floats | None, other: Floats | None) -> Any:
    return None if one is None or other is None else one - other


def shared(one: Floats, other: Floats) -> Floats:
    """The differences on the seeds that both have."""
    seeds = min(one.shape[-1], other.shape[-1])
    return one[..., :seeds] - other[..., :seeds]


def _mean(difference: Floats) -> float:
    """Over the seeds, on all rows."""
    return float(np.atleast_2d(difference)[0].mean())


def _half(differences: Iterable[Floats], level: float) -> Callable[[Floats], float]:
    """Half the width of a difference's interval, given all differences of the look.

    Alone it has nothing to be shrunk towards.
    """
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    known = [(d, *_variances(d)) for d in differences if d.shape[-1] > 1]

    def squared(freedom: int, own: float, others: Sequence[float]) -> float:
        prior = PRIOR if others else 0
        total = freedom * own + prior * float(np.mean(others or [0.0]))
        return float(stdtrit(freedom + prior, level / 2)) ** 2 * total / (prior + freedom)

    def half(difference: Floats) -> float:
        seeds, halves = difference.shape[-1], len(np.atleast_2d(difference)) - 1
        if seeds < 2:
            return math.inf
        of_seeds, of_rows = _variances(difference)
        others = [(s, r) for d, s, r in known if d is not difference]
        found = squared(seeds - 1, of_seeds, [s for s, _ in others]) / seeds
        if halves:
            found += squared(halves, of_rows, [r for _, r in others])
        return math.sqrt(found)

    return half


def _variances(difference: Floats) -> tuple[float, float]:
    """Between seeds; and of the mean, between choices of the rows."""
    every = np.atleast_2d(difference)
    return float(every[0].var(ddof=1)), half_sample_variance(every.mean(axis=1))
