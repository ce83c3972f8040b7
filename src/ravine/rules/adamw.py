"""AdamW: Adam that also shrinks the weights, by a share that the gradients have no say in."""

from ravine.rules.adam import Adam
from ravine.rules.update_rule import Array, State, hyper, rule


@rule
class AdamW(Adam):
    """Loshchilov & Hutter 2019, Algorithm 2, the decay scaled by the learning rate.

    Biases and scales are decayed too, as by default everywhere. https://arxiv.org/abs/1711.05101

    Differs: the paper scales the decay by the schedule alone; every framework by the whole rate.
    Keras decays by 0.004, Optax by 1e-4, PyTorch by 0.01, and Keras has the paper's ε̂.
    """

    weight_decay: float = hyper(
        1e-2, "share of w lost per learning rate", unit="1/w", valid=">= 0", search=(1e-5, 1.0)
    )

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        w = w - self.learning_rate * self.weight_decay * w
        return super().update(w, g, state, t)
