"""A claim once more: winner and reference on seeds that nobody has used, to the same targets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from ravine.analysis.comparing import FASTER, Tuned, compare
from ravine.analysis.evaluation import ALPHA, LEAST, times_of
from ravine.analysis.half_samples import halves, on_half
from ravine.analysis.naming import called, title
from ravine.analysis.results import Verdict
from ravine.analysis.statistics import Spread
from ravine.analysis.text import times_the_steps
from ravine.errors import InvalidArgument
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import Aim, mean_log_time
from ravine.experiment.plan import Plan, Run
from ravine.experiment.target import Target


@dataclass(frozen=True)
class Check:
    """A claim that is to be checked. ``repetition``: whose seeds it takes; races take
    lower ones.
    """

    rule: str
    chosen: Mapping[str, Configuration]  # of the rule and of the reference
    target: Target
    seeds: int
    repetition: int
    targets: tuple[float, ...] = field(default=(), kw_only=True)  # the band that was judged by

    def widened(self, plan: Plan, curves: Sequence[Curve]) -> Plan:
        """See ``execution.roles.Course``: nothing is tuned."""
        return plan

    def aims(self, plan: Plan, curves: Sequence[Curve]) -> dict[int, Aim]:
        """See ``execution.roles.Course``: nothing is stopped."""
        return {}

    def due(self, plan: Plan, curves: Sequence[Curve]) -> list[Run]:
        """See ``execution.roles.Course``."""
        runs, there = self.runs(plan), {curve.run.id for curve in curves}
        return runs if any(run.id not in there for run in runs) else []

    def runs(self, plan: Plan) -> list[Run]:
        """All that it takes."""
        return plan.fresh(self.chosen, self.seeds, self.repetition)

    def to_json(self) -> dict[str, Any]:
        """What the store keeps."""
        chosen = {rule: one.values for rule, one in self.chosen.items()}
        lists = {"target": list(self.target), "targets": list(self.targets)}
        return {**self.__dict__, **lists, "chosen": chosen}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What ``to_json`` gave."""
        chosen = {
            rule: Configuration.of(
                values["learning_rate"], {k: v for k, v in values.items() if k != "learning_rate"}
            )
            for rule, values in kept["chosen"].items()
        }
        target, targets = Target(*kept["target"]), tuple(kept.get("targets", ()))
        return cls(**{**kept, "chosen": chosen, "target": target, "targets": targets})


@dataclass(frozen=True)
class Checked:
    """What came of it."""

    check: Check
    reference: str
    speedup: Spread
    held: bool

    def __str__(self) -> str:
        steps, rule = times_the_steps(self.speedup), title(self.check.rule)
        begun = f"{rule} took {steps} of {called(self.reference)}"
        return (
            f"The claim {'held' if self.held else 'did not hold'}: {begun} on "
            f"{self.check.seeds} unused seeds."
        )


def claim_of(
    verdict: Verdict, measures: Sequence[str]
) -> tuple[str, dict[str, Configuration], Target]:
    """What a verdict claims: a rule, its and the reference's configuration, the target.

    Raises ``InvalidArgument`` where nothing is claimed.
    """
    leader = verdict.leader
    if leader.finding != FASTER:
        raise InvalidArgument(f"there is no claim to check: {verdict.sentence}")
    pair = (leader.rule, verdict.reference)
    chosen = {s.rule: s.configuration for s in verdict.standings if s.rule in pair}
    return leader.rule, chosen, verdict.goal(measures)


def checked(check: Check, plan: Plan, curves: Sequence[Curve]) -> Checked:
    """Whether the claim held: the interval of the speed-up, alone, lies above 1."""
    goal, reference = check.target, plan.choices.reference
    targets = np.array(check.targets or (goal.value,))
    aim = Aim(-targets if goal.rising else targets, goal.measure, goal.rising)
    ids = {run.id for run in check.runs(plan)}
    own = sorted((c for c in curves if c.run.id in ids), key=lambda c: c.run.seed)
    fresh = [c for c in own if (c.run.rule, c.run.stage) == (reference, "evaluation")]
    known = np.array([not c.failure for c in fresh])  # nothing is compared on the other seeds
    logs = []
    for rule in (reference, check.rule):
        runs = [c for c in own if c.run.rule == rule]
        ways = [runs, *([on_half(c, half) for c in runs] for half in halves(plan, goal))]
        times = np.stack([times_of(plan, aim, goal, way)[known] for way in ways])
        logs.append({check.chosen[rule]: mean_log_time(times, plan.evaluations)})
    if not known.any():
        return Checked(check, reference, Spread(math.nan, 0.0, math.inf), held=False)
    tuned = Tuned(check.chosen, {rule: (one,) for rule, one in check.chosen.items()})
    found = compare(logs[0], logs[1], tuned, (reference, check.rule), ALPHA)
    held = found.conclusion == FASTER and int(known.sum()) >= LEAST
    return Checked(check, reference, found.speedup, held)


def unused_repetition(plan: Plan, checks: Sequence[Check]) -> int:
    """The next repetition whose seeds nobody has taken."""
    return max([plan.choices.repetitions - 1, *(check.repetition for check in checks)]) + 1
