"""Medians, intervals and tests: exact, and free of any assumption about how runs spread."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95


class Spread(NamedTuple):
    """A median, and where it or the values around it may lie."""

    median: float
    low: float
    high: float

    def times(self, factor: float) -> "Spread":
        """The same in another unit."""
        return Spread(*(factor * value for value in self))


def half_sample_variance(every: ArrayLike) -> float:
    """The variance of an estimate, from what it is on all data, first, and on balanced halves.

    >>> half_sample_variance([2.5, 2, 1.5, 2.5])  # means of 1, 2, 3, 4 and of halves: 5/3 / 4
    0.4166...
    """
    whole, *halves = np.asarray(every, float)
    return float(np.mean([(half - whole) ** 2 for half in halves])) if halves else 0.0


def student_interval(values: ArrayLike, level: float) -> Spread:
    """The mean with Student's interval at a two-sided level.

    ``values`` are (n,); or (1 + halves, n), with what they are on half-samples of the rows that
    they are of.

    >>> student_interval([1.0, 2.0, 3.0], 0.05).low  # 2 - 4.303 / √3
    -0.484...
    """
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    every = np.atleast_2d(np.asarray(values, dtype=float))
    found, halves = every[0], len(every) - 1
    squared = stdtrit(len(found) - 1, level / 2) ** 2 * found.var(ddof=1) / len(found)
    if halves:
        squared += stdtrit(halves, level / 2) ** 2 * half_sample_variance(every.mean(axis=1))
    middle, half = float(found.mean()), math.sqrt(squared)
    return Spread(middle, middle - half, middle + half)


def median_interval(values: Sequence[float]) -> Spread:
    """The median with its order-statistic interval of at least 95 %; below 6, least and most.

    Of 12 values, the third to the tenth, which covers in 96.1 %. Conover, Practical Nonparametric
    Statistics, 1999, section 3.2. A percentile bootstrap covers in 90 % at 10 values.
    """
    from scipy.stats import binom

    ordered = np.sort(np.asarray(values, dtype=float))
    rank = int(binom.ppf((1 - CONFIDENCE) / 2, len(ordered), 0.5))
    low, high = ordered[max(rank, 1) - 1], ordered[len(ordered) - max(rank, 1)]
    return Spread(float(np.median(ordered)), float(low), float(high))


def quartiles(values: Sequence[float]) -> Spread:
    """Median and quartiles, linear between the values around them; infinite next to infinity."""
    ordered = sorted(values)

    def at(share: float) -> float:
        below, rest = divmod(share * (len(ordered) - 1), 1)
        low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
        return low if rest == 0 or low == high else low + rest * (high - low)

    return Spread(median=at(0.5), low=at(0.25), high=at(0.75))


def sign_test(speedups: Sequence[float]) -> float:
    """Exact two-sided p-value of the medians being equal; ties are left out."""
    from scipy.stats import binomtest

    wins = sum(s > 1 for s in speedups)
    losses = sum(s < 1 for s in speedups)
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjustment for having tested several rules. Scand. J. Statist. 6 (1979) 65-70."""
    adjusted, floor = {}, 0.0
    for i, (rule, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        floor = max(floor, min(1.0, p * (len(p_values) - i)))
        adjusted[rule] = floor
    return adjusted


def fewest_seeds(comparisons: int) -> int:
    """How many seeds a clean sweep needs to pass the sign test, adjusted for so many rules.

    >>> fewest_seeds(1), fewest_seeds(7)
    (6, 9)
    """
    return 1 + math.ceil(math.log2(comparisons / (1 - CONFIDENCE)))
