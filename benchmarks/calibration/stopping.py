"""Whether early stopping changes a choice: ``python -m benchmarks.calibration.stopping``.

On rules and tasks that it was not designed on: Lion, Schedule-Free and RMSprop, on a dense network
and on a convolutional one. Every learning rate is run on many seeds to the end, once; then races
are tuned on resampled seeds, with stopping and without.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import ravine
from ravine.analysis import stages
from ravine.analysis.comparing import Tuned
from ravine.analysis.tuning import DONE, tuning
from ravine.execution import session
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import Aim
from ravine.experiment.plan import Plan, Run
from ravine.experiment.pruning import hopeless
from ravine.rules.ops import sign

SEEDS = 16
RULES = ("sgd", "rmsprop")  # besides those below
Bank = Mapping[tuple[str, Configuration], Sequence[Curve]]  # runs of a rule, a seed each


class Mean(NamedTuple):
    """What Lion remembers."""

    m: Any


@ravine.rule
class Lion(ravine.Rule):
    """Chen et al. 2023, algorithm 2, without weight decay: https://arxiv.org/abs/2302.06675."""

    learning_rate: float = ravine.hyper(
        1e-4, "length of a step", unit="w", valid="> 0", search=(1e-6, 1e-2)
    )
    beta_1: float = ravine.hyper(0.9, "memory of the step", valid="[0, 1)")
    beta_2: float = ravine.hyper(0.99, "memory of the mean", valid="[0, 1)")

    def init(self, w):  # type: ignore[no-untyped-def]  # noqa: D102
        return Mean(0 * w)

    def update(self, w, g, state, t):  # type: ignore[no-untyped-def]  # noqa: D102
        step = sign(self.beta_1 * state.m + (1 - self.beta_1) * g)
        return w - self.learning_rate * step, Mean(self.beta_2 * state.m + (1 - self.beta_2) * g)


class Average(NamedTuple):
    """What Schedule-Free remembers: the weights that are evaluated."""

    x: Any


@ravine.rule
class ScheduleFree(ravine.Rule):
    """Defazio et al. 2024, equations 1 to 3, of gradient descent: https://arxiv.org/abs/2405.15682."""

    learning_rate: float = ravine.hyper(
        1.0, "length of a step per unit of slope", unit="w/g", valid="> 0", search=(1e-3, 10.0)
    )
    beta: float = ravine.hyper(0.9, "how near the average the gradient is taken", valid="[0, 1)")

    def init(self, w):  # type: ignore[no-untyped-def]  # noqa: D102
        return Average(w)

    def lookahead(self, w, state, t):  # type: ignore[no-untyped-def]  # noqa: D102
        return (1 - self.beta) * w + self.beta * state.x

    def update(self, w, g, state, t):  # type: ignore[no-untyped-def]  # noqa: D102
        z = w - self.learning_rate * g
        return z, Average((1 - 1 / t) * state.x + 1 / t * z)

    def read(self, w, state, t):  # type: ignore[no-untyped-def]  # noqa: D102
        return state.x


def convolutional() -> Any:
    """A model that is not ravine's."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="gelu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def digits() -> tuple[Any, Any]:
    """As scikit-learn has them."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.data / 16).astype("float32"), found.target


TASKS: dict[str, dict[str, Any]] = {
    "dense": {"task": "digits-mlp"},
    "convolutional": {
        "task": convolutional,
        "data": digits(),
        "loss": "sparse_categorical_crossentropy",
        "epochs": 12,
    },
}


