"""What one repetition's evaluation runs say so far, and which runs are still to be done."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ravine.analysis.comparing import Difference, Tuned, compare, look, shared
from ravine.analysis.half_samples import halves, on_half
from ravine.analysis.looks import nominal_levels
from ravine.analysis.tuning import goal_of, judging_aim, lowest_of
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import Aim, Floats, mean_log_time, times_to
from ravine.experiment.plan import CONTENDER, Plan, Run
from ravine.experiment.target import Target

ALPHA = 0.05  # that any of the conclusions that are adjusted together is wrong
LEAST = 4  # evaluation seeds, or repetitions: below it nothing is concluded
NOTHING = Target(math.inf)
Key = tuple[str, Configuration]  # a rule and how it is run


@dataclass(frozen=True)
class Evaluation:
    """The evaluation runs of a repetition, as far as they are there.

    ``wanted``: all runs that are to be done, as far as is known; ``missing``: whether some are not
    there. ``times``: evaluations to each target, (seeds, targets), by rule and configuration, on
    the seeds on which the reference could be run; ``on_halves``, (halves, seeds, targets): the
    same on half-samples of the test rows. ``said``: of each rule against the reference.
    """

    plan: Plan
    tuned: Tuned
    wanted: tuple[Run, ...]
    missing: bool
    goal: Target = NOTHING
    aim: Aim | None = None
    times: Mapping[Key, Floats] = field(default_factory=dict)
    on_halves: Mapping[Key, Floats] = field(default_factory=dict)
    said: Mapping[str, Difference] = field(default_factory=dict)

    def difference(
        self, one: str, other: str, comparisons: int, paces: tuple[float, float] = (1.0, 1.0)
    ) -> Difference | None:
        """How much lower the other rule's log times are, on the seeds that both have.

        ``comparisons``: for how many the interval is adjusted. ``paces``: seconds a step of each;
        both are given the seconds of the shorter of their whole runs. None where nothing is known.
        """
        logs = self.logs(one, other, paces)
        seeds = min((own[self.tuned.chosen[r]].shape[-1] for r, own in logs.items()), default=0)
        if not seeds:
            return None
        looks = levels(self.plan, comparisons)
        level = looks[min((n for n in looks if n >= seeds), default=max(looks))]
        return compare(logs[one], logs[other], self.tuned, (one, other), level)

    def middles(self, one: str, other: str, paces: tuple[float, float]) -> Floats | None:
        """The mean difference over the seeds that both have; then on half-samples of the rows."""
        logs = self.logs(one, other, paces)
        if not logs:
            return None
        pair = (logs[rule][self.tuned.chosen[rule]] for rule in (one, other))
        means: Floats = shared(*pair).mean(axis=1)
        return means

    def logs(
        self, one: str, other: str, paces: tuple[float, float] = (1.0, 1.0)
    ) -> dict[str, dict[Configuration, Floats]]:
        """Log times of two rules as ``comparing`` has them; nothing where one has none."""
        most = self.plan.evaluations * min(paces)
        found: dict[str, dict[Configuration, Floats]] = {one: {}, other: {}}
        for (rule, k), times in self.times.items():
            for name, pace in zip((one, other), paces, strict=True):
                if name == rule:
                    every = np.concatenate([times[None], self.on_halves[rule, k]])
                    found[rule][k] = mean_log_time(every * pace, most)
        there = all(self.tuned.chosen[rule] in own for rule, own in found.items())
        return found if there else {}


def levels(plan: Plan, comparisons: int) -> dict[int, float]:
    """The nominal level of each of so many comparisons at each look."""
    looks = plan.choices.looks
    return dict(zip(looks, nominal_levels(looks, ALPHA / max(1, comparisons)), strict=True))


def evaluation(
    plan: Plan,
    tuned: Tuned,
    curves: Sequence[Curve],
    repetition: int = 0,
    target: Target | None = None,
) -> Evaluation:
    """From the curves of a repetition, look after look; ``target`` stands in for the
    repetition's own.
    """
    there = {curve.run.id: curve for curve in curves}
    reference, looks = plan.choices.reference, plan.choices.looks
    others = [rule for rule in plan.choices.rules if rule != reference]
    wanted = plan.reference_runs(tuned.chosen[reference], repetition)
    for rule in plan.choices.rules:  # how they are at the chosen rate is shown of all
        wanted += _runs(plan, tuned, (rule, tuned.chosen[rule]), looks[0], repetition)
    # Without them it is not known which others are wanted, but these surely are.
    wanted += [
        run
        for rate in tuned.contenders[reference]
        for run in _runs(plan, tuned, (reference, rate), looks[0], repetition)
    ]
    wanted = list(dict.fromkeys(wanted))
    if any(run.id not in there for run in wanted):
        return Evaluation(plan, tuned, tuple(wanted), missing=True)
    goal = target or goal_of(plan, [there[r.id] for r in wanted if r.stage == "reference"])
    way = _reference(plan, tuned, looks[0], repetition)
    aim = judging_aim(plan, goal, [there[run.id] for run in way])
    if aim is None:
        return Evaluation(plan, tuned, tuple(wanted), missing=False, goal=goal)
    known = np.ones(looks[-1], bool)  # seeds on which the reference could be run
    for rate in tuned.contenders[reference]:
        runs = _runs(plan, tuned, (reference, rate), looks[-1], repetition)
        for run in runs:
            if run.id in there and there[run.id].failure:
                known[run.seed - runs[0].seed] = False
    if not known[: looks[0]].any():
        return Evaluation(plan, tuned, tuple(wanted), missing=False, goal=goal, aim=aim)
    times: dict[Key, Floats] = {}
    on_halves: dict[Key, Floats] = {}
    ways = _ways(plan, target, goal, aim, there, wanted, way)

    def asked(rule: str, rate: Configuration, seeds: int) -> Floats | None:
        runs = _runs(plan, tuned, (rule, rate), seeds, repetition)
        if any(run.id not in there for run in runs):
            return None
        own, kept = [there[run.id] for run in runs], known[:seeds]
        times[rule, rate] = found = times_of(plan, aim, goal, own)[kept]
        parts = [
            times_of(plan, part, goal, [on_half(curve, half) for curve in own])[kept]
            for half, part in ways
        ]
        on_halves[rule, rate] = np.array(parts).reshape(len(ways), *found.shape)
        every = np.concatenate([found[None], on_halves[rule, rate]])
        return mean_log_time(every, plan.evaluations)

    looked = look(reference, others, tuned, levels(plan, len(others)), asked)
    for (rule, rate), seeds in looked.asked.items():
        wanted += _runs(plan, tuned, (rule, rate), seeds, repetition)
    if not others:
        asked(reference, tuned.chosen[reference], looks[0])
    wanted = list(dict.fromkeys(wanted))
    return Evaluation(
        plan, tuned, tuple(wanted), looked.missing, goal, aim, times, on_halves, looked.differences
    )


def _ways(
    plan: Plan,
    target: Target | None,
    goal: Target,
    aim: Aim,
    there: Mapping[str, Curve],
    wanted: Sequence[Run],
    way: Sequence[Run],
) -> list[tuple[Any, Aim]]:
    """Half-samples of the test rows, and the targets as they would be on each."""
    found = []
    for half in halves(plan, goal):
        runs = [on_half(there[run.id], half) for run in wanted if run.stage == "reference"]
        along = [on_half(there[run.id], half) for run in way]
        own = judging_aim(plan, target or goal_of(plan, runs), along)
        # A half on which the reference does not get there has no way of its own that leads there.
        same = own is not None and own.targets.shape == aim.targets.shape
        found.append((half, own if own is not None and same else aim))
    return found


def _runs(plan: Plan, tuned: Tuned, key: Key, seeds: int, repetition: int) -> list[Run]:
    """The runs of a rule in a configuration, on the first seeds for evaluation."""
    rule, one = key
    stage = "evaluation" if one == tuned.chosen[rule] else CONTENDER
    return plan.evaluated(stage, {rule: one}, seeds, repetition)


def _reference(plan: Plan, tuned: Tuned, seeds: int, repetition: int) -> list[Run]:
    """The runs along which the targets lie: of their own, or the first fresh ones."""
    rule = plan.choices.reference
    own = plan.reference_runs(tuned.chosen[rule], repetition)
    return own or plan.fresh({rule: tuned.chosen[rule]}, seeds, repetition)


def times_of(plan: Plan, aim: Aim, goal: Target, curves: Sequence[Curve]) -> Floats:
    """Evaluations to each target of a rule's runs in one configuration, (seeds, targets)."""
    return times_to(lowest_of(plan, aim, curves, goal.split), aim.targets)
