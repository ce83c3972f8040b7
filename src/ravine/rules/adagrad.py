"""AdaGrad: each weight's step shrinks with all the slope it has ever seen."""

from typing import NamedTuple

from ravine.rules.ops import sqrt
from ravine.rules.update_rule import Array, Rule, hyper, rule


class Sum(NamedTuple):
    s: Array  # sum of g²


@rule
class Adagrad(Rule):
    """Duchi, Hazan & Singer 2011, the diagonal form. https://jmlr.org/papers/v12/duchi11a.html

    Differs: Keras, Optax and TF1 start s at 0.1 and use 1e-7, inside the root too (TF1: none);
    PyTorch starts at 0 and adds 1e-10 outside the root. Its lr_decay is a schedule.
    """

    floors = ("initial_accumulator_value", "epsilon", "epsilon_outside")
    learning_rate: float = hyper(
        1e-2, "length of the first step", unit="w", valid="> 0", search=(1e-4, 1.0)
    )
    initial_accumulator_value: float = hyper(0.0, "s before step one", unit="g^2", valid=">= 0")
    epsilon: float = hyper(
        1e-9, "floor under the divisor, inside the root", unit="g^2", valid=">= 0"
    )
    epsilon_outside: float = hyper(0.0, "the same outside the root", unit="g", valid=">= 0")

    def init(self, w: Array) -> Sum:
        return Sum(s=0 * w + self.initial_accumulator_value)

    def update(self, w: Array, g: Array, state: Sum, t: float) -> tuple[Array, Sum]:
        s = state.s + g * g
        w = w - self.learning_rate * g / (sqrt(s + self.epsilon) + self.epsilon_outside)
        return w, Sum(s)
