"""AMSGrad: Adam whose divisor never shrinks."""

from typing import NamedTuple

from ravine.rules.adam import Adam
from ravine.rules.ops import maximum, power
from ravine.rules.update_rule import Array, State, rule


class Peaks(NamedTuple):
    m: Array  # running mean of g
    v: Array  # running mean of g²
    v_max: Array  # the largest v so far


@rule
class AMSGrad(Adam):
    """Reddi, Kale & Kumar 2018, Algorithm 2, with Adam's bias correction.

    https://openreview.net/forum?id=ryQu7f-RZ

    Differs: Keras and PyTorch have this as ``amsgrad=True``; Optax is ``correctedamsgrad``.
    """

    def init(self, w: Array) -> State:
        return Peaks(m=0 * w, v=0 * w, v_max=0 * w)

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        m = self.beta_1 * state.m + (1 - self.beta_1) * g
        v = self.beta_2 * state.v + (1 - self.beta_2) * g * g
        m_hat = self.mean(m, g, t)
        v_max, v_hat = self.peak(state.v_max, v, t)
        return w - self.learning_rate * m_hat / self.divisor(v_hat, t), Peaks(m, v, v_max)

    def peak(self, v_max: Array, v: Array, t: float) -> tuple[Array, Array]:
        """The largest v so far, and v̂."""
        v_max = maximum(v_max, v)
        return v_max, v_max / (1 - power(self.beta_2, t))


@rule
class CorrectedAMSGrad(AMSGrad):
    """Reddi, Kale & Kumar 2018, with the largest of the corrected mean squares.

    https://openreview.net/forum?id=ryQu7f-RZ

    Differs: Optax is this; Keras and PyTorch are ``amsgrad``.
    """

    def peak(self, v_max: Array, v: Array, t: float) -> tuple[Array, Array]:
        v_hat = v / (1 - power(self.beta_2, t))
        v_max = maximum(v_max, v_hat)
        return v_max, v_max
