"""Where runs end: the losses of equal numbers of steps, and of the reference's seconds.

Both are of the chosen learning rates, not of rules: what a configuration ends at is what one gets
who takes it. They are paired by seed, or by study, and adjusted as speed-ups are.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ravine.racing.choices import FINAL
from ravine.racing.endpoint import Aim
from ravine.racing.plan import Plan
from ravine.racing.store import Curve
from ravine.verdict.curves import TEST, final
from ravine.verdict.evaluation import ALPHA, LEAST, levels
from ravine.verdict.standings import Standing
from ravine.verdict.statistics import Spread, student_interval
from ravine.verdict.studies import Studies
from ravine.verdict.tuning import lowest_of

LossOf = Callable[[Curve], float]


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
        lowest = lowest_of(Aim(np.empty(0)), [curve], TEST)[0, : max(0, evaluations - 2)]
        return float(lowest[-1]) if lowest.size else math.nan

    return loss


def apart(
    studies: Studies,
    rules: tuple[str, str],
    comparisons: int,
    losses: tuple[LossOf, LossOf] = (final_loss, final_loss),
) -> Spread | None:
    """How much higher the loss of the first rule is than that of the second.

    Args:
        studies: What was run.
        rules: Two of them.
        comparisons: For how many the interval is adjusted.
        losses: What is taken of a run of each.

    Returns:
        The mean difference and its interval, in units of the loss. None below four seeds on which
        both could be run, and where a loss is not finite.
    """
    found = []
    for study in studies.each:
        one, other = (study.fresh[rule] for rule in rules)
        seeds = sorted(s for s in one if s in other and not (one[s].failure or other[s].failure))
        found.append([losses[0](one[seed]) - losses[1](other[seed]) for seed in seeds])
    several = len(found) > 1
    values = [float(np.mean(own)) for own in found if own] if several else found[0]
    if len(values) < LEAST or not np.isfinite(values).all():
        return None
    if several:
        return student_interval(values, ALPHA / max(1, comparisons))
    looks = levels(studies.plan, comparisons)
    return student_interval(values, looks[min(n for n in looks if n >= len(values))])


def ends_lower(studies: Studies, ranked: Sequence[Standing]) -> Mapping[str, Spread]:
    """By how much the first ends above the rules that reliably end lower than it."""
    first, *others = [s.rule for s in ranked]
    found = {rule: apart(studies, (first, rule), len(others)) for rule in others}
    return {rule: above for rule, above in found.items() if above is not None and above.low > 0}


def recommended(ranked: Sequence[Standing], studies: Studies, objective: str) -> str:
    """The rule whose optimizer is the one to take.

    Args:
        ranked: Best first.
        studies: What was run.
        objective: ``"time"``: the first; but of those that cannot be told apart from it, one that
            reliably ends lower. ``"final"``: the lowest loss in the end; of those that do not
            reliably end above it, the first.
    """
    by_loss = sorted(ranked, key=lambda s: s.final_loss)
    if objective == FINAL:
        lowest = by_loss[0].rule
        above = {
            s.rule: apart(studies, (s.rule, lowest), len(ranked) - 1)
            for s in ranked
            if s.rule != lowest
        }
        level = (s.rule for s in ranked if s.rule == lowest or _maybe_level(above[s.rule]))
        return next(level)
    lower = ends_lower(studies, ranked)
    tied = {s.rule for s in ranked if s.tied_for_first and s.finding == ranked[0].finding}
    return next((s.rule for s in by_loss if s.rule in lower and s.rule in tied), ranked[0].rule)


def _maybe_level(above: Spread | None) -> bool:
    return above is not None and above.low <= 0
