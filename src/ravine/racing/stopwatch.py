"""How long something takes."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

TIMED = 0.1  # seconds that a timed piece of training is to take


class Watch:
    """A stopwatch around a block."""

    seconds = 0.0

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(self, *_: object) -> None:
        self.seconds = self._clock() - self._began


def least(compute: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the quickest of a few calls; of one alone where that takes long."""
    watch = Watch(clock)
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < TIMED:
        with watch:
            np.asarray(compute())
        seconds.append(watch.seconds)
    return min(seconds)


class Trial(NamedTuple):
    """A program at hand, to be timed."""

    begin: Callable[[], Any]
    advance: Callable[[Any], Any]

    def took(self, periods: int, clock: Callable[[], float] = time.perf_counter) -> float:
        """Seconds for so many periods of all lanes."""
        with (watch := Watch(clock)):
            np.asarray(self.advance((np.float32(0), np.int32(periods))))
        return watch.seconds
