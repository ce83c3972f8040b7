"""L2: the gradient also points away from large weights, as if the loss had a penalty on them."""

from ravine.rules.update_rule import Array, State, hyper, rule
from ravine.rules.wrappers.wrapper import Wrapper


@rule
class L2(Wrapper):
    """The penalty ½λ‖w‖² in the loss: Krogh & Hertz 1991, equation 1.

    Its gradient λw is taken where the loss's is: ahead, if the held rule looks ahead.
    https://proceedings.neurips.cc/paper/1991/hash/8eefcfdf5990e441f0fb6f3fad709e21-Abstract.html

    Differs: PyTorch's ``weight_decay`` is this, but for AdamW's and where its ``decoupled_`` is
    set; Keras has it as ``kernel_regularizer=L2(λ/2)``, Optax as ``add_decayed_weights``.
    """

    changes_gradients = True
    weight_decay: float = hyper(
        1e-4, "strength of the penalty", unit="g/w", valid=">= 0", search=(1e-6, 1e-1)
    )

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        g = g + self.weight_decay * self.rule.lookahead(w, state, t)
        return self.rule.update(w, g, state, t)
