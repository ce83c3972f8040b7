"""Whose turn it is: what waits to be run, by program, and which of it a worker gets."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from ravine.execution.artifacts import Artifacts
from ravine.storage.work_files import DATA, program_file, weights_file
from ravine.training.run_batches import RunBatch


class ReadyQueue:
    """The packs that wait, and which programs each worker has compiled.

    Whatever waits for a file is looked at again when that file is there, not before: what it takes
    to hand out work does not grow with the length of the queue.
    """

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._packs: dict[str, deque[RunBatch]] = {}  # by program; none of them empty
        self._blocked: dict[str, list[RunBatch]] = {}  # by a file that is still to be made
        self._compiled: dict[int, set[str]] = {}
        self._compilers: Counter[str] = Counter()  # how many workers have compiled a program

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._packs or self._blocked)

    def add(self, packs: Iterable[RunBatch], first: bool = False) -> None:
        """These wait too: before all others of their program, or behind them."""
        packs = list(packs)
        for pack in reversed(packs) if first else packs:
            queue = self._packs.setdefault(program_file(pack.rule, pack.width), deque())
            (queue.appendleft if first else queue.append)(pack)

    def next(self, worker: int) -> RunBatch | None:
        """Rather what this worker has compiled, then what nobody has: each compiles its share."""
        made, mine = self._artifacts, self._compiled.get(worker, ())
        there = [p for p in self._packs if p not in made.missing and p not in made.hopeless]
        for program in sorted(there, key=lambda p: (p not in mine, p in self._compilers)):
            while program in self._packs:
                pack = self._first(program)
                if (file := self._lacks(pack)) is None:
                    return pack
                self._blocked.setdefault(file, []).append(pack)
        return None

    def compiles(self, worker: int, program: str) -> bool:
        """Note that a worker gets a program; whether it has to compile it."""
        compiled = self._compiled.setdefault(worker, set())
        if program in compiled:
            return False
        compiled.add(program)
        self._compilers[program] += 1
        return True

    def died(self, worker: int) -> None:
        """What it had compiled is gone with it."""
        self._compilers -= Counter(self._compiled.pop(worker, ()))

    def made(self, files: Iterable[str]) -> None:
        """These files are there: what waited for them is where it was, at the front."""
        for file in files:
            self.add(self._blocked.pop(file, ()), first=True)

    def hopeless(self) -> Iterator[tuple[RunBatch, str]]:
        """What is left because its program cannot be traced, and why not; it waits no longer."""
        for program in list(self._packs):
            while program in self._packs:
                yield self._first(program), self._artifacts.hopeless[program]

    def _first(self, program: str) -> RunBatch:
        """The first that waits for a program, which waits no longer."""
        packs = self._packs[program]
        pack = packs.popleft()
        if not packs:
            del self._packs[program]
        return pack

    def _lacks(self, pack: RunBatch) -> str | None:
        """A file that it needs and that is still to be made."""
        missing = self._artifacts.missing
        if not missing:
            return None
        needed = (DATA, *(weights_file(run.seed) for run in pack.runs))
        return next((file for file in needed if file in missing), None)
