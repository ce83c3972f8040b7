"""What the curves of a race say: pure functions over what the store returns.

The protocol: learning rates are tuned on validation data and tuning seeds, for the time to targets
along the reference's curve; rules are compared by that time on test data, with seeds that nothing
was tuned on, in pairs of the same initial weights and batches. See docs/protocol.md.
"""

from ravine.racing.endpoint import SMOOTHING
from ravine.racing.target import TEST, VALIDATION, Target
from ravine.verdict.audits import Audit, period_of
from ravine.verdict.curves import (
    diverged_at,
    ends_at,
    final,
    speedup,
    steps_to,
)
from ravine.verdict.judging import judge
from ravine.verdict.naming import title
from ravine.verdict.performance import PerformanceProfile, performance_profile
from ravine.verdict.protocol import protocol
from ravine.verdict.sensitivity import Sensitivity, Width
from ravine.verdict.stages import due, relevant, widened
from ravine.verdict.standings import Standing, Verdict
from ravine.verdict.statistics import (
    CONFIDENCE,
    Spread,
    fewest_seeds,
    holm,
    median_interval,
    quartiles,
    sign_test,
)
from ravine.verdict.tuning import target_of, tuning_scores
from ravine.verdict.wording import said_ratio, said_speedup, times_the_steps

__all__ = [
    "CONFIDENCE",
    "SMOOTHING",
    "TEST",
    "VALIDATION",
    "Audit",
    "PerformanceProfile",
    "Sensitivity",
    "Spread",
    "Standing",
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
