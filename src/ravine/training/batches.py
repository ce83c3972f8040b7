"""Which rows of the training data each step takes."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def batch_rows(
    seed: int, rows: int, batch_size: int, steps: int, taken: int = 0, frozen: bool = False
) -> NDArray[np.int32]:
    """Row numbers, (steps, batch_size), of a run after the steps taken, whatever the rule.

    Every epoch is a fresh shuffle, ``np.random.default_rng([seed, epoch]).permutation(rows)``; all
    are the first one where the order is ``frozen``. Rows that do not fill a last batch are left
    out of that epoch.
    """
    per_epoch = rows // batch_size
    first, last = taken // per_epoch, -(-(taken + steps) // per_epoch)
    epochs = (0 if frozen else epoch for epoch in range(first, last))
    order = np.concatenate([_epoch(seed, epoch, rows, batch_size) for epoch in epochs])
    skipped = taken - first * per_epoch
    return order[skipped : skipped + steps]


def batches_digest(seed: int, rows: int, batch_size: int, steps: int, frozen: bool = False) -> str:
    """SHA-256 of all of a run's rows, in order, which need not be in memory at once."""
    found, per_epoch = hashlib.sha256(), rows // batch_size
    for taken in range(0, steps, per_epoch):
        now = min(per_epoch, steps - taken)
        part = batch_rows(seed, rows, batch_size, now, taken, frozen)
        found.update(np.ascontiguousarray(part, "<i4").tobytes())
    return found.hexdigest()


def _epoch(seed: int, epoch: int, rows: int, batch_size: int) -> NDArray[np.int32]:
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    whole = rows // batch_size * batch_size
    return order[:whole].reshape(-1, batch_size).astype(np.int32)
