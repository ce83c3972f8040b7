"""The rows of each run as programs take them: the task's splits, or such as its seed draws."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from ravine.storage.files import one_or_all
from ravine.tasks.adapters.pytree import mapped
from ravine.tasks.task import Data, Split

PLACES = "places"  # in a file of weights: the rows that a seed trains, tunes and is judged on
NAMES = ("train", "validation", "test")
BLOCKED = "test_blocks"  # beside them: the rows of each block, where they are judged apart
BLOCKS = 16  # of test rows: see ``analysis.half_samples``


def joined(arrays: Mapping[str, list[Any]], part: str) -> list[Any]:
    """The inputs, ``x``, or targets, ``y``, of all splits, numbered as ``Table.places`` does."""
    columns = zip(*(arrays[f"{name}_{part}"] for name in NAMES), strict=True)
    return [np.concatenate(same) for same in columns]


def blocks_of(rows: int, at_random: bool) -> Any:
    """The rows of each block of a split, (blocks, rows), int32; what does not fill them is in none.

    Neighbours are in one block, as they may be alike, unless the split was drawn ``at_random``.
    """
    count = BLOCKS if rows >= BLOCKS else 0  # of fewer nothing is told
    size = rows // BLOCKS
    at = np.arange(count * size, dtype=np.int32)
    return at.reshape(size, count).T if at_random else at.reshape(count, size)


class Splits:
    """The data of a race.

    Args:
        arrays: Those of each split's inputs and targets, ``train_x`` and so on.
        anew: Whether every seed has splits of its own.
        engine: Has ``resident``, which brings arrays to where programs have them at hand, and
            ``by_lane``, which makes what is held out of the splits of each lane.
    """

    def __init__(
        self,
        arrays: Mapping[str, list[Any]],
        anew: bool,
        engine: Any,
    ) -> None:
        splits = [tuple(one_or_all(arrays[f"{name}_{part}"]) for part in "xy") for name in NAMES]
        self._anew, self._engine = anew, engine
        if anew:
            self._all = tuple(one_or_all(joined(arrays, part)) for part in "xy")
            self._train, _ = engine.resident((self._all, []))
        else:
            train, validation, test = splits
            test = (*test, *arrays.get(BLOCKED, []))
            self._train, self._held_out = engine.resident((train, [validation, test]))

    def given(self, places: Sequence[Any]) -> tuple[Any, Any]:
        """The training data and what is held out, as ``Programs`` have them.

        ``places`` has those of each lane. Where they differ by seed, training data are all rows.
        """
        if not self._anew:
            return self._train, self._held_out
        lanes = [[split_at(self._all, part) for part in lane[1:]] for lane in places]
        return self._train, self._engine.by_lane(lanes)


def data_at(arrays: Mapping[str, list[Any]], places: Sequence[Any]) -> Data:
    """The rows in these places of all splits."""
    rows = [one_or_all(joined(arrays, part)) for part in "xy"]
    return Data(*(Split(*split_at(rows, at)) for at in places))


def split_at(rows: Any, at: Any) -> tuple[Any, Any]:
    """Some rows of inputs and targets."""
    x, y = (mapped(itemgetter(at), part) for part in rows)
    return x, y
