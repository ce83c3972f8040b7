"""The rows of each run as programs take them: the task's splits, or such as its seed draws."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ravine.racing.files import one_or_all
from ravine.tasks.own.nested import mapped

PLACES = "places"  # in a file of weights: the rows that a seed trains, tunes and is judged on
NAMES = ("train", "validation", "test")
BLOCKED = "test_blocks"  # beside them: the rows of each block, where they are judged apart
BLOCKS = 10  # of test rows, a tenth of which is left out at a time


def joined(arrays: Mapping[str, list[Any]], part: str) -> list[Any]:
    """The inputs, ``x``, or targets, ``y``, of all splits, numbered as ``Table.places`` does."""
    columns = zip(*(arrays[f"{name}_{part}"] for name in NAMES), strict=True)
    return [np.concatenate(same) for same in columns]


def blocks_of(rows: int, at_random: bool) -> Any:
    """The rows of each block of a split, (blocks, rows), int32; what does not fill them is in none.

    Neighbours are in one block, as they may be alike, unless the split was drawn ``at_random``.
    """
    count = min(BLOCKS, rows) if rows > 1 else 0
    size = rows // max(1, count)
    at = np.arange(count * size, dtype=np.int32)
    return at.reshape(size, count).T if at_random else at.reshape(count, size)


class Splits:
    """The data of a race.

    Args:
        arrays: Those of each split's inputs and targets, ``train_x`` and so on.
        anew: Whether every seed has splits of its own.
        resident: Brings arrays to where programs have them at hand.
    """

    def __init__(
        self,
        arrays: Mapping[str, list[Any]],
        anew: bool,
        resident: Callable[[Any], Any] = lambda data: data,
    ) -> None:
        splits = [tuple(one_or_all(arrays[f"{name}_{part}"]) for part in "xy") for name in NAMES]
        self._anew = anew
        if anew:
            self.all = tuple(one_or_all(joined(arrays, part)) for part in "xy")
            self._train, _ = resident((self.all, []))
        else:
            train, validation, test = splits
            test = (*test, *arrays.get(BLOCKED, []))
            self._train, self._held_out = resident((train, [validation, test]))

    def given(self, places: Sequence[Any]) -> tuple[Any, Any]:
        """The training data and what is held out, as ``Programs`` have them.

        ``places`` has those of each lane. Where they differ by seed, training data are all rows,
        and what is held out has the lanes' axis before that of the rows.
        """
        if not self._anew:
            return self._train, self._held_out
        return self._train, [self._of([lane[i] for lane in places]) for i in (1, 2)]

    def _of(self, lanes: Sequence[Any]) -> Any:
        """The rows in each lane's places."""
        return tuple(mapped(lambda rows: np.stack([rows[at] for at in lanes]), p) for p in self.all)
