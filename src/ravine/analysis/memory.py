"""How much a rule has to remember beside the weights."""

from typing import Any

import numpy as np

from ravine.frameworks.memory import over
from ravine.frameworks.spelling import is_spelled, read_rule
from ravine.rules.update_rule import Rule

SHAPE = (64, 64)  # of most parameters' arrays: biases, which some rules treat otherwise, are few


def state_bytes(rule: Rule) -> float:
    """Bytes of optimizer memory a float32 parameter, found from the rule's own ``init``.

    What it remembers of a matrix of weights, divided by their number. Single numbers, such as
    Nadam's product, are one a matrix and left out.

    >>> from ravine.rules import SGD, Adam
    >>> state_bytes(SGD()), state_bytes(Adam())
    (0.0, 8.0)
    """
    sizes: list[int] = []

    def note(_: str, leaf: Any) -> Any:
        if np.ndim(leaf):
            sizes.append(np.asarray(leaf).nbytes)
        return leaf

    over(rule.init(np.zeros(SHAPE, np.float32)), note)
    return sum(sizes) / (SHAPE[0] * SHAPE[1])


def state_bytes_of(spelling: str) -> float | None:
    """The same of a rule by its spelling; None if that is not enough to make it."""
    return state_bytes(read_rule(spelling)) if is_spelled(spelling) else None
