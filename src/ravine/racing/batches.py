"""Which rows of the training data each step takes."""

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def batch_rows(
    seed: int, rows: int, batch_size: int, steps: int, taken: int = 0
) -> NDArray[np.int32]:
    """Row numbers, (steps, batch_size), of a run after the steps taken, whatever the rule.

    Every epoch is a fresh shuffle, ``np.random.default_rng([seed, epoch]).permutation(rows)``.
    Rows that do not fill a last batch are left out of that epoch.
    """
    per_epoch = rows // batch_size
    first, last = taken // per_epoch, -(-(taken + steps) // per_epoch)
    order = np.concatenate([_epoch(seed, e, rows, batch_size) for e in range(first, last)])
    skipped = taken - first * per_epoch
    return order[skipped : skipped + steps]


def batches_digest(seed: int, rows: int, batch_size: int, steps: int) -> str:
    """SHA-256 of all of a run's rows, in order, which need not be in memory at once."""
    found = hashlib.sha256()
    for part in _parts(seed, rows, batch_size, steps):
        found.update(np.ascontiguousarray(part, "<i4").tobytes())
    return found.hexdigest()


def _parts(seed: int, rows: int, batch_size: int, steps: int) -> Iterator[NDArray[np.int32]]:
    per_epoch = rows // batch_size
    for epoch in range(-(-steps // per_epoch)):
        yield _epoch(seed, epoch, rows, batch_size)[: steps - epoch * per_epoch]


def _epoch(seed: int, epoch: int, rows: int, batch_size: int) -> NDArray[np.int32]:
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    whole = rows // batch_size * batch_size
    return order[:whole].reshape(-1, batch_size).astype(np.int32)
