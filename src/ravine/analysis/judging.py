"""From the curves of a finished race to its verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ravine.analysis import endings, text
from ravine.analysis import results as found
from ravine.analysis.audits import audit
from ravine.analysis.comparing import Difference
from ravine.analysis.curves import diverged_at, final
from ravine.analysis.evaluation import LEAST
from ravine.analysis.invalidation import audited
from ravine.analysis.memory import state_bytes_of
from ravine.analysis.repetitions import Repetitions, repeated
from ravine.analysis.results import RuleResult, Verdict, finite_or_highest
from ravine.analysis.rule_hierarchy import suspects
from ravine.analysis.sensitivity import leads_by_tries, sensitivity
from ravine.analysis.statistics import Spread, quartiles
from ravine.analysis.targets import leads_by_target
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan
from ravine.experiment.target import SPLITS, TEST, VALIDATION, Target

SELDOM = 0.5  # of the share of the reference's runs that are at the last target


def judge(
    plan: Plan,
    rules: Mapping[str, Mapping[str, Any]],
    curves: Sequence[Curve],
    *,
    step_seconds: Mapping[str, Sequence[float]] | None = None,
    target: Target | None = None,
) -> Verdict:
    """The verdict of a finished race.

    ``rules`` gives each rule's hyperparameters, ``step_seconds`` how long a step of each takes,
    where that was measured: what each round of timing gave. ``target``: by default the
    plan's own, or else the test loss that the tuned reference reliably reaches. Raises nothing:
    what is missing is in the sentence and the warnings.
    """
    repetitions, rounds = repeated(plan, curves, target), step_seconds or {}
    paces = {rule: float(np.median(times)) for rule, times in rounds.items()}
    goal, names, reference = repetitions.target, plan.choices.rules, plan.choices.reference
    against = repetitions.against_reference
    standings = []
    for rule in names:
        runs, difference = repetitions.runs(rule), against.get(rule)
        grid = plan.choices.learning_rates[rule]
        each = tuple(repetition.chosen[rule] for repetition in repetitions.each)
        chosen = sorted(each)[(len(each) - 1) // 2]
        rates = {one.learning_rate for one in each}
        others = {k.learning_rate for one in repetitions.each for k in one.contenders(rule)} - rates
        standings.append(
            RuleResult(
                rule=rule,
                configuration=chosen,
                chosen=each,
                hyperparameters={**rules[rule], **chosen.values},
                at_edge=len(grid) > 1 and bool({grid[0], grid[-1]} & rates),
                runs=len(runs),
                reached=sum(map(math.isfinite, repetitions.times(rule))),
                diverged=sum(diverged_at(c, TEST) is not None for c in runs),
                failed=sum(bool(c.failure) for c in runs),
                finding=_finding(rule, difference, repetitions),
                tied_for_first=False,  # who is first is not known yet
                steps_to_target=quartiles(repetitions.times(rule)),
                speedup=_speedup(rule == reference, difference),
                step_seconds=paces.get(rule),
                speedup_seconds=_in_seconds(repetitions, reference, rule, rounds),
                final_losses=tuple(final(c, TEST) for c in runs),
                **_losses(repetitions, rule, paces),
                validation_loss=finite_or_highest(tuple(final(c, VALIDATION) for c in runs)),
                final_metrics={
                    name: _finite_median([final(c, TEST, i) for c in runs])
                    for i, name in enumerate(plan.facts.measures)
                    if i > 0
                },
                state_bytes=state_bytes_of(rule),
                sensitivity=sensitivity(rule, chosen.learning_rate, curves, tuple(sorted(others))),
            )
        )
    standings = _ranked(standings, repetitions)
    start = float(
        np.median([c.measures[0, TEST, 0] for c in curves if not c.failure] or [math.nan])
    )
    # Where a rate decays, the middle of a run says nothing about a shorter one.
    by_target = (
        ()
        if plan.decaying
        else leads_by_target({rule: repetitions.runs(rule) for rule in names}, plan.period, start)
    )
    ahead = endings.recommended(standings, repetitions, plan.choices.objective)
    pairs = len(names) * (len(names) - 1) // 2
    verdict = Verdict(
        plan.choices.task,
        goal.value,
        tuple(standings),
        sentence="",
        warnings=(),
        reference=reference,
        measure=plan.facts.measures[goal.measure],
        rising=goal.rising,
        split=SPLITS[goal.split],
        repetitions=len(repetitions.each),
        band=repetitions.each[0].band,
        pairs={
            (one, other): pairwise(repetitions, one, other, pairs)
            for one in names
            for other in names
            if one != other
        },
        ends_lower=endings.ends_lower(repetitions, standings),
        to_take=ahead if ahead != standings[0].rule else "",
        alone=_alone(repetitions, standings),
        leads_by_target=by_target,
        leads_by_tries=leads_by_tries({s.rule: s.sensitivity.after for s in standings}),
        suspects=suspects(list(names), lambda one, other: pairwise(repetitions, one, other, pairs))
        if repetitions.units >= LEAST
        else (),
    )
    own = target is not None or bool(plan.choices.target)
    said = replace(
        verdict,
        sentence=text.sentence(verdict, curves, repetitions.units, own_target=own),
        in_seconds=text.in_seconds(verdict),
        warnings=(*text.warnings(verdict, curves, start), *plan.facts.notes),
    )
    return audited(said, audit(plan, curves))


def _losses(repetitions: Repetitions, rule: str, paces: Mapping[str, float]) -> dict[str, Any]:
    """What a standing has of the losses of a rule against those of the reference."""
    plan, reference = repetitions.plan, repetitions.plan.choices.reference
    pair, others = (rule, reference), len(plan.choices.rules) - 1
    found: dict[str, Any] = {
        "final_ratio": endings.ratio(repetitions, pair, others) if rule != reference else None,
        "loss_in_seconds": None,
        "loss_in_seconds_ratio": None,
    }
    # Where a rate decays, the middle of a run says nothing about a shorter one.
    if plan.decaying or not paces.get(rule) or not paces.get(reference):
        return found
    losses = tuple(endings.best_within(plan, paces[reference] / paces[r]) for r in pair)
    found["loss_in_seconds"] = finite_or_highest(tuple(map(losses[0], repetitions.runs(rule))))
    if rule != reference:
        both = (losses[0], losses[1])
        found["loss_in_seconds_ratio"] = endings.ratio(repetitions, pair, others, both)
    return found


def pairwise(repetitions: Repetitions, one: str, other: str, comparisons: int) -> Spread:
    """The speed-up of the other rule over the one; anything where nothing is known."""
    difference = repetitions.difference(one, other, comparisons) if one != other else None
    return _speedup(one == other, difference)


def _speedup(itself: bool, difference: Difference | None) -> Spread:
    if itself:
        return Spread(1.0, 1.0, 1.0)
    return Spread(math.nan, 0.0, math.inf) if difference is None else difference.speedup


def _in_seconds(
    repetitions: Repetitions, reference: str, rule: str, rounds: Mapping[str, Sequence[float]]
) -> Spread | None:
    """As in steps, and as much wider as rounds of timing differ by."""
    if not all(min(rounds.get(one, (0.0,))) > 0 for one in (reference, rule)):
        return None  # not timed, or by a clock too coarse for it
    if rule == reference:
        return _speedup(itself=True, difference=None)
    others = len(repetitions.plan.choices.rules) - 1
    paces = float(np.median(rounds[reference])), float(np.median(rounds[rule]))
    found = repetitions.difference(reference, rule, others, paces)
    if found is None:
        return None
    timed = np.divide(rounds[reference], rounds[rule]) * paces[1] / paces[0]
    middle, low, high = found.speedup
    return Spread(middle, low * min(1.0, timed.min()), high * max(1.0, timed.max()))


def _finding(rule: str, difference: Difference | None, repetitions: Repetitions) -> str:
    """What may be claimed.

    A run that misses a target counts as having taken all its steps: too little for a rule that
    would not get there in any number. So one that seldom arrives is not called faster; nor are two
    of which no run is at any target called as fast.
    """
    reference = repetitions.plan.choices.reference
    if rule == reference:
        return found.REFERENCE
    if math.isinf(repetitions.target.value) or not any(
        repetition.band for repetition in repetitions.each
    ):
        return found.NO_TARGET
    if difference is None or repetitions.units < LEAST:
        return found.TOO_FEW
    if difference.conclusion == found.FASTER and _arriving(repetitions, rule) < (
        SELDOM * _arriving(repetitions, reference)
    ):
        return found.FALLS_SHORT
    if difference.conclusion == found.EQUAL and not (
        repetitions.arrived(rule) or repetitions.arrived(reference)
    ):
        return found.UNDECIDED
    return difference.conclusion


def _arriving(repetitions: Repetitions, rule: str) -> float:
    """The share of a rule's runs that are at the last target."""
    times = repetitions.times(rule)
    return sum(map(math.isfinite, times)) / len(times) if times else 0.0


