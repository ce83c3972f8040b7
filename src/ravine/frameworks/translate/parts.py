"""A rule taken apart for writing: what it is inside, and what stands around it."""

from typing import Any, NamedTuple

from ravine import rules
from ravine.errors import RavineError
from ravine.rules import variants
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import L2, Clip, Decay, Scheduled

Argument = tuple[Any, Any]  # its value, and the native's default


class Unwritable(RavineError):
    """No optimizer of a framework is anything like the rule; the message says why."""


class Parts(NamedTuple):
    """What a native has arguments for."""

    rule: Rule
    decay: float = 0.0  # decoupled
    penalty: float = 0.0  # L2
    clip: Clip | None = None


def apart(rule: Rule) -> Parts:
    """Clipping first, then weight decay, then a rule that holds no other."""
    if isinstance(rule, Scheduled):
        raise Unwritable("ravine's own optimizers hold the schedule")
    clip = rule if isinstance(rule, Clip) else None
    rule = clip.rule if clip else rule
    decay = penalty = 0.0
    if isinstance(rule, L2):
        penalty, rule = rule.weight_decay, rule.rule
    elif isinstance(rule, Decay):
        decay, rule = rule.weight_decay, rule.rule
    if type(rule) is rules.AdamW and not (decay or penalty):
        values = rule.values()
        decay = values.pop("weight_decay")
        rule = rules.Adam(**values)
    if type(rule) not in {*rules.RULES.values(), *rules.VARIANTS.values()} - {rules.AdamW}:
        raise Unwritable(f"ravine writes {rule.name} as no native")
    if type(rule) is rules.SGD:
        decay = penalty = decay + penalty  # the same, as nothing comes between
    return Parts(rule, decay, penalty, clip)


class Momentum(NamedTuple):
    """A rule of the momentum family in the form with the sum, as the natives have it."""

    rate: float
    momentum: float
    nesterov: bool = False
    dampening: float = 0.0


def momentum(rule: Rule) -> Momentum | None:
    """What a rule is in that form while its learning rate stays; None if of another family."""
    match rule:
        case rules.SGD():
            return Momentum(rule.learning_rate, 0.0)
        case variants.HeavyBall():
            ahead = isinstance(rule, variants.HeavyBallNesterov)
            return Momentum(rule.learning_rate, rule.momentum, ahead)
        case variants.UndampenedMomentum():
            dampening = rule.momentum if rule.dampening is None else rule.dampening
            return Momentum(rule.learning_rate, rule.momentum, dampening=dampening)
        case rules.Momentum():
            dampening = rule.momentum if rule.dampening is None else rule.dampening
            ahead = isinstance(rule, rules.Nesterov | variants.RewrittenNesterov)
            return Momentum(rule.learning_rate * (1 - dampening), rule.momentum, ahead)
    return None


def spelled(name: str, *first: str, **arguments: Argument) -> str:
    """A call that names what is not the default; ``first`` stands before."""
    changed = [f"{k}={written(v)}" for k, (v, default) in arguments.items() if v != default]
    return f"{name}({', '.join([*first, *changed])})"


def written(value: Any) -> str:
    """A number as short as it may be without being another in float64's fifteen digits."""
    if isinstance(value, tuple):
        return f"({', '.join(map(written, value))})"
    return repr(float(f"{value:.15g}")) if isinstance(value, float) else repr(value)
