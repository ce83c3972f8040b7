"""Nesterov: momentum that takes its gradient where it is about to arrive."""

from ravine.rules.momentum import Momentum, Velocity
from ravine.rules.update_rule import Array, rule


@rule
class Nesterov(Momentum):
    """Nesterov 1983; as momentum with a lookahead: Sutskever et al. 2013, equations 3 and 4.

    V points uphill, so the point ahead is w − αβV. (The article that ravine grew out of prints
    ∇J(w + βV), which looks back.) https://proceedings.mlr.press/v28/sutskever13.html

    Differs: Keras, PyTorch and Optax store the point ahead as the weights and take one gradient
    there: the same path, read elsewhere, as long as the learning rate stays.
    """

    def lookahead(self, w: Array, state: Velocity, t: float) -> Array:
        return w - self.learning_rate * self.momentum * state.V
