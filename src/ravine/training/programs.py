"""What every engine makes and is asked for: programs over lanes, and the sizes they have."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ravine.rules.update_rule import Rule


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


class PerLane(NamedTuple):
    """What is held out of each lane, for programs that take one lane after another."""

    lanes: Any  # of each, its splits


class Shape(NamedTuple):
    """The sizes that a program is made for."""

    width: int
    periods: int  # the most that it takes at once
    period: int
    batch_size: int


def of_lane(held_out: Any, lane: int) -> Any:
    """The splits of one lane."""
    return held_out.lanes[lane] if isinstance(held_out, PerLane) else held_out


def measured(held_out: Any) -> int:
    """How many measurements it gives: of each split, and of each block of its rows."""
    return sum(1 + sum(map(len, blocks)) for _, _, *blocks in of_lane(held_out, 0))


def numeric(rule: Rule) -> dict[str, float]:
    """The hyperparameters that are data of the program; the others are its structure."""
    return {k: v for k, v in rule.values().items() if isinstance(v, float)}
