"""Whom a driver works for: who says what is run, and who is told how it goes."""

from collections.abc import Sequence
from typing import Any, Protocol

from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import Aim
from ravine.experiment.plan import Plan, Run


class ProgressListener(Protocol):
    """Who is told how the race goes."""

    def planned(self, plan: Plan, stored: Sequence[Curve]) -> None:
        """The plan is settled, or has grown; some of it may be stored from before."""

    def doing(self, worker: int, what: str) -> None:
        """A worker took something up; empty when it has nothing to do."""

    def advanced(
        self, runs: Sequence[Run], segment: int, steps: int, measures: Sequence[Any]
    ) -> None:
        """Some runs are through a segment, which ended after so many steps.

        What was measured in it of each, (evaluations, splits, measures); in the first segment also
        what was before step one.
        """

    def finished(self, run: Run, measures: Any) -> None:
        """A run is stored: its measurements, (evaluations, splits, measures)."""

    def trouble(self, what: str) -> None:
        """Something went wrong and was dealt with."""


class RaceProtocol(Protocol):
    """Who says what is run: a protocol of comparing. Pure functions of what is stored."""

    def widened(self, plan: Plan, curves: Sequence[Curve]) -> Plan:
        """The plan, over wider grids if those of now prove too narrow."""

    def due(self, plan: Plan, curves: Sequence[Curve]) -> list[Run]:
        """All runs of the first stage that is not whole; none when all is done."""

    def aims(self, plan: Plan, curves: Sequence[Curve]) -> dict[int, Aim]:
        """Of each repetition whose tuning runs may be stopped early: the targets that
        tell which.
        """
