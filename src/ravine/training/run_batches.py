"""Runs that advance together, and what becomes of them when their worker dies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ravine.experiment.plan import Run

RETRIES = 3


@dataclass(eq=False)
class RunBatch:
    """Up to ``width`` runs of one rule, the lanes of one program."""

    runs: Sequence[Run]
    width: int
    segment: int = 0  # the next to be done
    deaths: int = 0  # of workers, over this segment

    @property
    def rule(self) -> str:
        """The rule that all of them run."""
        return self.runs[0].rule

    def after_death(self) -> "list[RunBatch]":
        """What to try after one more worker died over it; nothing when enough was tried.

        First the same once more: a worker that somebody killed must not change a curve. Then with
        half the lanes, which need less memory, from the first step on.
        """
        deaths = self.deaths + 1
        if deaths > RETRIES:
            return []
        if deaths == 1 or self.width == 1:
            return [RunBatch(self.runs, self.width, self.segment, deaths)]
        half = self.width // 2
        return [RunBatch(part, half, 0, deaths) for part in _parts(self.runs, half)]


def packed(
    runs: Sequence[Run], segments: Mapping[str, int], widths: Mapping[str, int], width: int
) -> Iterator[RunBatch]:
    """Runs of one rule as packs.

    Together go those of one stage and length that wait for the same segment, 0 where ``segments``
    has no entry for a run's id, with as many lanes: ``width`` but for the runs whose ids are in
    ``widths``.
    """
    groups: dict[tuple[str, int, int, int], list[Run]] = {}
    for run in runs:
        key = run.stage, run.steps, segments.get(run.id, 0), widths.get(run.id, width)
        groups.setdefault(key, []).append(run)
    for (_, _, segment, lanes), group in groups.items():
        for part in _parts(group, lanes):
            yield RunBatch(part, lanes, segment)


def _parts(runs: Sequence[Run], size: int) -> Iterator[Sequence[Run]]:
    return (runs[i : i + size] for i in range(0, len(runs), size))
