"""What a chain of Optax's is as a rule: what comes before the step, the step, and its scales."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ravine import rules
from ravine.errors import InvalidArgument, unknown
from ravine.frameworks.translate import read_optax, read_schedules
from ravine.frameworks.translate.call import Call, lifted, number
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import L2, Clip, Decay, Scheduled

_AROUND: dict[str, Callable[[Rule, float], Rule]] = {
    "add_decayed_weights": lambda rule, x: L2(rule, weight_decay=x),
    "clip": lambda rule, x: Clip(rule, clipvalue=x),
    "clip_by_global_norm": lambda rule, x: Clip(rule, global_clipnorm=x),
}
_SCALES = ("scale", "scale_by_learning_rate", "scale_by_schedule")
_KNOWN = [*read_optax.READERS, *read_optax.PARTS, *_AROUND, *_SCALES, "identity"]


class _Chain(NamedTuple):
    """What was read so far."""

    before: tuple[Call, ...] = ()
    rule: Rule | None = None
    scale: float = 1.0  # of the step; below 0 once it goes downhill
    share: float = 0.0  # of the weights, which is added to the step
    options: Mapping[str, Any] = {}  # of the schedule that the scale follows
    apart: bool = False  # whether a share comes after that


def read_chain(parts: tuple[Any, ...]) -> Rule:
    """An optimizer, or a step and its scales; clipping and L2 before it, decay after it.

    >>> from ravine.frameworks.translate import read
    >>> print(read("optax.chain(optax.scale_by_adam(), optax.scale(-0.1))")[1])
    adam(learning_rate=0.1)
    """
    chain = _Chain()
    for part in parts:
        if not isinstance(part, Call):
            raise InvalidArgument(f"optax.chain: cannot read {part}")
        chain = _with(chain, part)
    if chain.rule is None:
        raise InvalidArgument(
            "optax.chain holds no optimizer, and no scale to take steps of: end it with "
            "optax.scale_by_learning_rate(…), or hold one of "
            f"{', '.join(read_optax.READERS)}"
        )
    if not chain.scale < 0:
        raise InvalidArgument(
            f"optax.chain: its step is the gradient's direction times {chain.scale:g}, uphill: "
            "write optax.scale(-learning_rate) or optax.scale_by_learning_rate(learning_rate)"
        )
    rate = -chain.scale
    # As Optax: what the optimizer itself decays by goes with the whole scale.
    rule = chain.rule.replace({"learning_rate": rate})
    if chain.share:
        if chain.apart and chain.options:
            raise InvalidArgument(
                "optax.chain: add_decayed_weights after a schedule does not follow it: no rule "
                "does that; put it before"
            )
        rule = Decay(rule, weight_decay=-chain.share / rate)
    for part in reversed(chain.before):
        rule = _before(rule, part)
    return Scheduled(rule, **chain.options) if chain.options else rule


def _with(chain: _Chain, part: Call) -> _Chain:
    name = part.name.rpartition(".")[2]
    if name == "identity":
        return chain
    if name in _SCALES:
        return _scaled(chain, part, name)
    if name in read_optax.READERS or name in read_optax.PARTS:
        if chain.rule is not None:
            raise InvalidArgument(f"optax.chain: {name} is its second step: one is read")
        whole = name in read_optax.READERS
        readers = read_optax.READERS if whole else read_optax.PARTS
        part, options = (
            lifted(part, read_schedules.OPTAX, read_schedules.curve) if whole else (part, {})
        )
        rule = readers[name](**part.bound(readers[name]))
        return chain._replace(
            rule=rule, scale=-rule.learning_rate if whole else 1.0, options=options
        )
    if name not in _AROUND:
        raise unknown("part of optax.chain", name, _KNOWN)
    if chain.rule is None:
        return chain._replace(before=(*chain.before, part))
    if name == "add_decayed_weights":
        # What is added to the update itself.
        return chain._replace(share=chain.share + _only(part, name), apart=bool(chain.options))
    raise InvalidArgument(f"optax.chain: {name} after the optimizer clips its step")


def _scaled(chain: _Chain, part: Call, name: str) -> _Chain:
    named = dict(part.named)
    flipped = name == "scale_by_learning_rate" and named.pop("flip_sign", True)
    part, options = lifted(
        Call(part.name, part.arguments, named), read_schedules.OPTAX, read_schedules.curve
    )
    if options and chain.options:
        raise InvalidArgument("optax.chain: two schedules are not read: give one")
    by = _only(part, part.name) * (-1 if flipped else 1)
    rule = chain.rule or rules.SGD()
    return chain._replace(
        rule=rule,
        scale=chain.scale * by,
        share=chain.share * by,
        options=options or chain.options,
    )


def _before(rule: Rule, part: Call) -> Rule:
    name, at = part.name.rpartition(".")[2], _only(part, part.name)
    if name == "clip_by_global_norm" and isinstance(rule, Clip) and not rule.spans_arrays:
        return rule.replace({"global_clipnorm": at})  # the order in which a Clip clips
    if "clip" in name and isinstance(rule, Clip):
        raise InvalidArgument(
            f"optax.chain: {name} again; read is clip_by_global_norm first, then clip"
        )
    return _AROUND[name](rule, at)


def _only(part: Call, name: str) -> float:
    if "mask" in part.named or (name.endswith("add_decayed_weights") and len(part.arguments) > 1):
        mask = part.named.get("mask", (*part.arguments, None, None)[1])
        raise InvalidArgument(f"{name}: mask={mask} is not translated: {read_optax.MASKED}")
    values = [*part.arguments, *part.named.values()]
    if len(values) != 1:
        raise InvalidArgument(f"{name} is read with one number, not {len(values)}")
    value = number(values[0], name)
    if not math.isfinite(value):
        raise InvalidArgument(f"{name}={value} is not a finite number")
    return value
