"""Runs of one rule that wait for each other, so that those without hope can be stopped."""

from collections.abc import Iterable, Mapping, Sequence

from ravine.racing.plan import Run, study_of


class Climb:
    """Where each run is: how many of its segments are done, and whether it waits there.

    After as many segments as are in ``gates`` a run waits until all the others are as far. One that
    fell back, because a file of its was lost, passes the gates where the others are through.
    """

    def __init__(self, runs: Iterable[Run], done: Mapping[str, int], gates: Iterable[int]) -> None:
        self.runs = list(runs)
        self.gates = frozenset(gates)
        self.done = {run.id: done.get(run.id, 0) for run in self.runs}
        self._waiting = {id_ for id_, segments in self.done.items() if segments in self.gates}

    def arrive(self, runs: Iterable[Run], done: int) -> None:
        """These runs have so many segments done."""
        for run in runs:
            self.done[run.id] = done
            if done in self.gates:
                self._waiting.add(run.id)

    def go_back(self, runs: Iterable[Run], done: int) -> None:
        """These are on their way again from where so many segments were done."""
        self.done |= {run.id: done for run in runs}

    def leave(self, runs: Iterable[Run]) -> None:
        """These go no further: nobody waits for them."""
        gone = {run.id for run in runs}
        self.runs = [run for run in self.runs if run.id not in gone]
        self._waiting -= gone

    def moving(self) -> list[Run]:
        """Those that wait for nobody."""
        return [run for run in self.runs if run.id not in self._waiting]

    def gathered(self) -> tuple[Sequence[Run], bool]:
        """Those whose wait is over; and whether it is yet to be decided who of them goes on."""
        last = min((self.done[run.id] for run in self.runs), default=0)
        here = [r for r in self.runs if r.id in self._waiting and self.done[r.id] == last]
        alone = len(here) == len(self.runs)
        if not alone and all(self.done[run.id] == last for run in self.runs):
            return [], False  # some are on their way here
        self._waiting -= {run.id for run in here}
        return here, alone


def group_of(run: Run) -> tuple[str, int]:
    """Runs that may wait for each other: of one rule, and of one study, which knows no other."""
    return run.rule, study_of(run.seed)
