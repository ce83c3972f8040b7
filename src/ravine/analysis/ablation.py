"""What races of one task under several values of its levers say together. Pure functions.

Each combination of values was raced as a task of its own, every rule tuned anew, and all are judged
by one target. A lever's effect on a rule compares runs of equal evaluation seeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ravine.analysis.curves import speedup
from ravine.analysis.repetitions import repeated
from ravine.analysis.results import FASTER, NO_DIFFERENCE, SLOWER, TOO_FEW
from ravine.analysis.statistics import (
    CONFIDENCE,
    Spread,
    fewest_seeds,
    holm,
    median_interval,
    quartiles,
    sign_test,
)
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan
from ravine.experiment.target import Target

Values = Mapping[str, str]  # of levers, as they are shown
Ablation = Mapping[str, Sequence[str]]  # their values; the first is what the others are measured by


class Raced(NamedTuple):
    """A combination of values, and the race that was run with them."""

    values: Values
    plan: Plan
    curves: Sequence[Curve]


class Timed(NamedTuple):
    """How long the rules took under a combination of values, to the common target.

    ``repetitions``: of each, by rule and evaluation seed, steps (or epochs); infinite for a miss.
    """

    values: Values
    horizon: float  # of a whole run
    repetitions: Sequence[Mapping[str, Mapping[int, float]]]


class Effect(NamedTuple):
    """What a value of a lever does to a rule, compared with the lever's first value.

    ``within``: the values of the other levers; empty where it is over all of them, of which alone
    there is a ``p_value`` and a ``finding``. ``speedup``: how many times less the rule took.
    ``bound``: "≤" or "≥" where at most or at least that, since on half of the seeds or more a run
    missed the target, and counts as the whole run; "≈" where both sides did.
    """

    lever: str
    value: str
    base: str
    rule: str
    within: Values
    speedup: Spread
    bound: str
    p_value: float = math.nan  # Holm-adjusted for all rules and values
    finding: str = ""  # FASTER, SLOWER, NO_DIFFERENCE, TOO_FEW
    depends: bool = False  # whether under some values of the others it helps, under some it hurts


class Combination(NamedTuple):
    """Who was first under a combination of values. ``winner`` is empty where most runs missed."""

    values: Values
    winner: str
    ties: tuple[str, ...]  # the rules that cannot be told apart from the winner
    times: Mapping[str, Spread]  # of each rule: quartiles


class Change(NamedTuple):
    """Another rule is first where one lever changes its value: ``found`` if beyond noise."""

    lever: str
    value: str
    base: str
    within: Values
    before: str
    after: str
    p_value: float  # adjusted for the rules that might have been first, and for all such pairs
    found: bool


@dataclass(frozen=True)
class Compared:
    """All of it."""

    levers: Ablation
    rules: tuple[str, ...]
    clock: str  # "steps", or "epochs" where a step is not the same everywhere
    units: int  # seeds, or repetitions where there are several
    needed: int  # of these, for a clean sweep to be a claim
    effects: tuple[Effect, ...]
    within: tuple[Effect, ...]
    combinations: tuple[Combination, ...]
    changes: tuple[Change, ...]


def timed(raced: Raced, target: Target, by_epochs: bool) -> Timed:
    """How long a race's rules took to a target that need not be its own."""
    plan = raced.plan
    a_step = plan.choices.batch_size / plan.facts.rows[0] if by_epochs else 1.0
    repetitions = [
        {
            rule: {seed: steps * a_step for seed, steps in own.items()}
            for rule, own in repetition.times.items()
        }
        for repetition in repeated(plan, raced.curves, target).each
    ]
    return Timed(raced.values, plan.steps * a_step, repetitions)


def compare(levers: Ablation, runs: Sequence[Timed], clock: str = "steps") -> Compared:
    """Effects of the levers, winners under each combination, and whether those differ."""
    rules = tuple(runs[0].repetitions[0])
    units = len(runs[0].repetitions)
    units = units if units > 1 else len(next(iter(runs[0].repetitions[0].values())))
    asked = [(lever, value) for lever, values in levers.items() for value in values[1:]]
    needed = fewest_seeds(max(1, len(asked) * len(rules)))
    over: list[Effect] = []
    within: list[Effect] = []
    ratios: list[list[float]] = []
    for lever, value in asked:
        pairs = _pairs(levers, runs, lever, value)
        for rule in rules:
            each = [_effect(levers, lever, [pair], rule) for pair in pairs]
            within += each if len(pairs) > 1 else []
            whole = _effect(levers, lever, pairs, rule)
            over.append(whole._replace(within={}, depends=_opposed(each)))
            ratios.append(speedups(pairs, rule))
    found = tuple(_tested(over, ratios, units >= needed))
    combinations = tuple(_combination(one, rules) for one in runs)
    changes = _changes(levers, runs, combinations)
    return Compared(
        levers, rules, clock, units, needed, found, tuple(within), combinations, changes
    )


Pair = tuple[Timed, Timed]  # with the lever's first value, and with another


def _pairs(levers: Ablation, runs: Sequence[Timed], lever: str, value: str) -> list[Pair]:
    """Combinations that differ in this lever alone."""
    by_values = {tuple(one.values.items()): one for one in runs}
    return [
        (by_values[tuple({**one.values, lever: levers[lever][0]}.items())], one)
        for one in runs
        if one.values[lever] == value
    ]


