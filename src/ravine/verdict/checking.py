"""A claim once more: winner and gradient descent on seeds that nobody has used, to its target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ravine.errors import WrongCall
from ravine.racing.choices import BASELINE
from ravine.racing.plan import Plan, Run
from ravine.racing.store import Curve
from ravine.verdict.curves import Target
from ravine.verdict.naming import title
from ravine.verdict.standings import FASTER, Verdict
from ravine.verdict.statistics import CONFIDENCE, Spread, fewest_seeds, median_interval, sign_test
from ravine.verdict.studies import study_among
from ravine.verdict.wording import times_the_steps


@dataclass(frozen=True)
class Check:
    """A claim that is to be checked. ``study``: whose seeds it takes; races take lower ones."""

    rule: str
    rates: Mapping[str, float]  # of the rule and of gradient descent
    target: Target
    seeds: int
    study: int

    def widened(self, plan: Plan, curves: Sequence[Curve]) -> Plan:
        """See ``racing.driver.Course``: nothing is tuned."""
        return plan

    def due(self, plan: Plan, curves: Sequence[Curve]) -> list[Run]:
        """See ``racing.driver.Course``."""
        runs, there = self.runs(plan), {curve.run.id for curve in curves}
        return runs if any(run.id not in there for run in runs) else []

    def runs(self, plan: Plan) -> list[Run]:
        """All that it takes."""
        return plan.fresh(self.rates, self.seeds, self.study)

    def to_json(self) -> dict[str, Any]:
        """What the store keeps."""
        return {**self.__dict__, "target": list(self.target)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What ``to_json`` gave."""
        return cls(**{**kept, "target": Target(*kept["target"])})


@dataclass(frozen=True)
class Checked:
    """What came of it."""

    check: Check
    speedup: Spread
    p_value: float
    held: bool

    def __str__(self) -> str:
        steps, rule = times_the_steps(self.speedup), title(self.check.rule)
        begun = f"{rule} took {steps} of gradient descent on {self.check.seeds} unused seeds"
        if self.held:
            return f"The claim held: {begun}, p = {self.p_value:.2g}."
        return f"The claim did not hold: {begun}, p = {self.p_value:.2g}."


def claim_of(verdict: Verdict, measures: Sequence[str]) -> tuple[str, dict[str, float], Target]:
    """What a verdict claims: a rule, its and gradient descent's rate, the target.

    Raises ``WrongCall`` where nothing is claimed.
    """
    leader = verdict.leader
    if leader.finding != FASTER:
        raise WrongCall(f"there is no claim to check: {verdict.sentence}")
    pair = (leader.rule, BASELINE)
    rates = {s.rule: s.learning_rate for s in verdict.standings if s.rule in pair}
    goal = Target(verdict.target, measures.index(verdict.measure), verdict.rising)
    return leader.rule, rates, goal


def checked(check: Check, plan: Plan, curves: Sequence[Curve]) -> Checked:
    """Whether the claim held: the sign test, alone, and an interval above 1."""
    ids = {run.id for run in check.runs(plan)}
    own = [curve for curve in curves if curve.run.id in ids]
    study = study_among(own, plan, check.rates, check.target)
    speedups = study.speedups(BASELINE, check.rule)
    interval, p_value = median_interval(speedups), sign_test(speedups)
    held = interval.low > 1 and p_value <= 1 - CONFIDENCE and check.seeds >= fewest_seeds(1)
    return Checked(check, interval, p_value, held)


def unused_study(plan: Plan, checks: Sequence[Check]) -> int:
    """The next study whose seeds nobody has taken."""
    return max([plan.choices.studies - 1, *(check.study for check in checks)]) + 1
