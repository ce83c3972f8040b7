"""What each of TensorFlow 1's optimizers is as a rule. Imports no TensorFlow.

The functions have the names, parameters and defaults of the classes in ``tf.train``, which
TensorFlow 2 keeps as ``tf.compat.v1.train``, and of ``tf.contrib.opt.NadamOptimizer``.
"""

from typing import Any

from ravine import rules
from ravine.frameworks.translate.call import Reader, reader
from ravine.frameworks.translate.read_keras import rmsprop
from ravine.rules import variants
from ravine.rules.update_rule import Rule

READERS: dict[str, Reader] = {}


def _common(rule: Rule, use_locking: Any = False, name: Any = None) -> Rule:
    return rule


_enter = reader(READERS, _common)


@_enter
def GradientDescentOptimizer(learning_rate: Any) -> Rule:
    return rules.SGD(learning_rate)


@_enter
def MomentumOptimizer(learning_rate: Any, momentum: Any, *, use_nesterov: Any = False) -> Rule:
    kind = variants.RewrittenNesterov if use_nesterov else rules.Momentum
    return kind(learning_rate, momentum, dampening=0)


@_enter
def AdagradOptimizer(learning_rate: Any, initial_accumulator_value: Any = 0.1) -> Rule:
    return rules.Adagrad(learning_rate, initial_accumulator_value, 0)


@_enter
def RMSPropOptimizer(
    learning_rate: Any,
    decay: Any = 0.9,
    momentum: Any = 0.0,
    epsilon: Any = 1e-10,
    *,
    centered: Any = False,
) -> Rule:
    return rmsprop(learning_rate, decay, epsilon, momentum, centered, first=1.0)


@_enter
def AdamOptimizer(
    learning_rate: Any = 1e-3,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    epsilon: Any = 1e-8,
    *,
    use_own_namescope_for_non_slot_vars: Any = False,
) -> Rule:
    return rules.Adam(learning_rate, beta1, beta2, 0, epsilon_hat=epsilon)


@_enter
def NadamOptimizer(
    learning_rate: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8
) -> Rule:
    return variants.ContribNadam(learning_rate, beta1, beta2, 0, epsilon_hat=epsilon)
