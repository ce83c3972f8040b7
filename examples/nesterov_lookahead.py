"""Nesterov looks ahead; the formula as the article prints it looks back.

V is a mean of gradients, so it points uphill, and the step is w := w − αV. The place that momentum
is about to carry w to is therefore w − αβV. The article prints ∇J(w + βV): a point uphill, behind
the walker, and not scaled by α. This prints where each takes its gradient and what becomes of it.
"""

from typing import Any

import numpy as np

import ravine

HESSIAN = np.array([[10.0, 2.0], [2.0, 6.0]])  # of 5x² + 2xy + 3y²


@ravine.rule
class AsPrinted(ravine.Nesterov):
    """Nesterov with the lookahead of the article."""

    def lookahead(self, w: Any, state: Any, t: float) -> Any:
        return w + self.momentum * state.V


def walk(rule: ravine.Rule, steps: int = 60) -> Any:
    """From (1, 1) down the article's own example."""
    f = (lambda w: float(w @ HESSIAN @ w / 2), lambda w: HESSIAN @ w)
    return ravine.descend(rule, f, [1.0, 1.0], steps)


if __name__ == "__main__":
    for name, kind in {"w − αβV": ravine.Nesterov, "w + βV, as printed": AsPrinted}.items():
        for rate in (0.05, 0.5):
            path = walk(kind(learning_rate=rate, momentum=0.9))
            end = "diverges" if path.values[-1] > 10 else f"ends at f = {path.values[-1]:.1e}"
            print(f"{name:20} α = {rate:<5} {end}")
