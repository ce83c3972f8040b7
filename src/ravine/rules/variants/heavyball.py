"""Momentum whose velocity holds the steps themselves: past ones keep the rate they had."""

from ravine.rules.momentum import Velocity
from ravine.rules.update_rule import Array, Rule, hyper, rule


@rule
class HeavyBall(Rule):
    """Polyak 1964, the heavy ball: the learning rate goes into the velocity.

    While the rate stays this is ``momentum(dampening=0)``; once it changes, a past gradient keeps
    the rate of its own step. https://doi.org/10.1016/0041-5553(64)90137-5

    Differs: Keras's SGD is this; PyTorch, Optax and TF1 multiply the velocity by the rate.
    """

    learning_rate: float = hyper(
        1e-2, "length of a step per unit of slope", unit="w/g", valid="> 0", search=(1e-4, 1.0)
    )
    momentum: float = hyper(0.9, "memory of the velocity, β", valid="[0, 1)")

    def init(self, w: Array) -> Velocity:
        return Velocity(V=0 * w)

    def update(self, w: Array, g: Array, state: Velocity, t: float) -> tuple[Array, Velocity]:
        V = self.momentum * state.V + self.learning_rate * g
        return w - V, Velocity(V)


@rule
class HeavyBallNesterov(HeavyBall):
    """Nesterov's momentum in one gradient: Bengio et al. 2013, equation 7.

    w is the point ahead of Sutskever et al. 2013, equations 3 and 4, where the learning rate is
    inside the velocity: the same path, whatever the rate does. https://arxiv.org/abs/1212.0901

    Differs: Keras's SGD(nesterov=True) is this; the others are ``rewrittennesterov``.
    """

    def update(self, w: Array, g: Array, state: Velocity, t: float) -> tuple[Array, Velocity]:
        step = self.learning_rate * g
        V = self.momentum * state.V + step
        return w - (self.momentum * V + step), Velocity(V)
