"""Simulated workers: they answer at once, by formula. Everything that asks them is real."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ravine.racing.choices import choose
from ravine.racing.jobs import Advanced, Begun, checkpoint_file, weights_file
from ravine.racing.plan import Facts, Plan, Run, settle
from ravine.racing.pool import Job, Source
from ravine.racing.profile import Spent
from ravine.rules import RULES
from ravine.tasks import TASKS

FACTS = Facts(8_970, (1_078, 359, 360), ("loss", "accuracy"), "0" * 64, operations=45_585.7)
START = 2.3  # the loss before step one


def plan_of(
    studies: int,
    seeds: int = 3,
    width: int = 4,
    fresh_seeds: int = 12,
    rules: Sequence[str] = tuple(RULES),
) -> Plan:
    """The race of these rules on the task that is raced by default, over 9 rates each."""
    task, kinds = TASKS["digits-mlp"], [RULES[name]() for name in rules]
    choices, by_name = choose(
        task, kinds, None, seeds, fresh_seeds, None, None, target=0.3, studies=studies
    )
    plan = settle(choices, by_name, FACTS)
    return Plan(**{**vars(plan), "width": width})


class Crowd:
    """In the place of a pool. ``burst``: how many have answered when the driver looks again.

    As real workers do, each leaves a checkpoint for every run that is to go on. ``watch`` is told
    after every round how many segments of runs there are.
    """

    def __init__(
        self,
        workers: int,
        folder: Path,
        burst: int | None = None,
        watch: Callable[[int], None] = lambda segments: None,
    ) -> None:
        self._count = workers
        self._folder = folder
        self._burst = burst or workers
        self._watch = watch
        self.answered = 0  # segments of a run
        self.rounds = 0  # in which there were any
        self.seconds = self.cpu = 0.0  # that went into making the answers up

    def __len__(self) -> int:
        return self._count

    def work(self, source: Source) -> None:
        """Do all that the source has, first come, first served."""
        idle: list[int] = [*range(self._count)]
        busy: deque[tuple[int, Job]] = deque()
        while True:
            waiting = []
            for worker in idle:
                job = source.take(worker)
                if job is None:
                    waiting.append(worker)
                else:
                    busy.append((worker, job))
            idle = waiting
            source.handed_out()
            if not busy:
                return
            before = self.answered
            for _ in range(min(self._burst, len(busy))):
                worker, job = busy.popleft()
                began, busy_before = time.perf_counter(), time.process_time()
                answer = self._answer(job)
                self.seconds += time.perf_counter() - began
                self.cpu += time.process_time() - busy_before
                source.done(worker, job, answer)
                idle.append(worker)
            self.rounds += self.answered > before
            self._watch(self.answered)

    def _answer(self, job: Job) -> Any:
        if job.name == "advance":
            return self._advanced(**job.arguments)
        if job.name == "draw":
            for seed in job.arguments["seeds"]:
                (self._folder / weights_file(seed)).touch()
        return 1e-4  # seconds of a step, or bytes

    def _advanced(
        self, plan: Plan, program: str, rule: bytes, runs: list[Run], segment: int
    ) -> Advanced:
        stage, period = runs[0].stage, plan.period
        cuts = (0, *plan.cuts(stage))
        first, last = cuts[segment], cuts[segment + 1]
        losses, measures = [], []
        for run in runs:
            steps, evaluated = curve(plan, run)
            losses.append(steps[first * period : last * period])
            measures.append(evaluated[first:last])
            if segment + 2 < len(cuts):
                (self._folder / checkpoint_file(run, segment + 1)).touch()
        start = np.full((2, 2), START, np.float32)
        begun = [Begun("0" * 64, "0" * 64, start)] * len(runs) if segment == 0 else None
        self.answered += len(runs)
        return Advanced(begun, losses, measures, Spent(0.0, 0.1, last - first, 0.0))


def curve(plan: Plan, run: Run) -> tuple[Any, Any]:
    """The loss of every step, and all four measures of every evaluation: slower off the middle."""
    rates: Mapping[str, Any] = plan.choices.learning_rates
    own, rule = rates[run.rule], plan.choices.rules.index(run.rule)
    away = abs(own.index(run.learning_rate) - len(own) // 2)
    return _fallen(
        plan.horizon(run.stage), plan.period, 0.02 * (1 + 0.3 * rule) * 0.4**away, run.seed % 3
    )


@cache
def _fallen(steps: int, period: int, speed: float, noise: int) -> tuple[Any, Any]:
    fallen = 0.05 + START * np.exp(-speed * np.arange(1, steps + 1))
    losses = (fallen * (1 + 0.01 * noise)).astype(np.float32)
    evaluated = losses[period - 1 :: period]
    return losses, np.broadcast_to(evaluated[:, None, None], (len(evaluated), 2, 2))
