"""RMSProp with momentum: the normalised gradients add up in a velocity."""

from typing import NamedTuple

from ravine.rules.ops import sqrt
from ravine.rules.rmsprop import RMSprop
from ravine.rules.update_rule import Array, State, hyper, rule


class Accumulated(NamedTuple):
    s: Array  # running mean of g²
    m: Array  # running mean of g
    V: Array  # velocity; it points uphill


@rule
class RMSpropHeavyBall(RMSprop):
    """Graves 2013, equations 38 to 41. https://arxiv.org/abs/1308.0850

    The learning rate goes into the velocity. ``centered=1`` divides by the standard deviation,
    0 by the root mean square.

    Differs: Keras, Optax and TF1 have these as arguments of RMSprop, both off.
    """

    rho: float = hyper(0.95, "memory of the mean and the square, β", valid="[0, 1)")
    epsilon: float = hyper(
        1e-4, "floor under the divisor, inside the root", unit="g^2", valid=">= 0"
    )
    momentum: float = hyper(0.9, "memory of the velocity, μ", valid="[0, 1)")
    centered: float = hyper(1.0, "share of the squared mean taken off s, c", valid="[0, 1]")

    def init(self, w: Array) -> State:
        return Accumulated(s=0 * w + self.initial_accumulator_value, m=0 * w, V=0 * w)

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        s, m, divisor = self.scale(g, state)
        V = self.momentum * state.V + self.learning_rate * g / divisor
        return w - V, Accumulated(s, m, V)

    def scale(self, g: Array, state: State) -> tuple[Array, Array, Array]:
        """The new means of g² and of g, and what g is divided by."""
        s = self.rho * state.s + (1 - self.rho) * g * g
        m = self.rho * state.m + (1 - self.rho) * g
        divisor = sqrt(s - self.centered * m * m + self.epsilon) + self.epsilon_outside
        return s, m, divisor


@rule
class RMSpropNesterov(RMSpropHeavyBall):
    """Graves 2013, https://arxiv.org/abs/1308.0850, with Nesterov's momentum in one gradient.

    Differs: Optax alone has it, as ``optax.rmsprop(momentum=…, nesterov=True)``.
    """

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        s, m, divisor = self.scale(g, state)
        step = self.learning_rate * g / divisor
        V = self.momentum * state.V + step
        return w - (self.momentum * V + step), Accumulated(s, m, V)


@rule
class RMSpropMomentum(RMSpropHeavyBall):
    """Graves 2013, https://arxiv.org/abs/1308.0850, with the learning rate outside the velocity.

    Differs: PyTorch alone has it. With a constant learning rate it is ``rmspropheavyball``.
    """

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        s, m, divisor = self.scale(g, state)
        V = self.momentum * state.V + g / divisor
        return w - self.learning_rate * V, Accumulated(s, m, V)
