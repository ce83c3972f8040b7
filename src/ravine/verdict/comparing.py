"""Whether one rule is faster than another: simultaneous intervals for ratios of times.

The comparison is of rules, not of learning rates that luck in tuning picked: every learning rate
that tuning could not tell from the best, a contender, is evaluated, and the interval holds for all
of them. All differences are of paired runs, which begin with the same weights and batches.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FASTER, SLOWER, EQUAL, UNDECIDED = "faster", "slower", "as fast", "undecided"
MARGIN = math.log(1.25)  # within which two times are called equal
CONTENDING = 2.0  # standard errors behind the best
PRIOR = 4  # degrees of freedom that the pooled variance counts for

Floats = NDArray[np.float64]
Times = Mapping[float, Floats]  # by learning rate: the mean log time of each seed


class Difference(NamedTuple):
    """A difference of mean log times: its estimate and its interval."""

    middle: float
    low: float
    high: float

    @property
    def conclusion(self) -> str:
        """What may be claimed of a speed-up whose logarithm this is."""
        if self.low > 0:
            return FASTER
        if self.high < 0:
            return SLOWER
        return EQUAL if self.low > -MARGIN and self.high < MARGIN else UNDECIDED


def best(times: Times) -> float:
    """The learning rate of the lowest mean; the smaller one of two that tie."""
    return min(times, key=lambda rate: (times[rate].mean(), rate))


def spread(tuning: Sequence[Times], near: int = 4) -> float:
    """The standard deviation of paired differences to a rule's best rate, pooled over the rules.

    Of each rule, the rates whose means are nearest to its best: what lies far behind is another
    curve with another spread.
    """
    squares, freedom = 0.0, 0
    for times in tuning:
        first = times[best(times)]
        behind = sorted((t - first for t in times.values() if t is not first), key=np.mean)[:near]
        squares += sum(float(((d - d.mean()) ** 2).sum()) for d in behind)
        freedom += sum(len(d) - 1 for d in behind)
    return math.sqrt(squares / freedom) if freedom else math.inf


def contenders(times: Times, spread: float, factor: float = CONTENDING) -> tuple[float, ...]:
    """The learning rates that tuning cannot tell from the best, ascending.

    Args:
        times: On the tuning seeds.
        spread: From the function of that name.
        factor: Standard errors that a contender may lie behind the best.
    """
    lowest = min(t.mean() for t in times.values())
    seeds = len(next(iter(times.values())))
    most = lowest + factor * spread / math.sqrt(seeds)
    return tuple(sorted(rate for rate, t in times.items() if t.mean() <= most))


def compare(
    reference: Times, rules: Mapping[str, Times], tuned: Mapping[str, float], level: float
) -> dict[str, Difference]:
    """Each rule against the reference: how much lower its log times are.

    The interval is an intersection of those of single learning rates (Berger 1982, Technometrics
    24:295): its lower end holds for the tuned rate of the rule against every contender of the
    reference, its upper end for every contender of the rule against the reference's tuned rate.
    Their variances are shrunk towards their mean, which counts for 4 degrees of freedom.

    Args:
        reference: The contenders' log times on the evaluation seeds.
        rules: The same of each rule, on the same seeds in the same order.
        tuned: The tuned learning rate of each rule, and of the reference under "".
        level: Two-sided, of one comparison: from ``nominal_levels``.
    """
    from scipy.stats import t as student

    own = reference[tuned[""]]
    lows = {r: [t - times[tuned[r]] for t in reference.values()] for r, times in rules.items()}
    highs = {r: [own - t for t in times.values()] for r, times in rules.items()}
    pairs = [d for r in rules for d in (*lows[r], *highs[r])]
    seeds = len(own)
    pooled = float(np.mean([d.var(ddof=1) for d in pairs]))
    factor = float(student.isf(level / 2, seeds + PRIOR - 1)) / math.sqrt(seeds)

    def half(difference: Floats) -> float:
        freedom = seeds - 1
        total = PRIOR * pooled + freedom * float(difference.var(ddof=1))
        return factor * math.sqrt(total / (PRIOR + freedom))

    return {
        rule: Difference(
            float((own - rules[rule][tuned[rule]]).mean()),
            min(float(d.mean()) - half(d) for d in lows[rule]),
            max(float(d.mean()) + half(d) for d in highs[rule]),
        )
        for rule in rules
    }
