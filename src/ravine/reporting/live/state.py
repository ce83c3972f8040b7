"""What a display knows of a race that runs."""

import math
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ravine.analysis import SMOOTHING, VALIDATION
from ravine.experiment.cost import Cost, estimate, left, share_done
from ravine.experiment.curve import Curve
from ravine.experiment.plan import CONTENDER, Plan, Run

NOTHING: Any = np.zeros(0, np.float32)
CURVES = 32  # of a learning rate, that its picture is the median of
STAGES = {"tuning": "tuning"}  # all others are judging
JUDGING = "judging on evaluation seeds"


class Row(NamedTuple):
    """How one rule stands."""

    rule: str
    learning_rate: float | None  # the best so far, once one has all its tuning seeds
    loss: float | None  # its median final validation loss
    curve: Sequence[float]  # validation loss from before step one; of the best run before that
    runs: int  # that are over
    of: int
    diverged: int


class Tried:
    """A learning rate in tuning. Of many runs all final losses are kept, and the first curves."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._ends = array("d")
        self._curves: list[Any] = []
        self.best: tuple[float, Any] = math.inf, NOTHING  # the luckiest run
        self.whole: tuple[float, Any] | None = None  # the median final loss and curve, of all seeds

    def add(self, end: float, curve: Any) -> None:
        """One more run of it is over; not finite counts as infinite."""
        end = end if math.isfinite(end) else math.inf
        if not self._ends or end < self.best[0]:
            self.best = end, curve
        self._ends.append(end)
        if len(self._curves) < CURVES:
            self._curves.append(curve)
        if len(self._ends) == self._seeds:
            shortest = min(map(len, self._curves))  # some may have been stopped early
            together = np.stack([one[:shortest] for one in self._curves])
            self.whole = float(np.median(self._ends)), np.median(together, axis=0)
            self._curves.clear()


@dataclass
class State:
    """A race, or a check of one, as far as it has come. Times are of one clock, in seconds.

    Of a run that is over, only what its learning rate needs is kept.
    """

    plan: Plan
    runs: Mapping[str, int]  # of each rule, how many there are going to be, as far as was planned
    cost: Cost | None = None
    began: float = 0.0
    stage: str = "tuning"
    kept: int = 0  # runs that were stored before
    done: int = 0
    _steps: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # of each stage
    _kept_share: float = 0.0
    _going: dict[Run, tuple[int, Any]] = field(default_factory=dict)  # steps done, losses
    _tried: dict[str, dict[float, Tried]] = field(default_factory=lambda: defaultdict(dict))
    _over: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _tuned: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # of those, in tuning
    _contending: dict[str, set[Run]] = field(default_factory=lambda: defaultdict(set))
    _ended: bool = False
    _diverged: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def count(self) -> int:
        """How many runs there are going to be, as far as is known."""
        return sum(map(self._of, self.runs))

    def end(self) -> None:
        """All that was wanted is done."""
        self._ended = True

    def extend(self, plan: Plan) -> None:
        """The grids have grown."""
        self.plan, self.runs = plan, runs_of(plan)

    def stored(self, curves: Sequence[Curve], now: float) -> None:
        """These were there before."""
        for curve in curves:
            self.advance([curve.run], 0, curve.run.steps, [curve.measures])
            self.finish(curve.run, curve.measures[1:])
        self.kept, self.began = self.done, now
        self._kept_share = self.share

    def advance(
        self, runs: Sequence[Run], segment: int, steps: int, measures: Sequence[Any]
    ) -> None:
        """See ``ProgressListener``."""
        for run, measured in zip(runs, measures, strict=True):
            done, before = self._going.get(run, (0, NOTHING))
            self._steps[run.stage] += steps - done
            if run.stage == CONTENDER:
                self._contending[run.rule].add(run)
            losses = np.asarray(measured[:, VALIDATION, 0], np.float32)
            self._going[run] = steps, np.concatenate([before[: None if segment else 0], losses])

    def finish(self, run: Run, measures: Any) -> None:
        """See ``ProgressListener``."""
        done, losses = self._going.pop(run, (0, NOTHING))
        self._steps[run.stage] += run.steps - done
        self.done += 1
        self._over[run.rule] += 1
        self._tuned[run.rule] += run.stage == "tuning"
        if len(losses):
            now = float(np.mean(losses[-SMOOTHING:]))
            self._diverged[run.rule] += not math.isfinite(now) or now > losses[0]
        self.stage = STAGES.get(run.stage, JUDGING)
        if run.stage == "tuning":
            # What was stopped early, or failed, is told as NaN: such a rate is not chosen.
            end = float(np.mean(measures[-SMOOTHING:, VALIDATION, 0]))
            tried = self._tried[run.rule]
            if run.learning_rate not in tried:
                tried[run.learning_rate] = Tried(
                    self.plan.choices.tuning_seeds * self.plan.choices.repetitions
                )
            tried[run.learning_rate].add(end, losses)

    @property
    def diverged(self) -> int:
        """How many runs have."""
        return sum(self._diverged.values())

    @property
    def share(self) -> float:
        """How much of all the training is done."""
        if self._ended:
            return 1.0
        steps = {stage: n for stage, n in self._steps.items() if stage != CONTENDER}
        spared = self.plan.steps * sum(map(self._spared, self.runs))
        steps["tuning"] = steps.get("tuning", 0.0) + spared
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

    def _spared(self, rule: str) -> int:
        """How many of a rule's tuning runs were not wanted: known once it is judged."""
        tuned = self._tuned[rule]
        return tuning_runs(self.plan, rule) - tuned if 0 < tuned < self._over[rule] else 0

    def _of(self, rule: str) -> int:
        """How many runs of a rule there are going to be."""
        if self._ended:
            return self._over[rule]
        return self.runs[rule] - self._spared(rule) + len(self._contending[rule])

    def _row(self, rule: str) -> Row:
        tried = self._tried.get(rule, {})
        over = self._over[rule], self._of(rule), self._diverged[rule]
        # Medians of all tuning seeds alone: of fewer, the lowest is the luckiest.
        whole = [(one.whole[0], rate) for rate, one in tried.items() if one.whole]
        loss, rate = min(whole, default=(math.inf, math.nan))
        if math.isfinite(loss) and (known := tried[rate].whole):
            return Row(rule, rate, loss, known[1], *over)
        luckiest = min((one.best for one in tried.values()), key=lambda b: b[0], default=None)
        return Row(rule, None, None, NOTHING if luckiest is None else luckiest[1], *over)


def tuning_runs(plan: Plan, rule: str) -> int:
    """How many tuning runs a rule has at most."""
    return plan.choices.repetitions * plan.choices.tuning_seeds * plan.trials_of(rule)


def runs_of(plan: Plan) -> dict[str, int]:
    """How many runs each rule has in a race, at most but for contenders."""
    choices = plan.choices
    runs = {}
    for rule in choices.rules:
        judging = choices.eval_seeds + (plan.references if rule == choices.reference else 0)
        lengths = len(plan.horizons(rule))
        runs[rule] = lengths * (tuning_runs(plan, rule) + choices.repetitions * judging)
    return runs
