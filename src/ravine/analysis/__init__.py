"""What the curves of a race say: pure functions over what the store returns.

The protocol: learning rates are tuned on validation data and tuning seeds, for the time to targets
along the reference's curve; rules are compared by that time on test data, with seeds that nothing
was tuned on, in pairs of the same initial weights and batches. See docs/protocol.md.
"""

from ravine.analysis.audits import Audit, period_of
from ravine.analysis.curves import diverged_at, ends_at, final, speedup, steps_to
from ravine.analysis.judging import judge
from ravine.analysis.naming import title
from ravine.analysis.performance import PerformanceProfile, performance_profile
from ravine.analysis.protocol import protocol
from ravine.analysis.results import RuleResult, Verdict
from ravine.analysis.sensitivity import Sensitivity, Width
from ravine.analysis.stages import due, relevant, widened
from ravine.analysis.statistics import (
    CONFIDENCE,
    Spread,
    fewest_seeds,
    holm,
    median_interval,
    quartiles,
    sign_test,
)
from ravine.analysis.text import said_ratio, said_speedup, times_the_steps
from ravine.analysis.tuning import target_of, tuning_scores
from ravine.experiment.endpoint import SMOOTHING
from ravine.experiment.target import TEST, VALIDATION, Target

__all__ = [
    "CONFIDENCE",
    "SMOOTHING",
    "TEST",
    "VALIDATION",
    "Audit",
    "PerformanceProfile",
    "RuleResult",
    "Sensitivity",
    "Spread",
    "Target",
    "Verdict",
    "Width",
    "diverged_at",
    "due",
    "ends_at",
    "fewest_seeds",
    "final",
    "holm",
    "judge",
    "median_interval",
    "performance_profile",
    "period_of",
    "protocol",
    "quartiles",
    "relevant",
    "said_ratio",
    "said_speedup",
    "sign_test",
    "speedup",
    "steps_to",
    "target_of",
    "times_the_steps",
    "title",
    "tuning_scores",
    "widened",
]
