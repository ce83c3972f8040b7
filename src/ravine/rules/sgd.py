"""Gradient descent: a step downhill."""

from ravine.rules.update_rule import Array, Rule, State, hyper, rule


@rule
class SGD(Rule):
    """Cauchy 1847; on minibatches Robbins & Monro 1951. https://doi.org/10.1214/aoms/1177729586

    Differs: nowhere; Keras's default learning rate is 1e-2, PyTorch's 1e-3.
    """

    learning_rate: float = hyper(
        1e-2, "length of a step per unit of slope", unit="w/g", valid="> 0", search=(1e-3, 10.0)
    )

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        return w - self.learning_rate * g, state
