"""What the evaluation runs of one repetition, or of several, say about how long each rule takes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ravine.analysis.comparing import Difference, Tuned, compare
from ravine.analysis.curves import ends_at, steps_to
from ravine.analysis.evaluation import ALPHA, Evaluation, evaluation
from ravine.analysis.tuning import goal_of, of_repetition, tuning
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.plan import SHORTER, Plan
from ravine.experiment.target import Target

Runs = Mapping[str, Mapping[int, Curve]]  # of each rule, by seed
Paces = tuple[float, float]  # seconds a step of two rules


@dataclass(frozen=True)
class Repetition:
    """Tuning and evaluating, once: all on seeds that no other repetition has.

    ``times``: steps to the target of each rule's runs at its chosen rate, by seed; infinite for one
    that missed it. ``evaluated``: None where nothing is compared but those times.
    """

    chosen: Mapping[str, Configuration]
    target: Target
    fresh: Runs
    times: Mapping[str, Mapping[int, float]]
    evaluated: Evaluation | None = None

    @property
    def band(self) -> tuple[float, ...]:
        """The targets that times are taken to, as they are measured; none where there are none."""
        if self.evaluated is None or (aim := self.evaluated.aim) is None:
            return ()
        return tuple(float(-x if aim.rising else x) for x in aim.targets)

    def contenders(self, rule: str) -> Sequence[Configuration]:
        """The configurations that tuning could not tell apart, the chosen one among them."""
        return () if self.evaluated is None else self.evaluated.tuned.contenders[rule]


@dataclass(frozen=True)
class Repetitions:
    """One repetition, where runs of a seed are compared; or several, where repetitions are.

    Tuning has luck of its own, which all runs of a repetition share. In one repetition the
    intervals allow for that by the rates that it could not tell apart; several repetitions show it.
    """

    plan: Plan
    each: Sequence[Repetition]

    @property
    def units(self) -> int:
        """How many independent comparisons there are at least: repetitions, or seeds of the one.

        Of those in which there is something to compare with.
        """
        if len(self.each) > 1:
            return sum(bool(repetition.band) for repetition in self.each)
        found, chosen = self.each[0].evaluated, self.each[0].chosen
        times = found.times if found else {}
        return min(len(times.get((rule, rate), ())) for rule, rate in chosen.items())

    @cached_property
    def against_reference(self) -> Mapping[str, Difference]:
        """Each rule against the reference: simultaneous intervals, those that were looked at."""
        found = self.each[0].evaluated
        if len(self.each) == 1:
            return {} if found is None else found.said
        reference = self.plan.choices.reference
        others = [rule for rule in self.plan.choices.rules if rule != reference]
        said = {rule: self.difference(reference, rule, len(others)) for rule in others}
        return {rule: d for rule, d in said.items() if d is not None}

    def difference(
        self, one: str, other: str, comparisons: int, paces: Paces = (1.0, 1.0)
    ) -> Difference | None:
        """How much lower the logarithms of the other rule's times are; None: not known.

        ``comparisons``: for how many the interval is adjusted.
        """
        evaluated = [
            repetition.evaluated for repetition in self.each if repetition.evaluated is not None
        ]
        if len(self.each) == 1:
            found = [e.difference(one, other, comparisons, paces) for e in evaluated]
            return found[0] if found else None
        each = [e.middles(one, other, paces) for e in evaluated]
        if not (known := [middles for middles in each if middles is not None]):
            return None
        middles = np.stack(known, axis=1)
        any_ = Configuration(0.0)
        tuned = Tuned({one: any_, other: any_}, {one: (any_,), other: (any_,)})
        logs = {any_: np.zeros_like(middles)}, {any_: -middles}
        return compare(*logs, tuned, (one, other), ALPHA / max(1, comparisons))

    def runs(self, rule: str) -> list[Curve]:
        """All evaluation runs of a rule at its chosen rates."""
        return [curve for repetition in self.each for curve in repetition.fresh[rule].values()]

    def arrived(self, rule: str) -> bool:
        """Whether any of its evaluation runs is at any target."""
        evaluated = [
            repetition.evaluated for repetition in self.each if repetition.evaluated is not None
        ]
        return any(
            bool(np.isfinite(times).any())
            for one in evaluated
            for (name, _), times in one.times.items()
            if name == rule
        )

    def times(self, rule: str) -> list[float]:
        """Steps of each of them to its repetition's target."""
        return [t for repetition in self.each for t in repetition.times[rule].values()]

    @property
    def target(self) -> Target:
        """The one repetition's target; of several the median."""
        goals = [repetition.target for repetition in self.each]
        return goals[0]._replace(value=float(np.median([goal.value for goal in goals])))


def repeated(plan: Plan, curves: Sequence[Curve], target: Target | None = None) -> Repetitions:
    """The repetitions of a finished race; ``target`` stands in for that of each."""
    found = []
    for repetition in range(plan.choices.repetitions):
        own = sorted(of_repetition(curves, repetition), key=lambda c: c.run.seed)
        tuned = tuning(plan, own, repetition).tuned
        assert tuned is not None
        goal = target or goal_of(plan, own)
        evaluated = evaluation(plan, tuned, own, repetition, target)
        found.append(study_among(own, plan, tuned.chosen, goal, evaluated))
    return Repetitions(plan, found)


def study_among(
    curves: Sequence[Curve],
    plan: Plan,
    chosen: Mapping[str, Configuration],
    goal: Target,
    evaluated: Evaluation | None = None,
) -> Repetition:
    """What these curves say about the rules at their chosen rates, on their way to the goal."""
    own = [c for c in curves if c.run.configuration == chosen.get(c.run.rule)]
    fresh: dict[str, dict[int, Curve]] = {rule: {} for rule in chosen}
    shorter: dict[tuple[str, int], list[Curve]] = {}
    for curve in own:
        if curve.run.stage == "evaluation":
            fresh[curve.run.rule][curve.run.seed] = curve
        elif curve.run.stage == SHORTER:
            shorter.setdefault((curve.run.rule, curve.run.seed), []).append(curve)
    times = {
        rule: {
            seed: _ends_first([curve, *shorter.get((rule, seed), ())], goal)
            if rule in plan.decaying
            else steps_to(curve, goal, plan.period)
            for seed, curve in runs.items()
        }
        for rule, runs in fresh.items()
    }
    return Repetition(chosen, goal, fresh, times, evaluated)


def _ends_first(runs: Sequence[Curve], goal: Target) -> float:
    """The steps of the shortest run that ends at the target: a rate that decays is judged there."""
    return min((float(c.run.steps) for c in runs if ends_at(c, goal)), default=math.inf)
