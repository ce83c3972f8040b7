"""Simulated workers: they answer at once, by formula. Everything that asks them is real."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ravine.execution.engine_worker import Advanced, Begun
from ravine.execution.worker import receive, send
from ravine.execution.worker_backend import Message, OnMessage, Place
from ravine.experiment.config import choose
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.rules import RULES
from ravine.storage.work_files import checkpoint_file, weights_file
from ravine.tasks import TASKS
from ravine.training.profile import Spent

FACTS = TaskInfo(8_970, (1_078, 359, 360), ("loss", "accuracy"), "0" * 64, operations=45_585.7)
START = 2.3  # the loss before step one


def plan_of(
    repetitions: int,
    tuning_seeds: int = 3,
    width: int = 4,
    eval_seeds: int = 12,
    rules: Sequence[str] = tuple(RULES),
) -> Plan:
    """The race of these rules on the task that is raced by default, over 9 rates each."""
    task, kinds = TASKS["digits-mlp"], [RULES[name]() for name in rules]
    choices, by_name = choose(
        task, kinds, None, tuning_seeds, eval_seeds, None, None, target=0.3, repetitions=repetitions
    )
    plan = make_plan(choices, by_name, FACTS)
    return Plan(**{**vars(plan), "width": width})


class Crowd:
    """A crew of workers who answer by formula, first come, first served.

    ``burst`` of them have answered each time the pool looks, or one where it would wait for nobody
    else. Jobs and answers are pickled, as they are for the pipe to a process. As real workers do,
    each leaves a checkpoint for every run that is to go on. ``watch`` is told at every look how
    many segments of runs there are.
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
        self._given: deque[tuple[Callable[[Message], None], BytesIO]] = deque()
        self._said = 0  # answers that the pool has not heard yet
        self.most = 0  # workers at work at once
        self.answered = 0  # segments of a run
        self.rounds = 0  # in which there were any
        self.seconds = self.cpu = 0.0  # that went into making the answers up

    def slots(self) -> int:
        """See ``WorkerBackend``: a pool asks at every look, when it has heard all that was said."""
        self._said = 0
        self._watch(self.answered)
        self._answer_some(self._burst)
        return self._count

    def place(self) -> Place:
        """See ``WorkerBackend``."""
        return Place("nowhere", {}, math.inf)

    def spawn(self, slot: int, on_message: OnMessage) -> "Figure":
        """See ``WorkerBackend``."""
        return Figure(self, on_message)

    def given(self, say: Callable[[Message], None], job: BytesIO) -> None:
        """Somebody has one more job."""
        self._given.append((say, job))
        self.most = max(self.most, len(self._given))
        if not self._said:
            self._answer_some(1)

    def _answer_some(self, most: int) -> None:
        before = self.answered
        for _ in range(min(most, len(self._given))):
            self._answer_one()
        self.rounds += self.answered > before

    def _answer_one(self) -> None:
        say, job = self._given.popleft()
        self._said += 1
        began, busy = time.perf_counter(), time.process_time()
        answer = BytesIO()
        send(answer, ("done", self._answer(*receive(job))))
        answer.seek(0)
        self.seconds += time.perf_counter() - began
        self.cpu += time.process_time() - busy
        say(receive(answer))

    def _answer(self, name: str, arguments: Mapping[str, Any]) -> Any:
        if name == "advance":
            return self._advanced(**arguments)
        if name == "draw":
            for seed in arguments["seeds"]:
                (self._folder / weights_file(seed)).touch()
        return 1e-4  # seconds of a step, or bytes

    def _advanced(
        self, plan: Plan, program: str, rule: bytes, runs: list[Run], segment: int
    ) -> Advanced:
        period = plan.period
        cuts = (0, *plan.cuts(runs[0]))
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


class Figure:
    """One of them."""

    ready = True

    def __init__(self, crowd: Crowd, on_message: OnMessage) -> None:
        self.known: set[str] = set()
        self._crowd = crowd
        self._say = partial(on_message, self)

    def submit(self, name: str, arguments: Mapping[str, Any]) -> None:
        """See ``worker_backend.Worker``."""
        send(job := BytesIO(), (name, dict(arguments)))
        job.seek(0)
        self._crowd.given(self._say, job)

    def kill(self) -> None:
        """See ``worker_backend.Worker``."""


def curve(plan: Plan, run: Run) -> tuple[Any, Any]:
    """The loss of every step, and all four measures of every evaluation: slower off the middle."""
    rates: Mapping[str, Any] = plan.choices.learning_rates
    own, rule = rates[run.rule], plan.choices.rules.index(run.rule)
    step = math.log(own[1] / own[0])
    away = round(abs(math.log(run.learning_rate / own[len(own) // 2])) / step, 3)
    return _fallen(run.steps, plan.period, 0.02 * (1 + 0.3 * rule) * 0.4**away, run.seed % 3)


@cache
def _fallen(steps: int, period: int, speed: float, noise: int) -> tuple[Any, Any]:
    fallen = 0.05 + START * np.exp(-speed * np.arange(1, steps + 1))
    losses = (fallen * (1 + 0.01 * noise)).astype(np.float32)
    evaluated = losses[period - 1 :: period]
    return losses, np.broadcast_to(evaluated[:, None, None], (len(evaluated), 2, 2))