def _alone(repetitions: Repetitions, standings: Sequence[RuleResult]) -> dict[str, str]:
    """What could be claimed of an undecided rule if no other were compared."""
    undecided = [s.rule for s in standings if s.finding == found.UNDECIDED]
    if len(standings) == 2:
        return {}
    by_itself = {
        r: repetitions.difference(repetitions.plan.choices.reference, r, 1) for r in undecided
    }
    said = {rule: d.conclusion for rule, d in by_itself.items() if d is not None}
    return {rule: what for rule, what in said.items() if what != found.UNDECIDED}


def _ranked(standings: Sequence[RuleResult], repetitions: Repetitions) -> list[RuleResult]:
    """Best first: the reliably faster, then by speed-up, fewer steps, lower loss."""
    reference = repetitions.plan.choices.reference
    ranked = sorted(
        standings,
        key=lambda s: (
            s.finding != found.FASTER,
            s.finding == found.FALLS_SHORT,
            -np.nan_to_num(s.speedup.median, nan=1.0),  # unknown: neither better nor worse
            s.steps_to_target.median,
            s.final_loss,
            s.rule != reference,
            s.rule,
        ),
    )
    first, others = ranked[0].rule, len(ranked) - 1
    against = {s.rule: pairwise(repetitions, s.rule, first, others) for s in ranked}
    return [
        replace(
            s,
            # What was concluded about the reference is not taken back by a wider interval.
            tied_for_first=against[s.rule].low <= 1 <= against[s.rule].high
            and not (s.rule == reference and ranked[0].finding == found.FASTER),
        )
        for s in ranked
    ]


def _finite_median(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan
