"""How configurations are chosen: what is tried next, and what that settles.

A configuration is chosen by what rules are judged by, the mean log time to the targets of a band,
here on validation data. The band lies along the curve of the reference, at its learning rate of the
lowest final validation loss; then all rates are chosen by it, the reference's own too. A rate at
which a tuning run diverges is chosen only where there is no other.

Every rate is tried on one seed; what is not far behind then, on the others too; and in the end the
rates between the best and its neighbours. Where the weight decay is tuned, two others are tried at
the best rate first, then two rates at the best decay: as many trials as every rule has.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ravine.analysis.comparing import Times, Tuned, contenders, margin, spread
from ravine.analysis.curves import diverged_at, end_loss, series
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import (
    HALVINGS,
    HOPELESS,
    Aim,
    Floats,
    band,
    joined,
    lowest_so_far,
    mean_log_time,
    times_to,
)
from ravine.experiment.plan import Plan, Run, repetition_of
from ravine.experiment.target import TEST, VALIDATION, Target, own_target

TARGET_QUANTILE = 0.8
FIRST, OTHERS, AGAIN, FINER, FINEST, DONE = range(6)  # phases of tuning
Tried = Mapping[Configuration, Sequence[Curve]]


class Tuning(NamedTuple):
    """How far one repetition is tuned.

    ``wanted``: all runs of the phases so far. ``aim``: the targets on validation data; None where
    the reference reaches none: then the lowest final loss decides.
    ``coarse``: the best of the grids, from the phase FINER on; ``tuned``: once all is done.
    """

    phase: int
    wanted: tuple[Run, ...]
    aim: Aim | None = None
    coarse: Mapping[str, Configuration] | None = None
    tuned: Tuned | None = None


def tuning(plan: Plan, curves: Sequence[Curve], repetition: int = 0) -> Tuning:
    """What the tuning runs of a repetition among these curves say, and which are wanted."""
    choices, there = plan.choices, {curve.run.id: curve for curve in curves}
    reference, every = choices.reference, range(choices.tuning_seeds)
    grids = {rule: choices.trials(rule) for rule in choices.rules}
    wanted: list[Run] = []

    def lacks(runs: Sequence[Run]) -> bool:
        wanted.extend(runs)
        return any(run.id not in there for run in runs)

    def of(
        rule: str, trials: Sequence[Configuration], seeds: Sequence[int]
    ) -> dict[Configuration, list[Curve]]:
        return {x: [there[r.id] for r in plan.tried(rule, [x], repetition, seeds)] for x in trials}

    def behind(rule: str, trials: Sequence[Configuration]) -> list[Configuration]:
        """The next ones, where each of these diverges on some seed."""
        if not trials or _well(of(rule, trials, every)):
            return []
        left = _well(of(rule, [x for x in grids[rule] if x not in trials], first))
        return _near(left, {x: scores[rule][x] for x in left}) if left else []

    whole, first = len(every) == 1, every[:1]
    begin = plan.tried(reference, grids[reference], repetition, first)
    rest = [
        r
        for rule in grids
        if rule != reference
        for r in plan.tried(rule, grids[rule], repetition, first)
    ]
    if lacks(begin) and plan.rungs:
        return Tuning(FIRST, tuple(wanted))
    known = not any(run.id not in there for run in begin)
    tries = of(reference, grids[reference], first) if known else {}
    provisional = min(tries, key=lambda x: (_end(tries[x]), x)) if tries else Configuration(0.0)
    aim = _provisional_aim(plan, tries[provisional]) if known else None
    if lacks(rest) or not known:
        return Tuning(OTHERS, tuple(wanted), aim)
    scores = {rule: _scores(plan, of(rule, grids[rule], first), aim) for rule in grids}
    if aim is None and not whole:  # nothing to tell the hopeless by
        again = {rule: list(grids[rule]) for rule in grids}
    else:
        once = {rule: of(rule, grids[rule], first) for rule in grids}
        again = {rule: [] if whole else _near(once[rule], scores[rule]) for rule in grids}
    if again[reference] and provisional not in again[reference]:
        again[reference].append(provisional)
    more = again
    while more:
        if lacks([r for rule in more for r in plan.tried(rule, more[rule], repetition, every[1:])]):
            return Tuning(AGAIN, tuple(wanted))
        more = {rule: behind(rule, again[rule]) for rule in grids}
        again = {rule: again[rule] + more[rule] for rule in grids}
        more = {rule: rates for rule, rates in more.items() if rates}
    if aim is not None:
        aim = _provisional_aim(plan, of(reference, [provisional], every)[provisional]) or aim
    tried = {rule: of(rule, again[rule] or grids[rule], every) for rule in grids}
    coarse = {rule: _lowest(tried[rule], _scores(plan, tried[rule], aim)) for rule in grids}
    finer = {rule: plan.finer(rule, coarse[rule]) if aim else () for rule in grids}
    if lacks([r for rule in grids for r in plan.tried(rule, finer[rule], repetition, every)]):
        return Tuning(FINER, tuple(wanted), aim, coarse)
    for rule in grids:
        tried[rule] |= of(rule, finer[rule], every)
    finest = {
        rule: plan.finest(rule, _lowest(tried[rule], _scores(plan, tried[rule], aim)))
        for rule in grids
        if aim
    }
    if lacks([r for rule in finest for r in plan.tried(rule, finest[rule], repetition, every)]):
        return Tuning(FINEST, tuple(wanted), aim, coarse)
    for rule, trials in finest.items():
        tried[rule] |= of(rule, trials, every)
    return Tuning(DONE, tuple(wanted), aim, coarse, _tuned(plan, tried, aim))


def _tuned(plan: Plan, tried: Mapping[str, Tried], aim: Aim | None) -> Tuned:
    scores = {rule: _scores(plan, tried[rule], aim) for rule in tried}
    chosen = {rule: _lowest(tried[rule], scores[rule]) for rule in tried}
    if aim is None or plan.choices.repetitions > 1:  # several repetitions have several choices
        return Tuned(chosen, {rule: (rate,) for rule, rate in chosen.items()})
    eligible = {rule: _eligible(tried[rule], scores[rule]) for rule in tried}
    within = margin(spread([*eligible.values()]), plan.choices.tuning_seeds)
    other = {
        rule: {
            chosen[rule],
            *contenders(_contending(tried[rule], scores[rule]), within, _least(eligible[rule])),
        }
        for rule in tried
    }
    return Tuned(chosen, {rule: tuple(sorted(rates)) for rule, rates in other.items()}, within)


def judging_aim(plan: Plan, goal: Target, reference: Sequence[Curve]) -> Aim | None:
    """The targets that are judged by, the last of which is the goal, from the reference's runs."""
    whole = [curve for curve in reference if not curve.failure]
    return _aim(plan, goal, whole, goal.split) if whole and math.isfinite(goal.value) else None


