"""From the curves of a finished race to its verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ravine.racing.choices import BASELINE
from ravine.racing.plan import Plan
from ravine.racing.store import Curve
from ravine.verdict import standings as found
from ravine.verdict import wording
from ravine.verdict.audits import audit
from ravine.verdict.curves import TEST, VALIDATION, Target, diverged_at, final
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
from ravine.verdict.studies import Studies, studied
from ravine.verdict.targets import leads_by_target
from ravine.verdict.tuning import choose


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
    where that was measured. ``target``: by default the plan's own, or else the test loss that
    tuned gradient descent reliably reaches. Raises nothing: what is missing is in the sentence and
    the warnings.
    """
    studies, paces = studied(plan, curves, target), step_seconds or {}
    goal, chosen = studies.target, choose(plan, curves, study=None)
    names = plan.choices.rules
    p_values = holm({r: sign_test(studies.speedups(BASELINE, r)) for r in names if r != BASELINE})
    standings = []
    for rule in names:
        runs, interval = studies.runs(rule), studies.interval(BASELINE, rule)
        p_value, grid = p_values.get(rule, 1.0), plan.choices.learning_rates[rule]
        rates = tuple(study.chosen[rule] for study in studies.each)
        standings.append(
            Standing(
                rule=rule,
                learning_rate=chosen[rule],
                chosen=rates,
                hyperparameters={**rules[rule], **plan.choices.settings(rule, chosen[rule])},
                at_edge=len(grid) > 1 and bool({grid[0], grid[-1]} & set(rates)),
                runs=len(runs),
                reached=sum(map(math.isfinite, studies.times(rule))),
                diverged=sum(diverged_at(c, TEST) is not None for c in runs),
                failed=sum(bool(c.failure) for c in runs),
                finding=_finding(rule, interval, p_value, studies.units, len(p_values), goal),
                tied_for_first=False,  # who is first is not known yet
                steps_to_target=quartiles(studies.times(rule)),
                speedup=interval,
                p_value=p_value,
                step_seconds=paces.get(rule),
                speedup_seconds=_in_seconds(studies, rule, paces),
                final_losses=tuple(final(c, TEST) for c in runs),
                validation_loss=finite_or_highest(tuple(final(c, VALIDATION) for c in runs)),
                final_metrics={
                    name: _finite_median([final(c, TEST, i) for c in runs])
                    for i, name in enumerate(plan.facts.measures)
                    if i > 0
                },
                state_bytes=state_bytes_of(rule),
                sensitivity=sensitivity(rule, chosen[rule], curves),
            )
        )
    standings = _ranked(standings, studies)
    enough = studies.units >= fewest_seeds(1)
    start = float(
        np.median([c.measures[0, TEST, 0] for c in curves if not c.failure] or [math.nan])
    )
    # Where a rate decays, the middle of a run says nothing about a shorter one.
    by_target = (
        ()
        if plan.decaying
        else leads_by_target({rule: studies.runs(rule) for rule in names}, plan.period, start)
    )
    verdict = Verdict(
        plan.choices.task,
        goal.value,
        tuple(standings),
        sentence="",
        warnings=(),
        measure=plan.facts.measures[goal.measure],
        rising=goal.rising,
        studies=len(studies.each),
        leads_by_target=by_target,
        leads_by_tries=leads_by_tries({s.rule: s.sensitivity.after for s in standings}),
        suspects=suspects(list(names), studies.interval) if enough else (),
    )
    own = target is not None or bool(plan.choices.target)
    said = replace(
        verdict,
        sentence=wording.sentence(verdict, curves, own_target=own),
        warnings=tuple(wording.warnings(verdict, curves, start)),
    )
    return audited(said, audit(plan, curves))


def _in_seconds(studies: Studies, rule: str, step_seconds: Mapping[str, float]) -> Spread | None:
    if not step_seconds.get(rule) or not step_seconds.get(BASELINE):
        return None
    return median_interval(
        studies.speedups(BASELINE, rule, pace=step_seconds[BASELINE] / step_seconds[rule])
    )


def _finding(
    rule: str, interval: Spread, p_value: float, units: int, comparisons: int, target: Target
) -> str:
    """What may be claimed: where the interval and the adjusted test both say so."""
    if rule == BASELINE:
        return found.REFERENCE
    if math.isinf(target.value):
        return found.NO_TARGET
    if units < fewest_seeds(comparisons):
        return found.TOO_FEW
    if p_value > 1 - CONFIDENCE or interval.low <= 1 <= interval.high:
        return found.NO_DIFFERENCE
    return found.FASTER if interval.low > 1 else found.SLOWER


def _ranked(standings: Sequence[Standing], studies: Studies) -> list[Standing]:
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
    against = {s.rule: studies.interval(s.rule, first) for s in ranked}
    return [
        replace(s, tied_for_first=against[s.rule].low <= 1 <= against[s.rule].high) for s in ranked
    ]


def _finite_median(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan
