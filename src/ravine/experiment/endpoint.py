"""The endpoint that rules are compared by: the time to 13 targets along the reference's curve.

One target alone lies on a plateau or on a slope, and the time to it is luck where it is a plateau.
Over a band of targets, from what the reference reaches in an eighth of its time to its own result,
luck averages out. The logarithm of the time is averaged, so a difference of two endpoints is the
logarithm of a ratio of geometric means of times: it has no unit, and A:B is 1/(B:A).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SMOOTHING = 3  # evaluations in the trailing mean
A_HALVING = 4  # targets for each halving of the reference's time
HALVINGS = 3  # of that time, until the easiest target
HOPELESS = math.log(1.5)  # behind the best in log time: no learning rate worth a second try
MIDDLE = (SMOOTHING + 1) / 2  # evaluation that the first trailing mean belongs to

Floats = NDArray[np.float64]


class Aim(NamedTuple):
    """The targets of a repetition, and of which metric they are; those of one that
    rises are negated.
    """

    targets: Floats
    metric: int = 0
    rising: bool = False

    def of(self, measured: NDArray[np.floating]) -> NDArray[np.floating]:
        """What is to fall to the targets, of measurements (…, metrics)."""
        return self.falling(measured[..., self.metric])

    def falling(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """The same of values of the metric."""
        return -values if self.rising else values


def lowest_so_far(losses: NDArray[np.floating]) -> Floats:
    """The lowest trailing mean of three evaluations until each evaluation, from the third on.

    Args:
        losses: Shape (..., evaluations + 1), the first from before step one. Of a metric that
            rises, the negated values.

    Returns:
        Shape (..., evaluations - 2). From where a run is not finite, it falls no more.
    """
    kept = np.where(np.isfinite(losses), losses, np.inf)[..., 1:].astype(np.float64)
    if kept.shape[-1] < SMOOTHING:
        return np.empty((*kept.shape[:-1], 0))
    means = sliding_window_view(kept, SMOOTHING, axis=-1).mean(axis=-1)
    return np.minimum.accumulate(means, axis=-1)


def times_to(lowest: Floats, targets: Floats) -> Floats:
    """Evaluations until each target; infinite where a run misses it.

    A mean of three evaluations belongs to the middle one: taken for the last, it would add the same
    evaluation to a short time as to a long one.

    Args:
        lowest: Shape (..., evaluations - 2), from ``lowest_so_far``.
        targets: Shape (targets,).

    Returns:
        Shape (..., targets).
    """
    above = np.stack([(lowest > target).sum(axis=-1) for target in targets], axis=-1)
    return np.where(above < lowest.shape[-1], above + MIDDLE, np.inf)


def joined(ends: Mapping[int, float], evaluations: int) -> Floats:
    """The ends of runs of several lengths, as one curve of lowest losses: ``lowest_so_far``.

    Of a rule whose learning rate decays over a run. Between two lengths the loss is taken to fall
    evenly with the logarithm of the time; before the shortest nothing is known.

    Args:
        ends: The loss at the end of a run of so many evaluations; infinite where it diverged.
        evaluations: Of the longest.

    Returns:
        Shape (evaluations - 1,): entry i is of a run of i + 2 evaluations.
    """
    lengths = np.array(sorted(ends))
    lowest = np.minimum.accumulate([ends[n] for n in lengths])
    times = np.arange(MIDDLE, evaluations + 1)
    after = np.searchsorted(lengths, times, side="right")  # lengths at or below each time
    whole = np.concatenate([[np.inf], lowest])[after]
    found = np.isfinite(whole) & (after < len(lengths))
    left, right = after[found] - 1, after[found]
    share = np.log(times[found] / lengths[left]) / np.log(lengths[right] / lengths[left])
    whole[found] += share * (lowest[right] - lowest[left])
    result: Floats = whole
    return result


def band(reference: Floats, target: float, halvings: int = HALVINGS) -> Floats | None:
    """The targets: what the reference's median run reaches in T, T·2^(-1/4), … T/8 evaluations.

    Args:
        reference: Shape (runs, evaluations - 2), from ``lowest_so_far``.
        target: The last of them. T is the reference's median time to it.
        halvings: Of T until the easiest target.

    Returns:
        Shape (4 halvings + 1,), from the target to the easiest; None where the median run misses
        the target.
    """
    median = np.median(reference, axis=0)
    (time,) = times_to(median, np.array([target]))
    if math.isinf(time):
        return None
    places = time * 2.0 ** (-np.arange(1, A_HALVING * halvings + 1) / A_HALVING) - MIDDLE
    places = np.maximum(places, np.isinf(median).sum())  # where it is not known it is infinite
    easier = np.interp(places, np.arange(len(median)), median)
    return np.concatenate([[target], np.maximum(easier, target)])  # none is harder


def mean_log_time(times: Floats, horizon: float) -> Floats:
    """The endpoint: the mean over the targets of the logarithm of the time to each.

    A run that misses a target took the whole horizon.

    Args:
        times: Shape (..., targets), from ``times_to``.
        horizon: Of a run, in the unit of the times.

    Returns:
        Shape (...).
    """
    result: Floats = np.log(np.minimum(times, horizon)).mean(axis=-1)
    return result
