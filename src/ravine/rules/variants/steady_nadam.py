"""Nadam without its momentum schedule."""

from ravine.rules.adam import Adam
from ravine.rules.ops import power
from ravine.rules.update_rule import Array, rule


@rule
class SteadyNadam(Adam):
    """Dozat 2016, Algorithm 2 with a constant μ. https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    Differs: Optax's nadam is this; Keras and PyTorch are ``nadam``.
    """

    def mean(self, m: Array, g: Array, t: float) -> Array:
        ahead = self.beta_1 * m / (1 - power(self.beta_1, t + 1))
        return ahead + (1 - self.beta_1) * g / (1 - power(self.beta_1, t))


@rule
class ContribNadam(Adam):
    """Dozat 2016 with a constant μ, both terms corrected as Adam's mean is.

    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    Differs: TensorFlow 1's tf.contrib.opt.NadamOptimizer is this, with the paper's ε̂.
    """

    def mean(self, m: Array, g: Array, t: float) -> Array:
        return (self.beta_1 * m + (1 - self.beta_1) * g) / (1 - power(self.beta_1, t))
