"""The Nesterov of the frameworks walks the true lookahead's path, one place ahead.

PyTorch, Optax and Keras never take a gradient away from the weights they hold. They store the
point ahead, y = w − αβV, take the gradient there and step y := y − α(g + βV), with the new V (the
sum form).
What they call the weights is the lookahead point of the true rule, step for step.
"""

from typing import Any

import numpy as np

import ravine

ALPHA, BETA = 0.02, 0.9
HESSIAN = np.array([[10.0, 2.0], [2.0, 6.0]])  # of 5x² + 2xy + 3y²


@ravine.rule
class Rewritten(ravine.Momentum):
    """One gradient, at the stored weights: as PyTorch and Optax spell Nesterov."""

    def update(self, w: Any, g: Any, state: Any, t: float) -> Any:
        V = self.momentum * state.V + g
        return w - self.learning_rate * (g + self.momentum * V), state._replace(V=V)


def gap(steps: int = 100) -> float:
    """The largest distance between the rewritten path and the true rule's lookahead points."""
    true = ravine.Nesterov(learning_rate=ALPHA, momentum=BETA, dampening=0)
    rewritten = Rewritten(learning_rate=ALPHA, momentum=BETA)
    w = y = np.array([1.0, 1.0])
    V, buffer = true.init(w), rewritten.init(y)
    largest = 0.0
    for t in range(1, steps + 1):
        w, V = ravine.step(true, lambda at: HESSIAN @ at, w, V, t)
        y, buffer = ravine.step(rewritten, lambda at: HESSIAN @ at, y, buffer, t)
        largest = max(largest, float(np.abs(true.lookahead(w, V, t + 1) - y).max()))
    return largest


if __name__ == "__main__":
    print(f"over 100 steps the rewritten form and the true lookahead differ by {gap():.1e}")
