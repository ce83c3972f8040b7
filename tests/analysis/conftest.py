"""Races made of formulas: the verdict is tested without running one."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from ravine import analysis
from ravine.analysis.comparing import Tuned
from ravine.analysis.tuning import tuning
from ravine.experiment.config import choose
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.rules import RULES
from ravine.tasks import TASKS

Losses = Callable[[str, float, int, str], np.ndarray]
Change = Callable[[Curve], Curve]


class Made:
    """What the tests here make races of."""

    horizon = 1000
    start = 2.3
    lost = np.where(np.arange(101) < 40, 1.0, np.nan)  # a run that is not finite from there on

    def planned(self, *names: str, tuning_seeds: int = 3, fresh: int = 12, **more: Any) -> Plan:
        """A plan that evaluates all seeds at once, unless it is to look in between."""
        task = TASKS["digits-mlp"]
        asked = {"looks": False, **more}
        rates = asked.pop("learning_rates", [0.01, 0.1, 1.0])
        rules = [RULES[name]() for name in names]
        choices, by_name = choose(task, rules, rates, tuning_seeds, fresh, 10, 32, **asked)
        plan = make_plan(choices, by_name, TaskInfo(100, (3200, 10, 10), ("loss", "accuracy"), "0"))
        assert plan.steps == self.horizon
        return plan

    def falling(self, pace: float, floor: float = 0.1) -> np.ndarray:
        """Losses at every evaluation of a run that approaches its floor."""
        t = np.linspace(0, 1, 101)
        return floor + (self.start - floor) * np.exp(-pace * t)

    def reaching(self, evaluation: float) -> np.ndarray:
        """A test loss that is 0.5 at some evaluation: twice as late, each loss is twice as late."""
        return 0.1 + 2.2 / (1 + 4.5 * np.arange(101) / evaluation)

    def by_hand(self, evaluation: float) -> np.ndarray:
        """Evaluations of a run that is at 0.5 after so many, to targets of one that is after 50.

        That one is at the last of the targets at its 99th evaluation, which its last trailing mean
        belongs to. Until a run misses a target, they are in proportion; within one evaluation.
        """
        return np.minimum(np.ceil(evaluation / 50 * 99 * 2.0 ** (-np.arange(13) / 4)), 100)

    def raced(
        self, plan: Plan, losses: Losses, change: Change = lambda curve: curve
    ) -> list[Curve]:
        """The curves of a race in which a run's validation and test losses are as given.

        ``change``: what else becomes of each run.
        """
        curves: list[Curve] = []
        while runs := analysis.due(plan, curves):
            there = {curve.run.id for curve in curves}
            new = self.curves([run for run in runs if run.id not in there], plan, losses)
            curves += map(change, new)
        return curves

    def tuned(self, plan: Plan, curves: Sequence[Curve]) -> Tuned:
        """What the tuning runs of a whole race say."""
        found = tuning(plan, curves).tuned
        assert found is not None
        return found

    def curves(self, runs: Sequence[Run], plan: Plan, losses: Losses) -> list[Curve]:
        """The same of some runs."""
        curves = []
        for run in runs:
            loss = losses(run.rule, run.learning_rate, run.seed, run.stage).copy()
            loss[0] = self.start  # the same for all, or the race would not be fair
            measures = np.stack([loss, 1 / (1 + loss)], axis=-1)[:, None, :].repeat(2, axis=1)
            training = np.full(run.steps, 1.0)
            if not np.isfinite(loss[-1]):
                training[400:] = np.nan
            curves.append(Curve(run, "w", "b", training.astype("f4"), measures.astype("f4")))
        return curves

    def noisy(self, paces: dict[str, float], spread: float = 0.1) -> Losses:
        """The rate 0.1 is best for all; a rule goes at its pace, each seed a little otherwise."""

        def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
            luck = np.random.default_rng([seed, *rule.encode()]).normal(0, spread)
            floor = 0.1 if rate == 0.1 else 0.5
            return self.falling(paces[rule] * math.exp(luck), floor)

        return losses

    def timed(self, plan: Plan, evaluations: dict[str, Sequence[float]]) -> list[Curve]:
        """The curves of a race of which it is known when each evaluation run is at the
        target, 0.5.
        """

        def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
            if stage in ("evaluation", "contender"):
                return self.reaching(evaluations[rule][seed - 2_000_000])
            return self.reaching(50) if rate == 0.1 else np.full(101, 1.9)

        return self.raced(plan, losses)

    def judged(
        self,
        plan: Plan,
        curves: Sequence[Curve],
        step_seconds: Mapping[str, float | Sequence[float]] | None = None,
        **more: object,
    ) -> analysis.Verdict:
        more["step_seconds"] = {r: np.atleast_1d(s) for r, s in (step_seconds or {}).items()}
        rules = {rule: RULES[rule]().values() for rule in plan.choices.rules}
        return analysis.judge(plan, rules, curves, **more)  # type: ignore[arg-type]

    def standing(self, found: analysis.Verdict, rule: str) -> analysis.RuleResult:
        return next(s for s in found.standings if s.rule == rule)


@pytest.fixture(scope="session")
def made() -> Made:
    return Made()
