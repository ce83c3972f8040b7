"""Decay: each step also takes a share of the weights away, which the rule never sees."""

import dataclasses

from ravine.rules.update_rule import Array, Hyper, State, hyper, rule, unit_quotient
from ravine.rules.wrappers.wrapper import Wrapper, rate


@rule
class Decay(Wrapper):
    """Decoupled: Loshchilov & Hutter 2019, Algorithms 1 and 2. https://arxiv.org/abs/1711.05101

    What decays is w, also where the held rule takes its gradient elsewhere. Biases decay as well;
    ``partition(decay(adam), biases=adam)`` spares them.

    Differs: the paper scales λ by the schedule alone; Keras, PyTorch, Optax and this by the whole
    learning rate. Optax subtracts it with the step, which to rounding is the same.
    """

    weight_decay: float = hyper(
        1e-2, "share of w lost per learning rate", valid=">= 0", search=(1e-5, 1.0)
    )

    def hyperparameters(self) -> dict[str, Hyper]:  # type: ignore[override]  # as Wrapper's
        declared = super().hyperparameters()
        # α λ is a pure number.
        unit = unit_quotient("", declared["learning_rate"].unit)
        decay = dataclasses.replace(declared["weight_decay"], unit=unit)
        return {**declared, "weight_decay": decay}

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        w = w - rate(self.rule, w, t) * self.weight_decay * w
        return self.rule.update(w, g, state, t)
