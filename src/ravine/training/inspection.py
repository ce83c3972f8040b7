"""What data and batches look like where they are at hand, for the audits of the verdict."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ravine.tasks.adapters.failures import line_of
from ravine.training.batches import batch_rows

EPOCHS = 4  # of batches that are looked through for a repetition


class Shared(NamedTuple):
    """Shares of the rows of a held-out split that another split has too, input and target alike."""

    validation_in_train: float = 0.0
    test_in_train: float = 0.0
    test_in_validation: float = 0.0


def shared_rows(train: Any, validation: Any, test: Any) -> Shared:
    """How much the splits have in common, each a pair ``(x, y)``, an array or a list
    of arrays each, all of equal length.

    Rows are the same if every bit of them is: near duplicates are not found.
    """
    seen, tuned, judged = (_row_digests(*split) for split in (train, validation, test))

    def share(rows: Sequence[bytes], others: Sequence[bytes]) -> float:
        known = set(others)
        return sum(row in known for row in rows) / max(1, len(rows))

    return Shared(share(tuned, seen), share(judged, seen), share(judged, tuned))


def _row_digests(x: Any, y: Any) -> list[bytes]:
    lists = (part if isinstance(part, list) else [part] for part in (x, y))
    rows = zip(*(np.asarray(array) for part in lists for array in part), strict=True)
    joined = (b"".join(np.asarray(part).tobytes() for part in row) for row in rows)
    return [hashlib.blake2b(row, digest_size=16).digest() for row in joined]


def period_of(rows: ArrayLike) -> int | None:
    """After how many steps the batches of a run repeat; None if they do not.

    ``rows``: the row numbers that each step takes, (steps, batch size), of at least twice as many
    steps as it takes to repeat. The order within a batch does not matter: its gradient is the same.

    >>> period_of([[0, 1], [2, 3], [1, 0], [3, 2]])
    2
    >>> period_of([[0, 1], [2, 3], [0, 2], [1, 3]]) is None
    True
    """
    batches = [row.tobytes() for row in np.sort(np.asarray(rows), axis=1)]
    for period in range(1, len(batches) // 2 + 1):
        if batches[period] == batches[0] and batches[period:] == batches[:-period]:
            return period
    return None


def repeats(rows: int, batch_size: int, frozen: bool) -> int:
    """After how many steps a run's batches repeat; 0 if they do not, or if each has all rows."""
    per_epoch = rows // max(1, batch_size)
    if per_epoch < 2:
        return 0  # nothing to shuffle, or nothing that can be trained
    steps = EPOCHS * per_epoch
    return period_of(batch_rows(0, rows, batch_size, steps, frozen=frozen)) or 0


def counted(count: Callable[[], float]) -> tuple[float, str]:
    """What an instrument counts; or 0, and a note, if it fails over what it looks at."""
    try:
        return count(), ""
    except Exception as error:
        return 0.0, f"the operations of a step could not be counted: {line_of(error)}"


def cautions(task: Any, network: Any, *notes: str) -> tuple[str, ...]:
    """What a reader of the verdict should know of a task's data, its model, and these notes."""
    held = (*getattr(network, "notes", ()), *getattr(task, "cautions", ()))
    return (*(note for note in notes if note), *held)
