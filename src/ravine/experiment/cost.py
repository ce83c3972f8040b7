"""What a race will take: time, memory and disk, from what was measured on this machine."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from ravine.experiment.durations import said_bytes, said_seconds
from ravine.experiment.plan import Plan

# Of the steps of all rates on all tuning seeds, what is taken, as most rates are not tried on the
# second seed and some are stopped early: in races over three tasks it was 0.55 to 0.60.
KEPT = 0.58
REHEARSED = 2  # rules whose programs are there already when the race is planned
TRUSTED = 0.25  # of the training done: from there on what is left is what the pace so far says
STEP_BYTES = 4  # of a curve: a training loss
ROUNDS = 5  # in which a step of every rule is timed
HELD = 3  # times the curves that the driver has in memory where it judges and draws them


class Cost(NamedTuple):
    """What parts of a race take: seconds of one core by the clock; bytes."""

    workers: int
    step: float  # of all lanes, its share of the evaluations included
    around: float  # a segment of a pack, besides its training: batches, files
    drawing: float  # the initial weights of a seed
    tracing: float  # a rule
    compiling: float  # a rule
    pacing: float  # timing a step once
    worker_bytes: float  # of a worker at its work
    grown_bytes: float  # of that, what the program and its arrays take
    keras_bytes: float  # of the worker that has Keras, before it trains
    driver_bytes: float  # before there are curves
    publishing: float = 0.0  # writing the pages, when that was last done here; 0: not known


class Estimate(NamedTuple):
    """About what a race takes in all, or what is left of it."""

    seconds: float
    longest: float  # seconds if all tuning runs are done, each to its end
    memory: float  # bytes, the most at any time, of all processes
    disk: float  # bytes


def estimate(plan: Plan, cost: Cost) -> Estimate:
    """What the whole race takes."""
    fixed = _fixed(plan, cost)
    tuning, judging = _tuning(plan, cost), _judging(plan, cost)
    kept = KEPT if plan.rungs else 1.0
    disk = plan.count * _curve_bytes(plan)
    workers = (cost.workers - 1) * cost.worker_bytes + cost.keras_bytes + cost.grown_bytes
    return Estimate(
        fixed + kept * tuning + judging,
        fixed + tuning + judging,
        workers + cost.driver_bytes + HELD * disk,
        disk,
    )


def share_done(plan: Plan, steps: Mapping[str, float]) -> float:
    """Which part of a race's training is done, after so many steps in each stage.

    A run that was stopped early counts as all of its steps: they need not be taken any more.
    """
    kept = KEPT if plan.rungs else 1.0
    choices = plan.choices
    each = {rule: sum(plan.horizons(rule)) for rule in choices.rules}
    whole = kept * choices.tuning_seeds * sum(plan.trials_of(rule) * n for rule, n in each.items())
    whole += plan.references * each[choices.reference]
    whole += choices.eval_seeds * sum(each.values())
    done = sum((kept if stage == "tuning" else 1.0) * n for stage, n in steps.items())
    return min(1.0, done / (choices.repetitions * whole))


def left(share: float, elapsed: float, expected: float | None) -> float | None:
    """Seconds left, with so much of the training done after ``elapsed`` seconds.

    At first what was expected counts, later what was seen; None while neither says anything.

    >>> left(0.0, 3.0, 60.0), left(0.25, 30.0, 60.0), left(0.0, 3.0, None)
    (60.0, 90.0, None)
    """
    if not share:
        return expected
    seen = elapsed / share
    if expected is None:
        return (1 - share) * seen
    trust = min(1.0, share / TRUSTED)
    return (1 - share) * (trust * seen + (1 - trust) * expected)


def _tuning(plan: Plan, cost: Cost) -> float:
    """Seconds by the clock of all tuning runs, each to its end."""
    choices = plan.choices
    own = [(rule, steps) for rule in choices.rules for steps in plan.horizons(rule)]
    runs = [plan.trials_of(rule) * choices.tuning_seeds for rule, _ in own]
    each = [_pack(plan, cost, rule, steps, "tuning") for rule, steps in own]
    return _shared(plan, cost, runs * choices.repetitions, each)


def _judging(plan: Plan, cost: Cost) -> float:
    choices = plan.choices
    own = [(rule, steps) for rule in choices.rules for steps in plan.horizons(rule)]
    aims = [(choices.reference, steps) for steps in plan.horizons(choices.reference)]
    runs = [choices.eval_seeds] * len(own) + [plan.references] * len(aims)
    each = [_pack(plan, cost, rule, steps, "evaluation") for rule, steps in [*own, *aims]]
    return _shared(plan, cost, runs * choices.repetitions, each)


def _shared(plan: Plan, cost: Cost, runs: list[int], each: list[float]) -> float:
    """Packs shared out among the workers, who wait for the last one."""
    packs = [math.ceil(n / plan.width) for n in runs]
    work = sum(n * each[i % len(each)] for i, n in enumerate(packs))
    busy = min(cost.workers, max(1, sum(packs)))
    return work / busy + max(each) * (busy - 1) / (2 * busy)


def _pack(plan: Plan, cost: Cost, rule: str, steps: int, stage: str) -> float:
    """Seconds of one core for the runs of a pack, from their first step to their last."""
    run = plan.run(stage, rule, plan.choices.trials(rule)[0], 0, steps=steps)
    return steps * cost.step + len(plan.cuts(run)) * cost.around


def _fixed(plan: Plan, cost: Cost) -> float:
    """What does not depend on how many runs there are, but for their seeds' weights."""
    choices = plan.choices
    rules = len(choices.rules)
    seeds = choices.repetitions * (choices.tuning_seeds + plan.references + choices.eval_seeds)
    shared = (rules - min(rules, REHEARSED)) * (cost.tracing + cost.compiling)
    shared += seeds * cost.drawing
    alone = ROUNDS * rules * cost.pacing + cost.publishing
    return shared / min(cost.workers, rules) + alone


def _curve_bytes(plan: Plan) -> float:
    """What the file has of a run."""
    return STEP_BYTES * (plan.steps + (plan.evaluations + 1) * 2 * len(plan.facts.measures))


def estimate_text(takes: Estimate, workers: int) -> str:
    """An estimate in words."""
    least, most = said_seconds(takes.seconds), said_seconds(takes.longest)
    time = f"about {least}" + (f" ({most} if no run is stopped early)" if least != most else "")
    return (
        f"{time} with {workers} worker{'s' if workers > 1 else ''}, up to "
        f"{said_bytes(takes.memory)} of memory in all, {said_bytes(takes.disk)} on disk"
    )
