"""Who is first depends on how far: the winner as a function of the target."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravine.analysis.curves import trailing_means
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import SMOOTHING
from ravine.experiment.target import TEST


class Stretch(NamedTuple):
    """The targets, test losses from ``high`` down to ``low``, that a rule reaches first."""

    rule: str
    high: float  # itself belongs to the stretch before, where there is one
    low: float


def leads_by_target(
    runs: Mapping[str, Sequence[Curve]], period: int, start: float
) -> tuple[Stretch, ...]:
    """Who needs the fewest steps, in the median of its runs, to each target; easy ones first.

    From the loss before step one, ``start``, down to the lowest that most runs of some rule
    reach. Exact, since times change only at losses that were measured. Ties go to who leads just
    below. It describes the evaluation runs at the chosen learning rates and is no test: of several
    targets, one was fixed before they were run.
    """
    lowest = {rule: [_lowest_so_far(curve) for curve in own] for rule, own in runs.items()}
    measured = np.concatenate([run for own in lowest.values() for run in own])
    targets = np.unique(np.append(measured[measured < start], start))
    rules = sorted(lowest)
    times = np.stack([_median_times(lowest[rule], targets) for rule in rules])
    fewest = times.min(axis=0)
    found: list[Stretch] = []
    turns = np.flatnonzero(np.isfinite(fewest))  # targets from which on another rule leads
    while turns.size:
        k = turns[0]
        leader = int(times[:, k].argmin())
        if found:
            found[-1] = found[-1]._replace(high=float(targets[k]))
        found.append(Stretch(rules[leader], start, float(targets[k])))
        turns = k + np.flatnonzero(fewest[k:] < times[leader, k:])
    return tuple(reversed(found))


def _lowest_so_far(curve: Curve) -> NDArray[np.float64]:
    means = trailing_means(curve, TEST)
    lowest: NDArray[np.float64] = np.minimum.accumulate(np.where(np.isnan(means), math.inf, means))
    return lowest


def _median_times(
    runs: Sequence[NDArray[np.float64]], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Median evaluations until each target; infinite where half of the runs or more miss it.

    Sorted evaluation by evaluation, the middle runs are what the median run has come to.
    """
    longest = max(map(len, runs))
    lowest = np.full((len(runs), longest), math.inf)
    for row, run in zip(lowest, runs, strict=True):
        row[: len(run)] = run
    ranked = np.sort(np.minimum.accumulate(lowest, axis=1), axis=0)  # who is shorter stays there
    times = []
    for middle in (ranked[(len(runs) - 1) // 2], ranked[len(runs) // 2]):
        reached = np.searchsorted(middle[::-1], targets, side="right")  # evaluations at or below
        times.append(np.where(reached, longest - reached + SMOOTHING, math.inf))
    median: NDArray[np.float64] = np.mean(times, axis=0)
    return median
