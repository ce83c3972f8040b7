"""Where the time of a race went."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple


class Spent(NamedTuple):
    """Seconds of a worker at one segment of a pack."""

    compiling: float
    training: float  # evaluations included
    evaluations: int
    evaluation: float  # one of them, measured apart; 0 where it was not

    def and_also(self, other: "Spent") -> "Spent":
        """Both together; of the evaluations that were measured, the shortest."""
        measured = [one for one in (self.evaluation, other.evaluation) if one]
        return Spent(
            self.compiling + other.compiling,
            self.training + other.training,
            self.evaluations + other.evaluations,
            min(measured, default=0.0),
        )


NOTHING = Spent(0.0, 0.0, 0, 0.0)

JOBS = {
    "describe": "building the model",
    "draw": "drawing weights",
    "trace": "tracing",
    "pace": "timing steps",
    "rehearse": "rehearsing",
}


class Profile:
    """Adds up what every job took. All times are in seconds; workers' times are of one core."""

    def __init__(self, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._workers = workers
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._segments: dict[str, Spent] = {}  # by program: of all its segments together
        self.stored = 0.0  # by the driver, while the workers went on
        self.lanes: Counter[int] = Counter()  # how many runs were done, by the lanes of the program

    def job(self, name: str, took: float) -> None:
        """One of the jobs that prepare."""
        self._spent[JOBS[name]] += took

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """The same, around what takes its time."""
        began = self._clock()
        yield
        self.job(name, self._clock() - began)

    def segment(self, program: str, took: float, spent: Spent) -> None:
        """A segment of a pack, ``took`` being what it cost in all."""
        self._segments[program] = self._segments.get(program, NOTHING).and_also(spent)
        self._spent["compiling"] += spent.compiling
        self._spent["imports, files, messages"] += took - spent.compiling - spent.training

    def storing(self, took: float) -> None:
        """The driver's part, beside which the workers go on."""
        self.stored += took

    def table(self) -> Mapping[str, float]:
        """What took how long. Evaluations are counted, and one of each program was timed."""
        found = dict.fromkeys(("training", "evaluating"), 0.0)
        for spent in self._segments.values():
            evaluating = min(spent.training, spent.evaluation * spent.evaluations)
            found["evaluating"] += evaluating
            found["training"] += spent.training - evaluating
        found |= self._spent
        idle = self.elapsed * self._workers - sum(found.values())
        return found | {"idle": max(0.0, idle)}

    @property
    def elapsed(self) -> float:
        """Since the race began."""
        return self._clock() - self._began
