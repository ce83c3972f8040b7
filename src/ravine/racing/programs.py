"""What every engine makes and is asked for: programs over lanes, and the sizes they have."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ravine.update_rule import Rule


class Programs(NamedTuple):
    """Two functions of arrays alone, over W lanes: the leading axis of all but the data.

    What is held out has that axis too where each seed splits the rows anew.

    ``begin(hyper, trainable, state, held_out)`` gives ``(lanes, measured)``;
    ``advance(hyper, lanes, span, rows, train, held_out)`` gives ``(lanes, losses, measured)``.

    ``hyper`` is a dict of (W,) arrays, ``lanes`` a list of arrays to hand on as it came, ``span``
    how many steps were taken before, a float, and how many periods to take now, an int32.
    ``rows``, (W, periods, steps, batch), says which rows of ``train`` each step takes; every period
    ends with a measurement on each split of ``held_out``. ``losses`` is (W, periods × steps),
    ``measured`` (W, periods, splits, measures); what lies beyond the periods taken is NaN. However
    a training is cut into spans, one program does it, so the cuts change no bit.

    A split is ``(x, y)``, or ``(x, y, blocks)`` with (blocks, rows) int32: each of those blocks of
    its rows is measured, too, as if it were one more split behind it.
    """

    begin: Callable[..., Any]
    advance: Callable[..., Any]


class Shape(NamedTuple):
    """The sizes that a program is made for."""

    width: int
    periods: int  # the most that it takes at once
    period: int
    batch_size: int


def scored(split: Any) -> int:
    """How many measurements a split of ``held_out`` gives: of itself and of each block of it."""
    _, _, *blocks = split
    return 1 + sum(map(len, blocks))


def numeric(rule: Rule) -> dict[str, float]:
    """The hyperparameters that are data of the program; the others are its structure."""
    return {k: v for k, v in rule.values().items() if isinstance(v, float)}
