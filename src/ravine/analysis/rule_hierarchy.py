"""A rule that contains another should not lose to it; where it does, suspect the tuning.

Choi et al. 2019, https://arxiv.org/abs/1910.05446: tuned well enough, an optimizer is never worse
than one that it can imitate.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ravine.analysis.statistics import Spread

# What each rule can imitate with hyperparameters of its own; what those can, it can as well.
CONTAINS: Mapping[str, tuple[str, ...]] = {
    "momentum": ("sgd",),  # momentum = 0
    "nesterov": ("sgd",),  # momentum = 0
    "adam": ("momentum",),  # a large epsilon
    "nadam": ("momentum", "nesterov"),  # as adam
    "adamw": ("adam",),  # weight_decay = 0
}


class Suspect(NamedTuple):
    """A rule that lost to a special case of itself, by the paired speed-up over that."""

    rule: str
    special: str
    speedup: Spread


def contained(rule: str) -> set[str]:
    """All rules that a rule can imitate.

    >>> sorted(contained("adamw"))
    ['adam', 'momentum', 'sgd']
    """
    direct = CONTAINS.get(rule, ())
    return {*direct, *(name for other in direct for name in contained(other))}


def suspects(rules: list[str], speedup: Callable[[str, str], Spread]) -> tuple[Suspect, ...]:
    """The rules that lost: their interval of the speed-up over a special case lies below 1.

    ``speedup(special, rule)`` is that interval. Rules by their spelling; those that hold others,
    such as ``clip(adam)``, contain nothing.
    """
    kinds = {rule: rule.partition("(")[0] for rule in rules}
    pairs = [
        Suspect(rule, special, speedup(special, rule))
        for rule in sorted(rules)
        for special in sorted(rules)
        if kinds[special] in contained(kinds[rule])
    ]
    return tuple(pair for pair in pairs if pair.speedup.high < 1)
