"""What a verdict is made of: a standing for each rule, and what they come to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ravine.analysis.audits import Audit
from ravine.analysis.comparing import EQUAL, FASTER, SLOWER, UNDECIDED
from ravine.analysis.rule_hierarchy import Suspect
from ravine.analysis.sensitivity import Lead, Sensitivity
from ravine.analysis.statistics import Spread
from ravine.analysis.targets import Stretch
from ravine.errors import RavineError
from ravine.experiment.configuration import Configuration
from ravine.experiment.target import SPLITS, TEST, Target

__all__ = ["EQUAL", "FASTER", "SLOWER", "UNDECIDED", "RuleResult", "Verdict"]
GRADIENTS_A_STEP = 1  # of every rule: Nesterov takes its one elsewhere

# What else can be found about a rule.
REFERENCE = "reference"  # itself
NO_DIFFERENCE = "no difference found"  # between values of a lever
TOO_FEW = "too few seeds to claim"
NO_TARGET = "no target"
FALLS_SHORT = "falls short"  # faster at first, but seldom at the target
UNRANKED = "no ranking"  # the race was not fair


@dataclass(frozen=True)
class RuleResult:
    """How a rule did at its chosen learning rate, on the evaluation seeds.

    Of several repetitions, each with a choice of its own, ``configuration`` is the median choice.
    """

    rule: str
    configuration: Configuration
    chosen: tuple[Configuration, ...]  # of each repetition
    hyperparameters: Mapping[str, Any]
    at_edge: bool  # the chosen rate is the smallest or largest tried: a wider grid may do better
    runs: int
    reached: int
    diverged: int
    failed: int  # could not be done: counted as not reaching the target, not as diverged
    finding: str  # FASTER, SLOWER, EQUAL, UNDECIDED, … than the reference
    tied_for_first: bool  # is the first, or the interval against it includes 1
    steps_to_target: Spread  # quartiles; infinite for a run that missed
    speedup: Spread  # over the reference, with its interval; all of them hold together
    step_seconds: float | None  # of one step, where it was measured
    speedup_seconds: Spread | None  # as speedup, where both rules' steps were timed
    final_losses: tuple[float, ...]  # on the test data, by seed
    validation_loss: float  # median over the seeds, one that is not finite being the highest
    final_ratio: Spread | None  # over the reference's, with its interval
    loss_in_seconds: float | None  # median lowest, within the seconds of a run of the reference
    loss_in_seconds_ratio: Spread | None  # as final_ratio
    final_metrics: Mapping[str, float]  # medians over the runs that stayed finite
    state_bytes: float | None  # of optimizer memory a parameter; None: not a rule of ravine's
    sensitivity: Sensitivity  # to the learning rate, from the tuning runs

    @property
    def learning_rate(self) -> float:
        """Of the configuration."""
        return self.configuration.learning_rate

    @property
    def concluded(self) -> bool:
        """Whether something is known of it: pages show what is not more quietly."""
        return self.finding in (FASTER, SLOWER, EQUAL, FALLS_SHORT, REFERENCE)

    @property
    def final_loss(self) -> float:
        """The median of the final test losses, one that is not finite being the highest."""
        return finite_or_highest(self.final_losses)

    @property
    def gradients_to_target(self) -> Spread:
        """Minibatch gradients until the target."""
        return self.steps_to_target.times(GRADIENTS_A_STEP)

    @property
    def seconds_to_target(self) -> Spread | None:
        """Seconds of training until the target, evaluation not counted."""
        seconds = self.step_seconds
        return None if seconds is None else self.steps_to_target.times(seconds)


@dataclass(frozen=True)
class Verdict:
    """Who is faster than the reference, by how much, and how sure that is."""

    task: str
    target: float  # a test loss, unless ``measure`` is another; the last of the band
    standings: tuple[RuleResult, ...]  # best first
    sentence: str
    warnings: tuple[str, ...]
    reference: str = "sgd"
    measure: str = "loss"
    split: str = SPLITS[TEST]  # of the data that it is measured on
    rising: bool = False  # whether the target is reached from below
    repetitions: int = 1  # above 1 intervals are over repetitions, not over seeds
    band: tuple[float, ...] = ()  # the targets that times were taken to; of the first repetition
    # Speed-ups of any rule over any other, by both; all of them hold together.
    pairs: Mapping[tuple[str, str], Spread] = field(default_factory=dict)
    # Undecided rules of which more would be known if they were the only ones, and what that is.
    alone: Mapping[str, str] = field(default_factory=dict)
    leads_by_target: tuple[Stretch, ...] = ()  # of the evaluation runs
    leads_by_tries: tuple[Lead, ...] = ()  # of the tuning runs
    suspects: tuple[Suspect, ...] = ()
    ends_lower: Mapping[str, Spread] = field(
        default_factory=dict
    )  # than the leader, whose loss is so many times
    to_take: str = ""  # the rule that is recommended, where that is not the leader
    in_seconds: str = ""  # what the seconds contradict: not the same on every machine
    audits: tuple[Audit, ...] = ()

    def __str__(self) -> str:
        return self.sentence

    @property
    def metric(self) -> str:
        """What the target is of, as "test loss"."""
        return f"{self.split} {self.measure}"

    def goal(self, measures: Sequence[str]) -> Target:
        """The target among a task's measures."""
        at, split = measures.index(self.measure), SPLITS.index(self.split)
        return Target(self.target, at, self.rising, split)

    @property
    def refused(self) -> bool:
        """Whether an audit found that the rules cannot be ranked."""
        return any(a.refuses for a in self.audits)

    @property
    def leader(self) -> RuleResult:
        """The rule with the largest speed-up, of those reliably faster if there are any.

        Raises ``RavineError`` where an audit refused to rank.
        """
        if self.refused:
            raise RavineError(f"nobody leads: {self.sentence}")
        return self.standings[0]

    @property
    def recommended(self) -> RuleResult:
        """The rule to take: the leader, or what ``objective`` prefers; see ``endings``.

        Raises ``RavineError`` where an audit refused to rank.
        """
        return next((s for s in self.standings if s.rule == self.to_take), self.leader)

    @property
    def ties(self) -> tuple[str, ...]:
        """The rules that cannot be told apart from the leader."""
        return tuple(s.rule for s in self.standings[1:] if s.tied_for_first)


def finite_or_highest(losses: tuple[float, ...]) -> float:
    """The median, a loss that is not finite being higher than any.

    >>> finite_or_highest((1.0, 2.0, float("nan")))
    2.0
    """
    return float(np.median([loss if math.isfinite(loss) else math.inf for loss in losses]))
