"""What the fresh runs of one study, or of several, say about how long each rule takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ravine.racing.choices import BASELINE
from ravine.racing.plan import Plan, study_of
from ravine.racing.store import Curve
from ravine.verdict.curves import Target, ends_at, speedup, steps_to
from ravine.verdict.statistics import Spread, median_interval
from ravine.verdict.tuning import choose, goal_of

Runs = Mapping[str, Mapping[int, Curve]]  # of each rule, by seed


class Study(NamedTuple):
    """Tuning and judging, once: all on seeds that no other study has.

    ``times``: steps to the target of each rule's fresh runs by seed. ``unknown``: the seeds on
    which gradient descent could not be run; nobody was faster than it there.
    """

    chosen: Mapping[str, float]
    target: Target
    fresh: Runs
    times: Mapping[str, Mapping[int, float]]
    horizon: float  # steps of a whole run
    unknown: frozenset[int]

    def speedups(self, baseline: str, rule: str, pace: float = 1.0) -> list[float]:
        """Paired by seed; ``pace``: how much longer than the rule's the baseline's steps take."""
        return [
            1.0
            if baseline == BASELINE and seed in self.unknown
            else speedup(self.times[baseline][seed] * pace, t, self.horizon * pace)
            for seed, t in self.times[rule].items()
        ]


@dataclass(frozen=True)
class Studies:
    """One study, where what is compared is runs of a seed; or several, where it is studies.

    Tuning has luck of its own, which all fresh runs of a study share. A claim about a rule, not
    about the learning rate that it happened to get, needs that done several times.
    """

    each: Sequence[Study]

    @property
    def units(self) -> int:
        """How many independent comparisons there are."""
        return len(self.each) if len(self.each) > 1 else len(self.each[0].fresh[BASELINE])

    def speedups(self, baseline: str, rule: str, pace: float = 1.0) -> list[float]:
        """A speed-up a seed of the one study; else the median of each study."""
        found = [study.speedups(baseline, rule, pace) for study in self.each]
        return found[0] if len(found) == 1 else [float(np.median(one)) for one in found]

    def interval(self, baseline: str, rule: str) -> Spread:
        """The median of the same with its interval."""
        return median_interval(self.speedups(baseline, rule))

    def runs(self, rule: str) -> list[Curve]:
        """All fresh runs of a rule."""
        return [curve for study in self.each for curve in study.fresh[rule].values()]

    def times(self, rule: str) -> list[float]:
        """Steps of each of them to its study's target."""
        return [t for study in self.each for t in study.times[rule].values()]

    @property
    def target(self) -> Target:
        """The one study's target; of several the median."""
        goals = [study.target for study in self.each]
        return goals[0]._replace(value=float(np.median([goal.value for goal in goals])))


def studied(plan: Plan, curves: Sequence[Curve], target: Target | None = None) -> Studies:
    """The studies of a race; ``target`` stands in for that of each."""
    parts: list[list[Curve]] = [[] for _ in range(plan.choices.studies)]
    for curve in sorted(curves, key=lambda c: c.run.seed):
        parts[study_of(curve.run.seed)].append(curve)
    return Studies(
        [
            study_among(part, plan, choose(plan, part, i), target or goal_of(plan, part))
            for i, part in enumerate(parts)
        ]
    )


def study_among(
    curves: Sequence[Curve], plan: Plan, chosen: Mapping[str, float], goal: Target
) -> Study:
    """What these curves say about the rules at their chosen rates, on their way to the goal."""
    runs: dict[tuple[str, str], dict[int, Curve]] = {}  # by rule and stage
    for curve in curves:
        runs.setdefault((curve.run.rule, curve.run.stage), {})[curve.run.seed] = curve
    fresh = {rule: runs.get((rule, "fresh"), {}) for rule in chosen}
    times = {}
    for rule, own in fresh.items():
        if rule in plan.decaying:
            stages = {stage: runs.get((rule, stage), {}) for stage in plan.judged_in(rule)}
            times[rule] = {seed: _shortest(plan, stages, seed, goal) for seed in own}
        else:
            times[rule] = {seed: steps_to(c, goal, plan.period) for seed, c in own.items()}
    unknown = frozenset(seed for seed, curve in fresh[BASELINE].items() if curve.failure)
    return Study(chosen, goal, fresh, times, plan.steps, unknown)


def _shortest(
    plan: Plan, stages: Mapping[str, Mapping[int, Curve]], seed: int, goal: Target
) -> float:
    """The steps of the shortest run that ends at the target: a rate that decays is judged there.

    In the middle of a decay curves cross; "Fantastic Pretraining Optimizers" 2025.
    """
    reached = [
        float(plan.horizon(stage))
        for stage, own in stages.items()
        if seed in own and ends_at(own[seed], goal)
    ]
    return min(reached, default=np.inf)
