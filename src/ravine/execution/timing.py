"""How long a piece of training takes a worker."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ravine.experiment.plan import Plan

TIMED = 0.1  # seconds that a timed piece of training is to take
PACED = 0.03  # the same where a step of each rule is timed, in several rounds

Clock = Callable[[], float]


class Watch:
    """A stopwatch around a block."""

    seconds = 0.0

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock

    def __enter__(self) -> "Watch":
        self._began = self._clock()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = self._clock() - self._began


class Rehearsed(NamedTuple):
    """What one program took a worker: seconds by the clock, other load included; bytes."""

    compiling: float
    grown: float  # bytes that the program and its arrays take
    peak: float  # bytes of the whole worker
    # Without these it was not run: there is no memory for it.
    step: float = 0.0  # of all lanes, its share of the evaluations included
    around: float = 0.0  # a segment of a pack, besides its training
    pacing: float = 0.0  # timing a rule's step once


class Trial(NamedTuple):
    """A program at hand, to be timed."""

    begin: Callable[[], Any]
    advance: Callable[[Any], Any]

    def took(self, periods: int, clock: Clock = time.perf_counter) -> float:
        """Seconds for so many periods of all lanes."""
        with (watch := Watch(clock)):
            np.asarray(self.advance(np.int32(periods)))
        return watch.seconds

    def usual_step(self, plan: Plan) -> float:
        """Seconds of a step of all lanes, evaluations included, on a machine as busy as it is."""
        self.took(1)
        periods = max(1, min(plan.segment, int(TIMED / self.took(1))))
        tries = [self.took(periods)]
        while sum(tries) < 3 * TIMED:
            tries.append(self.took(periods))
        return sum(tries) / (len(tries) * periods * plan.period)

    def bare_step(self, plan: Plan, clock: Clock) -> float:
        """Seconds of a step of one lane, without evaluations."""
        evaluation = max(0.0, least(self.begin, clock) - least(lambda: self.took(0), clock))
        periods = max(1, min(plan.segment, int(PACED / self.took(1))))
        steps = self.took(periods, clock) - periods * evaluation
        return max(steps, 0.0) / (periods * plan.period * plan.width)


def least(compute: Callable[[], Any], clock: Clock = time.perf_counter) -> float:
    """Seconds of the quickest of a few calls; of one alone where that takes long."""
    watch = Watch(clock)
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < TIMED:
        with watch:
            np.asarray(compute())
        seconds.append(watch.seconds)
    return min(seconds)
