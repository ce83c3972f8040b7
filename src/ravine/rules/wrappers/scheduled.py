"""Scheduled: the learning rate follows a curve over the steps of the training."""

from typing import Any

from ravine.errors import unknown
from ravine.rules.ops import is_number, maximum, minimum
from ravine.rules.schedules import SCHEDULES
from ravine.rules.update_rule import Array, Rule, State, hyper, rule
from ravine.rules.wrappers.wrapper import Wrapper, rate


@rule
class Scheduled(Wrapper):
    """The factors of ``ravine.rules.schedules``, as Goyal et al. 2017 warm up: section 2.2.

    Step t has the factor at (t − 1) / T: the first takes the whole rate. Warm-up counts the steps
    done, so that no step is wasted on a rate of 0. Past step T the rate stays at its end, or, where
    that is 0, at 1e-30 of the whole. https://arxiv.org/abs/1706.02677

    Differs: Keras and Optax warm up from 0, a step later.
    """

    schedule: str = hyper("cosine", "constant, linear, cosine, exponential, inverse or step")
    steps: float = hyper(
        1000.0, "steps until the end; in a race as long as that, unless set, T", valid=">= 1"
    )
    warmup: float = hyper(0.0, "share of the steps to warm up", valid="[0, 1)")
    end: float | None = hyper(
        None,
        "share of the rate left at the end; None: 0 in a line or cosine, otherwise 0.01",
        valid="(0, 1]",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)

    def at(self, t: Any) -> Rule:
        """The held rule at the learning rate of step ``t``."""
        alpha = self.rule.learning_rate * self._factor(t)
        return self.rule.replace({"learning_rate": alpha})

    def _factor(self, t: Any) -> Any:
        q = minimum(t - 1, self.steps) / self.steps
        ramp = 1.0
        if not (is_number(self.warmup) and self.warmup == 0):
            q = maximum(q - self.warmup, 0.0) / (1 - self.warmup)
            done = minimum(t, self.steps) / self.steps
            ramp = done / maximum(done, self.warmup)
        end = {} if self.end is None else {"end": self.end}
        return ramp * _above_0(SCHEDULES[self.schedule](q, **end))

    def lookahead(self, w: Array, state: State, t: float) -> Array:
        return self.at(t).lookahead(w, state, t)

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        return self.at(t).update(w, g, state, t)

    def read(self, w: Array, state: State, t: float) -> Array:
        return self.at(maximum(t, 1.0)).read(w, state, t)  # may be asked before step one

    def rate(self, w: Array, t: Any) -> Any:
        return rate(self.at(t), w, t)


def _above_0(x: Any) -> Any:
    """A factor as it is; no rule takes the plain number 0 as its rate."""
    return 1e-30 if is_number(x) and x == 0 else x
