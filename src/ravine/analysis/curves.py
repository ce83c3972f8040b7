"""What one run's curve says: where it ended, whether it diverged, when it reached a target."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import SMOOTHING
from ravine.experiment.target import TEST, TRAINING, Target

UNTRAINED = 0.9  # of the loss before step one: a loss this high was not learned


def series(curve: Curve, split: int, measure: int = 0) -> NDArray[np.floating]:
    """What was measured of a split from before step one on, shape (evaluations + 1,).

    Of the training data that is the mean loss of the steps since the last evaluation; before step
    one, the loss of the first batch.
    """
    if split != TRAINING:
        return curve.measures[:, split, measure]
    parts = curve.losses.reshape(len(curve.measures) - 1, -1).astype(np.float64)
    means = np.full(len(curve.measures), np.nan)
    if parts.size:
        means[0], means[1:] = curve.losses[0], parts.mean(axis=1)
    return means


def final(curve: Curve, split: int, measure: int = 0) -> float:
    """Where a run ended: the mean of its last three evaluations. NaN if one is not finite."""
    # In float64 and one order, as trailing_means: the last of those is this, to the last bit.
    return float(np.mean(curve.measures[-SMOOTHING:, split, measure].astype(np.float64)))


def diverged_at(curve: Curve, split: int) -> int | None:
    """The step at which a run stopped being finite, its last if it ended above its start.

    None also for a run that could not be done: that says nothing about its rule.
    """
    if curve.failure:
        return None
    lost = np.flatnonzero(~np.isfinite(curve.losses))
    if lost.size:
        return int(lost[0]) + 1
    end = final(curve, split)
    if not np.isfinite(end) or end > curve.measures[0, split, 0]:
        return len(curve.losses)
    return None


def end_loss(curve: Curve, split: int) -> float:
    """The final loss; infinite for a run that diverged or could not be done."""
    lost = curve.failure or diverged_at(curve, split) is not None
    return math.inf if lost else final(curve, split)


def untrained(start: float) -> float:
    """The loss from which on a network that began at ``start`` has learned nothing to speak of."""
    return start - (1 - UNTRAINED) * abs(start)


def trailing_means(curve: Curve, split: int, measure: int = 0) -> NDArray[np.float64]:
    """The mean of each evaluation after step one and the two before it, from the third on.

    NaN from where a run is no longer finite.
    """
    values = series(curve, split, measure)[1:].astype(np.float64)
    if len(values) < SMOOTHING:
        return np.empty(0)
    means: NDArray[np.float64] = sliding_window_view(values, SMOOTHING).mean(axis=-1)
    return means


def steps_to(curve: Curve, target: float | Target, period: int) -> float:
    """Steps until the trailing mean of three measurements is at the target, or infinity.

    Censored at the end of the run: one that would have come later took infinitely many steps.
    ``period``: steps between evaluations. A number is a test loss.
    """
    value, measure, rising, split = target if isinstance(target, Target) else Target(target)
    if math.isinf(value):
        return math.inf
    means = trailing_means(curve, split, measure)
    reached = np.flatnonzero(means >= value if rising else means <= value)  # NaN is not
    return float((reached[0] + SMOOTHING) * period) if reached.size else math.inf


def ends_at(curve: Curve, target: Target) -> bool:
    """Whether a run is at the target, or past it, after its last step.

    Of a rule whose learning rate decays over a run: the evaluations before the last are of a larger
    rate, so that their mean is not where the run ends.
    """
    if math.isinf(target.value) or curve.failure or diverged_at(curve, TEST) is not None:
        return False
    end = float(series(curve, target.split, target.measure)[-1])
    return end >= target.value if target.rising else end <= target.value


def speedup(baseline: float, rule: float, horizon: float) -> float:
    """How many times less time the rule took. One that missed took infinitely long.

    All three in one unit. Where only the rule arrives, gradient descent would have needed more than
    the horizon: a lower bound. Where neither does, a tie.
    """
    if math.isinf(baseline) and math.isinf(rule):
        return 1.0
    return min(baseline, horizon) / rule
