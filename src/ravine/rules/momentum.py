"""Momentum: a step along the running mean of the gradients."""

from typing import NamedTuple

from ravine.rules.update_rule import Array, Rule, hyper, rule


class Velocity(NamedTuple):
    V: Array  # running mean of g, or its sum; it points uphill


@rule
class Momentum(Rule):
    """Polyak 1964, in the mean form; ``dampening=0`` is the sum form V := βV + g.

    The forms walk one path when the sum form's learning rate is (1 − β) times the mean form's
    and neither changes. https://doi.org/10.1016/0041-5553(64)90137-5

    Differs: PyTorch and Optax have the sum form. Keras keeps the learning rate inside V, which
    is another path once the rate changes. PyTorch does not dampen the first gradient.
    """

    learning_rate: float = hyper(
        1e-2, "length of a step per unit of slope", unit="w/g", valid="> 0", search=(1e-3, 10.0)
    )
    momentum: float = hyper(0.9, "memory of the gradients, β", valid="[0, 1)", search=(0.5, 0.99))
    dampening: float | None = hyper(
        None, "share of a gradient kept out of V; None: β (the mean), 0: the sum", valid="[0, 1]"
    )

    def init(self, w: Array) -> Velocity:
        return Velocity(V=0 * w)

    def update(self, w: Array, g: Array, state: Velocity, t: float) -> tuple[Array, Velocity]:
        dampening = self.momentum if self.dampening is None else self.dampening
        V = self.momentum * state.V + (1 - dampening) * g
        return w - self.learning_rate * V, Velocity(V)
