"""What each of Keras 3's optimizers is as a rule. Imports no Keras.

The functions have the names, parameters and defaults of the classes in ``keras.optimizers``.
"""

from typing import Any

from ravine import rules
from ravine.errors import InvalidArgument
from ravine.frameworks.translate.call import Reader, number, reader, refused
from ravine.rules import variants
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import Clip, Decay

READERS: dict[str, Reader] = {}


def _common(
    rule: Rule,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
    use_ema: Any = False,
    ema_momentum: Any = 0.99,
    ema_overwrite_frequency: Any = None,
    loss_scale_factor: Any = None,
    gradient_accumulation_steps: Any = None,
    name: Any = None,
) -> Rule:
    refused(
        "it is no part of the step; ravine.to_keras takes it",
        use_ema=use_ema,
        loss_scale_factor=loss_scale_factor,
        gradient_accumulation_steps=gradient_accumulation_steps,
    )
    clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
    clips = {which: number(at, which) for which, at in clips.items() if at is not None}
    if len(clips) > 1:
        raise InvalidArgument(f"Keras allows one of {', '.join(clips)} at a time")
    if weight_decay is not None:
        rule = decayed(rule, number(weight_decay, "weight_decay"))
    return Clip(rule, **clips) if clips else rule


def decayed(rule: Rule, weight_decay: float) -> Rule:
    """The rule with a decoupled decay; there is a name for Adam's."""
    if type(rule) is rules.Adam:
        return rules.AdamW(**rule.values(), weight_decay=weight_decay)
    return Decay(rule, weight_decay=weight_decay)


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
    return rmsprop(learning_rate, rho, epsilon, momentum, centered)


def rmsprop(
    rate: float, rho: float, epsilon: float, momentum: float, centered: bool, first: float = 0.0
) -> Rule:
    """RMSprop as Keras, Optax and TF1 have it; ``first`` is what its mean square starts at."""
    shared = {"learning_rate": rate, "rho": rho, "epsilon": epsilon}
    shared["initial_accumulator_value"] = first
    if momentum or centered:
        return variants.RMSpropHeavyBall(**shared, momentum=momentum, centered=float(centered))
    return rules.RMSprop(**shared)


@_enter
def Adagrad(
    learning_rate: Any = 1e-3, initial_accumulator_value: Any = 0.1, epsilon: Any = 1e-7
) -> Rule:
    return rules.Adagrad(learning_rate, initial_accumulator_value, epsilon)


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
def AdamW(
    learning_rate: Any = 1e-3,
    weight_decay: Any = 0.004,
    beta_1: Any = 0.9,
    beta_2: Any = 0.999,
    epsilon: Any = 1e-7,
    amsgrad: Any = False,
) -> Rule:
    kind = variants.AMSGrad if amsgrad else rules.Adam
    return decayed(kind(learning_rate, beta_1, beta_2, 0, epsilon_hat=epsilon), weight_decay)


@_enter
def Nadam(
    learning_rate: Any = 1e-3, beta_1: Any = 0.9, beta_2: Any = 0.999, epsilon: Any = 1e-7
) -> Rule:
    return rules.Nadam(learning_rate, beta_1, beta_2, epsilon, momentum_decay=1.0)
