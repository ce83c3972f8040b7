"""Nadam: Adam whose mean gradient looks one step ahead."""

from typing import NamedTuple

from ravine.rules.ops import power, sqrt
from ravine.rules.update_rule import Array, Rule, hyper, rule


class ScheduledMoments(NamedTuple):
    m: Array  # running mean of g
    v: Array  # running mean of g²
    product: Array  # μ₁ μ₂ … μₜ, one number for the whole array


@rule
class Nadam(Rule):
    """Dozat 2016, Algorithm 2 with its momentum schedule μₜ = β₁(1 − ½·0.96^(ψt)).

    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    Differs: PyTorch is this rule (ψ = 4e-3); Keras has ψ = 1; Optax has no schedule at all.
    """

    learning_rate: float = hyper(
        2e-3, "length of a step", unit="w", valid="> 0", search=(1e-5, 1e-1)
    )
    beta_1: float = hyper(0.9, "memory of the mean, once warm", valid="[0, 1)", search=(0.5, 0.99))
    beta_2: float = hyper(0.999, "memory of the square", valid="[0, 1)", search=(0.9, 0.9999))
    epsilon: float = hyper(
        1e-8, "floor under the divisor", unit="g", valid="> 0", search=(1e-12, 1e-2)
    )
    momentum_decay: float = hyper(4e-3, "pace of the momentum schedule, ψ", valid=">= 0")

    def init(self, w: Array) -> ScheduledMoments:
        return ScheduledMoments(m=0 * w, v=0 * w, product=1.0)

    def update(
        self, w: Array, g: Array, state: ScheduledMoments, t: float
    ) -> tuple[Array, ScheduledMoments]:
        pace = power(0.96, self.momentum_decay)
        mu = self.beta_1 * (1 - 0.5 * power(pace, t))
        mu_next = self.beta_1 * (1 - 0.5 * power(pace, t + 1))
        product = state.product * mu
        m = self.beta_1 * state.m + (1 - self.beta_1) * g
        v = self.beta_2 * state.v + (1 - self.beta_2) * g * g
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        v_hat = v / (1 - power(self.beta_2, t))
        w = w - self.learning_rate * m_hat / (sqrt(v_hat) + self.epsilon)
        return w, ScheduledMoments(m, v, product)
