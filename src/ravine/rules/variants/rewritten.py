"""Momentum as PyTorch and Optax compute it: Nesterov in one gradient, a first gradient whole."""

from ravine.rules.momentum import Momentum, Velocity
from ravine.rules.ops import where
from ravine.rules.update_rule import Array, rule


@rule
class RewrittenNesterov(Momentum):
    """Nesterov's momentum in one gradient, with the learning rate outside the velocity.

    w is the point ahead of ``nesterov``, as long as the rate stays. Sutskever et al. 2013,
    https://proceedings.mlr.press/v28/sutskever13.html

    Differs: PyTorch, Optax and TF1 are this with ``dampening=0``; Keras is
    ``heavyballnesterov``.
    """

    def update(self, w: Array, g: Array, state: Velocity, t: float) -> tuple[Array, Velocity]:
        dampening = self.momentum if self.dampening is None else self.dampening
        g = (1 - dampening) * g
        V = self.momentum * state.V + g
        return w - self.learning_rate * (self.momentum * V + g), Velocity(V)


@rule
class UndampenedMomentum(Momentum):
    """Momentum whose first gradient goes into the velocity whole, as in PyTorch.

    Polyak 1964, https://doi.org/10.1016/0041-5553(64)90137-5

    Differs: PyTorch's SGD(momentum=…, dampening=…) is this; nobody else has it.
    """

    def update(self, w: Array, g: Array, state: Velocity, t: float) -> tuple[Array, Velocity]:
        dampening = self.momentum if self.dampening is None else self.dampening
        V = self.momentum * state.V + where(t > 1, (1 - dampening) * g, g)
        return w - self.learning_rate * V, Velocity(V)
