"""The two momentum forms: one path at a constant learning rate, two once it changes.

The mean form, V := βV + (1−β)g, is the article's; the sum form, V := βV + g, that of PyTorch and
Optax. With the sum form's learning rate (1−β) times the mean form's they walk the same path. A
third form keeps the learning rate inside the velocity, as Keras does: V := βV − αg, w := w + V.
It is the sum form too, until α changes: then what is already under way keeps its old pace.
"""

from typing import Any

import numpy as np

import ravine

BETA = 0.9
HESSIAN = np.array([[10.0, 2.0], [2.0, 6.0]])  # of 5x² + 2xy + 3y²


@ravine.rule
class RateInside(ravine.Rule):
    """Keras's spelling of momentum."""

    learning_rate: float = ravine.hyper(0.01, "length of a step", unit="w/g", valid="> 0")
    momentum: float = ravine.hyper(BETA, "memory of the steps, β", valid="[0, 1)")

    def init(self, w: Any) -> Any:
        return 0 * w

    def update(self, w: Any, g: Any, state: Any, t: float) -> Any:
        V = self.momentum * state - self.learning_rate * g
        return w + V, V


def path(rule: ravine.Rule, rates: list[float]) -> np.ndarray:
    """Where a rule goes from (1, 1) when its learning rate is that of each step."""
    w = np.array([1.0, 1.0])
    state = rule.init(w)
    places = [w]
    for t, rate in enumerate(rates, 1):
        now = rule.replace({"learning_rate": rate})
        w, state = ravine.step(now, lambda w: HESSIAN @ w, w, state, t)
        places.append(w)
    return np.array(places)


def gaps(rates: list[float]) -> tuple[float, float]:
    """How far the mean form, and the rate inside, end up from the sum form."""
    total = path(ravine.Momentum(momentum=BETA, dampening=0), rates)
    mean = path(ravine.Momentum(momentum=BETA), [rate / (1 - BETA) for rate in rates])
    inside = path(RateInside(momentum=BETA), rates)
    return float(np.abs(mean - total).max()), float(np.abs(inside - total).max())


if __name__ == "__main__":
    for name, rates in {
        "constant": [0.02] * 60,
        "a tenth from step 11 on": [0.02] * 10 + [0.002] * 50,
    }.items():
        mean, inside = gaps(rates)
        print(f"learning rate {name}:")
        print(f"  mean form, rate / (1−β), against the sum form: {mean:.1e}")
        print(f"  rate inside the velocity, against the sum form: {inside:.1e}")
