"""From the curves of a finished race to its verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ravine.racing.plan import BASELINE, Plan
from ravine.racing.store import Curve
from ravine.verdict import standings as found
from ravine.verdict import wording
from ravine.verdict.audits import audit
from ravine.verdict.curves import (
    TEST,
    VALIDATION,
    Target,
    diverged_at,
    final,
    speedup,
    steps_to,
)
from ravine.verdict.inclusion import suspects
from ravine.verdict.memory import state_bytes_of
from ravine.verdict.refusing import audited
from ravine.verdict.sensitivity import leads_by_tries, sensitivity
from ravine.verdict.standings import Standing, Verdict, finite_or_highest
from ravine.verdict.statistics import (
    CONFIDENCE,
    Spread,
    fewest_seeds,
    holm,
    median_interval,
    quartiles,
    sign_test,
)
from ravine.verdict.targets import leads_by_target
from ravine.verdict.tuning import choose, target_of

Runs = Mapping[str, Mapping[int, Curve]]  # of each rule, by seed


class Clock(NamedTuple):
    """Steps to the target of each rule's fresh runs by seed, and of a whole run."""

    times: Mapping[str, Mapping[int, float]]
    horizon: float
    unknown: frozenset[int]  # where gradient descent could not be run, nobody was faster than it

    def speedups(self, baseline: str, rule: str, pace: float = 1.0) -> list[float]:
        """Paired by seed; ``pace``: how much longer than the rule's the baseline's steps take."""
        return [
            1.0
            if baseline == BASELINE and seed in self.unknown
            else speedup(self.times[baseline][seed] * pace, t, self.horizon * pace)
            for seed, t in self.times[rule].items()
        ]

    def interval(self, baseline: str, rule: str) -> Spread:
        """The median of the same with its interval."""
        return median_interval(self.speedups(baseline, rule))


def judge(
    plan: Plan,
    rules: Mapping[str, Mapping[str, Any]],
    curves: Sequence[Curve],
    *,
    step_seconds: Mapping[str, float] | None = None,
    target: Target | None = None,
) -> Verdict:
    """The verdict of a finished race.

    ``rules`` gives each rule's hyperparameters, ``step_seconds`` how long a step of each takes,
    where that was measured. ``target``: by default the test loss that tuned gradient descent
    reliably reaches. Raises nothing: what is missing is in the sentence and the warnings.
    """
    chosen = choose(plan, curves)
    goal = Target(target_of(curves)) if target is None else target
    fresh = {
        rule: {
            c.run.seed: c
            for c in sorted(curves, key=lambda c: c.run.seed)
            if c.run.stage == "fresh" and c.run.rule == rule
        }
        for rule in plan.choices.rules
    }
    clock = _clock(plan, fresh, goal)
    ratios = {rule: clock.speedups(BASELINE, rule) for rule in fresh}
    p_values = holm({rule: sign_test(r) for rule, r in ratios.items() if rule != BASELINE})
    standings = []
    for rule, runs in fresh.items():
        grid, interval = plan.choices.learning_rates[rule], median_interval(ratios[rule])
        p_value = p_values.get(rule, 1.0)
        standings.append(
            Standing(
                rule=rule,
                learning_rate=chosen[rule],
                hyperparameters=rules[rule],
                at_edge=len(grid) > 1 and chosen[rule] in (grid[0], grid[-1]),
                runs=len(runs),
                reached=sum(map(math.isfinite, clock.times[rule].values())),
                diverged=sum(diverged_at(c, TEST) is not None for c in runs.values()),
                failed=sum(bool(c.failure) for c in runs.values()),
                finding=_finding(rule, interval, p_value, len(runs), len(p_values), goal),
                tied_for_first=False,  # who is first is not known yet
                steps_to_target=quartiles(list(clock.times[rule].values())),
                speedup=interval,
                p_value=p_value,
                step_seconds=(step_seconds or {}).get(rule),
                speedup_seconds=_in_seconds(clock, rule, step_seconds or {}),
                final_losses=tuple(final(c, TEST) for c in runs.values()),
                validation_loss=finite_or_highest(
                    tuple(final(c, VALIDATION) for c in runs.values())
                ),
                final_metrics={
                    name: _finite_median([final(c, TEST, i) for c in runs.values()])
                    for i, name in enumerate(plan.facts.measures)
                    if i > 0
                },
                state_bytes=state_bytes_of(rule),
                sensitivity=sensitivity(rule, chosen[rule], curves),
            )
        )
    standings = _ranked(standings, clock)
    enough = len(fresh[BASELINE]) >= fewest_seeds(1)
    start = float(
        np.median([c.measures[0, TEST, 0] for c in curves if not c.failure] or [math.nan])
    )
    verdict = Verdict(
        plan.choices.task,
        goal.value,
        tuple(standings),
        sentence="",
        warnings=(),
        measure=plan.facts.measures[goal.measure],
        leads_by_target=leads_by_target(
            {rule: list(runs.values()) for rule, runs in fresh.items()}, plan.period, start
        ),
        leads_by_tries=leads_by_tries({s.rule: s.sensitivity.after for s in standings}),
        suspects=suspects(list(fresh), clock.interval) if enough else (),
    )
    said = replace(
        verdict,
        sentence=wording.sentence(verdict, curves, own_target=target is not None),
        warnings=tuple(wording.warnings(verdict, curves, start)),
    )
    return audited(said, audit(plan, curves))


def _clock(plan: Plan, fresh: Runs, target: Target) -> Clock:
    times = {
        rule: {seed: steps_to(curve, target, plan.period) for seed, curve in runs.items()}
        for rule, runs in fresh.items()
    }
    unknown = frozenset(seed for seed, curve in fresh[BASELINE].items() if curve.failure)
    return Clock(times, plan.steps, unknown)


def _in_seconds(clock: Clock, rule: str, step_seconds: Mapping[str, float]) -> Spread | None:
    if rule not in step_seconds or BASELINE not in step_seconds:
        return None
    return median_interval(
        clock.speedups(BASELINE, rule, pace=step_seconds[BASELINE] / step_seconds[rule])
    )


def _finding(
    rule: str, interval: Spread, p_value: float, seeds: int, comparisons: int, target: Target
) -> str:
    """What may be claimed: where the interval and the adjusted test both say so."""
    if rule == BASELINE:
        return found.REFERENCE
    if math.isinf(target.value):
        return found.NO_TARGET
    if seeds < fewest_seeds(comparisons):
        return found.TOO_FEW
    if p_value > 1 - CONFIDENCE or interval.low <= 1 <= interval.high:
        return found.NO_DIFFERENCE
    return found.FASTER if interval.low > 1 else found.SLOWER


def _ranked(standings: Sequence[Standing], clock: Clock) -> list[Standing]:
    """Best first: the reliably faster, then by median speed-up, fewer steps, lower loss."""
    ranked = sorted(
        standings,
        key=lambda s: (
            s.finding != found.FASTER,
            -s.speedup.median,
            s.steps_to_target.median,
            s.final_loss,
            s.rule != BASELINE,
            s.rule,
        ),
    )
    first = ranked[0].rule
    against = {s.rule: clock.interval(s.rule, first) for s in ranked}
    return [
        replace(s, tied_for_first=against[s.rule].low <= 1 <= against[s.rule].high) for s in ranked
    ]


def _finite_median(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan
