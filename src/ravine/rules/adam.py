"""Adam: the mean gradient, divided by the root mean square gradient."""

from typing import NamedTuple

from ravine.rules.ops import power, sqrt
from ravine.rules.update_rule import Array, Rule, State, hyper, rule


class Moments(NamedTuple):
    m: Array  # running mean of g
    v: Array  # running mean of g²


@rule
class Adam(Rule):
    """Kingma & Ba 2015, Algorithm 1. https://arxiv.org/abs/1412.6980

    Differs: Keras and TF1 add epsilon before the bias correction (the paper's ε̂), default 1e-7 and
    1e-8. Optax can have one inside the root too.
    """

    floors = ("epsilon", "epsilon_hat", "epsilon_root")
    learning_rate: float = hyper(
        1e-3, "length of a step", unit="w", valid="> 0", search=(1e-5, 1e-1)
    )
    beta_1: float = hyper(0.9, "memory of the mean", valid="[0, 1)", search=(0.5, 0.99))
    beta_2: float = hyper(0.999, "memory of the square", valid="[0, 1)", search=(0.9, 0.9999))
    epsilon: float = hyper(
        1e-8, "floor under the divisor", unit="g", valid=">= 0", search=(1e-12, 1e-2)
    )
    epsilon_hat: float = hyper(0.0, "the same before bias correction", unit="g", valid=">= 0")
    epsilon_root: float = hyper(0.0, "the same inside the root", unit="g^2", valid=">= 0")

    def init(self, w: Array) -> State:
        return Moments(m=0 * w, v=0 * w)

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        m = self.beta_1 * state.m + (1 - self.beta_1) * g
        v = self.beta_2 * state.v + (1 - self.beta_2) * g * g
        m_hat = self.mean(m, g, t)
        v_hat = v / (1 - power(self.beta_2, t))
        return w - self.learning_rate * m_hat / self.divisor(v_hat, t), Moments(m, v)

    def mean(self, m: Array, g: Array, t: float) -> Array:
        """m̂: m without its bias to the zero that it started from."""
        return m / (1 - power(self.beta_1, t))

    def divisor(self, v_hat: Array, t: float) -> Array:
        """√v̂ + ε; ε̂ is felt most in the first steps."""
        floor = self.epsilon + self.epsilon_hat / sqrt(1 - power(self.beta_2, t))
        return sqrt(v_hat + self.epsilon_root) + floor
