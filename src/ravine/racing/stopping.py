"""Which learning rates have no hope left, so that their tuning runs may end early.

A rule's runs are compared with its own best rate alone, at fixed points and once all of them are
there, so neither the order in which they arrive nor another rule changes anything. Losses are only
compared: their unit does not matter.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

RUNGS = (1 / 8, 1 / 4, 1 / 2)  # of a run
MARGIN = 4  # times as long as the best rate for what is reached so far: it can no longer catch up
SMOOTHING = 3  # evaluations in the trailing mean


@cache
def rungs(evaluations: int) -> tuple[int, ...]:
    """After how many evaluations it is decided who goes on.

    >>> rungs(99)
    (12, 25, 50)
    >>> rungs(10)  # an eighth has no quarter of its own to compare with
    (5,)
    """
    found = (round(evaluations * share) for share in RUNGS)
    return tuple(rung for rung in found if MARGIN < rung < evaluations)


def hopeless(losses: Mapping[float, Sequence[NDArray[np.floating]]]) -> set[float]:
    """The learning rates to stop.

    ``losses`` holds, for each rate, the validation losses of its runs, (evaluations + 1,) from
    before step one to the rung. The best rate is the one whose median over its runs is lowest now.
    Another is stopped if in a quarter of the time the best was where it is now, and each of its
    runs is now worse than each of the best's. What is not finite is worse than anything.
    """
    smooth = {rate: _trailing(np.stack(runs)) for rate, runs in losses.items()}
    level = {rate: np.median(runs, axis=0) for rate, runs in smooth.items()}
    best = min(sorted(level), key=lambda rate: level[rate][-1])
    if math.isinf(level[best][-1]):
        return set()
    early = level[best][: (len(level[best]) - 1) // MARGIN + 1].min()
    worst = smooth[best][:, -1].max()
    return {
        rate
        for rate in level
        if rate != best and early <= level[rate][-1] and worst < smooth[rate][:, -1].min()
    }


def _trailing(losses: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean of the last three, of fewer after fewer steps; the first is from before step one."""
    kept = np.where(np.isfinite(losses), losses, np.inf).astype(np.float64)
    later = kept[..., 1:]
    sums = np.zeros_like(later)
    for lag in reversed(range(SMOOTHING)):
        sums[..., lag:] += later[..., : max(0, later.shape[-1] - lag)]
    counts = np.minimum(np.arange(1, later.shape[-1] + 1), SMOOTHING)
    return np.concatenate([kept[..., :1], sums / counts], axis=-1)
