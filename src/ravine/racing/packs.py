"""Runs that advance together, and what becomes of them when their worker dies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ravine.racing.plan import Run

RETRIES = 3


@dataclass(eq=False)
class Pack:
    """Up to ``width`` runs of one rule, the lanes of one program."""

    runs: Sequence[Run]
    width: int
    segment: int = 0  # the next to be done
    deaths: int = 0  # of workers, over this segment

    @property
    def rule(self) -> str:
        """The rule that all of them run."""
        return self.runs[0].rule

    def after_death(self) -> "list[Pack]":
        """What to try after one more worker died over it; nothing when enough was tried.

        First the same once more: a worker that somebody killed must not change a curve. Then with
        half the lanes, which need less memory, from the first step on.
        """
        deaths = self.deaths + 1
        if deaths > RETRIES:
            return []
        if deaths == 1 or self.width == 1:
            return [Pack(self.runs, self.width, self.segment, deaths)]
        half = self.width // 2
        return [Pack(part, half, 0, deaths) for part in _parts(self.runs, half)]


def packed(runs: Sequence[Run], width: int, narrowed: Mapping[str, int]) -> Iterator[Pack]:
    """Runs of one rule as packs, always the same; ``narrowed`` gives fewer lanes by run id."""
    for part in _parts(runs, width):
        if any(narrowed.get(run.id, width) < width for run in part):
            yield from packed(part, width // 2, narrowed)
        else:
            yield Pack(part, width)


def _parts(runs: Sequence[Run], size: int) -> Iterator[Sequence[Run]]:
    return (runs[i : i + size] for i in range(0, len(runs), size))
