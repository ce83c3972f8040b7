"""What one study's evaluation runs say so far, and which runs are still to be done."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ravine.racing.endpoint import Aim, Floats, mean_log_time, times_to
from ravine.racing.plan import CONTENDER, Plan, Run
from ravine.racing.store import Curve
from ravine.verdict.comparing import Difference, Tuned, compare, look
from ravine.verdict.curves import TEST, Target, ends_at
from ravine.verdict.looks import nominal_levels
from ravine.verdict.tuning import goal_of, judging_aim, lowest_of

ALPHA = 0.05  # that any of the conclusions that are adjusted together is wrong
LEAST = 4  # evaluation seeds, or studies: below it nothing is concluded
NOTHING = Target(math.inf)
Key = tuple[str, float]  # a rule and a learning rate


@dataclass(frozen=True)
class Evaluation:
    """The evaluation runs of a study, as far as they are there.

    ``wanted``: all runs that are to be done, as far as is known; ``missing``: whether some are not
    there. ``times``: evaluations to each target, (seeds, targets), by rule and learning rate, on
    the seeds on which the reference could be run. ``said``: of each rule against the reference.
    """

    plan: Plan
    tuned: Tuned
    wanted: tuple[Run, ...]
    missing: bool
    goal: Target = NOTHING
    aim: Aim | None = None
    times: Mapping[Key, Floats] = field(default_factory=dict)
    said: Mapping[str, Difference] = field(default_factory=dict)

    def difference(
        self, one: str, other: str, comparisons: int, paces: tuple[float, float] = (1.0, 1.0)
    ) -> Difference | None:
        """How much lower the other rule's log times are, on the seeds that both have.

        ``comparisons``: for how many the interval is adjusted. ``paces``: seconds a step of each;
        both are given the seconds of the shorter of their whole runs. None where nothing is known.
        """
        most = self.plan.evaluations * min(paces)
        logs = [
            {k: mean_log_time(t * pace, most) for (r, k), t in self.times.items() if r == rule}
            for rule, pace in zip((one, other), paces, strict=True)
        ]
        chosen = self.tuned.chosen
        seeds = min(len(logs[i].get(chosen[r], ())) for i, r in enumerate((one, other)))
        if not seeds:
            return None
        looks = levels(self.plan, comparisons)
        level = looks[min((n for n in looks if n >= seeds), default=max(looks))]
        return compare(logs[0], logs[1], self.tuned, (one, other), level)


def levels(plan: Plan, comparisons: int) -> dict[int, float]:
    """The nominal level of each of so many comparisons at each look."""
    looks = plan.choices.looks
    return dict(zip(looks, nominal_levels(looks, ALPHA / max(1, comparisons)), strict=True))


def evaluation(
    plan: Plan,
    tuned: Tuned,
    curves: Sequence[Curve],
    study: int = 0,
    target: Target | None = None,
) -> Evaluation:
    """From the curves of a study, look after look; ``target`` stands in for the study's own."""
    there = {curve.run.id: curve for curve in curves}
    reference, looks = plan.choices.reference, plan.choices.looks
    others = [rule for rule in plan.choices.rules if rule != reference]
    wanted = plan.reference_runs(tuned.chosen[reference], study)
    for rule in plan.choices.rules:  # how they are at the chosen rate is shown of all
        wanted += _runs(plan, tuned, (rule, tuned.chosen[rule]), looks[0], study)
    # Without them it is not known which others are wanted, but these surely are.
    wanted += [
        run
        for rate in tuned.contenders[reference]
        for run in _runs(plan, tuned, (reference, rate), looks[0], study)
    ]
    wanted = list(dict.fromkeys(wanted))
    if any(run.id not in there for run in wanted):
        return Evaluation(plan, tuned, tuple(wanted), missing=True)
    goal = target or goal_of(plan, [there[r.id] for r in wanted if r.stage == "reference"])
    aim = judging_aim(plan, goal, [there[run.id] for run in _reference(plan, wanted)])
    if aim is None:
        return Evaluation(plan, tuned, tuple(wanted), missing=False, goal=goal)
    known = np.ones(looks[-1], bool)  # seeds on which the reference could be run
    for rate in tuned.contenders[reference]:
        runs = _runs(plan, tuned, (reference, rate), looks[-1], study)
        own = [run for run in runs if run.stage in ("fresh", CONTENDER)]
        known &= [run.id not in there or not there[run.id].failure for run in own]
    if not known[: looks[0]].any():
        return Evaluation(plan, tuned, tuple(wanted), missing=False, goal=goal, aim=aim)
    times: dict[Key, Floats] = {}

    def asked(rule: str, rate: float, seeds: int) -> Floats | None:
        runs = _runs(plan, tuned, (rule, rate), seeds, study)
        if any(run.id not in there for run in runs):
            return None
        found = times_of(plan, aim, goal, [there[run.id] for run in runs])[known[:seeds]]
        times[rule, rate] = found
        return mean_log_time(found, plan.evaluations)

    looked = look(reference, others, tuned, levels(plan, len(others)), asked)
    for (rule, rate), seeds in looked.asked.items():
        wanted += _runs(plan, tuned, (rule, rate), seeds, study)
    if not others:
        asked(reference, tuned.chosen[reference], looks[0])
    wanted = list(dict.fromkeys(wanted))
    return Evaluation(
        plan, tuned, tuple(wanted), looked.missing, goal, aim, times, looked.differences
    )


def _runs(plan: Plan, tuned: Tuned, key: Key, seeds: int, study: int) -> list[Run]:
    """The runs of a rule at a learning rate, on the first seeds for evaluation."""
    rule, rate = key
    if rate == tuned.chosen[rule]:
        return plan.fresh({rule: rate}, seeds, study)
    return [plan.run(CONTENDER, rule, rate, seed, study) for seed in range(seeds)]


def _reference(plan: Plan, wanted: Sequence[Run]) -> list[Run]:
    """The runs along which the targets lie: of their own, or the first fresh ones."""
    if own := [run for run in wanted if run.stage == "reference"]:
        return own
    rule = plan.choices.reference
    return [run for run in wanted if (run.stage, run.rule) == ("fresh", rule)]


def times_of(plan: Plan, aim: Aim, goal: Target, curves: Sequence[Curve]) -> Floats:
    """Evaluations to each target, (seeds, targets)."""
    if curves[0].run.rule in plan.decaying:
        return _shortest(plan, aim, goal, curves)
    return times_to(lowest_of(aim, curves, TEST), aim.targets)


def _shortest(plan: Plan, aim: Aim, goal: Target, curves: Sequence[Curve]) -> Floats:
    """Evaluations of the shortest run that ends at each target: a rate that decays is judged so.

    In the middle of a decay curves cross; "Fantastic Pretraining Optimizers" 2025.
    """
    by_seed: dict[int, list[Curve]] = {}
    for curve in curves:
        by_seed.setdefault(curve.run.seed, []).append(curve)
    values = -aim.targets if aim.rising else aim.targets
    found = np.full((len(by_seed), len(values)), np.inf)
    for row, own in zip(found, by_seed.values(), strict=True):
        for i, value in enumerate(values):
            target = goal._replace(value=float(value))
            ends = [plan.horizon(c.run.stage) for c in own if ends_at(c, target)]
            row[i] = min(ends, default=np.inf) / plan.period
    return found
