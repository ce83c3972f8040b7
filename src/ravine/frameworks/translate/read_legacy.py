"""What the optimizers of Keras before 2.11 are as rules: ``keras.optimizers.legacy``.

So are those that are given a ``decay``, which Keras 3 does not take. Imports no Keras. RMSprop
without momentum and Adagrad have ε outside the root there, and Nadam has ψ = 0.004.
"""

from typing import Any

from ravine import rules
from ravine.errors import InvalidArgument
from ravine.frameworks.translate import read_keras
from ravine.frameworks.translate.call import Reader, number, reader
from ravine.frameworks.translate.read_schedules import inverse
from ravine.rules import variants
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import Clip, Scheduled

READERS: dict[str, Reader] = {}


def _common(
    rule: Rule,
    decay: Any = 0.0,
    lr: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
    name: Any = None,
) -> Rule:
    if lr is not None:
        rule = rule.replace({"learning_rate": number(lr, "lr")})
    clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
    clips = {which: number(at, which) for which, at in clips.items() if at is not None}
    if len(clips) > 1:
        raise InvalidArgument(f"{', '.join(clips)} together are not read: give one of them")
    rule = Clip(rule, **clips) if clips else rule
    # A share of the learning rate, not of the weights: lr / (1 + decay · steps done).
    options = inverse("decay", 1.0, number(decay, "decay")).options
    return Scheduled(rule, **options) if options else rule


_enter = reader(READERS, _common)


@_enter
def SGD(learning_rate: Any = 0.01, momentum: Any = 0.0, nesterov: Any = False) -> Rule:
    if momentum == 0:
        return rules.SGD(learning_rate)
    kind = variants.HeavyBallNesterov if nesterov else variants.HeavyBall
    return kind(learning_rate, momentum)


@_enter
def RMSprop(
    learning_rate: Any = 1e-3,
    rho: Any = 0.9,
    momentum: Any = 0.0,
    epsilon: Any = 1e-7,
    centered: Any = False,
) -> Rule:
    rule = read_keras.rmsprop(learning_rate, rho, epsilon, momentum, centered)
    return rule if momentum else rule.replace({"epsilon": 0.0, "epsilon_outside": epsilon})


@_enter
def Adagrad(
    learning_rate: Any = 1e-3, initial_accumulator_value: Any = 0.1, epsilon: Any = 1e-7
) -> Rule:
    return rules.Adagrad(learning_rate, initial_accumulator_value, 0, epsilon_outside=epsilon)


@_enter
def Adam(
    learning_rate: Any = 1e-3,
    beta_1: Any = 0.9,
    beta_2: Any = 0.999,
    epsilon: Any = 1e-7,
    amsgrad: Any = False,
) -> Rule:
    kind = variants.AMSGrad if amsgrad else rules.Adam
    return kind(learning_rate, beta_1, beta_2, epsilon=0, epsilon_hat=epsilon)


@_enter
def Nadam(
    learning_rate: Any = 1e-3,
    beta_1: Any = 0.9,
    beta_2: Any = 0.999,
    epsilon: Any = 1e-7,
    *,
    schedule_decay: Any = 0.004,
    decay: Any = 0.0,
) -> Rule:
    if decay:
        raise InvalidArgument(
            "decay: old Keras's Nadam overwrites it with schedule_decay, of momentum"
        )
    return rules.Nadam(learning_rate, beta_1, beta_2, epsilon, momentum_decay=schedule_decay)
