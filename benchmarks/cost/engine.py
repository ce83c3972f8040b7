"""The training alone, warm: seconds of some runs, and of a step of networks of growing width."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from peers.ours import Ours
from peers.setting import CORES, Subject

STEP_NUMBERS = 2e8  # parameters × steps of a run: a second or two for the largest network


class Series(NamedTuple):
    """One size, measured some times."""

    size: float  # runs, or parameters
    seconds: list[float]
    lanes: int

    @property
    def middle(self) -> float:
        """Median of the repeats."""
        return median(self.seconds)


def of_runs(counts: Sequence[int], repeats: int) -> list[Series]:
    """Seconds of that many runs of digits-mlp, as long as it says, on all cores."""
    ours = Ours(Subject("digits-mlp", 64), max(counts))
    taken: dict[int, list[float]] = {count: [] for count in counts}
    try:
        for _ in range(repeats):
            for count, seconds in taken.items():
                seconds.append(ours.train(range(count))[0])
        return [Series(count, seconds, ours.plan.width) for count, seconds in taken.items()]
    finally:
        ours.close()


def of_parameters(width: int, repeats: int) -> Series:
    """Seconds that one core takes for a step of one run, while all cores are at work.

    Every tenth step the network is evaluated on 719 rows, as in a race of digits-mlp.
    """
    subject = Subject("digits-mlp", width)
    parameters = width * (width + 76) + 10
    steps = max(10, min(990, int(STEP_NUMBERS / parameters) // 10 * 10))
    ours = Ours(subject, period=10, steps=steps)
    try:
        assert ours.plan.facts.parameters == parameters
        runs = range(len(ours.setting.weights))
        seconds = [ours.train(runs)[0] for _ in range(repeats)]
        each = [s * len(CORES) / (len(runs) * ours.plan.steps) for s in seconds]
        return Series(parameters, each, ours.plan.width)
    finally:
        ours.close()
