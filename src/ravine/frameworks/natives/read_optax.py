"""What each of Optax's optimizers is as a rule. Imports no Optax.

The functions have the names, parameters and defaults of those in ``optax``; a chain may hold one
of them and, around it, clipping and weight decay.
"""

import re
from collections.abc import Callable
from typing import Any

from ravine import rules
from ravine.errors import WrongCall, unknown
from ravine.frameworks.natives.call import Call, Reader, number, reader, refused
from ravine.frameworks.natives.read_keras import decayed
from ravine.frameworks.natives.read_keras import rmsprop as keras_rmsprop
from ravine.rules import variants
from ravine.update_rule import Rule
from ravine.wrapping import L2, Clip, Decay

READERS: dict[str, Reader] = {}


def _common(
    rule: Rule, mu_dtype: Any = None, accumulator_dtype: Any = None, mask: Any = None
) -> Rule:
    kept = "the state of a rule has the type of its arithmetic"
    refused(kept, mu_dtype=mu_dtype, accumulator_dtype=accumulator_dtype)
    refused("wrap the translated optimizer in optax.masked", mask=mask)
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
    refused(
        "no rule of ravine's corrects RMSprop's bias; adam does", bias_correction=bias_correction
    )
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
            raise WrongCall(f"bias_correction_{name}=False: no rule of ravine's leaves that out")
    return variants.CorrectedAMSGrad(learning_rate, b1, b2, eps, epsilon_root=eps_root)


def read_chain(parts: tuple[Any, ...]) -> Rule:
    """An optimizer with clipping and L2 before it, decay after it: ``optax.chain(…)``."""
    rule: Rule | None = None
    before: list[Call] = []
    for part in parts:
        if not isinstance(part, Call):
            raise WrongCall(f"optax.chain: cannot read {part}")
        name = part.name.rpartition(".")[2]
        if name in READERS and rule is None:
            rule = READERS[name](**part.bound(READERS[name]))
        elif name not in _AROUND:
            raise unknown("part of optax.chain", name, [*READERS, *_AROUND])
        elif rule is None:
            before.append(part)
        elif name == "add_decayed_weights":
            # What is added to the update itself: −α λ w.
            share = -_only(part, name)
            rule = Decay(rule, weight_decay=share / rule.learning_rate)
        else:
            raise WrongCall(f"optax.chain: {name} after the optimizer clips its step")
    if rule is None:
        raise WrongCall(f"optax.chain holds no optimizer; known: {', '.join(READERS)}")
    for part in reversed(before):
        name, at = part.name.rpartition(".")[2], _only(part, part.name)
        if name == "clip_by_global_norm" and isinstance(rule, Clip) and not rule.spans_arrays:
            rule = rule.replace({"global_clipnorm": at})  # the order in which a Clip clips
        elif "clip" in name and isinstance(rule, Clip):
            raise WrongCall(
                f"optax.chain: {name} again; read is clip_by_global_norm first, then clip"
            )
        else:
            rule = _AROUND[name](rule, at)
    return rule


def decays_apart(text: str) -> bool:
    """Whether a chain takes a share of the weights at its end, whatever the learning rate does."""
    return bool(re.search(r"add_decayed_weights\(\s*(weight_decay\s*=\s*)?-", text))


_AROUND: dict[str, Callable[[Rule, float], Rule]] = {
    "add_decayed_weights": lambda rule, x: L2(rule, weight_decay=x),
    "clip": lambda rule, x: Clip(rule, clipvalue=x),
    "clip_by_global_norm": lambda rule, x: Clip(rule, global_clipnorm=x),
}


def _only(part: Call, name: str) -> float:
    values = [*part.arguments, *part.named.values()]
    if len(values) != 1:
        raise WrongCall(f"{name} is read with one number, not {len(values)}")
    return number(values[0], name)
