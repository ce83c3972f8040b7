"""Nesterov as the article prints it, so that the explorer can show what the slip does."""

from ravine.rules import Nesterov
from ravine.rules.update_rule import Array, State, rule


@rule
class NesterovAsPrinted(Nesterov):
    """Nesterov with the gradient at w + βV, as printed in the article that ravine grew out of.

    V points uphill, so that is a point behind the walker, and not scaled by the learning rate:
    compare ``ravine.Nesterov``, which looks ahead to w − αβV.
    """

    def lookahead(self, w: Array, state: State, t: float) -> Array:
        """Behind the weights, uphill."""
        return w + self.momentum * state.V
