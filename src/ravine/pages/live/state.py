"""What a display knows of a race that runs."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ravine.racing.choices import BASELINE
from ravine.racing.cost import Cost, estimate, left, share_done
from ravine.racing.plan import Plan, Run
from ravine.racing.store import Curve
from ravine.verdict import SMOOTHING, VALIDATION

STAGES = {"tuning": "tuning"}  # all others are judging
JUDGING = "judging on fresh seeds"


class Row(NamedTuple):
    """How one rule stands."""

    rule: str
    learning_rate: float | None  # the best so far, once one has all its tuning seeds
    loss: float | None  # its median final validation loss
    curve: Sequence[float]  # validation loss from before step one; of the best run before that
    runs: int  # that are over
    of: int
    diverged: int


@dataclass
class State:
    """A race, or a check of one, as far as it has come. Times are of one clock, in seconds."""

    plan: Plan
    runs: Mapping[str, int]  # of each rule, how many there are going to be
    cost: Cost | None = None
    began: float = 0.0
    stage: str = "tuning"
    kept: int = 0  # runs that were stored before
    done: int = 0
    _steps: dict[str, dict[Run, int]] = field(default_factory=lambda: defaultdict(dict))
    _kept_share: float = 0.0
    _losses: dict[Run, list[float]] = field(default_factory=dict)  # of those under way
    _ends: dict[str, dict[float, list[float]]] = field(default_factory=dict)
    _curves: dict[tuple[str, float], list[Any]] = field(default_factory=dict)
    _over: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _diverged: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def count(self) -> int:
        """How many runs there are."""
        return sum(self.runs.values())

    def grow(self, plan: Plan) -> None:
        """The grids have grown."""
        self.plan, self.runs = plan, runs_of(plan)

    def stored(self, curves: Sequence[Curve], now: float) -> None:
        """These were there before."""
        for curve in curves:
            self.advance([curve.run], 0, self.plan.horizon(curve.run.stage), [curve.measures])
            self.finish(curve.run, curve.measures[1:])
        self.kept, self.began = self.done, now
        self._kept_share = self.share

    def advance(
        self, runs: Sequence[Run], segment: int, steps: int, measures: Sequence[Any]
    ) -> None:
        """See ``racing.roles.Watcher``."""
        for run, measured in zip(runs, measures, strict=True):
            self._steps[run.stage][run] = steps
            before = [] if segment == 0 else self._losses.get(run, [])
            self._losses[run] = [*before, *map(float, measured[:, VALIDATION, 0])]

    def finish(self, run: Run, measures: Any) -> None:
        """See ``racing.roles.Watcher``."""
        self._steps[run.stage][run] = self.plan.horizon(run.stage)
        self.done += 1
        self._over[run.rule] += 1
        losses = self._losses.pop(run, [])
        if losses:
            now = float(np.mean(losses[-SMOOTHING:]))
            self._diverged[run.rule] += not math.isfinite(now) or now > losses[0]
        self.stage = STAGES.get(run.stage, JUDGING)
        if run.stage == "tuning":
            # What was stopped early, or failed, is told as NaN: such a rate is not chosen.
            end = float(np.mean(measures[-SMOOTHING:, VALIDATION, 0]))
            self._ends.setdefault(run.rule, {}).setdefault(run.learning_rate, []).append(end)
            self._curves.setdefault((run.rule, run.learning_rate), []).append(losses)

    @property
    def diverged(self) -> int:
        """How many runs have."""
        return sum(self._diverged.values())

    @property
    def share(self) -> float:
        """How much of all the training is done."""
        steps = {stage: float(sum(each.values())) for stage, each in self._steps.items()}
        return share_done(self.plan, steps)

    def left(self, now: float) -> float | None:
        """About how many seconds are left; None where there is nothing to go by."""
        if self.done >= self.count:
            return None
        rest = 1 - self._kept_share
        expected = None if self.cost is None else estimate(self.plan, self.cost).seconds * rest
        share = (self.share - self._kept_share) / rest if rest else 1.0
        return left(share, now - self.began, expected)

    def speed(self, now: float) -> float:
        """Runs a second."""
        return (self.done - self.kept) / max(1e-9, now - self.began)

    def rows(self) -> list[Row]:
        """Best first; then those of which no learning rate has all its seeds yet."""
        rows = [self._row(rule) for rule in self.runs]
        known = [row for row in rows if row.loss is not None]
        return sorted(known, key=lambda row: row.loss or 0.0) + [
            row for row in rows if row.loss is None
        ]

    def _row(self, rule: str) -> Row:
        ends = self._ends.get(rule, {})
        seeds = self.plan.choices.seeds * self.plan.choices.studies
        # Medians of all tuning seeds alone: of fewer, the lowest is the luckiest.
        whole = [(_median(e), rate) for rate, e in ends.items() if len(e) == seeds]
        over = self._over[rule], self.runs[rule], self._diverged[rule]
        loss, rate = min(whole, default=(math.inf, math.nan))
        if math.isfinite(loss):
            curve = np.median(_together(self._curves[rule, rate]), axis=0)
            return Row(rule, rate, loss, curve, *over)
        some = [(min(map(_or_inf, e)), rate) for rate, e in ends.items()]
        _, rate = min(some, default=(0.0, math.nan))
        best = min(self._curves.get((rule, rate), [[]]), key=lambda c: _or_inf(c[-1]) if c else 0)
        return Row(rule, None, None, best, *over)


def runs_of(plan: Plan) -> dict[str, int]:
    """How many runs each rule has in a race."""
    choices = plan.choices
    counts = {
        rule: choices.seeds * len(choices.learning_rates[rule])
        + choices.fresh_seeds * len(plan.judged_in(rule))
        for rule in choices.rules
    }
    counts[BASELINE] += plan.references
    return {rule: choices.studies * count for rule, count in counts.items()}


def _together(curves: Sequence[Any]) -> Any:
    """As far as all of them go: some may have been stopped early."""
    shortest = min(map(len, curves))
    return np.stack([curve[:shortest] for curve in curves])


def _median(values: Sequence[float]) -> float:
    return float(np.median([_or_inf(v) for v in values]))


def _or_inf(value: float) -> float:
    return float(value) if math.isfinite(value) else math.inf
