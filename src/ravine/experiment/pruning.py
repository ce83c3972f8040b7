"""Which learning rates can no longer be the best, so that their tuning runs may end early.

Nothing is guessed: of a run that is on its way, its mean log time to the targets has a lower bound,
as it cannot reach before now what it has not reached yet, and an upper one, the whole horizon. A
rate is stopped where its lower bound lies so far behind the best upper bound that it cannot become
a contender, however it goes on. So what is chosen is what would be chosen without it; unless the
rate that the others were stopped for diverges later on, and is not chosen for that.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ravine.experiment.configuration import Configuration
from ravine.experiment.endpoint import (
    HOPELESS,
    SMOOTHING,
    Floats,
    lowest_so_far,
    mean_log_time,
    times_to,
)

RUNGS = (1 / 8, 1 / 4, 1 / 2)  # of a run
LEAST = SMOOTHING + 1  # evaluations before which there is nothing to compare


@cache
def rungs(evaluations: int) -> tuple[int, ...]:
    """After how many evaluations it is decided who goes on.

    >>> rungs(99)
    (12, 25, 50)
    >>> rungs(10)
    (5,)
    """
    found = (round(evaluations * share) for share in RUNGS)
    return tuple(rung for rung in found if LEAST < rung < evaluations)


def hopeless(
    losses: Mapping[Configuration, Sequence[NDArray[np.floating]]], targets: Floats, horizon: int
) -> set[Configuration]:
    """The configurations to stop.

    Args:
        losses: For each, the validation losses of its runs, each (evaluations + 1,) from
            before step one to the rung; of a metric that rises, the negated values.
        targets: Shape (targets,), from ``endpoint.band``.
        horizon: Evaluations of a whole run.
    """
    lower, upper = {}, {}  # the upper ones of rates that may yet be chosen
    for rate, runs in losses.items():
        stacked = np.stack(runs)
        times = times_to(lowest_so_far(stacked), targets)
        # The next mean, of which two evaluations are known, belongs to the last of them.
        finite = np.isfinite(stacked).all(axis=-1)
        now = np.where(finite, stacked.shape[-1] - 1, horizon)
        lower[rate] = mean_log_time(np.minimum(times, now[:, None]), horizon).mean()
        if finite.all():
            upper[rate] = mean_log_time(times, horizon).mean()
    best = min(upper.values(), default=np.inf)
    return {rate for rate, bound in lower.items() if bound > best + HOPELESS}
