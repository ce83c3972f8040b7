"""Which rows of the training data each step takes."""

import numpy as np
from numpy.typing import NDArray


def batch_rows(seed: int, rows: int, batch_size: int, steps: int) -> NDArray[np.int32]:
    """Row numbers, (steps, batch_size), of a run: a fresh shuffle every epoch, whatever the rule.

    Epoch e is ``np.random.default_rng([seed, e]).permutation(rows)``; rows that do not fill a
    last batch are left out of that epoch.
    """
    per_epoch = rows // batch_size
    epochs = -(-steps // per_epoch)
    order = [
        np.random.default_rng([seed, epoch]).permutation(rows)[: per_epoch * batch_size]
        for epoch in range(epochs)
    ]
    return np.concatenate(order).reshape(-1, batch_size)[:steps].astype(np.int32)
