"""A race that nobody ran: curves by formula, stored as a real one stores them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ravine.analysis import stages
from ravine.experiment.config import choose
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.results.race import Race
from ravine.rules import RULES
from ravine.storage.store import STEP_SECONDS, Store
from ravine.tasks import TASKS

STEPS = 2_000
FLOOR, START = 0.08, 2.3  # losses of the best run and before step one
SPIKES = 5  # a run


def race(folder: Path, eval_seeds: int = 26, repetitions: int = 1) -> Race:
    """Eight rules on nine rates and finer ones by up to three seeds, judged on so many.

    All are judged on all of the seeds, so that there are as many runs as are asked for.
    """
    plan = _plan(eval_seeds, repetitions)
    meta = {
        "plan": plan.to_json(),
        "machine": {"system": "none", "processor": "a formula", "cores": 0},
        "versions": {"ravine": "0"},
        "command": "python benchmarks/report.py",
        "rules": {name: RULES[name]().values() for name in plan.choices.rules},
        STEP_SECONDS: {name: [1e-4 * (1 + 0.1 * i)] for i, name in enumerate(plan.choices.rules)},
    }
    store = Store.create(folder, meta)
    done: list[Curve] = []
    while runs := stages.due(plan, done):
        there = {curve.run.id for curve in done}
        for curve in (_curve(plan, run) for run in runs if run.id not in there):
            start = (curve.weights_digest, curve.batches_digest, curve.measures[:1])
            store.begin([(curve.run, start)])
            store.add(_segments(plan, curve))
            done.append(curve)
    store.close()
    return Race.open(folder)


def _plan(eval_seeds: int, repetitions: int) -> Plan:
    kinds = [kind() for kind in RULES.values()]
    task = TASKS["digits-mlp"]
    choices, rules = choose(
        *(task, kinds, None, 3, eval_seeds, 20, 32),
        early_stopping=False,
        looks=False,
        repetitions=repetitions,
    )
    plan = make_plan(
        choices, rules, TaskInfo(9_000, (3_200, 400, 400), ("loss", "accuracy"), "0" * 64)
    )
    assert plan.steps == STEPS
    return replace(plan, width=8)


def _curve(plan: Plan, run: Run) -> Curve:
    """A loss that falls the faster the nearer its rate is to the rule's best, with spikes.

    At the highest rate of its grid it is lost on the way.
    """
    rng = np.random.default_rng([run.seed, len(run.rule)])
    rates, place = plan.choices.learning_rates[run.rule], plan.choices.rules.index(run.rule)
    step = math.log(rates[1] / rates[0])
    away = math.log(run.learning_rate / rates[len(rates) // 2]) / step
    speed = 0.002 * (1 + 0.35 * place) * 0.5 ** abs(away) * rng.uniform(0.9, 1.1)
    steps = np.arange(1, plan.steps + 1)
    start = START + 0.1 * np.random.default_rng(run.seed).random()  # the same for every rule
    losses = FLOOR + (start - FLOOR) * np.exp(-speed * steps)
    evaluated = losses[plan.period - 1 :: plan.period] * rng.uniform(0.98, 1.02, plan.evaluations)
    losses = losses * rng.lognormal(0, 0.25, plan.steps)
    losses[rng.integers(0, plan.steps, SPIKES)] *= 8
    if run.learning_rate == rates[-1]:
        lost = int(rng.integers(plan.steps // 20, plan.steps // 2))
        losses[lost:], evaluated[lost // plan.period :] = np.nan, np.nan
    measured = np.concatenate([[start], evaluated])
    both = np.stack([measured, np.exp(-measured)], axis=-1)[:, None].repeat(2, axis=1)
    digests = (f"{run.seed:064x}", f"{run.seed:064x}")
    return Curve(run, *digests, losses.astype("<f4"), both.astype("<f4"))


def _segments(plan: Plan, curve: Curve) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    ends: Sequence[int] = (0, *plan.cuts(curve.run))
    for number, (first, last) in enumerate(pairwise(ends)):
        steps = slice(first * plan.period, last * plan.period)
        measures = curve.measures[1 + first : 1 + last]
        yield curve.run.id, number, curve.losses[steps], measures