def _provisional_aim(plan: Plan, reference: Sequence[Curve]) -> Aim | None:
    """The targets on validation data; None where the reference diverges at all its rates."""
    if math.isinf(_end(reference)):
        return None
    return _aim(plan, goal_among(plan), reference, tuned_on(plan))


def _aim(plan: Plan, goal: Target | None, reference: Sequence[Curve], split: int) -> Aim | None:
    """A band up to the goal; up to the end of the median run where there is none."""
    aim = Aim(np.empty(0), goal.measure if goal else 0, bool(goal and goal.rising))
    lowest = lowest_of(plan, aim, reference, split)
    if not lowest.shape[-1]:
        return None
    value = float(np.median(lowest, axis=0)[-1])
    if goal is not None:
        value = -goal.value if goal.rising else goal.value
    targets = band(lowest, value, halvings(plan))
    # A goal that the reference does not get to has no way of its own that leads there.
    return aim._replace(targets=np.array([value]) if targets is None else targets)


def halvings(plan: Plan) -> int:
    """Of the reference's time, over which the targets lie.

    Where the rate decays, times are known from an eighth of a run on; so that a rule that is four
    times as fast is seen to be.
    """
    return 1 if plan.decaying else HALVINGS


def lowest_of(plan: Plan, aim: Aim, curves: Sequence[Curve], split: int) -> Floats:
    """The lowest so far of what is aimed at, of a rule's runs; nothing after an early end.

    A row a run; of a rule whose rate decays a row a seed, from the ends of all its runs.
    """
    if curves[0].run.rule in plan.decaying:
        seeds: dict[int, dict[int, float]] = {}
        for curve in curves:
            ends = seeds.setdefault(curve.run.seed, {})
            ends[curve.run.steps // plan.period] = _ended(aim, curve, split)
        return np.stack([joined(ends, plan.evaluations) for ends in seeds.values()])
    longest = max(len(curve.measures) for curve in curves)
    whole = np.full((len(curves), longest), np.nan)
    for row, curve in zip(whole, curves, strict=True):
        if not curve.failure:
            row[: len(curve.measures)] = aim.falling(series(curve, split, aim.metric))
    return lowest_so_far(whole)


def _ended(aim: Aim, curve: Curve, split: int) -> float:
    """What a run is at after its last step, where its learning rate has fallen."""
    if curve.failure or diverged_at(curve, split) is not None:
        return math.inf
    return float(aim.falling(series(curve, split, aim.metric)[-1:])[0])


def _scores(plan: Plan, tried: Tried, aim: Aim | None) -> Times:
    """The mean log times of each configuration, a number a seed; all equal without an aim."""
    if aim is None:
        return {
            one: np.zeros(len({curve.run.seed for curve in runs})) for one, runs in tried.items()
        }
    return {
        one: mean_log_time(
            times_to(lowest_of(plan, aim, runs, tuned_on(plan)), aim.targets), plan.evaluations
        )
        for one, runs in tried.items()
    }


def _near(tried: Tried, scores: Times) -> list[Configuration]:
    """Those that the other seeds may yet show to be the best, or to contend with it."""
    most = _least(_eligible(tried, scores)) + HOPELESS
    return [one for one, times in _seen(tried, scores).items() if times.mean() <= most]


def _contending(tried: Tried, scores: Times) -> Times:
    """Of those that are not lost on every seed.

    A rate that diverges on one seed in twenty is not chosen if that is a tuning seed, and may be
    the best all the same.
    """
    seen = {
        one: times
        for one, times in _seen(tried, scores).items()
        if any(diverged_at(curve, VALIDATION) is None for curve in tried[one])
    }
    return seen or scores


def _least(scores: Times) -> float:
    return min(float(times.mean()) for times in scores.values())


def _seen(tried: Tried, scores: Times) -> Times:
    """Of those whose runs were done to the end, however that was."""
    whole = [one for one, runs in tried.items() if not any(c.failure or c.stopped for c in runs)]
    return {one: scores[one] for one in whole or scores}


def _lowest(tried: Tried, scores: Times) -> Configuration:
    """The configuration of the lowest mean; of those that tie, of the lowest loss in the end."""
    eligible = _eligible(tried, scores)
    return min(eligible, key=lambda one: (scores[one].mean(), _end(tried[one]), one))


def _eligible(tried: Tried, scores: Times) -> Times:
    """Without those with which a run diverged or was stopped, if any are left.

    Rather one that was stopped than one that diverged after it was what others were stopped for.
    """
    well = _well(tried)
    whole = [one for one, runs in well.items() if not any(c.stopped for c in runs)]
    return {one: scores[one] for one in whole or well or scores}


def _well(tried: Tried) -> dict[Configuration, Sequence[Curve]]:
    """Without those with which a run diverged or could not be done."""
    return {
        one: runs
        for one, runs in tried.items()
        if all(not c.failure and diverged_at(c, VALIDATION) is None for c in runs)
    }


def _end(runs: Sequence[Curve]) -> float:
    """The median final loss of the longest runs."""
    whole = max(curve.run.steps for curve in runs)
    return float(np.median([end_loss(c, VALIDATION) for c in runs if c.run.steps == whole]))


def tuning_scores(rule: str, curves: Sequence[Curve]) -> dict[Configuration, float]:
    """The median final validation loss of each trial; a diverged run counts as infinite.

    Of a run that was stopped early, the loss where it was stopped.
    """
    tried: dict[Configuration, list[Curve]] = {}
    for curve in curves:
        if curve.run.stage == "tuning" and curve.run.rule == rule:
            tried.setdefault(curve.run.configuration, []).append(curve)
    return {one: _end(runs) for one, runs in tried.items()}


def of_repetition(curves: Sequence[Curve], repetition: int) -> list[Curve]:
    """Those whose seeds belong to a repetition."""
    return [curve for curve in curves if repetition_of(curve.run.seed) == repetition]


def goal_among(plan: Plan) -> Target | None:
    """The user's own target; None for what the reference reaches."""
    return own_target(plan.choices.target, plan.facts.measures)


def tuned_on(plan: Plan) -> int:
    """The split whose measurements learning rates are tuned by."""
    goal = goal_among(plan)
    return VALIDATION if goal is None else goal.tuned_on


def goal_of(plan: Plan, curves: Sequence[Curve]) -> Target:
    """The user's own target, or else what the reference runs among these curves reach."""
    return goal_among(plan) or Target(target_of(plan, curves))


def target_of(plan: Plan, curves: Sequence[Curve]) -> float:
    """What the tuned reference reliably reaches: four of five of its runs get as low.

    A test loss; infinite if more than a fifth of the reference runs diverged or failed. Where its
    rate decays, what its runs end at, instead of the lowest on their way.
    """
    runs = [curve for curve in curves if curve.run.stage == "reference"]
    ends = np.array([end_loss(curve, TEST) for curve in runs])
    lowest = lowest_of(plan, Aim(np.empty(0)), runs, TEST)
    if lowest.shape[-1]:  # else too short to have a trailing mean
        ends = np.where(np.isinf(ends), np.inf, lowest[:, -1])
    return float(np.quantile(ends, TARGET_QUANTILE, method="inverted_cdf"))
