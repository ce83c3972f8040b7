"""Where runs end: the losses of equal numbers of steps, and of the reference's seconds.

Both are of the chosen learning rates, not of rules: what a configuration ends at is what one gets
who takes it. They are paired by seed, or by repetition, and adjusted as speed-ups are.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from ravine.analysis.curves import final
from ravine.analysis.evaluation import ALPHA, LEAST, levels
from ravine.analysis.half_samples import halves, on_half
from ravine.analysis.repetitions import Repetition, Repetitions
from ravine.analysis.results import RuleResult
from ravine.analysis.statistics import Spread, student_interval
from ravine.analysis.tuning import lowest_of
from ravine.experiment.config import FINAL
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import Aim, Floats
from ravine.experiment.plan import Plan
from ravine.experiment.target import TEST

LossOf = Callable[[Curve], float]
Way = Callable[[Curve], Curve]
MOST = 700.0  # a larger exponent has no float


def final_loss(curve: Curve) -> float:
    """The mean of a run's last three test losses; not finite where it diverged."""
    return final(curve, TEST)


def best_within(plan: Plan, pace: float) -> LossOf:
    """The lowest trailing mean of test losses in the first part of a run.

    Args:
        plan: Of the race.
        pace: Seconds a step of the reference over those of the rule. Above 1 the rule could take
            more steps than a run has; what it would reach in those is not known.
    """
    evaluations = int(plan.evaluations * min(1.0, pace))

    def loss(curve: Curve) -> float:
        lowest = lowest_of(plan, Aim(np.empty(0)), [curve], TEST)[0, : max(0, evaluations - 2)]
        return float(lowest[-1]) if lowest.size else math.nan

    return loss


def ratio(
    repetitions: Repetitions,
    rules: tuple[str, str],
    comparisons: int,
    losses: tuple[LossOf, LossOf] = (final_loss, final_loss),
) -> Spread | None:
    """The loss of the first rule over that of the second: the geometric mean of the pairs.

    Losses spread by factors: a few runs that end a hundred times higher would hide, in a mean of
    differences, that all of them end higher.

    Args:
        repetitions: What was run.
        rules: Two of them.
        comparisons: For how many the interval is adjusted.
        losses: What is taken of a run of each.

    Returns:
        The ratio and its interval. None below four seeds on which both could be run, and where a
        loss is not finite or not positive.
    """
    found = [_logs(repetition, rules, losses, repetitions.plan) for repetition in repetitions.each]
    if not (known := [own for own in found if own.size]):
        return None
    if not all(np.isfinite(own).all() for own in known):
        return None
    several = len(found) > 1
    logs = np.stack([own.mean(axis=1) for own in known], axis=1) if several else known[0]
    seeds = logs.shape[1]
    if seeds < LEAST:
        return None
    if several:
        level = ALPHA / max(1, comparisons)
    else:
        looks = levels(repetitions.plan, comparisons)
        level = looks[min(n for n in looks if n >= seeds)]
    return Spread(*(math.exp(min(value, MOST)) for value in student_interval(logs, level)))


def _logs(
    repetition: Repetition, rules: tuple[str, str], losses: tuple[LossOf, LossOf], plan: Plan
) -> Floats:
    """Logarithms of the ratios of two rules' losses, (1 + half-samples of rows, seeds)."""
    one, other = (repetition.fresh[rule] for rule in rules)
    seeds = sorted(s for s in one if s in other and not (one[s].failure or other[s].failure))
    ways: list[Way] = [_whole, *(partial(on_half, half=half) for half in halves(plan))]
    pairs = [
        [(losses[0](way(one[seed])), losses[1](way(other[seed]))) for seed in seeds] for way in ways
    ]
    with np.errstate(divide="ignore", invalid="ignore"):  # no ratio of what is not positive
        found: Floats = np.log(np.array(pairs, float).reshape(len(pairs), -1, 2)) @ (1.0, -1.0)
    return found


def _whole(curve: Curve) -> Curve:
    return curve


def ends_lower(repetitions: Repetitions, ranked: Sequence[RuleResult]) -> Mapping[str, Spread]:
    """The first's final loss over that of each rule that reliably ends lower than it."""
    first, *others = [s.rule for s in ranked]
    found = {rule: ratio(repetitions, (first, rule), len(others)) for rule in others}
    return {rule: above for rule, above in found.items() if above is not None and above.low > 1}


def recommended(ranked: Sequence[RuleResult], repetitions: Repetitions, objective: str) -> str:
    """The rule whose optimizer is the one to take.

    Args:
        ranked: Best first.
        repetitions: What was run.
        objective: ``"time"``: the first; but of those that cannot be told apart from it, one that
            reliably ends lower. ``"final"``: the lowest loss in the end.
    """
    by_loss = sorted(ranked, key=lambda s: s.final_loss)
    if objective == FINAL:
        return by_loss[0].rule
    lower = ends_lower(repetitions, ranked)
    tied = {s.rule for s in ranked if s.tied_for_first and s.finding == ranked[0].finding}
    return next((s.rule for s in by_loss if s.rule in lower and s.rule in tied), ranked[0].rule)
