"""What each of PyTorch's optimizers is as a rule. Imports no PyTorch.

The functions have the names, parameters and defaults of the classes in ``torch.optim``.
"""

from typing import Any

from ravine import rules
from ravine.errors import InvalidArgument
from ravine.frameworks.translate.call import Reader, reader, refused
from ravine.frameworks.translate.read_keras import decayed
from ravine.frameworks.translate.read_schedules import inverse
from ravine.rules import variants
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import L2, Scheduled

READERS: dict[str, Reader] = {}


def _common(
    rule: Rule,
    maximize: Any = False,
    foreach: Any = None,
    fused: Any = None,
    capturable: Any = False,
    differentiable: Any = False,
) -> Rule:
    # The others choose how it is computed, not what.
    refused("negate the loss, or use ravine.to_torch(…, maximize=True)", maximize=maximize)
    return rule


_enter = reader(READERS, _common)


def _l2(rule: Rule, weight_decay: float, decoupled: bool = False) -> Rule:
    if not weight_decay:
        return rule
    return decayed(rule, weight_decay) if decoupled else L2(rule, weight_decay=weight_decay)


@_enter
def SGD(
    lr: Any = 1e-3,
    momentum: Any = 0,
    dampening: Any = 0,
    weight_decay: Any = 0,
    nesterov: Any = False,
) -> Rule:
    rule: Rule
    if nesterov and (momentum == 0 or dampening != 0):
        raise InvalidArgument("PyTorch's nesterov=True needs a momentum, and dampening=0")
    if momentum == 0:
        rule = rules.SGD(lr)
    elif dampening != 0:
        rule = variants.UndampenedMomentum(lr, momentum, dampening)
    else:
        kind = variants.RewrittenNesterov if nesterov else rules.Momentum
        rule = kind(lr, momentum, dampening=0)
    return _l2(rule, weight_decay)


@_enter
def RMSprop(
    lr: Any = 1e-2,
    alpha: Any = 0.99,
    eps: Any = 1e-8,
    weight_decay: Any = 0,
    momentum: Any = 0,
    centered: Any = False,
) -> Rule:
    rule: Rule
    if momentum or centered:
        rule = variants.RMSpropMomentum(
            lr, alpha, 0, epsilon_outside=eps, momentum=momentum, centered=float(centered)
        )
    else:
        rule = rules.RMSprop(lr, alpha, 0, epsilon_outside=eps)
    return _l2(rule, weight_decay)


@_enter
def Adagrad(
    lr: Any = 1e-2,
    lr_decay: Any = 0,
    weight_decay: Any = 0,
    initial_accumulator_value: Any = 0,
    eps: Any = 1e-10,
) -> Rule:
    rule = rules.Adagrad(lr, initial_accumulator_value, 0, epsilon_outside=eps)
    options = inverse("lr_decay", lr, lr_decay).options
    found = _l2(rule, weight_decay)
    return Scheduled(found, **options) if options else found


@_enter
def Adam(
    lr: Any = 1e-3,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0,
    amsgrad: Any = False,
    decoupled_weight_decay: Any = False,
) -> Rule:
    kind = variants.AMSGrad if amsgrad else rules.Adam
    return _l2(kind(lr, betas[0], betas[1], eps), weight_decay, decoupled_weight_decay)


@_enter
def AdamW(
    lr: Any = 1e-3,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 1e-2,
    amsgrad: Any = False,
) -> Rule:
    kind = variants.AMSGrad if amsgrad else rules.Adam
    return decayed(kind(lr, betas[0], betas[1], eps), weight_decay)


@_enter
def NAdam(
    lr: Any = 2e-3,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0,
    momentum_decay: Any = 4e-3,
    decoupled_weight_decay: Any = False,
) -> Rule:
    rule = rules.Nadam(lr, betas[0], betas[1], eps, momentum_decay)
    return _l2(rule, weight_decay, decoupled_weight_decay)
