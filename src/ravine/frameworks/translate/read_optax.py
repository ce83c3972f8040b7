"""What each of Optax's optimizers is as a rule. Imports no Optax.

The functions have the names, parameters and defaults of those in ``optax``; a chain may hold one
of them and, around it, clipping and weight decay.
"""

import re
from typing import Any

from ravine import rules
from ravine.errors import InvalidArgument
from ravine.frameworks.translate.call import Reader, reader, refused
from ravine.frameworks.translate.read_keras import decayed
from ravine.frameworks.translate.read_keras import rmsprop as keras_rmsprop
from ravine.rules import variants
from ravine.rules.update_rule import Rule

READERS: dict[str, Reader] = {}
PARTS: dict[str, Reader] = {}  # what a chain may hold in place of an optimizer, at a rate of 1
MASKED = (
    "leave it out, and let the translated optimizer spare the other weights: by "
    "exclude_from_weight_decay in Keras, by weight_decay 0 in their parameter group in PyTorch, by "
    "optax.multi_transform with the same optimizer at weight_decay 0 in Optax"
)


def _common(
    rule: Rule, mu_dtype: Any = None, accumulator_dtype: Any = None, mask: Any = None
) -> Rule:
    kept = "the state of a rule has the type of its arithmetic"
    refused(kept, mu_dtype=mu_dtype, accumulator_dtype=accumulator_dtype)
    refused(MASKED, mask=mask)
    return rule


_enter = reader(READERS, _common)


@_enter
def sgd(learning_rate: Any, momentum: Any = None, nesterov: Any = False) -> Rule:
    if not momentum:
        return rules.SGD(learning_rate)
    kind = variants.RewrittenNesterov if nesterov else rules.Momentum
    return kind(learning_rate, momentum, dampening=0)


@_enter
def adagrad(learning_rate: Any, initial_accumulator_value: Any = 0.1, eps: Any = 1e-7) -> Rule:
    return rules.Adagrad(learning_rate, initial_accumulator_value, eps)


@_enter
def rmsprop(
    learning_rate: Any,
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: Any = True,
    centered: Any = False,
    momentum: Any = None,
    nesterov: Any = False,
    bias_correction: Any = False,
) -> Rule:
    if bias_correction:  # which makes it Adam without a mean
        refused(
            "with bias_correction it is Adam, which has none",
            centered=centered,
            momentum=momentum,
            initial_scale=initial_scale,
        )
        inside, beside = (eps, 0.0) if eps_in_sqrt else (0.0, eps)
        return rules.Adam(learning_rate, 0.0, decay, beside, epsilon_root=inside)
    rule = keras_rmsprop(learning_rate, decay, eps, momentum or 0.0, centered, initial_scale)
    if momentum and nesterov:
        rule = variants.RMSpropNesterov(**rule.values())
    return rule if eps_in_sqrt else rule.replace({"epsilon": 0.0, "epsilon_outside": eps})


def _adam(rate: float, b1: float, b2: float, eps: float, eps_root: float, nesterov: Any) -> Rule:
    kind = variants.SteadyNadam if nesterov else rules.Adam
    return kind(rate, b1, b2, eps, epsilon_root=eps_root)


@_enter
def adam(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    *,
    nesterov: Any = False,
) -> Rule:
    return _adam(learning_rate, b1, b2, eps, eps_root, nesterov)


@_enter
def nadam(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    *,
    nesterov: Any = True,
) -> Rule:
    return _adam(learning_rate, b1, b2, eps, eps_root, nesterov)


@_enter
def adamw(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    *,  # there mu_dtype comes next
    weight_decay: Any = 1e-4,
    nesterov: Any = False,
) -> Rule:
    return decayed(_adam(learning_rate, b1, b2, eps, eps_root, nesterov), weight_decay)


@_enter
def nadamw(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    *,
    weight_decay: Any = 1e-4,
    nesterov: Any = True,
) -> Rule:
    return decayed(_adam(learning_rate, b1, b2, eps, eps_root, nesterov), weight_decay)


@_enter
def amsgrad(
    learning_rate: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    *,
    bias_correction_mu: Any = True,
    bias_correction_nu: Any = True,
) -> Rule:
    for name, on in (("mu", bias_correction_mu), ("nu", bias_correction_nu)):
        if not on:
            raise InvalidArgument(
                f"bias_correction_{name}=False: no rule of ravine's leaves that out"
            )
    return variants.CorrectedAMSGrad(learning_rate, b1, b2, eps, epsilon_root=eps_root)


_part = reader(PARTS, _common)


@_part
def scale_by_adam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    *,  # there mu_dtype comes next
    nesterov: Any = False,
) -> Rule:
    return _adam(1.0, b1, b2, eps, eps_root, nesterov)


@_part
def scale_by_amsgrad(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    *,
    bias_correction_mu: Any = True,
    bias_correction_nu: Any = True,
) -> Rule:
    on = {"bias_correction_mu": bias_correction_mu, "bias_correction_nu": bias_correction_nu}
    return amsgrad(learning_rate=1.0, b1=b1, b2=b2, eps=eps, eps_root=eps_root, **on, **_SAID)


@_part
def scale_by_rms(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: Any = True,
    bias_correction: Any = False,
) -> Rule:
    return _rms(decay, eps, initial_scale, eps_in_sqrt, bias_correction, centered=False)


@_part
def scale_by_stddev(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: Any = True,
    bias_correction: Any = False,
) -> Rule:
    return _rms(decay, eps, initial_scale, eps_in_sqrt, bias_correction, centered=True)


@_part
def scale_by_rss(initial_accumulator_value: Any = 0.1, eps: Any = 1e-7) -> Rule:
    return rules.Adagrad(1.0, initial_accumulator_value, eps)


@_part
def trace(decay: Any, nesterov: Any = False) -> Rule:
    return sgd(learning_rate=1.0, momentum=decay, nesterov=nesterov, **_SAID)


def _rms(
    decay: Any, eps: Any, initial_scale: Any, eps_in_sqrt: Any, bias_correction: Any, centered: bool
) -> Rule:
    return rmsprop(
        learning_rate=1.0,
        decay=decay,
        eps=eps,
        initial_scale=initial_scale,
        eps_in_sqrt=eps_in_sqrt,
        centered=centered,
        momentum=None,
        nesterov=False,
        bias_correction=bias_correction,
        **_SAID,
    )


_SAID: dict[str, Any] = {"mu_dtype": None, "accumulator_dtype": None, "mask": None}


def decays_apart(text: str) -> bool:
    """Whether a chain takes a share of the weights at its end, whatever the learning rate does."""
    return bool(re.search(r"add_decayed_weights\(\s*(weight_decay\s*=\s*)?-", text))
