"""RMSProp: AdaGrad that forgets, so that it does not stop."""

from typing import NamedTuple

from ravine.rules.ops import sqrt
from ravine.rules.update_rule import Array, Rule, State, hyper, rule


class MeanSquare(NamedTuple):
    s: Array  # running mean of g²


@rule
class RMSprop(Rule):
    """Tieleman & Hinton 2012, Coursera lecture 6.5, with epsilon inside the root.

    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf

    Differs: Keras uses 1e-7 and Optax 1e-8, both inside; PyTorch 1e-8 outside, and remembers
    0.99; TF1 starts s at 1. Centered and with momentum: ``rmspropheavyball`` and its like.
    """

    floors = ("epsilon", "epsilon_outside")
    learning_rate: float = hyper(
        1e-3, "length of a step", unit="w", valid="> 0", search=(1e-5, 1e-1)
    )
    rho: float = hyper(0.9, "memory of the square, β", valid="[0, 1)", search=(0.5, 0.999))
    epsilon: float = hyper(
        1e-9, "floor under the divisor, inside the root", unit="g^2", valid=">= 0"
    )
    epsilon_outside: float = hyper(0.0, "the same outside the root", unit="g", valid=">= 0")
    initial_accumulator_value: float = hyper(0.0, "s before step one", unit="g^2", valid=">= 0")

    def init(self, w: Array) -> State:
        return MeanSquare(s=0 * w + self.initial_accumulator_value)

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        s = self.rho * state.s + (1 - self.rho) * g * g
        w = w - self.learning_rate * g / (sqrt(s + self.epsilon) + self.epsilon_outside)
        return w, MeanSquare(s)
