"""Runs of one rule that wait for each other, so that some of them can be stopped."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ravine.experiment.plan import Run, repetition_of


class RungTracker:
    """Where each run is: how many of its segments are done, and whether it waits there.

    After as many segments as are in ``gates`` a run waits until all the others are as far. One that
    fell back, because a file of its was lost, passes the gates where the others are through.

    Runs are counted where they are: what an arrival takes does not grow with how many there are.
    """

    def __init__(self, runs: Iterable[Run], done: Mapping[str, int], gates: Iterable[int]) -> None:
        self._runs = {run.id: run for run in runs}
        self.gates = frozenset(gates)
        self.done = {id_: done.get(id_, 0) for id_ in self._runs}
        self._at = Counter(self.done.values())  # how many have so many segments done
        self._waiting: dict[int, dict[str, Run]] = {gate: {} for gate in self.gates}
        for run in self._runs.values():
            self._wait(run)

    def arrive(self, runs: Iterable[Run], done: int) -> None:
        """These runs have so many segments done."""
        self.go_back(runs, done)
        for run in runs:
            self._wait(run)

    def go_back(self, runs: Iterable[Run], done: int) -> None:
        """These are on their way again from where so many segments were done."""
        for run in runs:
            self._leave(run)
            self.done[run.id] = done
            self._at[done] += 1

    def leave(self, runs: Iterable[Run]) -> None:
        """These go no further: nobody waits for them."""
        for run in runs:
            del self._runs[run.id]
            self._leave(run)

    def moving(self) -> list[Run]:
        """Those that wait for nobody."""
        waiting = set[str]().union(*self._waiting.values())
        return [run for run in self._runs.values() if run.id not in waiting]

    def gathered(self) -> tuple[Sequence[Run], bool]:
        """Those whose wait is over; and whether it is yet to be decided who of them goes on."""
        last = min(self._at, default=0)
        waiting = self._waiting.get(last, {})
        alone = len(waiting) == len(self._runs)
        if not alone and self._at[last] == len(self._runs):
            return [], False  # some are on their way here
        here = [*(self._runs if alone else waiting).values()]
        waiting.clear()
        return here, alone

    def _wait(self, run: Run) -> None:
        if self.done[run.id] in self.gates:
            self._waiting[self.done[run.id]][run.id] = run

    def _leave(self, run: Run) -> None:
        """It is no longer where it was."""
        was = self.done[run.id]
        self._waiting.get(was, {}).pop(run.id, None)
        self._at[was] -= 1
        if not self._at[was]:
            del self._at[was]


def group_of(run: Run) -> tuple[str, int]:
    """Runs that may wait for each other: of one rule, and of one repetition, which
    knows no other.
    """
    return run.rule, repetition_of(run.seed)