@dataclass(frozen=True)
class Full:
    """All runs of a task, none of them stopped."""

    plan: Plan
    bank: Bank

    def tuned(self, seeds: Sequence[int], stops: bool) -> tuple[Tuned, int]:
        """What tuning on these seeds gives, and how many evaluations it takes."""
        plan, curves = self.plan, list[Curve]()
        while (found := tuning(plan, curves)).phase < DONE:
            aim = stages.aims(plan, curves).get(0) if stops else None
            there = {curve.run.id for curve in curves}
            groups: dict[str, list[Run]] = {}
            for run in found.wanted:
                if run.id not in there:
                    groups.setdefault(run.rule, []).append(run)
            for runs in groups.values():
                new = [self._curve(run, seeds) for run in runs]
                curves += _stopped(plan, new, aim) if aim else new
        assert found.tuned is not None
        return found.tuned, sum(len(curve.measures) for curve in curves)

    def _curve(self, run: Run, seeds: Sequence[int]) -> Curve:
        return replace(self.bank[run.rule, run.configuration][seeds[run.seed]], run=run)


def _stopped(plan: Plan, curves: list[Curve], aim: Aim) -> list[Curve]:
    """What a driver leaves of runs that wait for each other at the rungs."""
    going, gone = curves, list[Curve]()
    for rung in plan.rungs:
        losses: dict[Configuration, list[Any]] = {}
        for curve in going:
            known = aim.of(curve.measures[: rung + 1, 0])
            losses.setdefault(curve.run.configuration, []).append(known)
        rates = hopeless(losses, aim.targets, plan.evaluations)
        gone += [
            replace(
                curve,
                measures=curve.measures[: rung + 1],
                losses=curve.losses[: rung * plan.period],
                stopped=True,
            )
            for curve in going
            if curve.run.configuration in rates
        ]
        going = [curve for curve in going if curve.run.configuration not in rates]
    return going + gone


def full(asked: Mapping[str, Any], seeds: int) -> Full:
    """Race a task with everything run to its end; its plan is one that stops, on two seeds."""
    rules: list[Any] = [*RULES, Lion, ScheduleFree]
    with tempfile.TemporaryDirectory() as place:
        session.publish_pages = lambda race: None  # type: ignore[attr-defined]
        more = {"early_stopping": False, "eval_seeds": 1, "progress": False}
        short = {**asked, **more, "epochs": 1, "tuning_seeds": 1}
        first = ravine.race(**short, rules=rules, out=f"{place}/first")
        rates = {rule: list(x) for rule, x in first.plan.choices.learning_rates.items()}
        race = ravine.race(
            **asked,
            rules=rules,
            learning_rates=rates,
            tuning_seeds=1,  # of more, rates that are far behind on the first are not run on all
            repetitions=seeds,
            **more,
            out=f"{place}/race",
        )
        plan, bank = race.plan, dict[tuple[str, Configuration], list[Curve]]()
        for curve in sorted(race.stored, key=lambda c: c.run.seed):
            if curve.run.stage == "tuning":
                bank.setdefault((curve.run.rule, curve.run.configuration), []).append(curve)
    kept = {key: runs for key, runs in bank.items() if len(runs) == seeds}
    assert len(kept) == len(bank), "a learning rate lacks runs"
    return Full(
        replace(
            plan, choices=replace(plan.choices, tuning_seeds=2, repetitions=1, early_stopping=True)
        ),
        kept,
    )


def compared(found: Full, races: int, draw: np.random.Generator) -> dict[str, Any]:
    """Of so many resampled races: in how many stopping changes what tuning gives."""
    chosen = contenders = 0
    steps = np.zeros(2)
    for _ in range(races):
        seeds = draw.choice(len(next(iter(found.bank.values()))), size=2, replace=False)
        (with_, less), (without, more) = (found.tuned(seeds, stops) for stops in (True, False))
        chosen += with_.chosen != without.chosen
        contenders += with_.contenders != without.contenders
        steps += less, more
    return {
        "races": races,
        "rules": list(found.plan.choices.rules),
        "other_rates_chosen": chosen / races,
        "other_contenders": contenders / races,
        "evaluations_saved": round(1 - float(steps[0] / steps[1]), 3),
    }


def main(done: Callable[[str], None] = print) -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--races", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    draw = np.random.default_rng(0)
    found = {
        name: compared(full(options, asked.seeds), asked.races, draw)
        for name, options in TASKS.items()
    }
    text = json.dumps(found, indent=1)
    done(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
