"""What is settled before anyone is judged: each rule's learning rate, and the target."""

import math
import re
from collections.abc import Sequence

import numpy as np

from ravine.racing.plan import Plan, study_of
from ravine.racing.store import Curve
from ravine.verdict.curves import TEST, VALIDATION, Target, end_loss

TARGET_QUANTILE = 0.8


def choose(plan: Plan, curves: Sequence[Curve], study: int | None = 0) -> dict[str, float]:
    """Each rule's learning rate, from the tuning runs of one study alone; of all where None.

    A rate that was stopped early comes behind all that went on, but before one that diverged.
    """
    tuning = [
        curve
        for curve in curves
        if curve.run.stage == "tuning" and study in (None, study_of(curve.run.seed))
    ]
    stopped = {(c.run.rule, c.run.learning_rate) for c in tuning if c.stopped}
    chosen = {}
    for rule in plan.choices.rules:
        scores = tuning_scores(rule, tuning)
        chosen[rule] = min(
            scores, key=lambda r: (math.isinf(scores[r]), (rule, r) in stopped, scores[r], r)
        )
    return chosen


def tuning_scores(rule: str, curves: Sequence[Curve]) -> dict[float, float]:
    """The median final validation loss at each learning rate; a diverged run counts as infinite.

    Of a run that was stopped early, the loss where it was stopped.
    """
    by_rate: dict[float, list[float]] = {}
    for curve in curves:
        if curve.run.stage == "tuning" and curve.run.rule == rule:
            ends = by_rate.setdefault(curve.run.learning_rate, [])
            ends.append(end_loss(curve, VALIDATION))
    return {rate: float(np.median(ends)) for rate, ends in by_rate.items()}


def goal_of(plan: Plan, curves: Sequence[Curve]) -> Target:
    """The user's own target, or else what the reference runs among these curves reach."""
    if not plan.choices.target:
        return Target(target_of(curves))
    measure, comparison, value = re.split("([<>]=)", plan.choices.target)
    return Target(float(value), plan.facts.measures.index(measure), comparison == ">=")


def target_of(curves: Sequence[Curve]) -> float:
    """What tuned gradient descent reliably reaches: four of five reference runs end below it.

    A test loss; infinite if more than a fifth of the reference runs diverged or failed.
    """
    ends = [end_loss(curve, TEST) for curve in curves if curve.run.stage == "reference"]
    return float(np.quantile(ends, TARGET_QUANTILE, method="inverted_cdf"))
