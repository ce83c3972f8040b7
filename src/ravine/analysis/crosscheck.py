"""Whether a race's curves are those of plain training in a framework of the user's."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ravine.analysis.naming import called, title
from ravine.analysis.repetitions import study_among
from ravine.analysis.replication import Check
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, Run
from ravine.experiment.target import TEST
from ravine.frameworks.names import CALLED

Elsewhere = Mapping[tuple[str, str], tuple[Any, Any, bool]]  # as ``Store.elsewhere`` has it


@dataclass(frozen=True)
class Confirmation(Check):
    """Runs that are done twice: in the race's engine, and in a framework with ``fit``."""

    framework: str
    optimizers: Mapping[str, str]  # of each rule, the line of code

    def runs(self, plan: Plan) -> list[Run]:
        """All that it takes: of a rule whose rate decays the longest, which one would train."""
        return [run for run in super().runs(plan) if run.steps == plan.steps]

    def whole(self, plan: Plan, curves: Sequence[Curve], elsewhere: Elsewhere) -> bool:
        """Whether all of it is stored."""
        there = all((self.framework, run.id) in elsewhere for run in self.runs(plan))
        return there and not self.due(plan, curves)


class Pair(NamedTuple):
    """A rule on a seed, here and there. Infinite where the target was missed."""

    rule: str
    seed: int
    steps: float
    steps_there: float
    seconds_there: float  # of ``fit`` to the target
    building: float  # seconds of these that the first call took for building its graph
    difference: float  # the largest, of the two test losses


@dataclass(frozen=True)
class Confirmed:
    """What came of it."""

    confirmation: Confirmation
    pairs: tuple[Pair, ...]
    period: int
    random: bool  # layers draw while they train: each framework its own numbers
    steps: Any  # (evaluations + 1,)
    curves: Mapping[tuple[str, int], tuple[Any, Any]]  # test losses of a rule and seed, both ways

    @property
    def agreeing(self) -> int:
        """How many pairs reach the target within one evaluation of each other, or both never."""
        return sum(map(self.agrees, self.pairs))

    @property
    def name(self) -> str:
        """The framework as it is written."""
        return CALLED[self.confirmation.framework]

    @property
    def seconds(self) -> dict[str, float]:
        """Of ``fit`` to the target, by rule: the median over the seeds."""
        return self._medians(lambda pair: pair.seconds_there)

    @property
    def seconds_built(self) -> dict[str, float]:
        """The same without building the graph, which is done once however long the training."""
        return self._medians(lambda pair: pair.seconds_there - pair.building)

    def _medians(self, take: Callable[[Pair], float]) -> dict[str, float]:
        return {rule: statistics.median(map(take, self.of(rule))) for rule in self.rules}

    @property
    def rules(self) -> tuple[str, ...]:
        """The winner, then the reference."""
        winner = self.confirmation.rule
        return tuple(sorted(self.confirmation.chosen, key=lambda rule: rule != winner))

    def of(self, rule: str) -> list[Pair]:
        """The pairs of a rule."""
        return [pair for pair in self.pairs if pair.rule == rule]

    def agrees(self, pair: Pair) -> bool:
        """Whether both runs reach the target within one evaluation of each other, or never."""
        return pair.steps == pair.steps_there or abs(pair.steps - pair.steps_there) <= self.period

    @property
    def saved(self) -> str:
        """What of the reference's time the winner saves there, in words; empty without one."""
        if len(self.rules) == 1:
            return ""
        rule, reference = self.rules
        whole, built = self.seconds, self.seconds_built
        said = (
            f"{title(rule)} was at the target {_after(whole[rule])} of fit, "
            f"{called(reference)} {_after(whole[reference])}; of these without "
            "what it takes to build the graph, which "
            f"is done once however long one trains, {_after(built[rule])} and "
            f"{_after(built[reference])}"
        )
        if not all(map(math.isfinite, whole.values())):
            return said
        first, then = (1 - found[rule] / found[reference] for found in (whole, built))
        return f"{said}: {_share(first)} in all, {_share(then)} once the graph is built"

    def __str__(self) -> str:
        name = self.name
        gaps = {rule: max(p.difference for p in self.of(rule)) for rule in self.rules}
        listed = ", ".join(f"{title(rule)} {gap:.2g}" for rule, gap in gaps.items())
        said = (
            f"On {name}, by model.fit, {self.agreeing} of {len(self.pairs)} runs on "
            f"{self.confirmation.seeds} unused seeds take as many steps to the target as in the "
            f"race, within one evaluation; largest difference of the test losses: {listed}"
        )
        if self.random:
            said += " (layers draw at random in training, each framework its own numbers: single "
            said += "runs are not to agree)"
        saved = self.saved
        return f"{said}. {saved[0].upper()}{saved[1:]}." if saved else f"{said}."


def confirmed(
    confirmation: Confirmation, plan: Plan, curves: Sequence[Curve], elsewhere: Elsewhere
) -> Confirmed:
    """Pair by pair, from what is stored of it."""
    ids = {run.id for run in confirmation.runs(plan)}
    here = [curve for curve in curves if curve.run.id in ids]
    found = {c.run.id: elsewhere[confirmation.framework, c.run.id] for c in here}
    there = [_as_curve(c, found[c.run.id][0]) for c in here]
    chosen, goal = confirmation.chosen, confirmation.target
    ours, theirs = (study_among(own, plan, chosen, goal) for own in (here, there))
    pairs, drawn = [], {}
    for rule in chosen:
        for seed, curve in ours.fresh[rule].items():
            _, seconds, _ = found[curve.run.id]
            steps = theirs.times[rule][seed]
            both = curve.measures[:, TEST, 0], theirs.fresh[rule][seed].measures[:, TEST, 0]
            drawn[rule, seed] = both
            gap = np.abs(both[0] - both[1])
            gap = gap[np.isfinite(gap)]
            at = float(seconds[int(steps) // plan.period - 1]) if math.isfinite(steps) else math.inf
            largest = float(gap.max()) if gap.size else math.nan
            here_at = ours.times[rule][seed]
            pairs.append(Pair(rule, seed, here_at, steps, at, _building(seconds), largest))
    random = any(random for _, _, random in found.values())
    steps_at = np.arange(plan.evaluations + 1) * plan.period
    return Confirmed(confirmation, tuple(pairs), plan.period, random, steps_at, drawn)


def _building(seconds: Any) -> float:
    """What the first part of a run took beyond the others, which are as many steps each."""
    parts = np.diff(seconds, prepend=0)
    return max(0.0, float(parts[0] - np.median(parts[1:]))) if len(parts) > 1 else 0.0


def _after(seconds: float) -> str:
    return f"after {seconds:.2g} s" if math.isfinite(seconds) else "never"


def _share(saved: float) -> str:
    return f"{saved:.0%} of the time saved" if saved > 0 else "no time saved"


def _as_curve(like: Curve, measures: Any) -> Curve:
    """A run elsewhere, of which the test data were measured alone."""
    both = np.full((len(measures), 2, measures.shape[1]), np.nan, np.float32)
    both[:, TEST] = measures
    return replace(like, losses=np.zeros(0, np.float32), measures=both, failure="")