def speedups(pairs: Sequence[Pair], rule: str) -> list[float]:
    """How many times less a rule took: a number a seed, the geometric mean over the pairs.

    Paired by seed; a miss counts as the whole run, two of them as a tie. Of several repetitions the
    median of each.
    """
    found = []
    for i, repetition in enumerate(pairs[0][0].repetitions):
        logs = [
            np.mean([math.log(_ratio(one, other, i, rule, seed)) for one, other in pairs])
            for seed in repetition[rule]
        ]
        found.append([math.exp(log) for log in logs])
    return found[0] if len(found) == 1 else [float(np.median(one)) for one in found]


def _ratio(one: Timed, other: Timed, repetition: int, rule: str, seed: int) -> float:
    before, after = (each.repetitions[repetition][rule][seed] for each in (one, other))
    if math.isinf(before) and math.isinf(after):
        return 1.0
    return min(before, one.horizon) / min(after, other.horizon)


def _effect(levers: Ablation, lever: str, pairs: Sequence[Pair], rule: str) -> Effect:
    value = pairs[0][1].values[lever]
    others = {k: v for k, v in pairs[0][1].values.items() if k != lever}
    within = others if len(pairs) == 1 else {}
    before, after = (_missed([pair[i] for pair in pairs], rule) for i in (0, 1))
    spread = median_interval(speedups(pairs, rule))
    return Effect(lever, value, levers[lever][0], rule, within, spread, _BOUNDS[after, before])


# By whether most runs missed with the value, and with the first value.
_BOUNDS = {(False, False): "", (True, False): "≤", (False, True): "≥", (True, True): "≈"}


def _missed(runs: Sequence[Timed], rule: str) -> bool:
    """Whether on half of the seeds or more some run of a rule missed the target."""
    seeds = [
        (i, seed) for i, repetition in enumerate(runs[0].repetitions) for seed in repetition[rule]
    ]
    count = sum(
        any(math.isinf(one.repetitions[i][rule][seed]) for one in runs) for i, seed in seeds
    )
    return 2 * count >= len(seeds)


def _opposed(effects: Sequence[Effect]) -> bool:
    helps, hurts = (any(ok(e.speedup) for e in effects) for ok in (_above, _below))
    return helps and hurts


def _above(spread: Spread) -> bool:
    return spread.low > 1


def _below(spread: Spread) -> bool:
    return spread.high < 1


def _tested(
    effects: Sequence[Effect], ratios: Sequence[Sequence[float]], enough: bool
) -> list[Effect]:
    """With what may be claimed: where the interval and the adjusted test both say so."""
    p_values = holm({str(i): sign_test(one) for i, one in enumerate(ratios)})
    found = []
    for i, effect in enumerate(effects):
        p = p_values[str(i)]
        sure = p <= 1 - CONFIDENCE
        finding = NO_DIFFERENCE if enough else TOO_FEW
        if enough and sure and _above(effect.speedup):
            finding = FASTER
        elif enough and sure and _below(effect.speedup):
            finding = SLOWER
        found.append(effect._replace(p_value=p, finding=finding))
    return found


def _combination(run: Timed, rules: Sequence[str]) -> Combination:
    times = {
        rule: quartiles([t for s in run.repetitions for t in s[rule].values()]) for rule in rules
    }
    first = min(rules, key=lambda r: (times[r].median, r))
    if math.isinf(times[first].median):
        return Combination(run.values, "", (), times)
    against = {r: median_interval(between(run, r, first)) for r in rules if r != first}
    ties = tuple(r for r, spread in against.items() if spread.low <= 1 <= spread.high)
    return Combination(run.values, first, ties, times)


def between(run: Timed, slow: str, fast: str) -> list[float]:
    """How many times less the one rule took than the other, by seed; or by repetition."""
    found = [
        [
            speedup(repetition[slow][seed], time, run.horizon)
            for seed, time in repetition[fast].items()
        ]
        for repetition in run.repetitions
    ]
    return found[0] if len(found) == 1 else [float(np.median(one)) for one in found]


def _changes(
    levers: Ablation, runs: Sequence[Timed], combinations: Sequence[Combination]
) -> tuple[Change, ...]:
    """Where one lever's value changes who is first.

    Beyond noise if the one rule beats the other there, and is beaten by it here: the worse of both
    p-values, times the rules that might have been first instead, adjusted for all such pairs.
    """
    first = {tuple(c.values.items()): c.winner for c in combinations}
    rivals = len(combinations[0].times) - 1
    p_values: dict[str, float] = {}
    changes: dict[str, Change] = {}
    for lever, values in levers.items():
        for value in values[1:]:
            for one, other in _pairs(levers, runs, lever, value):
                before, after = first[tuple(one.values.items())], first[tuple(other.values.items())]
                key, p = f"{lever} {tuple(other.values.items())}", 1.0
                if before and after and before != after:
                    p = max(_p(one, after, before), _p(other, before, after))
                    within = {k: v for k, v in other.values.items() if k != lever}
                    change = Change(lever, value, values[0], within, before, after, p, found=False)
                    changes[key] = change
                p_values[key] = min(1.0, p * rivals)
    adjusted = holm(p_values)
    return tuple(
        change._replace(p_value=adjusted[key], found=adjusted[key] <= 1 - CONFIDENCE)
        for key, change in changes.items()
    )


def _p(run: Timed, slow: str, fast: str) -> float:
    """Of the one rule being no faster than the other; 1 if it is not even on these seeds."""
    ratios = between(run, slow, fast)
    return sign_test(ratios) if median_interval(ratios).median > 1 else 1.0
